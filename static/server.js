/*
 * What the server has and how it is, as every page asks it: lists of names, and the workers' health. What
 * a kind of model has beside that is in that kind's own file; the streams are stream.js's.
 */

import { ask } from './asking.js'

async function get(path) {
  const response = await ask(path, { cache: 'no-store' })
  return { ok: response.ok, status: response.status, body: await response.json() }
}

/**
 * A list of names.
 * @param {string} path
 * @returns {Promise<string[]>}
 */
export async function names(path) {
  const { ok, body } = await get(path)
  if (!ok) throw new Error(body.error ?? 'The server could not list its files.')
  return body
}

/**
 * @param {'video' | 'text'} kind what they take
 * @returns {Promise<string[]>}
 */
export const listModels = (kind) => names(`get_available_models?kind=${kind}`)

/**
 * @returns {Promise<{status: 'ready' | 'loading' | 'failed' | 'gone', text: string}>} how the workers are
 */
export async function health() {
  try {
    const { status: answered, body } = await get('healthz')
    if (answered === 401) return { status: 'gone', text: 'Logged out' }
    const { status, reason, workers } = body
    if (status === 'ready') return { status, text: `${workers} worker${workers === 1 ? '' : 's'} ready` }
    if (status === 'failed') return { status, text: reason || 'The workers could not start.' }
    return { status: 'loading', text: reason || 'Workers are starting …' }
  } catch {
    return { status: 'gone', text: 'The server does not answer' }
  }
}
