/*
 * Where text comes from. A source is an object with one function, whoever runs the model:
 *
 *   start(settings, onEvent) → stop
 *
 * `settings` is {model, seed, length, topN, temperature, randomState}; randomState null: the source draws one.
 * `onEvent` is handed {type, data}, never before `start` has returned, nor after `stop()` was called:
 *
 *   status   {state, message}: what is waited for, in a sentence; '' once that is over
 *   start    {model_name, length, seed, top_n, temperature, random_state, vocabulary, unknown: [characters of the
 *            seed that the model does not know], notes: [sentences], engine: 'words'}; again after a broken connection
 *   message  {index: of its first character, text, probs, entropies (bits), alternatives: [[[character, probability],
 *            … the likeliest first] one each]}; the lists are as long as `text` has characters (code points)
 *   failure  {index, message}; index null is the end
 *   done     {characters}: the end
 *
 * `inServer` is the source that streams from the server, `inBrowser` the one that runs the model in the page
 * (local.js).
 */

import { openStream, StreamError } from '../stream.js'
import { Turns } from '../turns.js'
import { drawRandomState } from './limits.js'
import { start } from './local.js'
import { textUrl } from './models.js'

/** @typedef {{start: (settings: object, onEvent: (event: {type: string, data: any}) => void) => () => void}} Source */

/** @type {Source} */
export const inServer = {
  start(settings, onEvent) {
    const abort = new AbortController()
    read(settings, abort.signal, (type, data) => abort.signal.aborted || onEvent({ type, data }))
    return () => abort.abort()
  },
}

/** The source that runs the model in the page. @type {Source} */
export const inBrowser = { start }

async function read(settings, signal, tell) {
  // Asked for, it is the same text to the bit: when it goes on after a broken connection, and when it is asked for again.
  const url = textUrl({ ...settings, randomState: settings.randomState ?? drawRandomState() })
  const onNotice = (message, state) => tell('status', { state, message })
  const turns = new Turns()
  try {
    for await (const { type, data } of openStream(url, { signal, place: 'index', onNotice })) {
      tell(type, data)
      await turns.yieldToPage()
      if (signal.aborted) return
    }
  } catch (error) {
    const meant = error instanceof StreamError
    if (!meant && !signal.aborted) console.error(error)
    tell('failure', { index: null, message: meant ? error.message : `The page made a mistake: ${error.message}` })
  }
}
