/*
 * Which frame comes next, and where from. A frame that is kept is never asked for again: it comes
 * from the history; any other comes from the open stream if that will reach it soon, else from a new
 * stream. Of a live source every frame is given as it comes: there is no way back, nor any hurry to slow
 * down, and a pause closes the stream. Nothing here touches the page.
 */

import { after } from './machine.js'
import { openStream, StreamError } from './stream.js'
import { Turns } from './turns.js'

/** A stream this many frames behind the wanted one is read on rather than replaced. */
const READ_ON = 32

/**
 * @typedef {{frame: number, url: (frame: number) => string, live: boolean}} Run where to begin, a stream's
 *   address, and whether it is of a live source
 * @typedef {object} Listener
 * @property {(state: string, reason: string) => void} state the state changed; `reason` is an error's text
 * @property {(info: object) => void} info the run's `start` event
 * @property {(entry: object, sought: boolean) => void} frame the frame to be shown now
 * @property {(entry: object) => void} received a message came from the server
 * @property {(text: string, state?: string) => void} notice what the server (then with its state) or the
 *   connection is about; '' when over
 */

/** Plays one run at a time. */
export class Player {
  #on
  #history
  #pacer
  #source = null
  #loop = null
  #wanted = null // a single frame asked for by a step or a seek
  #sought = false // the next frame is one that the user went to, to play on from there

  state = 'idle'
  /** @type {Run | null} */
  run = null
  /** The frame given last; -1 before the first. */
  cursor = -1
  /** How many frames the video turned out to have, once known. */
  end = null

  /**
   * @param {object} parts
   * @param {import('./history.js').FrameHistory} parts.history
   * @param {import('./pacer.js').Pacer} parts.pacer
   * @param {Listener} parts.on
   */
  constructor({ history, pacer, on }) {
    this.#history = history
    this.#pacer = pacer
    this.#on = on
  }

  /** The frame the user is at, be it shown or on its way. */
  get position() {
    return this.#wanted ?? this.cursor
  }

  /** Whether a stream was asked for and has not sent a frame yet. */
  get waiting() {
    return this.#source !== null && this.#source.fresh
  }

  /** @param {Run} run */
  start(run) {
    if (!this.#move('start')) return
    this.#close()
    this.#history.clear()
    this.run = run
    this.cursor = run.frame - 1
    this.end = null
    this.#wanted = null
    this.#pacer.reset()
    this.#go()
  }

  pause() {
    const first = this.state === 'starting'
    if (!this.#move('pause')) return
    if (this.run.live) return this.#halt()
    if (first) this.#wanted = this.cursor + 1 // paused while loading: still show where we are
    this.#go()
  }

  resume() {
    if (!this.#move('resume')) return
    if (this.#wanted !== null) this.cursor = this.#wanted - 1
    this.#wanted = null
    this.#pacer.reset()
    this.#go()
  }

  stop() {
    if (!this.#move('stop')) return
    this.#halt()
  }

  /** Forgets the run, as when another video is chosen. */
  forget() {
    this.stop()
    this.#halt()
    this.#history.clear()
    this.run = null
    this.cursor = -1
    this.end = null
  }

  /** Goes on from a frame while playing; else shows it and stays. */
  seek(frame) {
    if (!this.run || this.run.live) return
    const target = Math.max(0, this.end === null ? frame : Math.min(frame, this.end - 1))
    if (this.state === 'playing' || this.state === 'starting') {
      this.cursor = target - 1
      this.#sought = true
      this.#pacer.reset()
    } else {
      this.#move('browse')
      this.#wanted = target
    }
    this.#go()
  }

  /** Asks anew for everything, otherwise, and goes on from where it is: what was seen is of another run. */
  renew(run) {
    const at = this.position
    this.#history.clear()
    this.#close()
    this.run = run
    if (run.live) return void this.#go()
    if (this.state !== 'idle' && this.state !== 'failed') this.seek(Math.max(0, at))
  }

  /** Moves by some frames, and stays there. */
  step(frames) {
    const from = this.position
    if (!this.run || this.run.live || this.state === 'starting' || from < 0) return
    this.#move('pause')
    this.seek(from + frames)
  }

  async #go() {
    const mine = (this.#loop = {}) // the newest call goes on, older ones end
    const live = () => this.#loop === mine
    try {
      while (live()) {
        const single = this.#wanted !== null
        if (!single && this.state !== 'playing' && this.state !== 'starting') return
        if (!single && !this.run.live) {
          await this.#pacer.turn(this.#history.has(this.cursor + 1))
          if (!live()) return
        }
        const frame = single ? this.#wanted : this.cursor + 1
        const entry = await this.#obtain(frame, live)
        if (!live()) return
        if (entry === null) {
          this.#halt()
          this.#move('end')
          return
        }
        const sought = single || this.#sought
        this.#wanted = null
        this.#sought = false
        this.cursor = entry.frame_idx
        this.#move('frame')
        this.#on.frame(entry, sought)
      }
    } catch (error) {
      if (!live()) return
      this.#halt()
      const meant = error instanceof StreamError
      if (!meant) console.error(error)
      this.#move('fail', meant ? error.message : `The page made a mistake: ${error.message}`)
    }
  }

  /** The frame, or the first one after it that there is; null past the end. */
  async #obtain(frame, live) {
    while (live()) {
      const kept = this.#history.get(frame)
      if (kept) return kept
      if (this.end !== null && frame >= this.end) return null
      if (!this.#source?.reaches(frame)) this.#openAt(frame)
      const entry = await this.#source.pull()
      if (entry === null || entry.frame_idx >= frame) return entry
    }
    return null
  }

  #openAt(frame) {
    this.#close()
    this.#source = new Source(this.run.url(frame), frame, {
      ...this.#on,
      received: (entry) => {
        this.#history.add(entry)
        this.#on.received(entry)
      },
      end: (frames) => {
        this.end = frames
      },
    })
  }

  #halt() {
    this.#loop = null
    this.#wanted = null
    this.#sought = false
    this.#close()
    this.#on.notice('')
  }

  #close() {
    this.#source?.close()
    this.#source = null
  }

  #move(event, reason = '') {
    const next = after(this.state, event)
    if (next === undefined) return false
    const changed = next !== this.state
    this.state = next
    if (changed) this.#on.state(next, reason)
    return true
  }
}

/** An open stream and how far it is. Its messages are kept even if nobody waits for them any more. */
class Source {
  #abort = new AbortController()
  #events
  #on
  #next
  #reading = null
  #turns = new Turns()

  /** Whether no frame has come yet. */
  fresh = true

  constructor(url, from, on) {
    this.#next = from
    this.#on = on
    const notice = (text, state) => this.#abort.signal.aborted || on.notice(text, state)
    this.#events = openStream(url, { signal: this.#abort.signal, place: 'frame_idx', onNotice: notice })
  }

  reaches(frame) {
    return this.#next <= frame && frame - this.#next < READ_ON
  }

  close() {
    this.#abort.abort()
  }

  /** The next message, or null at the end; calls made while one is on its way share it. */
  pull() {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null
    })
    return this.#reading
  }

  async #read() {
    for (;;) {
      await this.#turns.yieldToPage()
      const { value: event, done } = await this.#events.next()
      if (done) return null
      const entry = this.#take(event)
      if (entry !== undefined) return entry
    }
  }

  /** A frame's entry, null at the end, undefined for what is no frame. */
  #take({ type, data }) {
    this.#abort.signal.throwIfAborted()
    if (type === 'start') return void this.#on.info(data)
    if (type === 'status') return void this.#on.notice(data.message, data.state)
    if (type === 'done') {
      if (!this.fresh) this.#on.end(this.#next) // else it may have begun past the end
      return null
    }
    if (type === 'failure' && data.frame_idx === null) throw new StreamError(data.message)
    if (type !== 'message' && type !== 'failure') return undefined
    const entry = type === 'failure' ? { frame_idx: data.frame_idx, failure: data.message } : data
    entry.arrived = performance.now()
    this.#next = entry.frame_idx + 1
    this.fresh = false
    this.#on.received(entry)
    return entry
  }
}
