/*
 * Bytes in, server-sent events out, as the HTML standard defines them. Nothing else: no network, no
 * JSON, no knowledge of what the events mean. A chunk may end anywhere, even inside a character.
 */

/**
 * @typedef {{type: string, data: string, id: string}} ServerEvent
 */

/** Turns the chunks of one response into events; one parser serves one response. */
export class EventParser {
  #decoder = new TextDecoder() // drops a leading byte order mark, as the standard asks
  #text = ''
  #scanned = 0 // where to look on for a line end, so that a long line is scanned once
  #afterCR = false
  #type = ''
  #data = []
  #id = ''

  /** Milliseconds the server asks to wait before reconnecting, or null. */
  retry = null

  /** @param {string} [lastEventId] the id that was current before this response */
  constructor(lastEventId = '') {
    this.#id = lastEventId
  }

  /**
   * Takes the next chunk, gives the events it completes. What a broken connection leaves
   * unfinished is never given.
   * @param {Uint8Array} bytes
   * @returns {ServerEvent[]}
   */
  push(bytes) {
    this.#text += this.#decoder.decode(bytes, { stream: true })
    const events = []
    const lineEnd = /[\r\n]/g
    let from = 0
    lineEnd.lastIndex = this.#scanned
    for (let found; (found = lineEnd.exec(this.#text)); ) {
      const at = found.index
      const isSecondHalf = found[0] === '\n' && this.#afterCR && at === from
      this.#afterCR = found[0] === '\r'
      if (!isSecondHalf) this.#line(this.#text.slice(from, at), events)
      from = at + 1
    }
    if (from < this.#text.length) this.#afterCR = false
    this.#text = this.#text.slice(from)
    this.#scanned = this.#text.length
    return events
  }

  #line(line, events) {
    if (line === '') return this.#dispatch(events)
    const colon = line.indexOf(':')
    if (colon === 0) return // a comment
    const field = colon < 0 ? line : line.slice(0, colon)
    let value = colon < 0 ? '' : line.slice(colon + 1)
    if (value.startsWith(' ')) value = value.slice(1)
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#type = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    else if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value)
  }

  #dispatch(events) {
    if (this.#data.length) {
      events.push({ type: this.#type || 'message', data: this.#data.join('\n'), id: this.#id })
    }
    this.#type = ''
    this.#data = []
  }
}
