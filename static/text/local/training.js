/*
 * Fine-tuning a model on a text: windows of it, shuffled, in batches, by Adam. A tenth of the text is held out, so
 * that the loss told for each epoch is of characters that were not learned from: of 64 windows of it at most,
 * spread evenly, so that a long text is not waited for. Losses are cross-entropies in nats a character.
 */

import { Refused } from './network.js'
import { Random } from './random.js'

const STEPS = 32 // characters of a window
const BATCH = { cpu: 8, webgl: 32 } // windows; a step on the processor takes seconds, and stopping waits for one
const RATE = 0.001
const HELD_OUT = 0.1 // of the text
const MOST_HELD_OUT = 64 // windows of it that are evaluated
const LEAST = 20 * STEPS
const MOST_EPOCHS = 100

/** Characters that a text needs, to be learned from at all. */
export const SHORTEST = LEAST + 1

/**
 * Trains a model in place; whoever asks for no further event stops it after the batch that is under way, which a
 * `pause` between two batches of what is held out allows, too.
 * @param {tf.LayersModel} model
 * @param {number[]} ids the text
 * @param {number} epochs
 * @returns {AsyncGenerator<{type: 'pause'} | {type: 'epoch', data: {epoch: number, loss: number}} |
 *   {type: 'batch', data: {epoch: number, batch: number, batches: number, loss: number}}>} epoch 0: before training
 */
export async function* tune(tf, model, ids, epochs) {
  if (ids.length < SHORTEST) {
    throw new Refused(`The text has ${ids.length} characters: at least ${SHORTEST} are needed to learn from.`)
  }
  if (!Number.isSafeInteger(epochs) || epochs < 1 || epochs > MOST_EPOCHS) {
    throw new Refused(`Epochs have to be a whole number from 1 to ${MOST_EPOCHS}.`)
  }
  const starts = Array.from({ length: Math.floor((ids.length - 1) / STEPS) }, (_, i) => i * STEPS)
  const heldOut = spread(starts.splice(Math.floor(starts.length * (1 - HELD_OUT))), MOST_HELD_OUT)
  const size = BATCH[tf.getBackend()]
  const batches = Math.ceil(starts.length / size)
  const random = new Random(0)
  const optimizer = tf.train.adam(RATE)
  model.compile({ optimizer, loss: 'sparseCategoricalCrossentropy' })
  try {
    yield { type: 'epoch', data: { epoch: 0, loss: yield* lossOf(tf, model, ids, heldOut, size) } }
    for (let epoch = 1; epoch <= epochs; epoch++) {
      shuffle(starts, random)
      for (let batch = 0; batch < batches; batch++) {
        const chosen = starts.slice(batch * size, (batch + 1) * size)
        const loss = await onWindows(tf, ids, chosen, (x, y) => model.trainOnBatch(x, y))
        yield { type: 'batch', data: { epoch, batch: batch + 1, batches, loss } }
      }
      yield { type: 'epoch', data: { epoch, loss: yield* lossOf(tf, model, ids, heldOut, size) } }
    }
  } finally {
    optimizer.dispose()
  }
}

async function* lossOf(tf, model, ids, starts, size) {
  let sum = 0
  for (let at = 0; at < starts.length; at += size) {
    const chosen = starts.slice(at, at + size)
    sum += chosen.length * await onWindows(tf, ids, chosen, (x, y) => evaluated(model, x, y))
    yield { type: 'pause' }
  }
  return sum / starts.length
}

async function evaluated(model, x, y) {
  const loss = model.evaluate(x, y, { batchSize: x.shape[0] })
  const [value] = await loss.data()
  loss.dispose()
  return value
}

/** So many of these at most, from all over them. */
function spread(values, most) {
  const every = Math.ceil(values.length / most)
  return values.filter((_, i) => i % every === 0)
}

/** What `use` makes of the windows that begin there, and of the characters that follow each of theirs. */
async function onWindows(tf, ids, starts, use) {
  const cut = (shift) => starts.flatMap((start) => ids.slice(start + shift, start + shift + STEPS))
  const x = tf.tensor2d(cut(0), [starts.length, STEPS], 'int32')
  const y = tf.tensor3d(cut(1), [starts.length, STEPS, 1])
  try {
    return await use(x, y)
  } finally {
    tf.dispose([x, y])
  }
}

function shuffle(values, random) {
  for (let last = values.length - 1; last > 0; last--) {
    const other = Math.floor(random.next() * (last + 1))
    ;[values[last], values[other]] = [values[other], values[last]]
  }
}
