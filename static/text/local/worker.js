/*
 * The worker in which models run, so that the page stays free. It is asked `{number, what, ...}` and answers
 * `{number, type, data}`, any number of times; the last answer is a `done` or a `failure`. What each question
 * means stands in ../local.js.
 */

import { loadModel, loadTf, Refused, Stepper, versionOf } from './network.js'
import { tune } from './training.js'
import { Vocabulary } from './vocabulary.js'
import { checked, pieces } from './writing.js'

const MOST_MODELS = 2 // kept: as many as are compared
const MESSAGES = { write, tune: train, saved, described, forget }

const SAVED = 'indexeddb://'
const MOST_UNKNOWN = 0.5 // of a text to learn from

const models = new Map() // {model, version} of trained ones of the server by their addresses, the last used last
const running = new Set() // the numbers of what was asked, and neither answered nor stopped yet
let loading = null // a promise of TF.js
let opening = Promise.resolve() // of the model that was asked for last

onmessage = async ({ data: { number, what, ...asked } }) => {
  if (what === 'stop') return running.delete(number)
  running.add(number)
  const tell = (type, data) => postMessage({ number, type, data })
  try {
    await MESSAGES[what](asked, tell, () => !running.has(number))
  } catch (error) {
    const meant = error instanceof Refused
    if (!meant) console.error(error)
    tell('failure', { index: null, message: meant ? error.message : `TF.js cannot run this model: ${error.message}` })
  } finally {
    running.delete(number)
  }
}

/** The processor: as exact in every browser, and for a single character no slower than a GPU. */
const onProcessor = () => loaded(['cpu'])
/** A GPU where there is one that computes in 32 bits. */
const onFastest = () => loaded(['webgl', 'cpu'])

function loaded(backends) {
  loading ??= loadTf(backends)
  loading.catch(() => (loading = null))
  return loading
}

async function write({ address, model: name, settings: given }, tell, isStopped) {
  const settings = checked(given)
  tell('status', { state: 'loading', message: `Loading ${name} into this browser …` })
  const tf = await onProcessor()
  const { stepper, metadata } = await opened(tf, address)
  const vocabulary = new Vocabulary(metadata.vocabulary)
  tell('status', { state: '', message: '' })
  try {
    tell('start', {
      model_name: name,
      seed: settings.seed,
      length: settings.length,
      top_n: settings.topN,
      temperature: settings.temperature,
      random_state: settings.randomState,
      vocabulary: vocabulary.size,
      unknown: vocabulary.unknown(settings.seed),
      notes: metadata.notes,
      engine: `TF.js ${tf.version.tfjs} in this browser`,
    })
    for (const piece of pieces(stepper, vocabulary, settings)) {
      if (piece) tell('message', piece)
      await breath()
      if (isStopped()) return
    }
    tell('done', { characters: settings.length })
  } finally {
    stepper.dispose()
  }
}

async function train({ address, text, about, epochs, name }, tell, isStopped) {
  const tf = await onFastest()
  const model = await loadModel(tf, address)
  const metadata = model.getUserDefinedMetadata()
  const vocabulary = new Vocabulary(metadata.vocabulary)
  const ids = vocabulary.encode(text)
  if (ids.filter((id) => id === 0).length > MOST_UNKNOWN * ids.length) {
    throw new Refused('The model does not know most of the characters of this text: it cannot learn from it.')
  }
  tell('start', { backend: tf.getBackend(), unknown: vocabulary.unknown(text) })
  let isSaved = false
  const save = async () => {
    model.setUserDefinedMetadata({ ...metadata, text: about, counts: countsOf(ids, vocabulary.size) })
    await model.save(SAVED + name).then(() => written(name)).catch((error) => {
      throw new Refused(`The model cannot be kept in this browser: ${error?.message ?? error}.`)
    })
    isSaved = true
    tell('saved', { name })
  }
  let isNew = false // whether something was learned that is not saved yet
  for await (const { type, data } of tune(tf, model, ids, epochs)) {
    if (type !== 'pause') tell(type, data)
    isNew ||= type === 'batch'
    if (type === 'epoch' && data.epoch > 0) {
      await save()
      isNew = false
    }
    await breath()
    if (isStopped()) break
  }
  if (isNew) await save()
  tell('done', { saved: isSaved })
}

/**
 * Waits until a model is really kept. TF.js tells of it before the browser has written it, and what is not written when
 * this worker ends is lost; a question about it is answered only behind that.
 */
function written(name) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('tensorflowjs')
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const database = opening.result
      const asked = database.transaction('models_store').objectStore('models_store').count(name)
      asked.onerror = () => reject(asked.error)
      asked.onsuccess = () => {
        database.close()
        if (asked.result) resolve()
        else reject(new Error('the browser has not written it'))
      }
    }
  })
}

async function saved(_, tell) {
  const { io } = await onProcessor()
  const found = Object.entries(await io.listModels()).filter(([address]) => address.startsWith(SAVED))
  const kept = found.map(([address, { dateSaved, weightDataBytes }]) => (
    { name: address.slice(SAVED.length), date: dateSaved, bytes: weightDataBytes }))
  tell('done', kept.sort((one, other) => one.name.localeCompare(other.name)))
}

async function described({ address }, tell) {
  const model = await loadModel(await onProcessor(), address)
  const { vocabulary, counts, text } = model.getUserDefinedMetadata()
  model.dispose()
  tell('done', { vocabulary, counts, text })
}

async function forget({ name }, tell) {
  const { io } = await onProcessor()
  await io.removeModel(SAVED + name)
  tell('done', {})
}

/**
 * A model to write with, and what its file says of it; one after the other, so that none is put away while it is
 * being copied.
 */
function opened(tf, address) {
  const next = () => open(tf, address)
  return (opening = opening.then(next, next))
}

async function open(tf, address) {
  const isSaved = address.startsWith(SAVED)
  // one that was saved here may have learned more since it was last read
  const trained = isSaved ? await loadModel(tf, address) : await kept(tf, address)
  const stepper = await Stepper.of(tf, trained)
  const metadata = trained.getUserDefinedMetadata()
  if (isSaved) trained.dispose()
  return { stepper, metadata }
}

/** A model of the server as it is now; as it was, where the server does not answer. */
async function kept(tf, address) {
  const version = await versionOf(address)
  const held = models.get(address)
  const isCurrent = held && (version === null || held.version === version)
  const used = isCurrent ? held : { model: await loadModel(tf, address), version }
  if (!isCurrent) held?.model.dispose()
  models.delete(address)
  models.set(address, used)
  for (const [oldest, unused] of [...models].slice(0, -MOST_MODELS)) {
    models.delete(oldest)
    unused.model.dispose()
  }
  return used.model
}

/** How often each id stands in a text. */
function countsOf(ids, size) {
  const counts = new Array(size).fill(0)
  for (const id of ids) counts[id] += 1
  return counts
}

/** A moment in which the worker hears what it is told. */
const breath = () => new Promise((resolve) => setTimeout(resolve))
