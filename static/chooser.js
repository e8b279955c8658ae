/*
 * A list of names to choose from that follows its folder without a reload. The list in the page is
 * touched only where it changed, so that an open one does not close under the user.
 */

const EMPTY_AGAIN = 2000 // ms between two looks while there is nothing to choose
const AGAIN = 8000 // and while there is something

/**
 * @param {object} parts
 * @param {HTMLSelectElement} parts.select
 * @param {HTMLElement} parts.empty shown while the list is empty
 * @param {() => Promise<string[]>} parts.list
 * @param {string} parts.wanted the name to begin with
 * @param {boolean} [parts.insist] whether `wanted` stays chosen even if it is not in the list
 * @param {() => void} parts.onChange the user chose another name
 * @param {() => void} [parts.onList] the list changed, and maybe what is chosen with it
 * @param {(name: string) => boolean} [parts.stays] whether a chosen name stays though it is not in the list any more
 * @param {string} [parts.none] the text of a first choice that stands for none
 * @param {(name: string) => string} [parts.title] what a name is shown as
 * @returns {{readonly value: string, refresh: () => Promise<void>}}
 */
export function chooser({
  select, empty = null, list, wanted, insist = wanted !== '', onChange, onList = () => {}, none, title = (name) => name,
  stays = () => true,
}) {
  let names = null
  let timer = null

  async function refresh() {
    clearTimeout(timer)
    try {
      show(await list())
    } catch {
      // The server is gone for now, which is said elsewhere; the old list stays.
    }
    if (!document.hidden) timer = setTimeout(refresh, names?.length ? AGAIN : EMPTY_AGAIN)
  }

  function show(found) {
    if (names && String(found) === String(names)) return
    const chosen = names?.length ? select.value : wanted
    names = found
    if (empty) empty.hidden = found.length > 0
    const options = found.map((name) => new Option(title(name), name))
    const missing = chosen && !found.includes(chosen) && stays(chosen) && (insist || select.value === chosen)
    if (missing) options.unshift(new Option(`${chosen} (not in the folder)`, chosen))
    if (none !== undefined) options.unshift(new Option(none, ''))
    select.replaceChildren(...options)
    select.disabled = options.length === 0
    if (missing || found.includes(chosen)) select.value = chosen
    select.title = title(select.value) // long names are cut
    onList()
  }

  for (const moment of ['focus', 'pointerdown']) select.addEventListener(moment, refresh)
  select.addEventListener('change', () => {
    select.title = title(select.value)
    onChange()
  })

  return {
    get value() {
      return select.value
    },
    /** Chooses a name that has just come into the list. */
    async choose(name) {
      await refresh()
      select.value = name
      select.title = title(name)
      onChange()
    },
    refresh,
  }
}
