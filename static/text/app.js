/*
 * The wiring of the text page: hands every part what it needs, and the user's wishes to the columns. It decides
 * nothing that a part below could decide.
 */

import { AddressWriter } from '../address.js'
import { isUnanswered, onSilence } from '../asking.js'
import { chooser } from '../chooser.js'
import { watchHealth } from '../health.js'
import { onLoggedOut } from '../session.js'
import { bindThemeSwitch } from '../switch.js'
import { Alternatives } from './alternatives.js'
import { Column } from './column.js'
import { EntropyChart } from './entropy.js'
import { FrequencyChart } from './frequencies.js'
import { LocalPanel } from './local/panel.js'
import { describe, listTextModels, modelTitle, runsThere, whyNotHere } from './models.js'
import { Reference } from './reference.js'
import { showScale } from './scale.js'
import { applyAddress, readSettings, settingsQuery, wrong } from './settings.js'
import { InTurn } from './sharing.js'
import { inBrowser, inServer } from './source.js'

const SLOW_TICK = 150 // ms between two updates of the charts and the figures

const el = Object.fromEntries([...document.querySelectorAll('[id]')].map((node) => [node.id, node]))
const place = new URLSearchParams(location.search)
const address = new AddressWriter()
const workers = watchHealth(el.health)
const card = new Alternatives(el.card)
const entropy = new EntropyChart(el.entropy, (column, index) => columns[column].look(index))
const frequencies = new FrequencyChart(el.frequencies)
const charts = new InTurn(
  () => (el.window.textContent = entropy.draw(texts())),
  () => frequencies.draw(texts(), reference.counts),
)

const columns = [el.first, el.second].map((root, which) => new Column(root, card, {
  state: () => showStates(),
  error: (sentence) => {
    showError(sentence)
    workers.lookAgain()
  },
  keep: (randomState) => {
    el[which ? 'random_state_b' : 'random_state'].value = randomState
    writeAddress()
  },
}))
const reference = new Reference(el, { changed: () => tick(), error: showError })
const model = chooser({
  select: el.model, empty: el['no-models'], list: listTextModels, title: modelTitle, stays: runsThere,
  wanted: place.get('model') || el.model.dataset.default, insist: place.has('model'), onChange: choose, onList: choose,
})
const other = chooser({
  select: el.model_b, list: listTextModels, title: modelTitle, stays: runsThere, wanted: place.get('model_b') ?? '', none: 'The same',
  onChange: choose, onList: choose,
})
new LocalPanel(el, {
  model: () => model.value,
  use: (name) => model.choose(name),
  changed: refresh,
})
let begun = 0 // how many texts were
let known = null // the models that `choose` was told of

/* ---- what the user does ---- */

el.start.addEventListener('click', start)
el.stop.addEventListener('click', stop)
el.dismiss.addEventListener('click', () => showError(''))
el.refresh.addEventListener('click', refresh)
el.compare.addEventListener('change', () => {
  if (!el.compare.checked) columns[1].clear()
  showColumns()
  choose()
})
addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) start()
  else if (event.key === 'Escape') stop()
})
for (const control of document.querySelectorAll('.prompt input, .prompt textarea, .sampling input')) {
  control.addEventListener('change', () => writeAddress())
  control.addEventListener('input', () => control.removeAttribute('aria-invalid'))
  if (control.type !== 'number') continue
  control.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) start()
  })
}
onLoggedOut(() => {
  el['login-link'].href = `login?page=text&${location.search.slice(1)}` // which leads back to this place
  el['logged-out'].hidden = false
})
addEventListener('focus', refresh)
addEventListener('pagehide', stop)

function start() {
  const asked = shown().map((_, which) => readSettings(el, which))
  for (const [which, settings] of asked.entries()) {
    const found = wrong(settings, which)
    if (!found) continue
    const [control, sentence] = found
    el[control].setAttribute('aria-invalid', 'true')
    el[control].focus()
    return showError(sentence)
  }
  showError('')
  writeAddress()
  begun++
  const source = el['run-browser'].checked ? inBrowser : inServer
  asked.forEach((settings, which) => columns[which].start(settings, source))
  el.columns.scrollIntoView({ block: 'nearest' })
}

function stop() {
  for (const column of columns) column.stop()
}

/** Other models: what is known of them is asked, and whether they run here. */
async function choose() {
  writeAddress()
  for (const column of columns) column.invite(model.value !== '')
  const names = [model.value, el.compare.checked ? other.value : ''].filter(Boolean)
  if (String(names) === known || !model.value) return
  known = String(names)
  const mine = known
  const [facts, ...reasons] = await Promise.all([describe(model.value), ...names.map(whyNotHere)])
  if (known !== mine) return
  reference.setModel(facts)
  allowHere(reasons.find(Boolean) ?? '', names.every(runsThere))
}

/** A model runs in this browser only if all that is needed is there, and nowhere else if it is kept here. */
function allowHere(reason, canThere) {
  const can = reason === ''
  el['run-server'].disabled = !canThere
  if (!canThere && can) el['run-browser'].checked = true
  el['run-browser'].disabled = !can
  el['not-here'].textContent = reason
  el['not-here'].hidden = can
  if (can && place.get('run') === 'browser') el['run-browser'].checked = true
  if (!can && el['run-browser'].checked) el['run-server'].checked = true
  place.delete('run')
  writeAddress()
}

function refresh() {
  model.refresh()
  other.refresh()
}

/* ---- what is shown ---- */

const shown = () => (el.compare.checked ? columns : columns.slice(0, 1))
const texts = () => shown().map(({ written }) => written).filter(Boolean)

function showColumns() {
  const two = el.compare.checked
  el.second.hidden = el.other.hidden = el['other-model'].hidden = !two
  document.body.classList.toggle('two', two)
  el['first-key'].textContent = two ? 'A' : 'text'
  for (const letter of document.querySelectorAll('.letter')) letter.hidden = !two
  tick()
}

function showStates() {
  const active = columns.some(({ isActive }) => isActive)
  if (!active && document.activeElement === el.stop) el.start.focus()
  el.stop.disabled = !active
  document.title = `${active ? '▶ ' : ''}Text – Interactive model inference`
  tick()
}

/** The figures and the charts: what need not keep up with every character. */
function tick() {
  if (document.hidden) return
  el.silence.hidden = !isUnanswered() || columns.some(({ state }) => state === 'writing')
  const counts = reference.counts
  el['reference-key'].hidden = !counts
  for (const column of shown()) column.tick(counts)
  charts.draw([frequencies.room, begun, texts().map(({ length }) => length), reference.version].join())
}

function showError(text) {
  el['error-text'].textContent = text
  el.error.hidden = !text
}

function writeAddress() {
  const settings = shown().map((_, which) => readSettings(el, which))
  if (!model.value) settings[0].model = place.get('model') // before the lists have come
  address.write(settingsQuery(settings, { here: el['run-browser'].checked || place.has('run') }), { now: true })
}

/**
 * For tests and benchmarks, read-only, a value for each text: `states`, `lengths` (characters that came), `shown`
 * (characters on the page), and `texts`.
 */
window.writer = Object.freeze({
  get states() { return columns.map(({ state }) => state) },
  get lengths() { return columns.map(({ written }) => written?.length ?? 0) },
  get shown() { return columns.map((column) => column.shown) },
  get texts() { return columns.map(({ written }) => written?.text() ?? '') },
})

bindThemeSwitch(el.theme)
onSilence(tick)
applyAddress(el, location.search)
showScale(el.scale, el.shades)
showColumns()
showStates()
setInterval(tick, SLOW_TICK)
refresh()
