/*
 * How the workers are, at the top of the page: looked at often until they are ready, then now and
 * then, and at once when something seems wrong.
 */

import { health } from './server.js'

const SOON = 1000 // ms
const LATER = 10000

/**
 * Keeps an element up to date for as long as the page lives.
 * @param {HTMLElement} element
 * @returns {{lookAgain: () => void}}
 */
export function watchHealth(element) {
  let lookAgain = () => {}
  let hurried = 0 // looks that are to follow soon, since something may be about to go wrong

  async function watch() {
    for (;;) {
      const { status, text } = document.hidden ? {} : await health()
      if (status) element.dataset.status = status
      if (text && element.textContent !== text) element.textContent = text
      await new Promise((resolve) => {
        lookAgain = resolve
        setTimeout(resolve, status === 'ready' && --hurried < 0 ? LATER : SOON)
      })
    }
  }

  watch()
  return {
    lookAgain() {
      hurried = 5
      lookAgain()
    },
  }
}
