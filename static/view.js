/*
 * The picture: the only file that calls Plotly. A frame is drawn by one update that moves the image
 * and the points together, so that no point is ever seen on another frame's image. Ranges are set
 * once a video and then left alone, so that zoom and pan stay.
 */

/* global Plotly */

import { nodeColor } from './palette.js'
import { peaks, skeleton } from './pose.js'

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
  #coarse = matchMedia('(pointer: coarse)').matches

  /** @param {HTMLElement} element becomes a Plotly graph: its `data` and `layout` can be read */
  constructor(element) {
    this.#element = element
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
    Plotly.react(this.#element, structuredClone(TRACES), this.#layout(info, keepZoom), CONFIG)
  }

  /** Takes the picture away. */
  clear() {
    if (!this.#info) return
    Plotly.purge(this.#element)
    this.#info = null
    this.#shown = null
  }

  /** @param {object} message with an `img` and points */
  draw(message) {
    this.#shown = message
    Plotly.update(this.#element, this.#points(message), { 'images[0].source': message.img })
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

  #redrawPoints() {
    if (this.#shown) Plotly.restyle(this.#element, this.#points(this.#shown))
  }

  #points(message) {
    const { nodes, edges } = this.#info
    const found = peaks(message, this.#threshold, this.#hidden)
    const line = skeleton(found, edges)
    return {
      x: [line.x, found.x],
      y: [line.y, found.y],
      customdata: [[], found.score],
      text: [[], found.node.map((node) => nodes[node])],
      'marker.color': [null, found.node.map(nodeColor)],
    }
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
      }],
    }
  }
}

/**
 * The skeleton's line and all points. One trace for the points of all nodes, coloured one by one: a
 * trace a node costs Plotly half a millisecond each, twice a frame's time for a skeleton of 24.
 */
const TRACES = [
  {
    type: 'scatter', mode: 'lines', name: 'skeleton', x: [], y: [], hoverinfo: 'skip',
    line: { color: 'rgba(255, 255, 255, 0.75)', width: 2 },
  },
  {
    type: 'scatter', mode: 'markers', name: 'points', x: [], y: [], customdata: [], text: [],
    marker: { symbol: 'x', size: 9, color: [] },
    hovertemplate: '<b>%{text}</b>  %{customdata:.2f}<br>x %{x:.1f}  y %{y:.1f}<extra></extra>',
  },
]

function sameScene(a, b) {
  const scene = (info) => JSON.stringify(info && [info.width, info.height, info.nodes, info.edges])
  return scene(a) === scene(b)
}
