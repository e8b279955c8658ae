/*
 * The latest-frame rule: between the stream and the screen there is room for one frame being decoded,
 * one waiting before it and one after it. A newer frame takes the place of one that waits, which is
 * counted as skipped; so nothing piles up, however fast frames come. Only a frame that was sought is
 * drawn in any case, with the newest one behind it. A hidden tab draws nothing.
 */

/** Hands frames to a draw function, decoded, at most one a screen frame. */
export class NewestFirst {
  #draw
  #incoming = null
  #behind = null // the newest, while the incoming one was sought
  #decoding = false
  #ready = null
  #epoch = 0

  /** Frames handed to the draw function. */
  drawn = 0
  /** Frames that a newer one replaced before they were drawn. */
  skipped = 0

  /** @param {(message: object) => void} draw */
  constructor(draw) {
    this.#draw = draw
    document.addEventListener('visibilitychange', () => this.#decodeNext())
  }

  /**
   * @param {{img: string}} message
   * @param {boolean} sought whether the user asked for this very frame
   */
  offer(message, sought = false) {
    const frame = { message, sought }
    if (this.#incoming?.sought && !sought) {
      if (this.#behind) this.skipped++
      this.#behind = frame
    } else {
      this.skipped += (this.#incoming ? 1 : 0) + (this.#behind ? 1 : 0)
      this.#incoming = frame
      this.#behind = null
    }
    this.#decodeNext()
  }

  /** Drops what waits, and counts anew. */
  reset() {
    this.#epoch++
    this.#incoming = null
    this.#behind = null
    this.#ready = null
    this.drawn = 0
    this.skipped = 0
  }

  async #decodeNext() {
    if (this.#decoding || this.#ready?.sought || !this.#incoming || document.hidden) return
    const epoch = this.#epoch
    const frame = this.#incoming
    this.#incoming = this.#behind
    this.#behind = null
    this.#decoding = true
    // Held until it is drawn: what is decoded already appears with its points at once.
    frame.image = await decoded(frame.message.img)
    this.#decoding = false
    if (epoch === this.#epoch) this.#show(frame)
    this.#decodeNext()
  }

  #show(frame) {
    const scheduled = this.#ready !== null
    if (scheduled) this.skipped++
    this.#ready = frame
    if (scheduled) return
    requestAnimationFrame(() => {
      const newest = this.#ready
      this.#ready = null
      if (!newest) return
      this.drawn++
      this.#draw(newest.message)
      this.#decodeNext()
    })
  }
}

async function decoded(source) {
  const image = new Image()
  image.src = source
  // An image that cannot be decoded is drawn as none: its points are still right.
  await image.decode().catch(() => {})
  return image
}
