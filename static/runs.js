/*
 * The recorded runs: the list, what can be downloaded of each, and deleting. Looked at when the panel is
 * opened and when a run ends.
 */

import { ask } from './asking.js'
import { noteStatus } from './session.js'
import { size } from './upload.js'

const FORMATS = [
  ['slp', 'SLEAP labels (.slp)'], ['h5', 'Analysis HDF5 (.h5)'], ['csv', 'CSV'], ['nwb', 'NWB'],
  ['mp4', 'Video with overlay (.mp4)'], ['json', 'Where it comes from (JSON)'],
]
const LOOK = 500 // ms between two looks at a file that is being written

/**
 * @param {object} parts
 * @param {HTMLDetailsElement} parts.panel
 * @param {HTMLElement} parts.list
 * @param {HTMLElement} parts.count beside the panel's name
 * @param {(sentence: string) => void} parts.onError
 * @returns {{refresh: () => Promise<void>}}
 */
export function bindRuns({ panel, list, count, onError }) {
  panel.addEventListener('toggle', () => panel.open && refresh())

  async function refresh() {
    let runs
    try {
      runs = await answerOf(await ask('runs', { cache: 'no-store' }))
    } catch {
      return // the server is gone for now, which is said elsewhere
    }
    count.textContent = runs.length ? String(runs.length) : ''
    if (!panel.open || list.querySelector('[data-busy]')) return
    list.replaceChildren(...runs.map(row))
    if (!runs.length) list.append(element('li', { className: 'hint', textContent: 'No run was recorded yet.' }))
  }

  function row(run) {
    const node = element('li', { className: 'run' })
    const when = new Date(run.created * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })
    const failed = run.failed ? `, ${run.failed} failed` : ''
    const range = run.first === null ? '' : ` (${run.first} to ${run.last})`
    node.append(
      element('b', { textContent: run.video_name, title: run.video_name }),
      element('span', { className: 'hint', textContent: `${run.model_name} · ${when}` }),
      element('span', {
        className: 'hint',
        textContent: `${run.frames} frames${range}${failed} · ${size(run.bytes)}${run.active ? ' · going on' : ''}`,
      }),
      actions(run, node),
    )
    return node
  }

  function actions(run, node) {
    const choice = element('select', { ariaLabel: `Format for ${run.video_name}` })
    choice.append(...FORMATS.map(([value, text]) => new Option(text, value)))
    const save = element('button', { type: 'button', textContent: 'Save' })
    save.addEventListener('click', () => download(run, choice.value, save, node))
    const remove = element('button', { type: 'button', className: 'quiet', textContent: 'Delete', disabled: run.active })
    remove.addEventListener('click', () => confirmed(remove, () => drop(run)))
    const bar = element('div', { className: 'run-actions' })
    bar.append(choice, save, remove)
    return bar
  }

  /** The first click asks, a second one within some seconds means it. */
  function confirmed(button, act) {
    if (button.dataset.sure) return act()
    button.dataset.sure = 'yes'
    button.textContent = 'Really delete?'
    setTimeout(() => {
      delete button.dataset.sure
      button.textContent = 'Delete'
    }, 4000)
  }

  async function drop(run) {
    try {
      await answerOf(await fetch(`runs/${run.run_id}`, { method: 'DELETE' }))
    } catch (error) {
      onError(error.message)
    }
    refresh()
  }

  async function download(run, format, button, node) {
    node.dataset.busy = 'yes'
    button.disabled = true
    button.textContent = 'Writing …'
    const address = `runs/${run.run_id}/export`
    const timer = setInterval(async () => {
      const share = await progressOf(address, format)
      if (share !== null && button.disabled) button.textContent = `Writing ${Math.floor(share * 100)} %`
    }, LOOK)
    try {
      const response = await fetch(`${address}?format=${format}`)
      if (!response.ok) await answerOf(response)
      const name = /filename="?([^";]+)/.exec(response.headers.get('Content-Disposition'))?.[1] ?? `run.${format}`
      saveAs(await response.blob(), name)
    } catch (error) {
      onError(error.message)
    } finally {
      clearInterval(timer)
      delete node.dataset.busy
      button.disabled = false
      button.textContent = 'Save'
    }
  }

  return { refresh }
}

function saveAs(blob, name) {
  const link = element('a', { href: URL.createObjectURL(blob), download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60000)
}

/** @returns {Promise<number | null>} how much of the file is written, where that is known */
async function progressOf(address, format) {
  try {
    return (await answerOf(await fetch(`${address}/progress?format=${format}`))).share
  } catch {
    return null // the download itself says what is wrong
  }
}

async function answerOf(response) {
  noteStatus(response.status)
  if (response.status === 204) return null
  const body = await response.json()
  if (!response.ok) throw new Error(body.error ?? `The server answered ${response.status}.`)
  return body
}

function element(kind, properties) {
  return Object.assign(document.createElement(kind), properties)
}
