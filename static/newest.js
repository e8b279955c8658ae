/*
 * The latest-frame rule: between the stream and the screen there is room for one frame being decoded,
 * one waiting before it and one after it. A newer frame takes the place of one that waits, which is
 * counted as skipped; so nothing piles up, however fast frames come. A hidden tab draws nothing.
 */

/** Hands frames to a draw function, decoded, at most one a screen frame. */
export class NewestFirst {
  #draw
  #incoming = null
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

  /** @param {{img: string}} message */
  offer(message) {
    if (this.#incoming) this.skipped++
    this.#incoming = message
    this.#decodeNext()
  }

  /** Drops what waits, and counts anew. */
  reset() {
    this.#epoch++
    this.#incoming = null
    this.#ready = null
    this.drawn = 0
    this.skipped = 0
  }

  async #decodeNext() {
    if (this.#decoding || !this.#incoming || document.hidden) return
    const epoch = this.#epoch
    const message = this.#incoming
    this.#incoming = null
    this.#decoding = true
    const image = await decoded(message.img)
    this.#decoding = false
    if (epoch === this.#epoch) this.#show({ message, image })
    this.#decodeNext()
  }

  /** `image` is held until it is drawn: what is decoded already appears with its points at once. */
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
