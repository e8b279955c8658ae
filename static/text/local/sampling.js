/*
 * From a model's probabilities to the next character, in float64, as the server does it: temperature, the cut to
 * exactly topN, the draw. Also what is told of a character: its entropy and the likeliest ones. Pure.
 */

/** How many of the likeliest characters are told. */
const LIKELIEST = 5

/**
 * @param {ArrayLike<number>} probabilities
 * @param {number} temperature
 * @returns {Float64Array} each raised to 1 / temperature, rescaled to sum 1
 */
export function heated(probabilities, temperature) {
  const logs = Float64Array.from(probabilities, Math.log)
  const most = logs.reduce((one, other) => Math.max(one, other))
  return rescaled(logs.map((log) => Math.exp((log - most) / temperature)))
}

/**
 * @param {Float64Array} probabilities
 * @param {number} topN
 * @returns {Float64Array} all but the topN largest at 0, rescaled to sum 1; of equal ones the lower ids are kept
 */
export function cut(probabilities, topN) {
  const kept = new Float64Array(probabilities.length)
  for (const id of largest(probabilities, topN)) kept[id] = probabilities[id]
  return rescaled(kept)
}

/**
 * @param {Float64Array} probabilities
 * @param {number} uniform from 0 to 1
 * @returns {number} the id that numpy.random.Generator.choice takes
 */
export function draw(probabilities, uniform) {
  let sum = 0
  const sums = probabilities.map((one) => (sum += one))
  return sums.findIndex((one) => one / sum > uniform)
}

/**
 * @param {ArrayLike<number>} probabilities
 * @returns {number} bits
 */
export function entropy(probabilities) {
  let bits = 0
  for (let id = 0; id < probabilities.length; id++) {
    if (probabilities[id] > 0) bits -= probabilities[id] * Math.log2(probabilities[id])
  }
  return Math.max(bits, 0)
}

/**
 * @param {ArrayLike<number>} probabilities
 * @param {number} [count]
 * @returns {number[]} ids, the likeliest first, of equal ones the lower
 */
export function largest(probabilities, count = LIKELIEST) {
  const ids = Array.from(probabilities, (_, id) => id)
  return ids.sort((one, other) => probabilities[other] - probabilities[one] || one - other).slice(0, count)
}

function rescaled(values) {
  const sum = values.reduce((one, other) => one + other)
  return values.map((value) => value / sum)
}
