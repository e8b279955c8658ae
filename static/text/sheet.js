/*
 * The sheet that a text appears on: the seed, then what is sampled, block after block, at most once a screen
 * frame. It follows the text's end for as long as the end is seen, and finds the character at a point.
 */

import { Block } from './block.js'
import { Marks } from './shades.js'

const NEAR = 200 // px around what is seen that have their shades already
const AT_END = 24 // px from the end that still count as being there

/** One text on the page. */
export class Sheet {
  #element
  #written = null
  #blocks = []
  #byNode = new Map()
  #seed = null
  #seedMarks = new Marks()
  #hereMarks = new Marks()
  #seen
  #scheduled = false
  #follows = true
  #top = 0 // how far this text was followed

  /** The character that is marked, or null. */
  here = null

  /** @param {HTMLElement} element that scrolls */
  constructor(element) {
    this.#element = element
    this.#seen = new IntersectionObserver(
      (entries) => entries.forEach(({ target, isIntersecting }) => {
        const block = this.#byNode.get(target)
        if (block) block.near = isIntersecting
      }),
      { root: element, rootMargin: `${NEAR}px 0px` },
    )
    element.addEventListener('scroll', () => {
      const { scrollTop, clientHeight, scrollHeight } = element
      if (scrollTop + clientHeight >= scrollHeight - AT_END) this.#follows = true
      // a text that gives way to a shorter one scrolls, too, and nobody has turned back then
      else if (scrollTop < this.#top) this.#follows = false
    }, { passive: true })
    new ResizeObserver(() => this.#follow()).observe(element)
  }

  /** How many characters stand on the page. */
  get shown() {
    const last = this.#blocks.at(-1)
    return last ? last.from + last.count : 0
  }

  /**
   * Begins a new text.
   * @param {import('./written.js').Written | null} written null: nothing is to be seen
   * @param {string} seed
   */
  begin(written, seed = '') {
    this.#seen.disconnect()
    for (const block of this.#blocks) block.clear()
    this.#seedMarks.clear()
    this.mark(null)
    this.#byNode.clear()
    this.#blocks = []
    this.#written = written
    this.#follows = true
    this.#top = 0
    this.#element.replaceChildren()
    this.#seed = null
    if (!written) return
    this.#open()
    this.#seed = document.createElement('b')
    this.#seed.textContent = seed
    this.#blocks[0].node.prepend(this.#seed)
  }

  /** Marks the characters of the seed that the model does not know. @param {string[]} unknown */
  markUnknown(unknown) {
    this.#seedMarks.clear()
    const node = this.#seed?.firstChild
    let at = 0
    for (const character of node?.data ?? '') {
      const end = at + character.length
      if (unknown.includes(character)) this.#seedMarks.unknown(node, at, end)
      at = end
    }
  }

  /** What was written since is to be seen: with the next screen frame. */
  update() {
    if (this.#scheduled) return
    this.#scheduled = true
    requestAnimationFrame(() => {
      this.#scheduled = false
      this.#draw()
      // a block that comes into sight has its own height only then
      requestAnimationFrame(() => this.#follow())
    })
  }

  /** The character at a point of the screen, or null. */
  at(x, y) {
    const [node, offset] = caretAt(x, y)
    const block = this.#byNode.get(node?.parentNode)
    if (!block || node !== block.text) return null
    const near = block.indexAt(offset)
    const holds = (index) => index >= block.from && index < block.from + block.count &&
      [...this.#range(index).getClientRects()].some((box) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom)
    return [near, near - 1].find(holds) ?? null
  }

  /** Where a character stands on the screen. @returns {DOMRect} */
  boxOf(index) {
    const range = this.#range(index)
    return [...range.getClientRects()].at(-1) ?? range.getBoundingClientRect()
  }

  /** Marks one character; null: none. */
  mark(index) {
    this.#hereMarks.clear()
    this.here = index
    if (index !== null) this.#hereMarks.here(...this.#blockOf(index).placeOf(index))
  }

  /** Scrolls to a character and marks it. */
  goTo(index) {
    this.#follows = false
    this.mark(index)
    const frame = this.#element.getBoundingClientRect()
    const { top, bottom } = this.boxOf(index)
    if (top >= frame.top && bottom <= frame.bottom) return
    this.#blockOf(index).node.scrollIntoView({ block: 'nearest' }) // blocks that were never seen have no sure height
    this.#element.scrollTop += this.boxOf(index).top - frame.top - frame.height / 2
  }

  #draw() {
    if (!this.#written) return
    while (this.shown < this.#written.length) {
      if (this.#blocks.at(-1).fill()) this.#open()
    }
    this.#follow()
  }

  #follow() {
    const { scrollTop, clientHeight, scrollHeight } = this.#element
    // where it is at the end already, setting it would only undo what a wheel does at this moment
    if (!this.#follows || scrollTop + clientHeight >= scrollHeight) return
    this.#element.scrollTop = scrollHeight
    this.#top = this.#element.scrollTop
  }

  #open() {
    const block = new Block(this.#written, this.shown)
    this.#blocks.push(block)
    this.#byNode.set(block.node, block)
    this.#element.append(block.node)
    this.#seen.observe(block.node)
  }

  #blockOf(index) {
    return this.#blocks.findLast(({ from }) => from <= index)
  }

  #range(index) {
    const [node, start, end] = this.#blockOf(index).placeOf(index)
    const range = document.createRange()
    range.setStart(node, start)
    range.setEnd(node, end)
    return range
  }
}

/** The text node and the offset in it at a point of the screen, as this browser calls it. */
function caretAt(x, y) {
  if (document.caretPositionFromPoint) {
    const { offsetNode = null, offset = 0 } = document.caretPositionFromPoint(x, y) ?? {}
    return [offsetNode, offset]
  }
  const { startContainer = null, startOffset = 0 } = document.caretRangeFromPoint(x, y) ?? {}
  return [startContainer, startOffset]
}
