/*
 * The model's uncertainty along the text: the entropy of its probabilities at each character, and the mean of
 * the characters before. A select of a point goes to its character.
 */

import { onOneLine } from './characters.js'
import { COLORS, plain, Plot } from './plot.js'
import { thinned } from './thinning.js'

const POINTS = 900 // drawn of each text, however long it is
const FEWEST = 100 // characters that the axis has room for from the beginning
const WINDOW = 32 // characters of the mean, or a part of what is seen if that is more
const PARTS = 50
const AROUND = 12 // characters shown on each side of the one that is pointed at

/** The chart of the entropy. */
export class EntropyChart {
  #plot
  #columns = []

  /**
   * @param {HTMLElement} element
   * @param {(column: number, index: number) => void} onSelect a character was selected
   */
  constructor(element, onSelect) {
    this.#plot = new Plot(
      element,
      {
        xaxis: { title: { text: 'Character', standoff: 6 }, rangemode: 'nonnegative' },
        yaxis: { title: { text: 'Entropy (bits)', standoff: 6 }, rangemode: 'tozero', nticks: 5 },
        hoverdistance: 30,
      },
      {
        click: ({ data, x }) => onSelect(data.meta, x - 1),
        zoomed: () => this.draw(this.#columns),
      },
    )
  }

  /** How many characters the mean is over, of the part that is seen. */
  static window(seen) {
    return Math.max(WINDOW, Math.round(seen / PARTS))
  }

  /**
   * @param {import('./written.js').Written[]} columns the texts that are shown
   * @returns {number} how many characters the mean is over
   */
  draw(columns) {
    this.#columns = columns
    const longest = Math.max(FEWEST, ...columns.map(({ length }) => length))
    const range = this.#plot.range ?? [0, longest + 1]
    const seen = EntropyChart.window(Math.min(range[1], longest) - range[0])
    // Of one text the nearest character is meant, wherever its value; of two the nearest line.
    const lines = columns.map((written, column) => traces(written, column, range, seen))
    // The means over all that is raw, which would hide them.
    this.#plot.draw([...lines.map(([raw]) => raw), ...lines.map(([, mean]) => mean)], {
      xaxis: { range: [...range] },
      hovermode: columns.length > 1 ? 'closest' : 'x',
    })
    return seen
  }
}

/** What characters are counted from 1 for people: the axis shows them so. */
function traces(written, column, [left, right], window) {
  const from = Math.max(0, Math.floor(left) - 1)
  const to = Math.min(written.length, Math.ceil(right))
  const raw = thinned((index) => written.entropy(index), from, to, POINTS)
  const step = Math.max(1, Math.floor((to - from) / POINTS))
  const mean = Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, i) => from + i * step)
  const color = COLORS[column]
  const shared = { type: 'scatter', mode: 'lines', meta: column, x: [], y: [] }
  return [
    {
      ...shared,
      x: raw.map((index) => index + 1),
      y: raw.map((index) => written.entropy(index)),
      customdata: raw.map((index) => around(written, index)),
      line: { color, width: 1 },
      opacity: raw.length < to - from ? 0.25 : 0.4,
      hovertemplate: '%{customdata}<br>character %{x}: %{y:.2f} bits<extra></extra>',
    },
    {
      ...shared,
      x: mean.map((index) => index + 1),
      y: mean.map((index) => written.smoothed(index, window)),
      line: { color, width: 2.5 },
      hoverinfo: 'skip',
    },
  ]
}

function around(written, index) {
  const shown = (from, to) => plain(onOneLine(written.text(Math.max(0, from), Math.min(written.length, to))))
  return `${shown(index - AROUND, index)}<b>[${shown(index, index + 1)}]</b>${shown(index + 1, index + 1 + AROUND)}`
}
