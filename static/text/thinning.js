/*
 * A long series of values as few points that look the same: the least and the greatest of each stretch, in
 * their order, so that no peak is lost. Pure.
 */

/**
 * The places to draw, in rising order: at most `most`, and all where there are no more.
 * @param {(index: number) => number} value
 * @param {number} from
 * @param {number} to the first place behind
 * @param {number} most
 * @returns {number[]}
 */
export function thinned(value, from, to, most) {
  const count = Math.max(0, to - from)
  if (count <= most) return Array.from({ length: count }, (_, i) => from + i)
  const width = Math.ceil(count / (most / 2))
  const places = []
  for (let at = from; at < to; at += width) {
    let [low, high] = [at, at]
    for (let i = at; i < Math.min(to, at + width); i++) {
      if (value(i) < value(low)) low = i
      if (value(i) > value(high)) high = i
    }
    places.push(...(low === high ? [low] : [low, high].sort((a, b) => a - b)))
  }
  return places
}
