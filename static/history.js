/*
 * The frames already seen, so that stepping back costs no inference. Bounded twice, by number and by
 * bytes; the oldest go first. It knows nothing of the network or of drawing.
 */

/** Keeps the newest entries by frame number. */
export class FrameHistory {
  #entries = new Map()
  #bytes = 0
  #maxFrames
  #maxBytes

  constructor({ maxFrames = 400, maxBytes = 96e6 } = {}) {
    this.#maxFrames = maxFrames
    this.#maxBytes = maxBytes
  }

  get size() {
    return this.#entries.size
  }

  get bytes() {
    return this.#bytes
  }

  /** @param {{frame_idx: number, img?: string}} entry a message, or the failure that took its place */
  add(entry) {
    this.#remove(entry.frame_idx)
    this.#entries.set(entry.frame_idx, entry)
    this.#bytes += cost(entry)
    for (const oldest of this.#entries.keys()) {
      const fits = this.#entries.size <= this.#maxFrames && this.#bytes <= this.#maxBytes
      if (fits || oldest === entry.frame_idx) break
      this.#remove(oldest)
    }
  }

  get(frame) {
    return this.#entries.get(frame)
  }

  has(frame) {
    return this.#entries.has(frame)
  }

  clear() {
    this.#entries.clear()
    this.#bytes = 0
  }

  #remove(frame) {
    const entry = this.#entries.get(frame)
    if (!entry) return
    this.#bytes -= cost(entry)
    this.#entries.delete(frame)
  }
}

/** The image is nearly all of a message: base64 is one byte a character in memory. */
const cost = (entry) => (entry.img?.length ?? 0) + 2000
