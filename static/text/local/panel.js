/*
 * The panel of what only this browser has: fine-tuning the chosen model on a text of the user's, and the list of
 * the models that are kept here. Its elements stand in text_local.html.
 */

import { aboutUnknown, oneLineEnd } from '../characters.js'
import { called, forget, saved, shown, tune } from '../local.js'
import { LossChart } from './losses.js'

const MOST = 20e6 // bytes of a text
const BACKENDS = { webgl: 'on the graphics processor', cpu: 'on the processor, as there is no other' }

/** Fine-tuning, and the list. */
export class LocalPanel {
  #el
  #on
  #chart = null // made when it is first seen: before, it has no size
  #text = null // {text, about}
  #stop = null
  #asked = null // what is being tuned
  #began = 0
  #kept = [] // the names of the models that are kept here

  /**
   * @param {Record<string, HTMLElement>} el every element by its id
   * @param {object} on
   * @param {() => string} on.model the model that is chosen
   * @param {(model: string) => void} on.use a model that is kept here is to be chosen
   * @param {() => void} on.changed other models are kept here
   */
  constructor(el, on) {
    this.#el = el
    this.#on = on
    el['tune-file-button'].addEventListener('click', () => el['tune-file'].click())
    el['tune-file'].addEventListener('change', () => {
      if (el['tune-file'].files[0]) this.#read(el['tune-file'].files[0])
      el['tune-file'].value = ''
    })
    el['tune-start'].addEventListener('click', () => this.#start())
    el['tune-stop'].addEventListener('click', () => {
      el['tune-stop'].disabled = true
      this.#tell('Stopping after this batch …')
      this.#stop()
    })
    el.local.addEventListener('toggle', () => el.local.open && this.list())
  }

  /** Shows the models that are kept here. */
  async list() {
    let models = []
    try {
      models = await saved()
    } catch (error) {
      this.#fail(error.message)
    }
    this.#kept = models.map(({ name }) => name)
    this.#el['none-saved'].hidden = models.length > 0
    this.#el['saved-models'].replaceChildren(...models.map((model) => this.#item(model)))
  }

  async #read(file) {
    this.#fail('')
    try {
      if (file.size > MOST) throw new Error(`${file.name} is larger than ${MOST / 1e6} MB: take a part of it.`)
      const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer())
      this.#text = { text: oneLineEnd(text), about: file.name }
    } catch (error) {
      return this.#fail(error instanceof TypeError ? `${file.name} cannot be read as text in UTF-8.` : error.message)
    }
    const stem = (name) => shown(name).replace(/\.\w+$/, '')
    this.#el['tune-text'].textContent = `${file.name}, ${this.#text.text.length.toLocaleString('en')} characters.`
    this.#el['tune-name'].value = `${stem(this.#on.model())} on ${stem(file.name)}`.slice(0, this.#el['tune-name'].maxLength)
    this.#el['tune-start'].disabled = this.#stop !== null
  }

  #start() {
    this.#fail('')
    const [name, epochs] = [this.#el['tune-name'].value.trim(), Number(this.#el['tune-epochs'].value)]
    if (!this.#on.model()) return this.#fail('Choose a model first.')
    if (!name) return this.#fail('Say what to save it as.')
    if (this.#kept.includes(name) && called(name) !== this.#on.model()) {
      return this.#fail(`${name} is kept in this browser already: choose another name, or delete that one first.`)
    }
    this.#asked = { model: this.#on.model(), ...this.#text, epochs, name }
    this.#el['tune-run'].hidden = false
    this.#el['tune-progress'].value = 0
    this.#remark([])
    this.#chart ??= new LossChart(this.#el.losses)
    this.#chart.clear()
    this.#setRunning(tune(this.#asked, (event) => this.#take(event)))
    this.#tell(`Loading ${shown(this.#asked.model)} …`)
  }

  #take({ type, data }) {
    const { epochs, name } = this.#asked
    if (type === 'start') {
      this.#began = performance.now()
      this.#remark(aboutUnknown(data.unknown))
      if (!this.#el['tune-stop'].disabled) this.#tell(`Learning ${BACKENDS[data.backend]} …`)
    } else if (type === 'batch') {
      this.#chart.addBatch(data)
      const share = (data.epoch - 1 + data.batch / data.batches) / epochs
      this.#el['tune-progress'].value = share
      if (!this.#el['tune-stop'].disabled) this.#tell(`Epoch ${data.epoch} of ${epochs}, batch ${data.batch} of ${data.batches}; ${this.#left(share)} left.`)
    } else if (type === 'epoch') {
      this.#chart.addEpoch(data)
    } else if (type === 'saved') {
      this.list()
      this.#on.changed()
    } else if (type === 'failure') {
      this.#setRunning(null)
      this.#el['tune-run'].hidden = true
      this.#fail(data.message)
    } else if (type === 'done') {
      this.#setRunning(null)
      if (!data.saved) return this.#tell('Stopped before anything was learned; nothing was saved.')
      this.#tell(`Saved as ${name}.`)
      this.#on.use(called(name))
    }
  }

  #left(share) {
    const seconds = (performance.now() - this.#began) / 1000 * (1 / share - 1)
    return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`
  }

  #setRunning(stop) {
    this.#stop = stop
    this.#el['tune-start'].disabled = stop !== null
    this.#el['tune-stop'].disabled = stop === null
  }

  #item({ name, date, bytes }) {
    const item = document.createElement('li')
    const facts = `${date.toLocaleString()}, ${(bytes / 1e6).toPrecision(2)} MB`
    item.append(element('b', name), element('span', facts, 'hint'), element('span', '', 'run-actions'))
    item.lastChild.append(
      this.#action('Use', name, () => this.#on.use(called(name))),
      this.#action('Delete', name, async () => {
        await forget(name)
        await this.list()
        this.#on.changed()
      }),
    )
    return item
  }

  #action(word, name, act) {
    const button = element('button', word)
    button.type = 'button'
    button.setAttribute('aria-label', `${word} ${name}`)
    button.addEventListener('click', () => Promise.resolve(act()).catch((error) => this.#fail(error.message)))
    return button
  }

  #tell(text) {
    this.#el['tune-state'].textContent = text
  }

  #remark(sentences) {
    this.#el['tune-remarks'].textContent = sentences.join(' ')
    this.#el['tune-remarks'].hidden = sentences.length === 0
  }

  #fail(sentence) {
    this.#el['tune-error'].textContent = sentence
    this.#el['tune-error'].hidden = !sentence
  }
}

function element(kind, text, className = '') {
  const made = document.createElement(kind)
  made.textContent = text
  made.className = className
  return made
}
