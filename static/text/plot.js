/*
 * The page's Plotly charts: the only file here that calls Plotly. A chart is given its traces a few times a
 * second while texts come, and stays as far zoomed as the user left it. Colours of axes are text.css's, so that
 * they follow the theme.
 */

/* global Plotly */

const CONFIG = { displayModeBar: false, responsive: false, showTips: false }
const AXIS = { automargin: false, zeroline: false, ticks: '', title: { standoff: 6 } }

/** The colours of the two texts, and of what they are held against: told apart with any colour vision. */
export const COLORS = ['#2f8fd8', '#e0801a']
export const REFERENCE_COLOR = '#8a949e'

/** One chart. */
export class Plot {
  #element
  #layout
  #drawn = false

  /** The user looks at a part of the horizontal axis: [from, to], or null. */
  range = null
  /** px, kept, since asking the element for it makes the browser lay the page out. */
  width = 0

  /**
   * @param {HTMLElement} element
   * @param {object} layout axes and the like; `xaxis` and `yaxis` only what is special
   * @param {object} on
   * @param {(point: object) => void} [on.click] a point was selected
   * @param {() => void} [on.zoomed] another part is looked at
   */
  constructor(element, layout, { click = () => {}, zoomed = () => {} } = {}) {
    this.#element = element
    const coarse = matchMedia('(pointer: coarse)').matches
    this.#layout = {
      margin: { l: 46, r: 10, t: 6, b: 36 },
      paper_bgcolor: 'rgba(0, 0, 0, 0)',
      plot_bgcolor: 'rgba(0, 0, 0, 0)',
      font: { size: 11, family: getComputedStyle(element).fontFamily },
      showlegend: false,
      hovermode: 'closest',
      hoverlabel: { bgcolor: '#14181d', bordercolor: '#14181d', font: { color: '#fff', size: 12 }, align: 'left' },
      dragmode: coarse ? false : 'zoom', // a finger that moves over a chart scrolls the page
      ...layout,
      xaxis: { ...AXIS, ...layout.xaxis },
      yaxis: { ...AXIS, fixedrange: true, ...layout.yaxis },
    }
    this.on = { click, zoomed }
    this.width = element.clientWidth
    new ResizeObserver(() => {
      this.width = element.clientWidth
      if (this.#drawn && this.width) Plotly.Plots.resize(element)
    }).observe(element)
  }

  /**
   * @param {object[]} traces
   * @param {object} now what is special of the layout now
   */
  draw(traces, { xaxis, ...now }) {
    const layout = { ...this.#layout, ...now, xaxis: { ...this.#layout.xaxis, ...xaxis } }
    Plotly.react(this.#element, traces, layout, CONFIG)
    if (this.#drawn) return
    this.#drawn = true
    this.#element.on('plotly_click', ({ points }) => points[0] && this.on.click(points[0]))
    this.#element.on('plotly_relayout', (change) => {
      if ('xaxis.range[0]' in change) this.range = [change['xaxis.range[0]'], change['xaxis.range[1]']]
      else if ('xaxis.autorange' in change) this.range = null
      else return
      this.on.zoomed()
    })
  }
}

/** A text as Plotly takes it, which reads some HTML in it. */
export const plain = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
