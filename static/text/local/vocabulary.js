/*
 * Characters and their ids. Id 0 is "", which stands for every character that a model does not know. Characters
 * are code points. Pure.
 */

import { UNKNOWN } from '../characters.js'

/** A model's characters, by their ids. */
export class Vocabulary {
  /** @param {string[]} characters */
  constructor(characters) {
    this._characters = characters
    this._ids = new Map(characters.map((character, id) => [character, id]))
  }

  get size() {
    return this._characters.length
  }

  /** @returns {number[]} each character's id, 0 for those that are not in the vocabulary */
  encode(text) {
    return Array.from(text, (character) => this._ids.get(character) ?? 0)
  }

  /** @returns {string} */
  character(id) {
    return id === 0 ? UNKNOWN : this._characters[id]
  }

  /** @returns {string[]} the characters that are not in the vocabulary, each once, in the order they come */
  unknown(text) {
    return [...new Set(text)].filter((character) => !this._ids.has(character))
  }
}
