/*
 * What the video page asks the server: its videos, and the address of a stream of predictions.
 */

import { names } from './server.js'

/** The page asks for peaks down to this score, so that the threshold moves with no new inference. */
export const FLOOR = 0.05

/** Whether a name in the list of videos is a live source's: of those only the newest frame counts. */
export const isLive = (video) => /^(camera|stream):/.test(video)

/** @returns {string} what a video is called in the list */
export const videoTitle = (video) => (isLive(video) ? `${video.replace(':', ' ')} (live)` : video)

/** @returns {Promise<string[]>} */
export const listVideos = () => names('get_available_videos')

/**
 * @param {{video: string, models: string[], compare: string[], frame: number, threshold: number, runId: string,
 *   settings: Record<string, string>}} request
 * @returns {string}
 */
export function predictionsUrl({ video, models, compare, frame, threshold, runId, settings }) {
  const asked = new URLSearchParams({ video_name: video, ...settings, start: frame, threshold, floor: FLOOR })
  for (const model of models) asked.append('model_name', model)
  for (const model of compare) asked.append('compare', model)
  asked.set('run_id', runId)
  return `generate_predictions?${asked}`
}

/** @returns {string} a name that no other run has */
export function newRunId() {
  if (crypto.randomUUID) return crypto.randomUUID()
  // a page that did not come over https, nor from this machine, is not given that function
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
