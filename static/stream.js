/*
 * One stream of a run's results over HTTP: the request, its errors in words, and going on after a broken
 * connection, or once a server that was full has room. It reads only when it is asked for the next event,
 * so that whoever does not ask holds the server back (backpressure): that is all that pausing needs.
 */

import { ask } from './asking.js'
import { EventParser } from './sse.js'

/** How long to wait before each further try, in ms, once a connection broke. */
export const PAUSES = [500, 1000, 2000, 4000, 8000]

/** Silence after which a connection counts as broken, in ms: three of the server's heartbeats. */
export const SILENCE = 30000

/** The longest wait that a full server can ask for, in ms. */
const MOST_WAIT = 60000

/** How long a notice can be read though events come again, in ms. */
export const NOTICE_STAYS = 1500

/** What ends a stream for good; its message is meant for the user. */
export class StreamError extends Error {}

/**
 * The events of a stream, reconnecting where the connection breaks, until `done`, a `failure` of the
 * whole run, or an abort.
 * @param {string} url the same for every connection
 * @param {object} options
 * @param {AbortSignal} options.signal
 * @param {string} options.place what a message calls its place in the run: a `failure` without one ends the run
 * @param {(text: string, state?: string) => void} [options.onNotice] told of waiting and reconnecting, with the
 *   state 'again'; '' when it is over
 * @param {number[]} [options.pauses]
 * @returns {AsyncGenerator<{type: string, id: string, data: any}>}
 */
export async function* openStream(url, { signal, place, onNotice = () => {}, pauses = PAUSES }) {
  let lastId = ''
  let tries = 0 // since the last message
  let told = false
  const say = (text) => {
    told = text !== ''
    onNotice(text, told ? 'again' : '')
  }
  for (;;) {
    let broken
    try {
      for await (const event of readOnce(url, lastId, signal)) {
        if (told) say('')
        if (event.id !== lastId) tries = 0 // a server that only ever says hello is no progress
        lastId = event.id
        const closes = event.type === 'done' || (event.type === 'failure' && event.data[place] === null)
        yield event
        if (closes) return
      }
      broken = new Error('The stream ended early.')
    } catch (error) {
      if (signal.aborted || error instanceof StreamError) throw error
      broken = error
    }
    if (broken instanceof Full) {
      say(`${broken.message} Trying again in ${broken.wait / 1000} s.`)
      await sleep(broken.wait, signal)
      say(`${broken.message} Trying again …`)
      continue
    }
    const neverWorked = lastId === '' && tries === 0 && !(broken instanceof Broken)
    if (neverWorked) throw new StreamError('The server does not answer. Is the program still running?')
    if (tries === pauses.length) {
      throw new StreamError(
        'The connection broke, and the server does not answer any more. Is the program still running?',
      )
    }
    const pause = pauses[tries++]
    say(`Connection lost. Trying again in ${pause / 1000} s (${tries} of ${pauses.length}).`)
    await sleep(pause, signal)
    say(`Connecting again (${tries} of ${pauses.length}) …`)
  }
}

/** A connection that had been made, and broke. */
class Broken extends Error {}

/** A server that has no room for this stream, and says when to ask again. */
class Full extends Error {
  constructor(sentence, wait) {
    super(sentence || 'The server is busy.')
    this.wait = wait // ms
  }
}

async function* readOnce(url, lastId, signal) {
  const headers = { Accept: 'text/event-stream' }
  if (lastId !== '') headers['Last-Event-ID'] = lastId
  const response = await ask(url, { headers, signal, cache: 'no-store' })
  if (!response.ok) throw await refusal(response, lastId)
  const reader = response.body.getReader()
  const parser = new EventParser(lastId)
  try {
    for (;;) {
      const { value, done } = await withinSilence(reader.read(), signal)
      if (done) throw new Broken('The connection was closed in the middle.')
      for (const event of parser.push(value)) yield { ...event, data: parse(event) }
    }
  } catch (error) {
    if (signal.aborted || error instanceof StreamError) throw error
    throw error instanceof Broken ? error : new Broken(String(error))
  } finally {
    reader.cancel().catch(() => {})
  }
}

function parse(event) {
  try {
    return JSON.parse(event.data)
  } catch {
    throw new StreamError(`The server sent a message that cannot be read (${event.data.slice(0, 60)} …).`)
  }
}

/** A full server says when to come again. One that restarts behind a proxy answers 502 to 504 for a while: that is no refusal. */
async function refusal(response, lastId) {
  let sentence
  try {
    sentence = (await response.json()).error
  } catch {
    // Not ours, or no JSON: the status has to do.
  }
  const wait = 1000 * Number.parseInt(response.headers.get('Retry-After'), 10)
  if (response.status === 503 && wait > 0) return new Full(sentence, Math.min(wait, MOST_WAIT))
  if (lastId !== '' && response.status >= 500) return new Broken(sentence)
  return new StreamError(sentence || `The server answered ${response.status} ${response.statusText}`.trim() + '.')
}

function withinSilence(reading, signal) {
  let timer
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Broken('Nothing was heard for a long time.')), SILENCE)
  })
  return Promise.race([reading, silence]).finally(() => clearTimeout(timer))
}

function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    }, { once: true })
  })
}
