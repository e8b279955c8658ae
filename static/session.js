/*
 * Whether this browser is still let in: whoever gets an answer tells its status here, and the page
 * hears of one that says no, which is so once the program was started anew.
 */

const answers = new EventTarget()

/** @param {number} status */
export function noteStatus(status) {
  if (status === 401) answers.dispatchEvent(new Event('refused'))
}

/** @param {() => void} told called whenever an answer says that a login is needed */
export function onLoggedOut(told) {
  answers.addEventListener('refused', told)
}
