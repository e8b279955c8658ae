/*
 * Every short question to the server, and the beginning of every stream: asked as fetch asks, and counted
 * for as long as there is no answer at all. A browser sends a request only once it has a connection for it,
 * and says nothing while it has none. An answer that asks for a login is told to session.js.
 */

import { noteStatus } from './session.js'

/** After so many ms without the first byte of an answer, the page says that it waits. */
export const PATIENCE = 5000

let late = 0
let tell = () => {}

/** @param {() => void} listener told whenever `isUnanswered` may have changed */
export function onSilence(listener) {
  tell = listener
}

/** @returns {boolean} whether something that was asked has had no answer for too long */
export const isUnanswered = () => late > 0

/**
 * What fetch gives and throws.
 * @param {string} address
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export async function ask(address, options) {
  let counted = 0
  const count = (change) => {
    late += change
    counted += change
    tell()
  }
  const timer = setTimeout(() => count(1), PATIENCE)
  try {
    const response = await fetch(address, options)
    noteStatus(response.status)
    return response
  } finally {
    clearTimeout(timer)
    if (counted) count(-1)
  }
}
