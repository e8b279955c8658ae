/*
 * When the next frame may be read. Slowing down happens here and nowhere else: a frame that is not
 * read yet stays with the server.
 */

/** Lateness that is caught up, in ms; more is let go, so that a stall is not followed by a rush. */
const SLACK = 100

/** A screen's frame may come this much before a video's frame is due, in ms, and show it. */
const EARLY = 6

/** Lets one frame through at a time, at a given rate. */
export class Pacer {
  #due = 0

  /** Frames per second, or Infinity. */
  rate = Infinity

  /** Forgets the past, as after a pause. */
  reset() {
    this.#due = 0
  }

  /**
   * Resolves when the next frame may be read.
   * @param {boolean} kept whether it is at hand: such frames come no faster than the screen shows them
   */
  async turn(kept) {
    if (this.rate === Infinity) {
      this.#due = 0
      if (kept) await screenFrame(50)
      return
    }
    const step = 1000 / this.rate
    const now = performance.now()
    // A hidden tab's timers come seldom: there any lateness is caught up.
    const inTime = this.#due && now - (this.#due + step) <= (document.hidden ? Infinity : SLACK)
    this.#due = inTime ? this.#due + step : now
    for (let left; (left = this.#due - performance.now()) > EARLY; ) {
      await (document.hidden ? new Promise((resolve) => setTimeout(resolve, left)) : screenFrame(left + 50))
    }
  }
}

/** The screen's next frame, or `limit` ms if none comes, as in a tab that was just hidden. */
function screenFrame(limit) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, limit)
    requestAnimationFrame(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
