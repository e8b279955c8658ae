/*
 * Models as TF.js has them: where they are loaded from, and a trained one rebuilt to be fed a character at a time.
 * This and training.js are all that knows TF.js.
 */

/** What went wrong, in words for the user. */
export class Refused extends Error {}

const PATIENCE = 30000 // ms; a model that was replaced is first written for TF.js, which takes seconds
const NO_TFJS = 'TF.js is not here: run make tfjs (or python -m tfjs) where the program is, then try again.'

/**
 * TF.js, on the first of these backends that works.
 * @param {string[]} backends
 */
export async function loadTf(backends) {
  let tf
  try {
    tf = await import(new URL('../../../tfjs/tf.min.js', import.meta.url))
  } catch {
    throw new Refused(NO_TFJS)
  }
  for (const backend of backends) {
    if (await works(tf, backend)) break
  }
  return tf
}

/** Some telephones' graphics compute in 16 bits, which is not enough. */
async function works(tf, backend) {
  const is = await tf.setBackend(backend).catch(() => false)
  return is && (backend !== 'webgl' || tf.env().getBool('WEBGL_RENDER_FLOAT32_CAPABLE'))
}

/**
 * A trained model, with its vocabulary among its metadata.
 * @param {string} address indexeddb://… for one that was saved here, else that of its model.json
 */
export async function loadModel(tf, address) {
  if (address.startsWith('indexeddb://')) return saved(tf, address)
  return tf.loadLayersModel(tf.io.browserHTTPRequest(address, { fetchFunc: fetched }))
}

/**
 * What tells a model of the server from one that took its place: the ETag of its model.json.
 * @param {string} address
 * @returns {Promise<string | null>} null if the server does not answer
 */
export async function versionOf(address) {
  const signal = AbortSignal.timeout(PATIENCE)
  const response = await fetch(address, { cache: 'no-cache', signal }).catch(() => null)
  if (!response || response.status >= 500) return null
  return response.ok ? response.headers.get('ETag') ?? '' : `none: ${response.status}`
}

async function saved(tf, address) {
  try {
    return await tf.loadLayersModel(address)
  } catch {
    throw new Refused('That model is not in this browser any more.')
  }
}

/** Never from the browser's cache unasked: shards of one model beside another's model.json would write nonsense. */
async function fetched(address, options) {
  const response = await fetch(address, { ...options, cache: 'no-cache' }).catch(() => {
    throw new Refused('The model is not loaded yet, and the server does not answer.')
  })
  if (response.ok) return response
  const { error } = await response.json().catch(() => ({}))
  throw new Refused(error ?? `The model could not be fetched: the server answered ${response.status}.`)
}

/** A trained model that is fed one character at a time: batch 1, sequences of 1, states that stay. */
export class Stepper {
  /** @param {tf.LayersModel} trained it is left as it is: its weights are copied */
  static async of(tf, trained) {
    const layers = trained.layers.map((layer) => ({ className: layer.getClassName(), config: stepwise(layer.getConfig()) }))
    const model = await tf.models.modelFromJSON({ modelTopology: { className: 'Sequential', config: { layers } } })
    // layer by layer, since a model sorts the weights of all its layers by whether they are trained
    trained.layers.forEach((layer, i) => model.layers[i].setWeights(layer.getWeights()))
    model.resetStates()
    return new Stepper(tf, model)
  }

  constructor(tf, model) {
    this._tf = tf
    this._model = model
  }

  /**
   * @param {number} id
   * @returns {Float32Array} the probability of each id to come next
   */
  feed(id) {
    const { tidy, tensor2d } = this._tf
    return tidy(() => this._model.apply(tensor2d([id], [1, 1])).dataSync())
  }

  dispose() {
    for (const layer of this._model.layers) this._tf.dispose(layer.states ?? [])
    this._model.dispose()
  }
}

function stepwise(config) {
  const changed = { ...config, trainable: false }
  if (config.batchInputShape) changed.batchInputShape = [1, 1]
  if ('stateful' in config) changed.stateful = true
  for (const key of Object.keys(config)) {
    // the weights are copied: an orthogonal beginning would take seconds
    if (key.endsWith('Initializer') && config[key]) changed[key] = { className: 'Zeros', config: {} }
  }
  return JSON.parse(JSON.stringify(changed)) // without what is undefined, which TF.js itself cannot read again
}
