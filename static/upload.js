/*
 * Videos dropped onto the page, or chosen: sent to the server one at a time, with progress. XMLHttpRequest,
 * since fetch does not tell how much was sent.
 */

import { ask } from './asking.js'
import { bindDrop } from './dropping.js'
import { noteStatus } from './session.js'

/**
 * @param {object} parts
 * @param {HTMLInputElement} parts.input a file input
 * @param {HTMLElement} parts.panel shown while something is sent; holds `bar`, `text` and `cancel`
 * @param {HTMLProgressElement} parts.bar
 * @param {HTMLElement} parts.text
 * @param {HTMLButtonElement} parts.cancel
 * @param {HTMLElement} parts.target shown while a file is held over the page
 * @param {(name: string) => void} parts.onDone told the name the video got
 * @param {(sentence: string) => void} parts.onError
 */
export function bindUpload({ input, panel, bar, text, cancel, target, onDone, onError }) {
  let request = null
  input.addEventListener('change', () => {
    if (input.files[0]) send(input.files[0])
    input.value = ''
  })
  cancel.addEventListener('click', () => request?.abort())
  bindDrop({ target, onFile: send })

  async function send(file) {
    if (request) return onError('A video is being sent already: wait for it, or cancel it.')
    const { upload_bytes: most } = await limits()
    if (most && file.size > most) return onError(`${file.name} has ${size(file.size)}; up to ${size(most)} are taken.`)
    request = new XMLHttpRequest()
    request.open('POST', `videos?${new URLSearchParams({ name: file.name })}`)
    request.setRequestHeader('Content-Type', 'application/octet-stream')
    request.upload.addEventListener('progress', ({ loaded, total }) => progress(file.name, loaded, total))
    request.addEventListener('loadend', finish)
    progress(file.name, 0, file.size || 1)
    panel.hidden = false
    request.send(file)
  }

  function progress(name, sent, total) {
    bar.value = sent / total
    text.textContent = sent < total ? `Sending ${name}: ${Math.floor((100 * sent) / total)} %` : `Storing ${name} …`
  }

  function finish() {
    const { status, responseText } = request
    const aborted = status === 0 && request.readyState === XMLHttpRequest.UNSENT
    noteStatus(status)
    request = null
    panel.hidden = true
    let answer = {}
    try {
      answer = JSON.parse(responseText)
    } catch {
      // No answer, or none of ours: the status has to do.
    }
    if (status === 201) onDone(answer.video_name)
    else if (status === 413) onError(answer.error ?? 'The video is larger than this server takes.')
    else if (!aborted && status !== 0) onError(answer.error ?? `The server answered ${status}.`)
    else if (!aborted) onError('The video could not be sent: the connection broke.')
  }
}

async function limits() {
  try {
    return await (await ask('limits')).json()
  } catch {
    return {}
  }
}

/** @returns {string} a number of bytes for people */
export function size(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`
}
