/*
 * Characters as people read them, and how often each comes in a text. Pure.
 */

/** What the id 0 is written as: a character that the model does not know. */
export const UNKNOWN = '\ufffd'

const NAMES = new Map([
  [' ', '␣'],
  ['\n', '↵'],
  ['\t', '⇥'],
])

const WORDS = new Map([
  [' ', 'space'],
  ['\n', 'new line'],
  ['\t', 'tab'],
  [UNKNOWN, 'unknown to the model'],
])

/** @returns {string} a character as one sign that can be seen */
export const sign = (character) => NAMES.get(character) ?? character

/** @returns {string} a character as it is read out */
export const spoken = (character) => WORDS.get(character) ?? character

/** @returns {string} a text on one line, every character of it to be seen */
export const onOneLine = (text) => [...text].map((each) => (each === ' ' ? each : sign(each))).join('')

const NAMED = 12 // characters that a sentence names

/**
 * @param {string[]} unknown characters that a model does not know
 * @returns {string[]} the sentence that says so, if there are any
 */
export function aboutUnknown(unknown) {
  if (!unknown.length) return []
  const named = unknown.slice(0, NAMED).map((each) => `“${onOneLine(each)}”`).join(', ')
  const more = unknown.length > NAMED ? ` and ${unknown.length - NAMED} more` : ''
  return [`The model does not know ${named}${more}: ${unknown.length > 1 ? 'each' : 'it'} is fed as an unknown character.`]
}

/** @typedef {Map<number, number>} Counts how often each character comes, by its code point */

/** @returns {number} how many characters were counted */
export function total(counts) {
  let sum = 0
  for (const count of counts.values()) sum += count
  return sum
}

/**
 * How far the character frequencies of two texts are apart: the Jensen-Shannon divergence in bits,
 * JSD = H((P + Q) / 2) − (H(P) + H(Q)) / 2, where H(P) = −Σ p log₂ p. 0 for equal frequencies, 1 for texts without
 * a character in common; null where a text is empty.
 * @param {Counts} some
 * @param {Counts} others
 * @returns {number | null}
 */
export function divergence(some, others) {
  const [all, allOthers] = [total(some), total(others)]
  if (!all || !allOthers) return null
  const term = (p) => (p ? -p * Math.log2(p) : 0)
  let sum = 0
  for (const code of new Set([...some.keys(), ...others.keys()])) {
    const [p, q] = [(some.get(code) ?? 0) / all, (others.get(code) ?? 0) / allOthers]
    sum += term((p + q) / 2) - (term(p) + term(q)) / 2
  }
  return Math.min(1, Math.max(0, sum))
}

/**
 * The divergence to expect by chance alone, in bits, of so many characters drawn one by one at the
 * reference's own frequencies: (k − 1) / (8 n ln 2) for k different characters, for n that are not few.
 * @param {Counts} reference
 * @param {number} drawn
 * @returns {number}
 */
export const byChance = (reference, drawn) => (reference.size - 1) / (8 * drawn * Math.LN2)

/** @returns {Counts} of a vocabulary's ids, as the server gives them */
export function countsOf(vocabulary, counts) {
  const found = new Map()
  vocabulary.forEach((character, id) => {
    if (counts[id]) found.set((character || UNKNOWN).codePointAt(0), counts[id])
  })
  return found
}

/** @returns {string} a text with line ends of one character, as a model's training has them */
export const oneLineEnd = (text) => text.replace(/\r\n?/g, '\n')

/**
 * Adds the characters of a text; line ends are one character.
 * @param {Counts} counts
 * @param {string} text
 */
export function count(counts, text) {
  for (const character of oneLineEnd(text)) {
    const code = character.codePointAt(0)
    counts.set(code, (counts.get(code) ?? 0) + 1)
  }
}
