/*
 * What the video page's address says: video, models, frame, threshold and what else was set.
 */

export const DEFAULT_THRESHOLD = 0.2

/**
 * @param {string} search the address's query
 * @returns {{video: string, models: string[], compare: string[], frame: number, threshold: number}}
 */
export function readPlace(search) {
  const query = new URLSearchParams(search)
  const frame = Number(query.get('frame'))
  const threshold = Number(query.get('threshold') ?? NaN)
  return {
    video: query.get('video') ?? '',
    models: query.getAll('model').slice(0, 2),
    compare: query.getAll('compare').slice(0, 2),
    frame: Number.isInteger(frame) && frame > 0 ? frame : 0,
    threshold: threshold > 0 && threshold < 1 ? threshold : DEFAULT_THRESHOLD,
  }
}

/**
 * What the address is to say of a place.
 * @param {{video: string, models: string[], compare: string[], frame: number, threshold: number,
 *   settings: Record<string, string>}} place
 * @returns {URLSearchParams}
 */
export function placeQuery({ video, models, compare, frame, threshold, settings }) {
  const query = new URLSearchParams()
  if (video) query.set('video', video)
  for (const model of models) query.append('model', model)
  for (const model of compare) query.append('compare', model)
  if (frame) query.set('frame', String(frame))
  if (threshold !== DEFAULT_THRESHOLD) query.set('threshold', String(threshold))
  for (const [name, value] of Object.entries(settings)) query.set(name, value)
  return query
}
