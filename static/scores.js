/*
 * The score of every node over the whole run, in bounded memory: buckets of 1, 2, 4, … frames, twice
 * as wide whenever there are too many. A bucket keeps its worst value (the lowest score, the greatest
 * distance), so that no bad frame is hidden by good neighbours, however long the video.
 */

const MOST_BUCKETS = 512

/** Some values per frame, such as each node's best score, thinned out as the run grows. */
export class ScoreTrack {
  #buckets = new Map()
  #worst

  /** Frames in a bucket. */
  width = 1
  first = Infinity
  last = -Infinity
  /** Grows with every change. */
  version = 0

  /** @param {(a: number, b: number) => number} [worst] which of two values a bucket keeps */
  constructor(worst = Math.min) {
    this.#worst = worst
  }

  clear() {
    this.#buckets.clear()
    this.width = 1
    this.first = Infinity
    this.last = -Infinity
    this.version++
  }

  /**
   * @param {number} frame
   * @param {number[]} scores one each node
   */
  add(frame, scores) {
    this.first = Math.min(this.first, frame)
    this.last = Math.max(this.last, frame)
    this.version++
    this.#merge(this.#buckets, Math.floor(frame / this.width), scores)
    if (this.#buckets.size > MOST_BUCKETS) this.#widen()
  }

  /** The bucket that holds a frame: its first frame and its scores, or undefined. */
  at(frame) {
    const scores = this.#buckets.get(Math.floor(frame / this.width))
    return scores && { frame: Math.floor(frame / this.width) * this.width, scores }
  }

  /** All buckets in order of their frames. @returns {{frame: number, scores: number[]}[]} */
  buckets() {
    const keys = [...this.#buckets.keys()].sort((a, b) => a - b)
    return keys.map((key) => ({ frame: key * this.width, scores: this.#buckets.get(key) }))
  }

  #widen() {
    const wider = new Map()
    for (const [key, scores] of this.#buckets) this.#merge(wider, key >> 1, scores)
    this.#buckets = wider
    this.width *= 2
  }

  #merge(buckets, key, scores) {
    const held = buckets.get(key)
    buckets.set(key, held ? held.map((score, node) => this.#worst(score, scores[node])) : scores)
  }
}
