/*
 * The chart of the scores over time. A canvas of its own rather than a second Plotly graph: redrawing
 * that took as long as a whole video frame, and this one leaves the frames their time. The mark of the
 * frame shown moves with every frame, the lines a few times a second.
 */

import { nodeColor } from './palette.js'

const LEFT = 30
const RIGHT = 8
const TOP = 8
const BOTTOM = 18
const FEWEST_FRAMES = 100

/** Lines of scores over frames; a click seeks. */
export class ScoreChart {
  #canvas
  #mark
  #tip
  #track
  #nodes = []
  #frames = Infinity
  #hidden = new Set()
  #threshold = null
  #unit
  #frame = null
  #drawn = ''
  #span = null // the frames from left to right, as drawn last
  #width = 0 // kept, since asking the canvas for it makes the browser lay the page out
  #height = 0

  /**
   * @param {object} parts
   * @param {HTMLCanvasElement} parts.canvas its CSS colours draw it: `color` the labels, `border-color`
   *     the grid, `outline-color` the threshold
   * @param {HTMLElement} parts.mark the line at the frame shown
   * @param {HTMLElement} parts.tip
   * @param {import('./scores.js').ScoreTrack} parts.track
   * @param {(frame: number) => void} parts.onSeek
   * @param {string} [parts.unit] of the values; without one they are scores, for which 1 is high
   */
  constructor({ canvas, mark, tip, track, onSeek, unit = '' }) {
    this.#unit = unit
    this.#canvas = canvas
    this.#mark = mark
    this.#tip = tip
    this.#track = track
    canvas.addEventListener('click', (event) => {
      const frame = this.#frameAt(event.offsetX)
      if (frame !== null) onSeek(frame)
    })
    canvas.addEventListener('pointermove', (event) => this.#point(event.offsetX))
    canvas.addEventListener('pointerleave', () => (tip.hidden = true))
    new ResizeObserver(() => {
      this.#width = canvas.clientWidth
      this.#height = canvas.clientHeight
      this.draw()
    }).observe(canvas)
  }

  /**
   * @param {string[]} nodes
   * @param {number | null} frames how many the video has, if known: the axis does not go past them
   */
  setUp(nodes, frames) {
    this.#nodes = nodes
    this.#frames = frames ?? Infinity
  }

  /** @param {Set<number>} nodes whose lines are left out */
  setHidden(nodes) {
    this.#hidden = new Set(nodes)
    this.draw()
  }

  setThreshold(threshold) {
    this.#threshold = threshold
    this.draw()
  }

  /** Moves the mark: cheap enough for every frame. */
  setFrame(frame) {
    this.#frame = frame
    this.#placeMark()
  }

  /** Draws the lines, if anything changed since the last time. */
  draw() {
    const [width, height] = [this.#width, this.#height]
    const style = getComputedStyle(this.#canvas)
    const state = [
      width, height, devicePixelRatio, this.#track.version, this.#threshold, [...this.#hidden], style.color,
    ].join()
    if (state === this.#drawn || !width) return
    this.#drawn = state
    const pen = this.#canvas.getContext('2d')
    this.#canvas.width = Math.round(width * devicePixelRatio)
    this.#canvas.height = Math.round(height * devicePixelRatio)
    pen.scale(devicePixelRatio, devicePixelRatio)
    const { first, last } = this.#track
    this.#span = last < first ? null : {
      from: first, to: Math.max(last, first + 1, Math.min(first + FEWEST_FRAMES, this.#frames - 1)),
    }
    const buckets = this.#track.buckets()
    const top = Math.max(1, ...buckets.map(({ scores }) => Math.max(...scores)))
    const y = (score) => TOP + (1 - score / top) * (height - TOP - BOTTOM)
    this.#drawGrid(pen, style, y, top)
    this.#drawLines(pen, buckets, y)
    this.#placeMark()
  }

  #drawGrid(pen, style, y, top) {
    const right = this.#width - RIGHT
    pen.font = `11px ${style.fontFamily}`
    pen.fillStyle = style.color
    pen.textBaseline = 'middle'
    pen.textAlign = 'right'
    const upward = this.#unit ? niceStep(top, 3) : 0.5
    for (let value = 0; value <= top; value += upward) {
      stroke(pen, style.borderTopColor, [], [LEFT, y(value)], [right, y(value)])
      pen.fillText(this.#unit ? String(value) : value.toFixed(1), LEFT - 6, y(value))
    }
    if (this.#threshold !== null) stroke(pen, style.outlineColor, [4, 3], [LEFT, y(this.#threshold)], [right, y(this.#threshold)])
    const span = this.#span
    if (!span) return
    const bottom = this.#height - 6
    const step = niceStep(span.to - span.from, this.#width / 90)
    pen.textAlign = 'center'
    for (let frame = Math.ceil(span.from / step) * step; frame <= span.to; frame += step) {
      const x = Math.min(Math.max(this.#x(frame), LEFT + 4), right - 10)
      pen.fillText(String(frame), x, bottom)
    }
  }

  #drawLines(pen, buckets, y) {
    pen.lineWidth = 1.5
    pen.lineJoin = 'round'
    const dot = buckets.length < 3
    this.#nodes.forEach((_, node) => {
      if (this.#hidden.has(node)) return
      pen.strokeStyle = pen.fillStyle = nodeColor(node)
      pen.beginPath()
      let before = -Infinity
      for (const { frame, scores } of buckets) {
        const at = [this.#x(frame), y(scores[node])]
        if (frame - before > this.#track.width) pen.moveTo(...at)
        else pen.lineTo(...at)
        if (dot) pen.fillRect(at[0] - 1.5, at[1] - 1.5, 3, 3)
        before = frame
      }
      pen.stroke()
    })
  }

  #x(frame) {
    const { from, to } = this.#span
    return LEFT + ((frame - from) / (to - from)) * (this.#width - LEFT - RIGHT)
  }

  #frameAt(x) {
    const span = this.#span
    if (!span) return null
    const share = (x - LEFT) / (this.#width - LEFT - RIGHT)
    return Math.round(span.from + Math.min(Math.max(share, 0), 1) * (span.to - span.from))
  }

  #placeMark() {
    this.#mark.hidden = this.#span === null || this.#frame === null
    if (this.#mark.hidden) return
    const { from, to } = this.#span // frames since the lines were drawn stand at the right edge
    const x = this.#x(Math.min(Math.max(this.#frame, from), to))
    this.#mark.style.transform = `translateX(${x}px)`
  }

  #point(x) {
    const frame = this.#frameAt(x)
    const bucket = frame === null ? undefined : this.#track.at(frame)
    this.#tip.hidden = !bucket
    if (!bucket) return
    const until = bucket.frame + this.#track.width - 1
    const title = until > bucket.frame ? `${this.#unit ? 'greatest' : 'lowest'} of frames ${bucket.frame} to ${until}` : `frame ${frame}`
    const scores = this.#nodes
      .map((name, node) => `${name} ${this.#told(bucket.scores[node])}`)
      .filter((_, node) => !this.#hidden.has(node))
    const most = 24
    if (scores.length > most) scores.splice(most, Infinity, '…')
    this.#tip.textContent = [title, ...scores].join('\n')
    const toLeft = x > this.#width / 2
    this.#tip.style.transform = `translateX(${x}px) translateX(${toLeft ? 'calc(-100% - 10px)' : '10px'})`
  }

  #told(value) {
    if (this.#unit) return `${value.toFixed(1)} ${this.#unit}`
    return value ? value.toFixed(2) : '–'
  }
}

function stroke(pen, color, dash, from, to) {
  pen.strokeStyle = color
  pen.lineWidth = 1
  pen.setLineDash(dash)
  pen.beginPath()
  pen.moveTo(from[0], Math.round(from[1]) + 0.5)
  pen.lineTo(to[0], Math.round(to[1]) + 0.5)
  pen.stroke()
  pen.setLineDash([])
}

/** A round step (1, 2 or 5 times a power of ten) that gives at most so many marks. */
function niceStep(span, marks) {
  const rough = Math.max(1, span / Math.max(marks, 1))
  const power = 10 ** Math.floor(Math.log10(rough))
  return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= rough)
}
