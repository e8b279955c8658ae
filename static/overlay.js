/*
 * Lines and names over the frame: an SVG whose units are the video's pixels, so that zoom and pan only
 * move its view box. Beside Plotly rather than in it: there a trace of each colour would cost half a
 * millisecond a frame, here all of them together cost less.
 */

const SVG = 'http://www.w3.org/2000/svg'
const FONT = 12 // px on the screen, whatever the zoom

/** A layer over an element, which lets the pointer through. */
export class Overlay {
  #svg = document.createElementNS(SVG, 'svg')
  #layers
  #element
  #drawn = { texts: [] }

  /** @param {HTMLElement} element the layer is put right after it and covers it */
  constructor(element) {
    this.#element = element
    this.#svg.setAttribute('class', 'overlay')
    this.#svg.setAttribute('preserveAspectRatio', 'none')
    this.#svg.setAttribute('aria-hidden', 'true')
    this.#layers = Object.fromEntries(['trails', 'skeletons', 'second', 'texts'].map((name) => {
      const layer = document.createElementNS(SVG, 'g')
      layer.setAttribute('class', name)
      this.#svg.append(layer)
      return [name, layer]
    }))
    element.after(this.#svg)
  }

  /** Follows the ranges that the picture shows. */
  fit({ xaxis, yaxis }) {
    const [left, right] = xaxis.range
    const [top, bottom] = [Math.min(...yaxis.range), Math.max(...yaxis.range)]
    this.#svg.setAttribute('viewBox', `${left} ${top} ${right - left} ${bottom - top}`)
    this.#drawTexts()
  }

  /**
   * @param {{trails?: object[], skeletons?: object[], second?: object[], texts?: object[]}} what paths
   *     ({color, d, opacity}) and texts ({text, x, y, color}) in px of the video
   */
  draw(what) {
    this.#drawn = { texts: [], ...what }
    for (const name of ['trails', 'skeletons', 'second']) paths(this.#layers[name], what[name] ?? [])
    this.#drawTexts()
  }

  clear() {
    this.draw({})
  }

  #drawTexts() {
    const { texts } = this.#drawn
    const layer = this.#layers.texts
    if (!texts.length && !layer.firstChild) return
    const unit = this.#svg.viewBox.baseVal.width / (this.#element.clientWidth || 1)
    layer.setAttribute('font-size', FONT * unit)
    layer.setAttribute('stroke-width', 3 * unit)
    reuse(layer, 'text', texts, (node, { text, x, y, color }) => {
      node.setAttribute('x', x + 4 * unit)
      node.setAttribute('y', y - 5 * unit)
      node.setAttribute('fill', color)
      if (node.textContent !== text) node.textContent = text
    })
  }
}

function paths(layer, wanted) {
  reuse(layer, 'path', wanted, (node, { color, d, opacity = 1 }) => {
    node.setAttribute('d', d)
    node.setAttribute('stroke', color)
    node.setAttribute('stroke-opacity', opacity)
  })
}

/** Gives a layer as many nodes as are wanted, those it has first, and sets each. */
function reuse(layer, kind, wanted, set) {
  while (layer.childNodes.length > wanted.length) layer.lastChild.remove()
  wanted.forEach((item, i) => {
    set(layer.childNodes[i] ?? layer.appendChild(document.createElementNS(SVG, kind)), item)
  })
}
