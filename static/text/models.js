/*
 * What the text page asks the server of its models: what a model learned from, whether it runs in a browser
 * too, and the address of a stream of its text.
 */

import { ask } from '../asking.js'
import { listModels } from '../server.js'
import { called, described, isSavedHere, saved, shown } from './local.js'

const addressOf = (model) => `text_models/${encodeURIComponent(model)}`

/** @returns {Promise<string[]>} the character models: the server's, then those that this browser keeps */
export async function listTextModels() {
  const [there, here] = await Promise.all([listModels('text'), saved().catch(() => [])])
  return [...there, ...here.map(({ name }) => called(name))]
}

/** @returns {string} what a model is called in the list */
export const modelTitle = (model) => (isSavedHere(model) ? `${shown(model)} (in this browser)` : model)

/** @returns {boolean} whether the server can run a model */
export const runsThere = (model) => !isSavedHere(model)

/**
 * What is known of a model without loading it, or null if nothing is.
 * @param {string} model
 * @returns {Promise<{vocabulary: string[], counts: number[] | null, text: string | null} | null>}
 */
export async function describe(model) {
  try {
    if (isSavedHere(model)) return await described(shown(model))
    const response = await ask(addressOf(model), { cache: 'no-store' })
    return response.ok ? await response.json() : null
  } catch {
    return null // the server is gone for now, which is said elsewhere
  }
}

const NO_TFJS = 'TF.js is not on the server: make tfjs (or python -m tfjs) fetches it.'

/**
 * Why a model cannot run in this browser: a sentence, or '' if it can.
 * @param {string} model
 * @returns {Promise<string>}
 */
export async function whyNotHere(model) {
  if (isSavedHere(model)) return ''
  try {
    if (!(await ask('tfjs/tf.min.js', { method: 'HEAD' })).ok) return NO_TFJS
    const response = await ask(`${addressOf(model)}/tfjs/model.json`)
    return response.ok ? '' : (await response.json()).error
  } catch {
    return 'The server does not answer.'
  }
}

/**
 * The address of a stream.
 * @param {{model: string, seed: string, length: number, topN: number, temperature: number,
 *   randomState: number}} settings
 * @returns {string}
 */
export function textUrl({ model, seed, length, topN, temperature, randomState }) {
  const asked = { model_name: model, seed, length, top_n: topN, temperature, random_state: randomState }
  return `generate_text?${new URLSearchParams(asked)}`
}
