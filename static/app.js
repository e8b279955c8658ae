/*
 * The wiring: hands every part what it needs, and the page's events to the player and back. It decides
 * nothing that a part below could decide.
 */

import { AddressWriter } from './address.js'
import { isUnanswered, onSilence } from './asking.js'
import { ScoreChart } from './chart.js'
import { chooser } from './chooser.js'
import { disagreement } from './disagreement.js'
import { FrameHistory } from './history.js'
import { watchHealth } from './health.js'
import { bindKeys } from './keys.js'
import { Legend } from './legend.js'
import { allows, isActive, WORDS } from './machine.js'
import { NewestFirst } from './newest.js'
import { Pacer } from './pacer.js'
import { placeQuery, readPlace } from './place.js'
import { Player } from './player.js'
import { bestScores } from './pose.js'
import { clock, figure, Latency, milliseconds, Rate, videoTime } from './readouts.js'
import { bindRuns } from './runs.js'
import { ScoreTrack } from './scores.js'
import { listModels } from './server.js'
import { onLoggedOut } from './session.js'
import { Settings } from './settings.js'
import { NOTICE_STAYS } from './stream.js'
import { bindThemeSwitch } from './switch.js'
import { bindUpload } from './upload.js'
import { isLive, listVideos, newRunId, predictionsUrl, videoTitle } from './videos.js'
import { FrameView } from './view.js'

const SEEK_REST = 250 // ms that a slider must rest before a new stream is opened for it
const SLOW_TICK = 250 // ms between two updates of the chart and the figures
const PLACE_EVERY = 60 // ms between two updates of numbers that nobody could read faster
const LOSS_STAYS = 15000 // ms that a notice can be read which says what is lost for good

const el = Object.fromEntries([...document.querySelectorAll('[id]')].map((node) => [node.id, node]))
const place = readPlace(location.search)
const address = new AddressWriter()

const history = new FrameHistory()
const pacer = new Pacer()
const track = new ScoreTrack()
const rate = new Rate()
const latency = new Latency()
const view = new FrameView(el.frame, (frame) => history.get(frame))
const apart = new ScoreTrack(Math.max)
const newest = new NewestFirst(draw)
const chart = new ScoreChart({
  canvas: el.chart, mark: el.mark, tip: el.tip, track, onSeek: (frame) => seek(frame),
})
const apartChart = new ScoreChart({
  canvas: el['apart-chart'], mark: el['apart-mark'], tip: el['apart-tip'], track: apart, unit: 'px',
  onSeek: (frame) => seek(frame),
})
const settings = new Settings(el, { shown: () => view.setShown(settings.shown), asked: (name) => renew({ sameRun: name === 'maps' }) })
const legend = new Legend(el.legend, (hidden) => {
  view.setHidden(hidden)
  chart.setHidden(hidden)
})
const workers = watchHealth(el.health)

let info = null // the current run's start event
let at = place.frame // the frame that the page is at
let received = 0
let failed = 0
let lag = null // of a live source's last frame: its delay, and how many were dropped
let since = 0 // when this state began, or the last seek; what arrived before says nothing of the latency
let placed = 0
let noticed = 0
let stays = NOTICE_STAYS
let counted = false // whether the notice says itself how long it will be
let seekTimer = null
let thresholdTimer = null
let runId = '' // of the streams that are recorded as one run
let seeking = false // the user holds the seek bar: it is not moved under the finger
let typing = false // likewise the frame's number, while the user is in it

const player = new Player({
  history,
  pacer,
  on: { state: showState, info: showInfo, frame: showFrame, received: countMessage, notice: showNotice },
})

const video = chooser({
  select: el.video, empty: el['no-videos'], list: listVideos, wanted: place.video, title: videoTitle,
  onChange: () => choose(0),
})
const model = chooser({
  select: el.model, empty: el['no-models'], list: () => listModels('video'), wanted: place.models[0] || el.model.dataset.default,
  insist: place.models.length > 0, onChange: () => choose(at),
})
const optional = (select, wanted) =>
  chooser({ select, list: () => listModels('video'), wanted: wanted ?? '', none: 'None', onChange: () => choose(at) })
const second = optional(el.second, place.models[1])
const compare = [optional(el.compare, place.compare[0]), optional(el['compare-second'], place.compare[1])]
el.more.open = place.models.length > 1 || place.compare.length > 0
const runs = bindRuns({ panel: el['runs-panel'], list: el.runs, count: el['runs-count'], onError: showError })
bindUpload({
  input: el['upload-file'], panel: el.upload, bar: el['upload-bar'], text: el['upload-text'],
  cancel: el['upload-cancel'], target: el.drop,
  onDone: (name) => {
    showError('')
    video.choose(name)
  },
  onError: showError,
})

/* ---- what the user does ---- */

el.start.addEventListener('click', start)
el.pause.addEventListener('click', () => player.pause())
el.resume.addEventListener('click', () => player.resume())
el.stop.addEventListener('click', () => player.stop())
el.back.addEventListener('click', () => player.step(-1))
el.forward.addEventListener('click', () => player.step(1))
el.dismiss.addEventListener('click', () => showError(''))
el.refresh.addEventListener('click', refresh)
el['zoom-in'].addEventListener('click', () => view.zoom(1 / 1.5))
el['zoom-out'].addEventListener('click', () => view.zoom(1.5))
el['zoom-reset'].addEventListener('click', () => view.resetZoom())
el.seek.addEventListener('input', () => {
  seeking = true
  seek(Number(el.seek.value), SEEK_REST)
})
el.seek.addEventListener('change', () => seek(Number(el.seek.value)))
el['frame-number'].addEventListener('focus', () => {
  typing = true
  el['frame-number'].select()
})
el['frame-number'].addEventListener('blur', () => {
  typing = false
  showPlace(at)
})
el['frame-number'].addEventListener('keydown', (event) => {
  if (event.key === 'Enter') el['frame-number'].blur() // the keys are the player's again
})
el['frame-number'].addEventListener('change', () => {
  typing = false
  const typed = Math.floor(el['frame-number'].valueAsNumber)
  seek(Number.isNaN(typed) ? at : typed)
})
el.threshold.addEventListener('input', applyThreshold)
el.threshold.addEventListener('change', () => {
  clearTimeout(thresholdTimer) // an arrow key that is held changes it many times
  thresholdTimer = setTimeout(() => info?.instances && threshold() !== info.threshold && renew(), SEEK_REST)
})
onLoggedOut(() => {
  el['login-link'].href = `login${location.search}` // which leads back to this place
  el['logged-out'].hidden = false
})
el['upload-button'].addEventListener('click', () => el['upload-file'].click())
el.speed.addEventListener('change', applySpeed)
addEventListener('focus', refresh)
// A button that was clicked gives the keys back: Space and the arrows are the player's. (detail: by pointer)
addEventListener('click', (event) => event.detail > 0 && event.target.closest?.('button')?.blur())
addEventListener('pagehide', () => player.stop())
bindKeys({
  space() {
    if (allows(player.state, 'pause')) player.pause()
    else if (allows(player.state, 'resume')) player.resume()
    else start()
  },
  step: (frames) => player.step(frames),
  seekBar: el.seek,
})

function start() {
  if (!allows(player.state, 'start')) return
  if (!video.value) return showError('Choose a video first.')
  if (!model.value) return showError('Choose a model first.')
  const first = firstFrame()
  clearTimeout(seekTimer)
  seeking = typing = false
  showError('')
  resetFigures()
  runId = newRunId()
  player.start(runFrom(first))
}

/** Where a start begins: at the place shown, unless that is the end. */
function firstFrame() {
  const atEnd = player.state === 'done' && player.end !== null && at >= player.end - 1
  return atEnd || isLive(video.value) ? 0 : at
}

/** A run of what is chosen now: every stream of it has one name, under which the server records it. */
function runFrom(frame) {
  const chosen = {
    video: video.value, ...models(), threshold: threshold(), settings: settings.query, runId,
  }
  return { frame, url: (from) => predictionsUrl({ ...chosen, frame: from }), live: isLive(chosen.video) }
}

/**
 * Something else is asked of the model: what was seen is put away, and it goes on from here. It is another
 * run, but where only more is to be seen of the same predictions.
 */
function renew({ sameRun = false } = {}) {
  writeAddress({ now: true })
  if (!player.run) return
  newest.reset()
  if (!sameRun) {
    runId = newRunId()
    track.clear()
    apart.clear()
  }
  since = performance.now()
  player.renew(runFrom(at))
}

/** Another video or model: what was seen of the one before is put away. */
function choose(frame) {
  clearTimeout(thresholdTimer)
  settings.free()
  player.forget()
  newest.reset()
  view.clear()
  resetFigures()
  info = null
  el.stage.classList.add('empty')
  el.facts.textContent = el['last-frame'].textContent = ''
  el.seek.disabled = true
  legend.setUp([])
  el['models-shown'].hidden = true
  el['apart-figure'].hidden = true
  el.blank.hidden = true
  showError('')
  showPlace(frame)
  showInvitation()
  showState(player.state, '')
  writeAddress({ now: true })
}

/** Frames at hand are shown at once, others once the slider rests. */
function seek(frame, rest = 0) {
  if (isLive(video.value)) return
  const last = lastFrame()
  const target = Math.min(Math.max(0, frame), last ?? Infinity)
  clearTimeout(seekTimer)
  showPlace(target)
  const go = () => {
    seeking = false
    since = performance.now()
    player.seek(target)
    writeAddress({ now: true })
  }
  const atHand = history.has(target) && player.state !== 'playing'
  if (rest && !atHand) seekTimer = setTimeout(go, rest)
  else if (rest) player.seek(target)
  else go()
}

function applyThreshold() {
  el['threshold-value'].value = threshold().toFixed(2)
  el.threshold.setAttribute('aria-valuetext', threshold().toFixed(2))
  view.setThreshold(threshold())
  chart.setThreshold(threshold())
  writeAddress()
}

function applySpeed() {
  const speed = el.speed.value
  pacer.rate = speed === 'max' ? Infinity : Number(speed) * (info?.fps || 25)
}

function refresh() {
  el.refresh.classList.remove('turning')
  void el.refresh.offsetWidth // lets the animation begin again
  el.refresh.classList.add('turning')
  const lists = [video, model, second, ...compare]
  return Promise.all(lists.map((list) => list.refresh())).then(() => {
    showInvitation()
    showKind()
  })
}

/* ---- what the player says ---- */

function showState(state, reason) {
  since = performance.now()
  el.state.textContent = WORDS[state]
  el.state.dataset.state = state
  const focused = document.activeElement
  el.start.disabled = !allows(state, 'start')
  el.pause.disabled = !allows(state, 'pause')
  el.stop.disabled = !allows(state, 'stop')
  el.resume.hidden = !allows(state, 'resume')
  el.pause.hidden = !el.resume.hidden
  el.back.disabled = el.forward.disabled = !info || !player.run || state === 'starting'
  el.welcome.hidden = info !== null || isActive(state) || state === 'failed'
  // The button under the user's finger was exchanged or switched off: the focus goes to its successor.
  if (focused?.disabled || focused?.hidden) {
    const next = [el.pause, el.resume, el.start].find((button) => !button.disabled && !button.hidden)
    next?.focus()
  }
  if (state === 'done' && received === 0) showNoSuchFrame()
  if (['done', 'failed', 'idle'].includes(state)) runs.refresh()
  if (state === 'failed') {
    showError(reason)
    workers.lookAgain()
  }
  showKind()
  if (view.frame !== null && state !== 'starting') showDrawnPlace()
  showFirst()
  rate.clear()
  showWaiting()
  slowTick()
  if (state !== 'starting') writeAddress({ now: true })
  const running = player.run ? `${state === 'playing' ? '▶ ' : ''}${videoTitle(video.value)} – ` : ''
  document.title = `${running}Interactive model inference`
}

/** A live source has no places to go to and no end; it has a delay instead. */
function showKind() {
  document.body.classList.toggle('live', isLive(video.value))
}

/** A run that had no frame at all: it was to begin past the end. */
function showNoSuchFrame() {
  const last = lastFrame()
  showError(`There is no frame ${at}: ${last === null ? 'the video ends before it' : `the last one is ${last}`}.`)
  if (last !== null) showPlace(last)
}

function showInfo(started) {
  info = started
  settings.setUp(info)
  view.setShown(settings.shown)
  el['apart-figure'].hidden = !info.compare
  if (info.compare) apartChart.setUp(['apart'], info.n_frames)
  el.stage.classList.remove('empty')
  view.setUp(info)
  chart.setUp(info.nodes, info.n_frames)
  legend.setUp(info.nodes, info.classes.length > 0 || info.tracking !== null)
  el['models-shown'].hidden = !info.compare
  if (info.compare) showModels()
  const facts = [
    `${info.width} × ${info.height}`,
    info.fps && `${Number(info.fps.toFixed(2))} frames/s`,
    info.n_frames && `${info.n_frames} frames`,
    info.engine,
  ]
  el.facts.textContent = facts.filter(Boolean).join('  ·  ')
  el.seek.disabled = false
  applySpeed()
  showRange()
}

function countMessage(entry) {
  received++
  rate.add(entry.arrived)
  if (entry.failure) {
    failed++
    return
  }
  lag = entry.live ?? null
  if (entry.instances?.length) info.instances = true
  track.add(entry.frame_idx, bestScores(entry, info.nodes.length))
  if (entry.compare) apart.add(entry.frame_idx, [disagreement(entry, info, threshold())])
}

function showFrame(entry, sought) {
  const single = player.state !== 'playing'
  if (performance.now() - noticed > stays) showNotice('')
  el.blank.hidden = true
  if (!entry.failure) newest.offer(entry, sought)
  else if (single) {
    el.blank.textContent = `Frame ${entry.frame_idx} failed: ${entry.failure}`
    el.blank.hidden = false
    showPlace(entry.frame_idx)
  }
  showWaiting()
}

function showNotice(text, state = '') {
  counted = state === 'again'
  stays = state === 'not_recorded' ? LOSS_STAYS : NOTICE_STAYS
  noticed = performance.now()
  el.notice.textContent = text
  if (text) workers.lookAgain()
  showWaiting()
}

/* ---- what is shown ---- */

function draw(message) {
  view.draw(message)
  const timing = message.live ? { ...message.timing, total: message.live.delay_ms } : message.timing
  if (message.arrived > since) latency.add(timing, performance.now() - message.arrived)
  if (player.state !== 'playing' || performance.now() - placed > PLACE_EVERY) showDrawnPlace()
}

function showDrawnPlace() {
  placed = performance.now()
  showPlace(view.frame)
  chart.setFrame(view.frame)
  apartChart.setFrame(view.frame)
  writeAddress()
}

function showPlace(frame) {
  if (seeking && frame !== Number(el.seek.value)) return
  at = frame
  el.seek.value = frame
  if (!typing) el['frame-number'].value = frame
  el.time.textContent = videoTime(frame, info?.fps)
  showFirst()
}

function showFirst() {
  el.start.title = `Start${fromFirst()}`
}

function fromFirst() {
  return firstFrame() > 0 ? ` from frame ${firstFrame()}` : ''
}

function showInvitation() {
  el.lead.textContent = video.value && model.value
    ? `Press Start to watch ${videoTitle(video.value)}${fromFirst()}.`
    : 'Choose a video and a model, then press Start.'
}

function showRange() {
  const last = lastFrame() ?? Math.max(track.last, 0)
  el.seek.max = last
  el['last-frame'].textContent = lastFrame() === null ? '' : `of ${last}`
}

function showWaiting() {
  const waits = isActive(player.state) && player.waiting
  el.waiting.hidden = !waits
  el.stage.classList.toggle('waits', waits)
  el['waiting-text'].textContent = el.notice.textContent || 'Waiting for the frame …'
}

/** Where frames come, it is nobody's worry that the lists do not. */
function showSilence() {
  const flows = isActive(player.state) && !player.waiting
  el.silence.hidden = !isUnanswered() || flows
}

function showError(text) {
  el['error-text'].textContent = text
  el.error.hidden = !text
}

/** The figures and the chart: what need not keep up with every frame. */
function slowTick() {
  if (document.hidden) return
  const now = performance.now()
  const perSecond = isActive(player.state) && player.state !== 'paused' ? rate.at(now) : null
  const { total, stages } = latency.get()
  const frames = frameCount()
  const share = frames ? Math.min(1, (player.cursor + 1) / frames) : 0
  el.fps.textContent = figure(perSecond)
  el.latency.textContent = milliseconds(total)
  const stage = ([name, ms]) => `${name.replaceAll('_', ' ')}\u00a0${ms.toFixed(1)}`
  el.stages.textContent = stages.map(stage).join('\u00a0· ')
  el.skipped.textContent = newest.skipped
  el.delay.textContent = milliseconds(lag?.delay_ms ?? null)
  el.dropped.textContent = lag ? `${lag.dropped} frame${lag.dropped === 1 ? '' : 's'}` : '–'
  el.failed.textContent = failed
  el['failed-row'].hidden = !failed
  el['progress-text'].textContent = frames && info ? `${Math.floor(share * 100)} %` : '–'
  el['progress-bar'].style.transform = `scaleX(${share})`
  el.progress.setAttribute('aria-valuenow', Math.floor(share * 100))
  el.left.textContent = frames && perSecond ? clock(Math.ceil((frames - player.cursor - 1) / perSecond)) : '–'
  if (info) showRange()
  showSilence()
  if (player.state === 'starting') showWaiting()
  if (player.state === 'starting' && now - since > 3000 && !counted) {
    const text = el.notice.textContent || 'Waiting for the frame …'
    el['waiting-text'].textContent = `${text} (${Math.floor((now - since) / 1000)} s)`
  }
  chart.draw()
  apartChart.draw()
}

function resetFigures() {
  received = failed = 0
  lag = null
  newest.reset()
  rate.clear()
  latency.clear()
  track.clear()
  apart.clear()
  chart.setFrame(null)
  apartChart.setFrame(null)
  chart.draw()
}

function showModels() {
  const told = (one) => (one.model_names ?? [one.model_name]).join(' + ')
  el['first-model'].textContent = told(info)
  el['second-model'].textContent = told(info.compare)
}

/* ---- small answers ---- */

const names = (...choosers) => choosers.map(({ value }) => value).filter(Boolean)
const models = () => ({ models: names(model, second), compare: names(...compare) })
const threshold = () => Number(el.threshold.value)
const frameCount = () => player.end ?? info?.n_frames ?? null
const lastFrame = () => (frameCount() === null ? null : Math.max(0, frameCount() - 1))

function writeAddress(when) {
  // Before the lists have come, what the address said still holds.
  const listed = model.value || place.models.length === 0
  const chosen = listed ? models() : { models: place.models, compare: place.compare }
  const named = { video: video.value || place.video, ...chosen, settings: settings.query }
  address.write(placeQuery({ ...named, frame: isLive(named.video) ? 0 : at, threshold: threshold() }), when)
}

/**
 * For tests and benchmarks, read-only: `state`, `frameIdx` (the frame on the screen, or null), and, since
 * the last Start, `received` (messages from the server), `drawn`, `skipped` (replaced by a newer one before
 * they were drawn) and `failed` frames; `kept` frames can be stepped through.
 */
window.viewer = Object.freeze({
  get state() { return player.state },
  get frameIdx() { return view.frame },
  get received() { return received },
  get drawn() { return newest.drawn },
  get skipped() { return newest.skipped },
  get failed() { return failed },
  get kept() { return history.size },
  get tracks() { return [...new Set((history.get(view.frame)?.instances ?? []).map(({ track }) => track))] },
})

bindThemeSwitch(el.theme)
onSilence(showSilence)
el.threshold.value = place.threshold
showPlace(place.frame)
applyThreshold()
setInterval(slowTick, SLOW_TICK)
refresh()
