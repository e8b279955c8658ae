/*
 * Turns between what comes over the network and the page: events that are there already are read on
 * without a break, and then nothing would be drawn, and no button would answer.
 */

/** After this long without a break the page gets its turn, in ms, however fast messages come. */
const TURN = 8

/** The turns of one loop. */
export class Turns {
  #since = performance.now()

  /** Lets the page do what waits, if its turn has come. */
  async yieldToPage() {
    if (performance.now() - this.#since <= TURN) return
    await new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => {
        port1.close()
        resolve()
      }
      port2.postMessage(null)
    })
    this.#since = performance.now()
  }
}
