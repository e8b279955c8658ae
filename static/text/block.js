/*
 * A block of a text on the page: some hundred to two thousand characters in one text node, whose shades are
 * there only while it is near to be seen. So a long text costs the browser little more than its characters.
 */

import { Marks, shadeOf } from './shades.js'

/** Characters after which a block ends at the next line end, and at which it ends anyway. */
const ENOUGH = 600
const MOST = 2000

/** One block of a text. */
export class Block {
  #written
  #marks = new Marks()
  #near = false
  #shaded = 0 // characters that were looked at for a shade
  #units = 0 // UTF-16 units that these have

  /** How many characters it holds. */
  count = 0

  /**
   * @param {import('./written.js').Written} written
   * @param {number} from its first character
   */
  constructor(written, from) {
    this.#written = written
    this.from = from
    this.node = document.createElement('div')
    this.text = document.createTextNode('')
    this.node.append(this.text)
  }

  /** Takes what was written since, as far as there is room. @returns {boolean} whether it is full */
  fill() {
    const { length } = this.#written
    let to = this.from + this.count
    const isFull = () => {
      const has = to - this.from
      return has >= MOST || (has >= ENOUGH && this.#written.code(to - 1) === 10)
    }
    while (to < length && !isFull()) to++
    this.text.appendData(this.#written.text(this.from + this.count, to))
    this.count = to - this.from
    if (this.#near) this.#shade()
    return isFull()
  }

  /** Whether it is near to be seen: only then it has shades. */
  set near(near) {
    if (near === this.#near) return
    this.#near = near
    if (near) return this.#shade()
    this.clear()
  }

  /** Takes its shades away. */
  clear() {
    this.#marks.clear()
    this.#shaded = this.#units = 0
  }

  /** The character (its place in the whole text) at an offset of the text node. */
  indexAt(offset) {
    return this.from + [...this.text.data.slice(0, offset)].length
  }

  /** @returns {[Text, number, number]} where a character of it stands */
  placeOf(index) {
    const start = this.#written.text(this.from, index).length
    return [this.text, start, start + this.#written.text(index, index + 1).length]
  }

  #shade() {
    const written = this.#written
    let [run, at] = [this.#units, this.#units]
    let shade = null
    for (let i = this.from + this.#shaded; i < this.from + this.count; i++) {
      const next = shadeOf(written.prob(i))
      if (next !== shade) {
        if (shade !== null && at > run) this.#marks.shade(this.text, run, at, shade)
        shade = next
        run = at
      }
      at += written.code(i) > 0xffff ? 2 : 1
    }
    if (at > run) this.#marks.shade(this.text, run, at, shade)
    this.#shaded = this.count
    this.#units = at
  }
}
