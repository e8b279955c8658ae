/*
 * The chart of a fine-tuning's loss: a line for the batches, points for what was held out, before the first
 * epoch and after each.
 */

import { COLORS, Plot } from '../plot.js'

const POINTS = 500 // of the line, at most, however many batches there are

/** The chart of the loss. */
export class LossChart {
  #plot
  #batches = []
  #epochs = []

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#plot = new Plot(element, {
      margin: { l: 40, r: 8, t: 6, b: 32 },
      xaxis: { title: { text: 'Epoch', standoff: 4 }, rangemode: 'tozero', dtick: 1 },
      yaxis: { title: { text: 'Loss (nats)', standoff: 4 }, nticks: 5 },
    })
  }

  /** Begins anew. */
  clear() {
    this.#batches = []
    this.#epochs = []
    this.#draw()
  }

  /** @param {{epoch: number, batch: number, batches: number, loss: number}} batch */
  addBatch({ epoch, batch, batches, loss }) {
    this.#batches.push([epoch - 1 + batch / batches, loss])
    this.#draw()
  }

  /** @param {{epoch: number, loss: number}} epoch */
  addEpoch({ epoch, loss }) {
    this.#epochs.push([epoch, loss])
    this.#draw()
  }

  #draw() {
    const every = Math.ceil(this.#batches.length / POINTS)
    const trace = (points, rest) => ({
      type: 'scatter', x: points.map(([x]) => x), y: points.map(([, y]) => y), hovertemplate: '%{y:.3f}<extra></extra>', ...rest,
    })
    this.#plot.draw([
      trace(this.#batches.filter((_, i) => i % every === 0), { mode: 'lines', line: { color: COLORS[0], width: 1.5 } }),
      trace(this.#epochs, { mode: 'markers', cliponaxis: false, marker: { color: COLORS[1], size: 8 } }),
    ], { dtick: Math.max(1, Math.ceil(this.#epochs.length / 6)) })
  }
}
