/*
 * Slow drawing that leaves the page its time: charts are drawn one after the other, each only when what it shows
 * has changed, and together for about a quarter of the time, however slow the machine.
 */

const REST = 3 // times what the last drawing took

/** Things that are drawn in turn. */
export class InTurn {
  #draws
  #drawn
  #next = 0
  #due = 0

  /** @param {(() => void)[]} draws */
  constructor(...draws) {
    this.#draws = draws
    this.#drawn = draws.map(() => null)
  }

  /**
   * Draws the next one that is not up to date, if its turn has come.
   * @param {string} state of what is shown: another one if that has changed
   */
  draw(state) {
    const began = performance.now()
    if (began < this.#due) return
    const which = this.#draws.map((_, i) => (this.#next + i) % this.#draws.length).find((i) => this.#drawn[i] !== state)
    if (which === undefined) return
    this.#drawn[which] = state
    this.#next = which + 1
    this.#draws[which]()
    const ended = performance.now()
    this.#due = ended + REST * (ended - began)
  }
}
