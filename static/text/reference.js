/*
 * The text that character frequencies are held against: the one that the model learned from, if its file says
 * so, or a file of the user's, which is read here and never sent.
 */

import { bindDrop } from '../dropping.js'
import { count, countsOf, total } from './characters.js'

const MOST = 200e6 // bytes that are read of a file

/** What texts are compared with. */
export class Reference {
  #el
  #changed
  #model = null // of the model: {counts, name}
  #file = null // of the file, likewise
  #reading = null

  /** Grows with every change. */
  version = 0

  /**
   * @param {Record<string, HTMLElement>} el every element by its id
   * @param {object} on
   * @param {() => void} on.changed another text is compared with, or none
   * @param {(sentence: string) => void} on.error
   */
  constructor(el, { changed, error }) {
    this.#el = el
    this.#changed = changed
    const read = (file) => {
      if (file.size === 0) return error(`${file.name} is empty.`)
      return this.#read(file).catch(() => error(`${file.name} cannot be read as text in UTF-8.`))
    }
    el['reference-button'].addEventListener('click', () => el['reference-file'].click())
    el['reference-file'].addEventListener('change', () => {
      if (el['reference-file'].files[0]) read(el['reference-file'].files[0])
      el['reference-file'].value = ''
    })
    el['reference-back'].addEventListener('click', () => {
      this.#reading = this.#file = null
      this.#show()
    })
    bindDrop({ target: el.drop, onFile: read })
  }

  /** How often each character comes, or null. @returns {import('./characters.js').Counts | null} */
  get counts() {
    return (this.#file ?? this.#model)?.counts ?? null
  }

  /** @param {{vocabulary: string[], counts: number[] | null, text: string | null} | null} model what is known of it */
  setModel(model) {
    this.#model = model?.counts ? { counts: countsOf(model.vocabulary, model.counts), name: model.text } : null
    this.#show()
  }

  async #read(file) {
    const mine = (this.#reading = {})
    const counts = new Map()
    this.#el['reference-text'].textContent = `Reading ${file.name} …`
    const decoder = new TextDecoder('utf-8', { fatal: true })
    try {
      let rest = '' // a line end of two characters may be cut by the end of a chunk
      for await (const bytes of chunks(file.slice(0, MOST).stream())) {
        const text = rest + decoder.decode(bytes, { stream: true })
        rest = text.endsWith('\r') ? '\r' : ''
        count(counts, text.slice(0, text.length - rest.length))
        if (this.#reading !== mine) return
      }
      const isCut = file.size > MOST // maybe within a character
      count(counts, isCut ? rest : rest + decoder.decode())
      if (!counts.size || counts.has(0)) throw new Error('no text')
      this.#file = { counts, name: file.name, isCut }
    } finally {
      if (this.#reading === mine) this.#show()
    }
  }

  #show() {
    const shown = this.#file ?? this.#model
    const what = this.#file ? 'The file' : 'The model’s training text:'
    this.#el['reference-text'].textContent = shown
      ? `${what} ${shown.name ?? 'not named'}, ${total(shown.counts).toLocaleString('en')} characters${shown.isCut ? `: of its first ${MOST / 1e6} MB, as it is larger` : ''}.`
      : 'Nothing is known of the text that this model learned from. Choose a text file to compare with.'
    this.#el['reference-back'].hidden = !(this.#file && this.#model)
    this.version++
    this.#changed()
  }
}

async function* chunks(stream) {
  const reader = stream.getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    yield value
  }
}
