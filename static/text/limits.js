/*
 * The limits of what a text is asked with, as the server has them, the sentence for what lies beyond them, and
 * what is taken for a random state that nobody gave. For the page and for the worker that writes in the browser.
 */

/** From the least to the most; of the seed, the characters. */
export const LIMITS = {
  seed: [1, 1000],
  length: [1, 100000],
  topN: [1, 999999999999999],
  temperature: [0.01, 100],
  randomState: [0, 999999999999999],
}

/**
 * What is wrong with settings: which of them, and a sentence; or null.
 * @param {{seed: string, length: number, topN: number, temperature: number, randomState: number | null}} settings
 * @returns {[keyof LIMITS, string] | null}
 */
export function beyond({ seed, length, topN, temperature, randomState }) {
  const span = (name) => LIMITS[name].join(' to ')
  const fits = (name, value) => value >= LIMITS[name][0] && value <= LIMITS[name][1]
  const isWhole = (name, value) => Number.isSafeInteger(value) && fits(name, value)
  const characters = Array.from(seed).length
  if (characters < LIMITS.seed[0]) return ['seed', 'Type a seed: the text goes on from it.']
  if (!fits('seed', characters)) return ['seed', `The seed has ${characters} characters; up to ${LIMITS.seed[1]} are taken.`]
  if (!isWhole('length', length)) return ['length', `The length has to be a whole number from ${span('length')}.`]
  if (!isWhole('topN', topN)) return ['topN', `Top-n has to be a whole number from ${span('topN')}.`]
  if (!fits('temperature', temperature)) return ['temperature', `The temperature has to be from ${span('temperature')}.`]
  if (randomState !== null && !isWhole('randomState', randomState)) {
    return ['randomState', `The random state has to be a whole number from ${span('randomState')}, or empty.`]
  }
  return null
}

/** @returns {number} a new random state */
export function drawRandomState() {
  return crypto.getRandomValues(new Uint32Array(1))[0]
}
