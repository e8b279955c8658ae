/*
 * One text of the page, from Start to its end: its source, what was written, and everything that shows it. Two
 * of them stand side by side to be compared, and know nothing of each other.
 */

import { figure } from '../readouts.js'
import { NOTICE_STAYS } from '../stream.js'
import { aboutUnknown, byChance, divergence } from './characters.js'
import { bindReading } from './reading.js'
import { bindSaving } from './saving.js'
import { Sheet } from './sheet.js'
import { Written } from './written.js'

/** The words for each state, as shown and as read out. */
const WORDS = {
  idle: 'Ready', starting: 'Starting', writing: 'Writing', stopped: 'Stopped', done: 'Done', failed: 'Stopped by an error',
}

/** One text and its figures. */
export class Column {
  #parts
  #on
  #sheet
  #reading
  #stop = null
  #notice = ''
  #noticed = 0
  #first = null // when the first piece came, and how many characters had come with it
  #last = 0

  state = 'idle'
  /** The source's `start` event, once it came. */
  info = null
  /** @type {Written | null} */
  written = null
  settings = null

  /**
   * @param {HTMLElement} root whose parts have their names in `data-part`
   * @param {import('./alternatives.js').Alternatives} card
   * @param {object} on
   * @param {() => void} on.state the state changed
   * @param {(sentence: string) => void} on.error
   * @param {(randomState: number) => void} on.keep the user wants this random state again
   */
  constructor(root, card, on) {
    this.root = root
    this.#on = on
    this.#parts = Object.fromEntries([...root.querySelectorAll('[data-part]')].map((node) => [node.dataset.part, node]))
    this.#sheet = new Sheet(this.#parts.text)
    this.#reading = bindReading({ element: this.#parts.text, sheet: this.#sheet, card, written: () => this.written })
    bindSaving(this.#parts, () => this)
    this.#parts.random_state.addEventListener('click', () => on.keep(this.info.random_state))
  }

  /** Says what is to be done first. */
  invite(hasModel) {
    this.#tell('lead', hasModel ? 'Type a seed, then press Start.' : 'There is no character model yet.')
  }

  get isActive() {
    return this.state === 'starting' || this.state === 'writing'
  }

  /** How many characters stand on the page. */
  get shown() {
    return this.#sheet.shown
  }

  /**
   * Begins a new text.
   * @param {object} settings as source.js has them
   * @param {import('./source.js').Source} source
   */
  start(settings, source) {
    this.#stop?.()
    this.#reading.look(null)
    this.settings = settings
    this.info = this.#first = null
    this.written = new Written()
    this.#sheet.begin(this.written, settings.seed)
    this.#remark([])
    this.#setNotice('')
    this.#move('starting')
    const running = source.start(settings, (event) => this.#take(event))
    this.#stop = () => {
      this.#stop = null
      running()
    }
    this.#parts.text.scrollTop = 0
  }

  /** Ends the text where it is. */
  stop() {
    if (!this.isActive) return
    this.#stop()
    this.#setNotice('')
    this.#move('stopped')
  }

  /** Puts the text away. */
  clear() {
    this.stop()
    this.#reading.look(null)
    this.written = this.info = this.settings = null
    this.#sheet.begin(null)
    this.#remark([])
    this.#move('idle')
  }

  /** Goes to a character. */
  look(index) {
    this.#parts.text.focus({ preventScroll: true })
    this.#reading.look(Math.min(index, this.shown - 1))
  }

  /**
   * The figures: what need not keep up with every piece.
   * @param {import('./characters.js').Counts | null} reference
   */
  tick(reference) {
    const { written, settings, info } = this
    const apart = written && reference ? divergence(written.counts, reference) : null
    this.#tell('characters', written ? `${written.length} of ${settings.length}` : '–')
    this.#tell('prob', figure(written?.meanProb ?? null))
    this.#tell('entropy', written?.meanEntropy == null ? '–' : `${written.meanEntropy.toFixed(2)} bits`)
    this.#tell('rate', this.#rate())
    this.#tell('divergence', apart === null ? '–' : `${apart.toFixed(3)} bits`)
    this.#tell('chance', apart === null ? '' : `${thousandths(byChance(reference, written.length))} by chance`)
    this.#tell('random_state', info ? String(info.random_state) : '')
    this.#parts.random_row.hidden = !info
  }

  #take({ type, data }) {
    if (type === 'status') this.#setNotice(data.message)
    else if (type === 'start') this.#begin(data)
    else if (type === 'message') this.#add(data)
    else if (type === 'done') this.#end('done')
    else if (type === 'failure') this.#fail(data)
  }

  #begin(info) {
    this.info = info
    this.#setNotice('')
    this.#sheet.markUnknown(info.unknown)
    this.#remark([...aboutUnknown(info.unknown), ...info.notes])
    const facts = [`top ${info.top_n}`, `temperature ${info.temperature}`, info.model_name, info.engine]
    this.#tell('facts', facts.filter(Boolean).join('  ·  '))
  }

  #add(piece) {
    try {
      this.written.add(piece)
    } catch (error) {
      return this.#fail({ index: null, message: error.message })
    }
    this.#last = performance.now()
    if (this.#notice && this.#last - this.#noticed > NOTICE_STAYS) this.#setNotice('')
    this.#first ??= { at: this.#last, characters: this.written.length }
    if (this.state === 'starting') this.#move('writing')
    this.#sheet.update()
  }

  #fail({ index, message }) {
    if (index !== null) return this.#setNotice(message)
    this.#end('failed')
    this.#on.error(message)
  }

  #end(state) {
    this.#stop?.()
    this.#setNotice('')
    this.#move(state)
  }

  #move(state) {
    this.state = state
    const { state: shown, text, waiting, welcome, copy, save, save_json: saveAll } = this.#parts
    if (shown.textContent !== WORDS[state]) shown.textContent = WORDS[state]
    shown.dataset.state = state
    text.setAttribute('aria-busy', String(this.isActive))
    waiting.hidden = state !== 'starting'
    this.root.classList.toggle('waits', state === 'starting')
    welcome.hidden = state !== 'idle'
    for (const button of [copy, save, saveAll]) button.disabled = !this.written?.length
    if (state === 'idle') this.#tell('facts', '')
    this.#on.state()
  }

  #setNotice(text) {
    this.#notice = text
    this.#noticed = performance.now()
    this.#tell('notice', text)
    this.#tell('waiting_text', this.#notice || 'Waiting for the first character …')
  }

  #remark(sentences) {
    this.#parts.remarks.hidden = sentences.length === 0
    this.#tell('remarks', sentences.join(' '))
  }

  #tell(part, text) {
    if (this.#parts[part].textContent !== text) this.#parts[part].textContent = text
  }

  #rate() {
    const seconds = this.#first ? (this.#last - this.#first.at) / 1000 : 0
    return seconds > 0 ? Math.round((this.written.length - this.#first.characters) / seconds).toLocaleString('en') : '–'
  }
}

const thousandths = (value) => (value < 0.001 ? '< 0.001' : value.toFixed(3))
