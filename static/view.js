/*
 * The picture: the only file that calls Plotly. A frame is drawn by one update that moves the image
 * and the points together, so that no point is ever seen on another frame's image. Ranges are set
 * once a video and then left alone, so that zoom and pan stay.
 */

/* global Plotly */

import { animalNames, marks, skeletons, trails } from './instances.js'
import { Overlay } from './overlay.js'

const HIDDEN_AXIS = {
  type: 'linear', // said outright: Plotly would otherwise guess it anew from every frame's points
  visible: false,
  showgrid: false,
  zeroline: false,
}
const CONFIG = { displayModeBar: false, scrollZoom: true, doubleClick: 'reset', responsive: false }

/** A video frame with its points. */
export class FrameView {
  #element
  #info = null
  #threshold = 0.2
  #hidden = new Set()
  #shown = null
  #overlay
  #at
  #what = { skeleton: true, trails: false, nodeNames: false, animalNames: false }
  #coarse = matchMedia('(pointer: coarse)').matches

  /**
   * @param {HTMLElement} element becomes a Plotly graph: its `data` and `layout` can be read
   * @param {(frame: number) => object | undefined} at a message seen before, if it is kept
   */
  constructor(element, at = () => undefined) {
    this.#element = element
    this.#at = at
    this.#overlay = new Overlay(element)
    new ResizeObserver(() => this.#fit()).observe(element)
  }

  /** The frame on the screen, or null. */
  get frame() {
    return this.#shown?.frame_idx ?? null
  }

  /**
   * Prepares for a video and a model; nothing changes where they are the same as before.
   * @param {import('./pose.js').Info} info
   */
  setUp(info) {
    if (sameScene(info, this.#info)) return
    const sameVideo = this.#info?.width === info.width && this.#info?.height === info.height
    const keepZoom = sameVideo && !this.#showsAll()
    this.#info = info
    this.#shown = null
    const traces = info.compare ? [POINTS, SECOND] : [POINTS]
    Plotly.react(this.#element, structuredClone(traces), this.#layout(info, keepZoom), CONFIG)
    if (this.#element.dataset.followed) return
    this.#element.dataset.followed = 'yes'
    // a pan or a zoom, as it goes on and when it is over
    for (const event of ['plotly_relayouting', 'plotly_relayout', 'plotly_afterplot']) {
      this.#element.on(event, () => this.#info && this.#overlay.fit(this.#element._fullLayout))
    }
  }

  /** Takes the picture away. */
  clear() {
    if (!this.#info) return
    Plotly.purge(this.#element)
    delete this.#element.dataset.followed
    this.#overlay.clear()
    this.#info = null
    this.#shown = null
  }

  /** @param {object} message with an `img` and points */
  draw(message) {
    this.#shown = message
    Plotly.update(this.#element, this.#points(message), this.#pictures(message))
    this.#drawLines()
  }

  /** Points with a score up to this are not drawn; acts on the frame that is shown. */
  setThreshold(threshold) {
    this.#threshold = threshold
    this.#redrawPoints()
  }

  /** @param {Set<number>} nodes that are not to be drawn */
  setHidden(nodes) {
    this.#hidden = new Set(nodes)
    this.#redrawPoints()
  }

  /** Zooms about the middle: a factor below 1 comes closer. */
  zoom(factor) {
    if (!this.#info) return
    const { xaxis, yaxis } = this.#element.layout
    const around = ([a, b]) => [(a + b) / 2 + ((a - b) / 2) * factor, (a + b) / 2 - ((a - b) / 2) * factor]
    Plotly.relayout(this.#element, {
      'xaxis.range': around(xaxis.range),
      'yaxis.range': around(yaxis.range),
      ...(this.#coarse && { dragmode: 'pan' }),
    })
  }

  /** Shows the whole frame. */
  resetZoom() {
    if (!this.#info) return
    const { width, height } = this.#info
    Plotly.relayout(this.#element, {
      'xaxis.range': [-0.5, width - 0.5],
      'yaxis.range': [height - 0.5, -0.5],
      ...(this.#coarse && { dragmode: false }),
    })
  }

  /**
   * Follows a change of the element's size. Plotly widens the ranges to keep the picture's shape, and
   * would widen them further each time: what was the whole frame has to be set anew.
   */
  async #fit() {
    if (!this.#info) return
    const whole = this.#showsAll()
    await Plotly.Plots.resize(this.#element)
    if (whole) this.resetZoom()
  }

  #showsAll() {
    const { width, height } = this.#info
    const { xaxis, yaxis } = this.#element.layout
    const covers = ([a, b], end) => Math.min(a, b) <= -0.5 && Math.max(a, b) >= end - 0.5
    return covers(xaxis.range, width) && covers(yaxis.range, height)
  }

  /** @param {{skeleton: boolean, trails: boolean, nodeNames: boolean, animalNames: boolean}} what to draw */
  setShown(what) {
    this.#what = what
    this.#drawLines()
  }

  #redrawPoints() {
    if (!this.#shown) return
    Plotly.restyle(this.#element, this.#points(this.#shown))
    this.#drawLines()
  }

  #drawLines() {
    const [message, info, what] = [this.#shown, this.#info, this.#what]
    if (!message || !info) return
    const limits = [this.#threshold, this.#hidden]
    this.#overlay.draw({
      trails: what.trails ? trails(message, info, this.#at) : [],
      skeletons: what.skeleton ? skeletons(message, info, ...limits) : [],
      second: what.skeleton && message.compare ? skeletons(message.compare, info.compare, ...limits) : [],
      texts: [
        ...(what.nodeNames ? this.#nodeNames(message) : []),
        ...(what.animalNames ? animalNames(message, info) : []),
      ],
    })
  }

  #nodeNames(message) {
    const { x, y, node, color } = marks(message, this.#info, this.#threshold, this.#hidden)
    return node.map((one, i) => ({ text: this.#info.nodes[one], x: x[i], y: y[i], color: color[i] }))
  }

  /** The frame's picture and, over it, that of the model's maps. */
  #pictures(message) {
    const { maps } = message
    if (!maps) return { 'images[0].source': message.img, 'images[1].visible': false }
    return {
      'images[0].source': message.img,
      'images[1].visible': true,
      'images[1].source': maps.img,
      'images[1].x': maps.x,
      'images[1].y': maps.y,
      'images[1].sizex': maps.width,
      'images[1].sizey': maps.height,
    }
  }

  #points(message) {
    const found = [this.#marks(message, this.#info)]
    if (this.#info.compare && message.compare) found.push(this.#marks(message.compare, this.#info.compare))
    const all = (of) => found.map(of)
    return {
      x: all(({ x }) => x),
      y: all(({ y }) => y),
      customdata: all(({ more }) => more),
      text: all(({ label }) => label),
      'marker.color': all(({ color }) => color),
    }
  }

  #marks(message, info) {
    const found = marks(message, info, this.#threshold, this.#hidden)
    const label = found.node.map((node) => info.nodes[node])
    const more = found.score.map((score, i) => [score, found.name[i] && `, ${found.name[i]}`])
    return { ...found, label, more }
  }

  #layout({ width, height }, keepZoom) {
    const ranges = keepZoom && this.#element.layout
    return {
      uirevision: `${width}x${height}`,
      margin: { l: 0, r: 0, t: 0, b: 0, autoexpand: false },
      paper_bgcolor: 'rgba(0, 0, 0, 0)',
      plot_bgcolor: 'rgba(0, 0, 0, 0)',
      showlegend: false, // the page's own is lighter: Plotly lays its legend out anew with every frame
      hovermode: 'closest',
      hoverdistance: 14,
      hoverlabel: { bgcolor: '#14181d', bordercolor: '#14181d', font: { color: '#fff', size: 12 } },
      // A finger that moves over the picture scrolls the page, until it has zoomed in.
      dragmode: this.#coarse ? false : 'pan',
      xaxis: { ...HIDDEN_AXIS, range: ranges ? ranges.xaxis.range : [-0.5, width - 0.5] },
      yaxis: {
        ...HIDDEN_AXIS,
        range: ranges ? ranges.yaxis.range : [height - 0.5, -0.5],
        scaleanchor: 'x',
      },
      // From half a pixel before the first pixel's centre to half a pixel after the last one's.
      images: [{
        source: '', xref: 'x', yref: 'y', layer: 'below', sizing: 'stretch',
        x: -0.5, y: -0.5, xanchor: 'left', yanchor: 'top', sizex: width, sizey: height,
      }, {
        source: '', xref: 'x', yref: 'y', layer: 'below', sizing: 'stretch', visible: false,
        x: -0.5, y: -0.5, xanchor: 'left', yanchor: 'top', sizex: width, sizey: height,
      }],
    }
  }
}

/**
 * All points. One trace for the points of all nodes, coloured one by one: a trace a node costs Plotly half
 * a millisecond each, twice a frame's time for a skeleton of 24. Lines are the overlay's.
 */
const POINTS = {
  type: 'scatter', mode: 'markers', name: 'points', x: [], y: [], customdata: [], text: [],
  marker: { symbol: 'x', size: 9, color: [] },
  hovertemplate: '<b>%{text}</b>%{customdata[1]}  %{customdata[0]:.2f}<br>x %{x:.1f}  y %{y:.1f}<extra></extra>',
}

/** The second model's points, where two are compared. */
const SECOND = {
  ...POINTS,
  name: 'second model',
  marker: { symbol: 'circle-open', size: 13, color: [] },
  hovertemplate: POINTS.hovertemplate.replace('<b>', '<b>second model: '),
}

function sameScene(a, b) {
  const scene = (info) => JSON.stringify(info && [info.width, info.height, info.nodes, info.edges, info.classes, info.compare])
  return scene(a) === scene(b)
}
