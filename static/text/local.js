/*
 * The source of text that runs the model in this browser, by TF.js in a worker: no request for a character, and
 * none at all once the model is loaded. What a source is stands in source.js. Here is also what only a browser's
 * own models have: fine-tuning on a text, keeping them (in IndexedDB), listing and deleting them.
 *
 * A model that was saved here is called `browser:<name>`; it is nowhere else.
 */

const HERE = 'browser:'
const DATABASE = 'tensorflowjs' // where TF.js keeps models
const NO_WORKER = 'What runs a model in this browser could not be fetched: the server did not answer. Try again when it does.'

/** @returns {string} what a model that is saved here under a name is called where models are listed */
export const called = (name) => HERE + name

/** @returns {boolean} whether a model of that name is one that is saved here */
export const isSavedHere = (model) => model.startsWith(HERE)

class Worked {
  constructor() {
    this._told = new Map() // who is told, by the number of the question
    this._last = 0
    this._worker = new Worker(new URL('./local/worker.js', import.meta.url), { type: 'module' })
    this._worker.onmessage = ({ data: { number, type, data } }) => {
      const told = this._told.get(number)
      if (type === 'done' || (type === 'failure' && data.index === null)) this._told.delete(number)
      told?.({ type, data })
    }
    this._worker.onerror = () => {
      for (const told of this._told.values()) told({ type: 'failure', data: { index: null, message: NO_WORKER } })
      this._told.clear()
      if (writer === this) writer = null
    }
  }

  /** Asks; gives what stops it. With `lastWord`, its events still come after that. */
  ask(what, asked, onEvent, lastWord = false) {
    const number = ++this._last
    this._told.set(number, onEvent)
    this._worker.postMessage({ number, what, ...asked })
    return () => {
      if (!lastWord) this._told.delete(number)
      this._worker.postMessage({ number, what: 'stop' })
    }
  }

  end() {
    this._worker.terminate()
  }
}

let writer = null // it stays, with its models
const theWriter = () => (writer ??= new Worked())

/** As any source's. */
export function start(settings, onEvent) {
  const { model } = settings
  return theWriter().ask('write', { address: addressOf(model), model: shown(model), settings }, onEvent)
}

/**
 * Fine-tunes a model on a text, and saves it after each epoch, and when it is stopped.
 * @param {{model: string, text: string, about: string, epochs: number, name: string}} asked `about` says in words
 *   which text that is, `name` what to save the model as
 * @param {(event: {type: string, data: any}) => void} onEvent told of
 *   start    {backend: 'webgl' or 'cpu', unknown: [characters of the text that the model does not know]}
 *   batch    {epoch, batch, batches, loss}
 *   epoch    {epoch, loss: of what was held out}; epoch 0 is before training
 *   saved    {name}
 *   failure  {index: null, message}, or done {saved: whether anything was}: the end
 * @returns {() => void} stops it: it is saved as far as it has learned, if at all, and `done` comes
 */
export function tune({ model, ...asked }, onEvent) {
  // a worker of its own: it has another backend, and writing goes on meanwhile
  const worked = new Worked()
  return worked.ask('tune', { address: addressOf(model), ...asked }, (event) => {
    if (event.type === 'done' || event.type === 'failure') worked.end()
    onEvent(event)
  }, true)
}

/** @returns {Promise<{name: string, date: Date, bytes: number}[]>} the models that are saved here */
export async function saved() {
  const databases = await indexedDB.databases?.().catch(() => null)
  // most browsers say so without TF.js, which takes a moment
  if (databases && !databases.some(({ name }) => name === DATABASE)) return []
  return answer('saved', {})
}

/**
 * @param {string} name of a model that is saved here
 * @returns {Promise<{vocabulary: string[], counts: number[] | null, text: string | null}>} what it learned from last
 */
export const described = (name) => answer('described', { address: addressOf(called(name)) })

/** @param {string} name of a model that is saved here, to be deleted */
export const forget = (name) => answer('forget', { name })

function answer(what, asked) {
  return new Promise((resolve, reject) => {
    theWriter().ask(what, asked, ({ type, data }) => (type === 'done' ? resolve(data) : reject(new Error(data.message))))
  })
}

/** @returns {string} a model's name without what says where it is */
export const shown = (model) => (isSavedHere(model) ? model.slice(HERE.length) : model)

function addressOf(model) {
  if (isSavedHere(model)) return `indexeddb://${shown(model)}`
  return new URL(`text_models/${encodeURIComponent(model)}/tfjs/model.json`, document.baseURI).href
}
