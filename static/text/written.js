/*
 * A text as it was sampled: every character with its probability, the entropy there, and the likeliest
 * alternatives, 60 bytes each, however long it gets. Nothing here touches the page.
 */

import { UNKNOWN } from './characters.js'

const KEPT = 5 // alternatives of each character
const ROOM = 1024 // characters that find room before the first growth
const AT_ONCE = 8192 // characters that are made a string at a time

/** One text, which grows. */
export class Written {
  #codes = new Uint32Array(ROOM)
  #probs = new Float32Array(ROOM)
  #entropies = new Float32Array(ROOM)
  #total = new Float64Array(ROOM + 1) // of the entropies before each place
  #otherCodes = new Uint32Array(ROOM * KEPT)
  #otherProbs = new Float32Array(ROOM * KEPT)
  #sum = 0

  /** How many characters (code points) there are. */
  length = 0
  /** How often each character comes, by its code point. @type {Map<number, number>} */
  counts = new Map()

  /**
   * Adds the next piece; Error if it is not the next one, or its lists do not fit its text.
   * @param {{index: number, text: string, probs: number[], entropies: number[], alternatives: [string, number][][]}} piece
   */
  add({ index, text, probs, entropies, alternatives }) {
    const characters = [...text]
    const fits = [probs, entropies, alternatives].every((list) => list.length === characters.length)
    if (index !== this.length || !fits) throw new Error(`The text that came does not fit at character ${this.length}.`)
    while (this.length + characters.length > this.#codes.length) this.#grow()
    characters.forEach((character, i) => this.#put(code(character), probs[i], entropies[i], alternatives[i]))
  }

  /** The mean of the characters' probabilities; null before the first. */
  get meanProb() {
    return this.length ? this.#sum / this.length : null
  }

  /** The mean entropy in bits; null before the first. */
  get meanEntropy() {
    return this.length ? this.#total[this.length] / this.length : null
  }

  /** The characters from one place to before another, as a string. */
  text(from = 0, to = this.length) {
    let text = ''
    for (let at = from; at < to; at += AT_ONCE) {
      text += String.fromCodePoint(...this.#codes.subarray(at, Math.min(to, at + AT_ONCE)))
    }
    return text
  }

  /** The code point at a place. */
  code(index) {
    return this.#codes[index]
  }

  /** The probability of the character at a place. */
  prob(index) {
    return this.#probs[index]
  }

  /** The entropy at a place, in bits. */
  entropy(index) {
    return this.#entropies[index]
  }

  /** The mean entropy of the `window` characters up to a place, in bits; of fewer at the beginning. */
  smoothed(index, window) {
    const from = Math.max(0, index + 1 - window)
    return (this.#total[index + 1] - this.#total[from]) / (index + 1 - from)
  }

  /** @returns {[string, number][]} the likeliest characters at a place and their probabilities */
  alternatives(index) {
    const found = []
    for (let at = index * KEPT; at < (index + 1) * KEPT && this.#otherCodes[at]; at++) {
      found.push([String.fromCodePoint(this.#otherCodes[at]), this.#otherProbs[at]])
    }
    return found
  }

  #put(character, prob, entropy, others) {
    const at = this.length++
    this.#codes[at] = character
    this.#probs[at] = prob
    this.#entropies[at] = entropy
    this.#total[at + 1] = this.#total[at] + entropy
    this.#sum += prob
    this.counts.set(character, (this.counts.get(character) ?? 0) + 1)
    others.slice(0, KEPT).forEach(([other, likelihood], i) => {
      this.#otherCodes[at * KEPT + i] = code(other)
      this.#otherProbs[at * KEPT + i] = likelihood
    })
  }

  #grow() {
    const larger = (values, times = 2, more = 0) => {
      const grown = new values.constructor(values.length * times - more)
      grown.set(values)
      return grown
    }
    this.#codes = larger(this.#codes)
    this.#probs = larger(this.#probs)
    this.#entropies = larger(this.#entropies)
    this.#total = larger(this.#total, 2, 1)
    this.#otherCodes = larger(this.#otherCodes)
    this.#otherProbs = larger(this.#otherProbs)
  }
}

const code = (character) => (character || UNKNOWN).codePointAt(0)
