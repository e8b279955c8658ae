/*
 * The settings of a run beside video, model and threshold: each control has the name of the stream's
 * parameter, and its first choice means "not asked for". They stand in the address where they differ.
 */

/** What only changes the drawing: checkboxes, and what they are by default (null: where there are several). */
const SHOWN = { skeleton: true, trails: null, 'node-names': false, 'animal-names': false }

/** What a new stream is needed for. */
const ASKED = ['max_instances', 'refinement', 'tracking', 'max_tracks', 'maps']

/** The settings on the page. */
export class Settings {
  #controls
  #boxes
  #many = false

  /**
   * @param {Record<string, HTMLElement>} el every element by its id
   * @param {object} on
   * @param {() => void} on.shown something is to be drawn otherwise
   * @param {(name: string) => void} on.asked something is to be asked for anew
   */
  constructor(el, { shown, asked }) {
    this.#controls = Object.fromEntries(ASKED.map((name) => [name, el[name]]))
    this.#boxes = Object.fromEntries(Object.keys(SHOWN).map((name) => [name, el[name]]))
    for (const box of Object.values(this.#boxes)) {
      box.addEventListener('change', () => {
        box.dataset.chosen = 'yes'
        shown()
      })
    }
    for (const control of Object.values(this.#controls)) {
      control.addEventListener('change', () => {
        this.#fit()
        asked(control.id)
      })
    }
    const query = new URLSearchParams(location.search)
    for (const [name, control] of Object.entries(this.#controls)) {
      if (query.has(name)) control.value = query.get(name)
      if (control.selectedIndex === -1) control.selectedIndex = 0 // the address named no choice of it
    }
    this.#fit()
  }

  /** Fits the controls to a model: what it cannot do is switched off. */
  setUp({ many = false, layers = [] }) {
    this.#many = many
    const { trails } = this.#boxes
    if (!trails.dataset.chosen) trails.checked = many
    for (const name of ['max_instances', 'tracking', 'max_tracks']) this.#controls[name].disabled = !many
    this.#fit()
    for (const option of this.#controls.maps.options) {
      option.disabled = option.value !== '' && !layers.includes(option.value)
    }
  }

  /** Of a model that is not known yet everything can be asked. */
  free() {
    for (const control of Object.values(this.#controls)) control.disabled = false
    for (const option of this.#controls.maps.options) option.disabled = false
    this.#fit()
  }

  /** Empties numbers that make no sense; without tracking there is no greatest number of tracks. */
  #fit() {
    const { max_instances, max_tracks, tracking } = this.#controls
    for (const number of [max_instances, max_tracks]) if (!number.checkValidity()) number.value = ''
    max_tracks.disabled = tracking.disabled || tracking.value === 'none'
  }

  /** @returns {Record<string, string>} the stream's parameters that are asked for */
  get query() {
    const given = Object.entries(this.#controls).filter(([, control]) => control.value && !control.disabled)
    return Object.fromEntries(given.map(([name, control]) => [name, control.value]))
  }

  /** @returns {{skeleton: boolean, trails: boolean, nodeNames: boolean, animalNames: boolean}} */
  get shown() {
    const { skeleton, trails } = this.#boxes
    return {
      skeleton: skeleton.checked,
      trails: trails.checked && this.#many,
      nodeNames: this.#boxes['node-names'].checked,
      animalNames: this.#boxes['animal-names'].checked,
    }
  }
}
