/*
 * The names of the nodes in their colours; a click hides or shows one. The page's own rather than
 * Plotly's, which is laid out anew with every frame.
 */

import { nodeColor } from './palette.js'

/** A row of buttons, one each node. */
export class Legend {
  #element
  #onChange
  #nodes = []
  #hidden = new Set()

  /**
   * @param {HTMLElement} element
   * @param {(hidden: Set<number>) => void} onChange told which nodes are not to be seen
   */
  constructor(element, onChange) {
    this.#element = element
    this.#onChange = onChange
  }

  /** @param {string[]} nodes; the same ones again stay as they are */
  setUp(nodes) {
    if (nodes.join('\n') === this.#nodes.join('\n')) return
    this.#nodes = nodes
    this.#hidden.clear()
    this.#element.replaceChildren(...nodes.map((name, node) => this.#button(name, node)))
    this.#onChange(this.#hidden)
  }

  #button(name, node) {
    const button = document.createElement('button')
    button.type = 'button'
    button.setAttribute('aria-pressed', 'true')
    button.innerHTML = '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="m3 3 14 14M17 3 3 17"/></svg>'
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
