/*
 * The latest-frame rule: between the stream and the screen there is room for a few frames, so that one
 * slow screen frame costs none. When drawing does not keep up, all but the one whose turn it is and the
 * newest are skipped, and counted; so nothing piles up, however fast frames come. A frame that was
 * sought is drawn next, in any case. A hidden tab draws nothing.
 */

/** Frames come from workers a batch at a time: two batches find room, and are drawn one after the other. */
const ROOM = 8

/** Hands frames to a draw function, decoded and in order, at most one a screen frame. */
export class NewestFirst {
  #draw
  #waiting = []
  #scheduled = false

  /** Frames handed to the draw function. */
  drawn = 0
  /** Frames that newer ones replaced before they were drawn. */
  skipped = 0

  /** @param {(message: object) => void} draw */
  constructor(draw) {
    this.#draw = draw
    document.addEventListener('visibilitychange', () => this.#schedule())
  }

  /**
   * @param {{img: string}} message
   * @param {boolean} sought whether the user asked for this very frame
   */
  offer(message, sought = false) {
    // The first stays even among too many: it is being decoded, and nothing would ever be drawn else.
    if (sought) this.#waiting = this.#skipping(0)
    else if (this.#waiting.length >= ROOM) this.#waiting = this.#skipping(1)
    const frame = { message, sought, image: null, ready: false }
    this.#waiting.push(frame)
    if (!document.hidden) this.#decode(frame)
  }

  /** Drops what waits, and counts anew. */
  reset() {
    this.#waiting = []
    this.drawn = 0
    this.skipped = 0
  }

  #skipping(kept) {
    this.skipped += Math.max(0, this.#waiting.length - kept)
    return this.#waiting.slice(0, kept)
  }

  async #decode(frame) {
    // Held until it is drawn: what is decoded already appears with its points at once.
    frame.image = new Image()
    frame.image.src = frame.message.img
    // An image that cannot be decoded is drawn as none: its points are still right.
    await frame.image.decode().catch(() => {})
    frame.ready = true
    this.#schedule()
  }

  #schedule() {
    const [first] = this.#waiting
    if (this.#scheduled || !first || document.hidden) return
    if (!first.image) this.#decode(first) // offered while the tab was hidden
    if (!first.ready) return
    this.#scheduled = true
    requestAnimationFrame(() => {
      this.#scheduled = false
      if (this.#waiting[0]?.ready) {
        const { message } = this.#waiting.shift()
        this.drawn++
        this.#draw(message)
      }
      this.#schedule()
    })
  }
}
