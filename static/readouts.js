/*
 * Figures about the run, and how figures are written. Pure: what to show, not where.
 */

const WINDOW = 2000

/** Events per second over the last two seconds. */
export class Rate {
  #times = []

  add(now) {
    this.#times.push(now)
    while (this.#times[0] < now - WINDOW) this.#times.shift()
  }

  clear() {
    this.#times = []
  }

  /** @returns {number | null} null before there is anything to measure */
  at(now) {
    const recent = this.#times.filter((time) => time >= now - WINDOW)
    if (recent.length < 2) return null
    return ((recent.length - 1) * 1000) / (recent.at(-1) - recent[0] || 1)
  }
}

/** How long a frame took, smoothed, stage by stage: the server's stages and then the page's. */
export class Latency {
  #stages = new Map()

  /**
   * @param {Record<string, number>} timing the message's: ms per stage; `total`, where given, is all of them
   * @param {number} page ms from the message's arrival to its drawing
   */
  add(timing, page) {
    const smooth = (name, ms) => {
      const before = this.#stages.get(name)
      this.#stages.set(name, before === undefined ? ms : before + (ms - before) * 0.1)
    }
    for (const [name, ms] of Object.entries(timing ?? {})) smooth(name, ms)
    smooth('page', page)
  }

  clear() {
    this.#stages.clear()
  }

  /** @returns {{total: number | null, stages: [string, number][]}} */
  get() {
    if (!this.#stages.size) return { total: null, stages: [] }
    const stages = [...this.#stages].filter(([name]) => name !== 'total')
    const given = this.#stages.get('total')
    const sum = stages.reduce((ms, [, stage]) => ms + stage, 0)
    return { total: given === undefined ? sum : given + this.#stages.get('page'), stages }
  }
}

/** @param {number | null} seconds @returns {string} as m:ss or h:mm:ss */
export function clock(seconds) {
  if (seconds === null || !Number.isFinite(seconds)) return '–'
  const whole = Math.floor(seconds)
  const two = (part) => String(part).padStart(2, '0')
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  return (hours ? `${hours}:${two(minutes)}` : String(minutes)) + `:${two(whole % 60)}`
}

/** @returns {string} a place in the video, to the hundredth of a second */
export function videoTime(frame, fps) {
  if (!fps) return ''
  const hundredths = Math.round((frame / fps) * 100)
  return `${clock(Math.floor(hundredths / 100))}.${String(hundredths % 100).padStart(2, '0')}`
}

/** @returns {string} with as many digits as mean something */
export function figure(value) {
  if (value === null) return '–'
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** @returns {string} */
export function milliseconds(ms) {
  if (ms === null) return '–'
  return ms >= 10000 ? `${(ms / 1000).toFixed(1)} s` : `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
}
