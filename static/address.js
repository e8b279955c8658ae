/*
 * What the address says: video, models, frame, threshold and what else was set, so that a reload or a
 * shared link comes back to them. Written at most once a second while it plays, since browsers refuse more.
 */

export const DEFAULT_THRESHOLD = 0.2
const EVERY = 1000

/**
 * @param {string} search the address's query
 * @returns {{video: string, models: string[], compare: string[], frame: number, threshold: number}}
 */
export function readAddress(search) {
  const query = new URLSearchParams(search)
  const frame = Number(query.get('frame'))
  const threshold = Number(query.get('threshold') ?? NaN)
  return {
    video: query.get('video') ?? '',
    models: query.getAll('model').slice(0, 2),
    compare: query.getAll('compare').slice(0, 2),
    frame: Number.isInteger(frame) && frame > 0 ? frame : 0,
    threshold: threshold > 0 && threshold < 1 ? threshold : DEFAULT_THRESHOLD,
  }
}

/** Writes the address, now or soon. */
export class AddressWriter {
  #last = -Infinity
  #timer = null
  #pending = ''

  /**
   * @param {{video: string, models: string[], compare: string[], frame: number, threshold: number,
   *   settings: Record<string, string>}} place
   * @param {{now?: boolean}} [when]
   */
  write({ video, models, compare, frame, threshold, settings }, { now = false } = {}) {
    const query = new URLSearchParams()
    if (video) query.set('video', video)
    for (const model of models) query.append('model', model)
    for (const model of compare) query.append('compare', model)
    if (frame) query.set('frame', String(frame))
    if (threshold !== DEFAULT_THRESHOLD) query.set('threshold', String(threshold))
    for (const [name, value] of Object.entries(settings)) query.set(name, value)
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
