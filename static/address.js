/*
 * Keeps a page's address up to date, so that a reload or a shared link comes back to what is on it: at
 * most once a second, since browsers refuse more. What it says is the page's own.
 */

const EVERY = 1000

/** Writes the address, now or soon. */
export class AddressWriter {
  #last = -Infinity
  #timer = null
  #pending = ''

  /**
   * @param {URLSearchParams} query what the address is to say
   * @param {{now?: boolean}} [when]
   */
  write(query, { now = false } = {}) {
    this.#pending = String(query)
    const wait = now ? 0 : this.#last + EVERY - performance.now()
    if (wait <= 0) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), wait)
  }

  #flush() {
    clearTimeout(this.#timer)
    this.#timer = null
    this.#last = performance.now()
    const address = location.pathname + (this.#pending && `?${this.#pending}`)
    if (address !== location.pathname + location.search) history.replaceState(null, '', address)
  }
}
