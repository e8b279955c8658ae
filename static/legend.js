/*
 * The names of the nodes in their colours; a click hides or shows one. The page's own rather than
 * Plotly's, which is laid out anew with every frame. Where the picture has a colour for each animal, the
 * nodes' are those of the chart's curves alone, and the legend shows curves.
 */

import { nodeColor } from './palette.js'

const MARK = 'm3 3 14 14M17 3 3 17'
const CURVE = 'M1 10q4.5-11 9 0t9 0'

/** A row of buttons, one each node. */
export class Legend {
  #element
  #onChange
  #nodes = []
  #hidden = new Set()
  #ofChart = false

  /**
   * @param {HTMLElement} element
   * @param {(hidden: Set<number>) => void} onChange told which nodes are not to be seen
   */
  constructor(element, onChange) {
    this.#element = element
    this.#onChange = onChange
  }

  /**
   * The same again stays as it is.
   * @param {string[]} nodes
   * @param {boolean} ofChart whether the colours are those of the chart alone
   */
  setUp(nodes, ofChart = false) {
    if (ofChart === this.#ofChart && nodes.join('\n') === this.#nodes.join('\n')) return
    this.#nodes = nodes
    this.#ofChart = ofChart
    this.#element.title = ofChart ? 'The colours of the curves in the chart. In the picture each animal has its own.' : ''
    this.#hidden.clear()
    this.#element.replaceChildren(...nodes.map((name, node) => this.#button(name, node)))
    this.#onChange(this.#hidden)
  }

  #button(name, node) {
    const button = document.createElement('button')
    button.type = 'button'
    button.setAttribute('aria-pressed', 'true')
    button.innerHTML = `<svg viewBox="0 0 20 20" aria-hidden="true"><path d="${this.#ofChart ? CURVE : MARK}"/></svg>`
    button.firstChild.style.stroke = nodeColor(node)
    button.append(name)
    button.addEventListener('click', () => {
      if (!this.#hidden.delete(node)) this.#hidden.add(node)
      button.setAttribute('aria-pressed', String(!this.#hidden.has(node)))
      this.#onChange(this.#hidden)
    })
    return button
  }
}
