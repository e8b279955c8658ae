/*
 * Taking a text along: copied, or saved as a file, the seed first, as the program writes it in a terminal. The
 * .json holds its settings too, and each character's probability, entropy and alternatives.
 */

const SAID = 1500 // ms that a button says what it did

/**
 * @param {{copy: HTMLButtonElement, save: HTMLButtonElement, save_json: HTMLButtonElement}} buttons
 * @param {() => import('./column.js').Column} column
 */
export function bindSaving({ copy, save, save_json: saveAll }, column) {
  copy.addEventListener('click', async () => {
    const done = await copied(whole(column()))
    copy.dataset.said = done ? 'Copied' : 'Not allowed'
    setTimeout(() => delete copy.dataset.said, SAID)
  })
  save.addEventListener('click', () => download(`${nameOf(column())}.txt`, whole(column()), 'text/plain'))
  saveAll.addEventListener('click', () => {
    download(`${nameOf(column())}.json`, JSON.stringify(described(column())), 'application/json')
  })
}

const whole = ({ settings, written }) => settings.seed + written.text()

function nameOf({ settings, info }) {
  const model = settings.model.replace(/\.\w+$/, '').replace(/[^\w.-]+/g, '_')
  return `${model}-top${settings.topN}-t${settings.temperature}-${info.random_state}`
}

function described({ info, settings, written }) {
  const places = Array.from({ length: written.length }, (_, index) => index)
  return {
    ...info,
    seed: settings.seed,
    text: written.text(),
    probs: places.map((index) => written.prob(index)),
    entropies: places.map((index) => written.entropy(index)),
    alternatives: places.map((index) => written.alternatives(index)),
  }
}

function download(name, text, type) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60000) // some browsers read it only later
}

/** Only a page that came over https, or from this machine, is given the clipboard; the old way works elsewhere. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const area = document.createElement('textarea')
    area.value = text
    document.body.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    return done
  }
}
