/*
 * A character's probability as its shade: the less likely, the stronger. The shades are highlights over
 * plain text (CSS custom highlights), so that what is read out, searched and copied is text and nothing
 * else; text.css says what each looks like.
 */

/** The least probability of each shade, from none to the strongest but one. */
export const BOUNDS = [0.9, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01]

/** Whether this browser can shade text at all. */
export const canShade = 'highlights' in CSS

/** @returns {number} the shade of a probability: 0 is none, `BOUNDS.length` the strongest */
export function shadeOf(prob) {
  const found = BOUNDS.findIndex((bound) => prob >= bound)
  return found < 0 ? BOUNDS.length : found
}

const named = new Map()

/** The highlight of a name, which all texts of the page share; undefined where there are none. */
function highlight(name, priority = 0) {
  if (!canShade) return undefined
  if (!named.has(name)) {
    const made = new Highlight()
    made.priority = priority
    named.set(name, made)
    CSS.highlights.set(name, made)
  }
  return named.get(name)
}

/** What is marked of one piece of text, to be taken away together. */
export class Marks {
  #ranges = []

  /**
   * Shades what stands between two offsets of a text node.
   * @param {Text} node
   * @param {number} shade
   */
  shade(node, start, end, shade) {
    if (shade) this.#add(highlight(`shade-${shade}`), node, start, end)
  }

  /** Marks the character that is looked at. */
  here(node, start, end) {
    this.#add(highlight('here', 2), node, start, end)
  }

  /** Marks a character that the model does not know. */
  unknown(node, start, end) {
    this.#add(highlight('unknown', 1), node, start, end)
  }

  clear() {
    for (const [from, range] of this.#ranges) from.delete(range)
    this.#ranges = []
  }

  #add(to, node, start, end) {
    if (!to) return
    // A static one, since live ones have to be moved with every character that is added.
    const range = new StaticRange({ startContainer: node, startOffset: start, endContainer: node, endOffset: end })
    to.add(range)
    this.#ranges.push([to, range])
  }
}
