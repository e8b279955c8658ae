/*
 * What is asked of a model: read from the controls, judged before it is sent, and written into the address
 * where it differs from the usual. The second column has its own sampling, and maybe its own model.
 */

import { beyond, LIMITS } from './limits.js'

/** What the address leaves out. */
export const USUAL = { length: 512, topN: 10, temperature: 1 }

/** The control of each setting, and the parameter that it has in the address. */
const SAMPLING = { topN: 'top_n', temperature: 'temperature', randomState: 'random_state' }

/** The suffix of each column's controls. */
const COLUMNS = ['', '_b']

/**
 * @param {Record<string, HTMLInputElement>} el every element by its id
 * @param {number} column 0 or 1
 * @returns {object} as source.js has them; numbers that are none are NaN
 */
export function readSettings(el, column) {
  const number = (name) => el[name].value.trim() === '' ? NaN : Number(el[name].value)
  const suffix = COLUMNS[column]
  return {
    model: (suffix && el.model_b.value) || el.model.value,
    seed: el.seed.value,
    length: number('length'),
    topN: number(`top_n${suffix}`),
    temperature: number(`temperature${suffix}`),
    randomState: el[`random_state${suffix}`].value.trim() === '' ? null : number(`random_state${suffix}`),
  }
}

/**
 * What is wrong with settings: the control and a sentence, or null.
 * @param {object} settings
 * @param {number} column
 * @returns {[string, string] | null}
 */
export function wrong(settings, column) {
  if (!settings.model) return ['model', 'Choose a model first.']
  const found = beyond(settings)
  if (!found) return null
  const [name, sentence] = found
  return [name in SAMPLING ? SAMPLING[name] + COLUMNS[column] : name, sentence]
}

/** Sets the controls as the address says. */
export function applyAddress(el, search) {
  const query = new URLSearchParams(search)
  const named = ['seed', 'length', ...COLUMNS.flatMap((suffix) => Object.values(SAMPLING).map((name) => name + suffix))]
  for (const name of named) if (query.has(name)) el[name].value = query.get(name)
  el.compare.checked = query.has('compare')
}

/**
 * What the address is to say.
 * @param {object[]} columns the settings of each column that is shown
 * @param {{here: boolean}} where whether the model runs in this browser
 * @returns {URLSearchParams}
 */
export function settingsQuery(columns, { here }) {
  const query = new URLSearchParams()
  const [{ model, seed, length }] = columns
  if (model) query.set('model', model)
  if (seed && [...seed].length <= LIMITS.seed[1]) query.set('seed', seed)
  if (length !== USUAL.length && !Number.isNaN(length)) query.set('length', length)
  columns.forEach((settings, column) => {
    for (const [name, parameter] of Object.entries(SAMPLING)) {
      const value = settings[name]
      const isUsual = column === 0 && value === USUAL[name] // the second one's usual values are others
      if (value !== null && !Number.isNaN(value) && !isUsual) query.set(parameter + COLUMNS[column], value)
    }
  })
  if (columns.length > 1) {
    query.set('compare', '1')
    if (columns[1].model !== model) query.set('model_b', columns[1].model)
  }
  if (here) query.set('run', 'browser')
  return query
}
