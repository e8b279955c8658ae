/*
 * The states of the page and what leads from one to the next, as one table. Every button, key and
 * server event goes through it; what is not in the table does not happen.
 *
 *   idle ──start──▶ starting ──frame──▶ playing ◀──resume── paused
 *     ▲                │                  │  └────pause────▶  ▲
 *     └───── stop ─────┴──────────────────┴─────── stop       │
 *   done, failed: the end of a run; ──start──▶ starting, ──browse──▶ paused
 *
 * `browse` is looking at a single frame (a step, or a seek while nothing plays).
 */

const TABLE = {
  idle: { start: 'starting', browse: 'paused' },
  starting: { frame: 'playing', pause: 'paused', stop: 'idle', end: 'done', fail: 'failed' },
  playing: { pause: 'paused', stop: 'idle', end: 'done', fail: 'failed' },
  paused: { resume: 'playing', browse: 'paused', stop: 'idle', end: 'done', fail: 'failed' },
  done: { start: 'starting', browse: 'paused' },
  failed: { start: 'starting', browse: 'paused' },
}

/** The words for each state, as shown and as read out. */
export const WORDS = {
  idle: 'Ready',
  starting: 'Starting',
  playing: 'Playing',
  paused: 'Paused',
  done: 'Done',
  failed: 'Stopped by an error',
}

/**
 * The state after an event, or undefined where the event means nothing in this state.
 * @param {string} state
 * @param {string} event
 * @returns {string | undefined}
 */
export function after(state, event) {
  return TABLE[state][event]
}

/**
 * Whether an event means anything in this state (a button is enabled exactly then).
 * @param {string} state
 * @param {string} event
 * @returns {boolean}
 */
export function allows(state, event) {
  return event in TABLE[state]
}

/** Whether a run is under way. */
export const isActive = (state) => allows(state, 'stop')
