/*
 * How often each character comes: in the texts, and in the one that they are held against. The most frequent
 * characters of that one stand from left to right, as many as there is room for.
 */

import { sign, spoken, total } from './characters.js'
import { COLORS, plain, Plot, REFERENCE_COLOR } from './plot.js'

const ROOM = 17 // px for each character
const FEWEST = 8

/** The chart of the character frequencies. */
export class FrequencyChart {
  #plot

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#plot = new Plot(element, {
      xaxis: { type: 'category', fixedrange: true, tickangle: 0, tickfont: { size: 11 }, title: { text: 'Character, the most frequent first', standoff: 6 } },
      yaxis: { title: { text: 'Share (%)', standoff: 6 }, rangemode: 'tozero', nticks: 5 },
      hovermode: 'x unified',
      bargap: 0.25,
      bargroupgap: 0,
    })
  }

  /** How many characters there is room for. */
  get room() {
    return Math.max(FEWEST, Math.floor(this.#plot.width / ROOM))
  }

  /**
   * @param {import('./written.js').Written[]} columns the texts that are shown
   * @param {import('./characters.js').Counts | null} reference
   */
  draw(columns, reference) {
    const ranked = reference ?? columns[0]?.counts ?? new Map()
    const codes = [...ranked].sort(([, a], [, b]) => b - a).slice(0, this.room).map(([code]) => code)
    const bars = columns.map((written, column) => [written.counts, COLORS[column], columns.length > 1 ? 'AB'[column] : 'Text'])
    if (reference) bars.unshift([reference, REFERENCE_COLOR, 'Reference'])
    this.#plot.draw(bars.map(([counts, color, name]) => trace(codes, counts, color, name)), {
      xaxis: {
        range: [-0.5, Math.max(1, codes.length) - 0.5],
        tickmode: 'array', tickvals: codes.map((_, i) => i), // each of them, however many there are
      },
    })
  }
}

function trace(codes, counts, color, name) {
  const all = total(counts) || 1
  return {
    type: 'bar', name,
    x: codes.map((code) => plain(sign(String.fromCodePoint(code)))),
    y: codes.map((code) => (100 * (counts.get(code) ?? 0)) / all),
    customdata: codes.map((code) => plain(spoken(String.fromCodePoint(code)))),
    marker: { color },
    hovertemplate: '%{y:.2f} %',
  }
}
