/*
 * Writing text with a model that is fed a character at a time: the settings checked, the seed fed, then the loop
 * of draw, append, feed. Its events are those that the server streams.
 */

import { beyond, drawRandomState } from '../limits.js'
import { Refused } from './network.js'
import { Random } from './random.js'
import { cut, draw, entropy, heated, largest } from './sampling.js'

const SIZES = [1, 1, 2, 4, 8, 16]
const LARGEST = 32 // characters of a piece behind those, and of the seed that are fed at once

/**
 * The text's messages, one piece after the other; before them null each time that some of the seed was fed, so
 * that a stop is heard there, too.
 * @param {Stepper} stepper
 * @param {Vocabulary} vocabulary
 * @param {{seed: string, length: number, topN: number, temperature: number, randomState: number}} settings
 * @returns {Generator<{index: number, text: string, probs: number[], entropies: number[], alternatives: Array} | null>}
 */
export function* pieces(stepper, vocabulary, { seed, length, topN, temperature, randomState }) {
  const random = new Random(randomState)
  let probabilities
  for (const [at, id] of vocabulary.encode(seed).entries()) {
    if (at > 0 && at % LARGEST === 0) yield null
    probabilities = stepper.feed(id)
  }
  for (let index = 0, piece = 0; index < length; piece++) {
    const count = Math.min(SIZES[piece] ?? LARGEST, length - index)
    const said = { index, text: '', probs: [], entropies: [], alternatives: [] }
    for (let i = 0; i < count; i++) {
      const id = draw(cut(heated(probabilities, temperature), topN), random.next())
      if (id < 0) throw new Refused('The model gives no probabilities here: its output is not finite.')
      tell(said, id, probabilities, vocabulary)
      index += 1
      if (index < length) probabilities = stepper.feed(id)
    }
    yield said
  }
}

function tell(said, id, probabilities, vocabulary) {
  said.text += vocabulary.character(id)
  said.probs.push(probabilities[id])
  said.entropies.push(entropy(probabilities))
  said.alternatives.push(largest(probabilities).map((other) => [vocabulary.character(other), probabilities[other]]))
}

/**
 * Settings as a text is written with them, a random state drawn where there is none; Refused if they make no sense.
 */
export function checked(settings) {
  const found = beyond(settings)
  if (found) throw new Refused(found[1])
  return { ...settings, randomState: settings.randomState ?? drawRandomState() }
}
