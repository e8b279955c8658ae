/*
 * Looking at single characters of a text: with the pointer, a finger, or the arrow keys. It decides which
 * character is looked at; the sheet marks it, the card says what is known of it.
 */

const KEYS = { ArrowLeft: -1, ArrowRight: 1 }
const FAR = 10 // characters that an arrow key goes with Shift

/**
 * @param {object} parts
 * @param {HTMLElement} parts.element the sheet's element, which can be focused
 * @param {import('./sheet.js').Sheet} parts.sheet
 * @param {import('./alternatives.js').Alternatives} parts.card
 * @param {() => import('./written.js').Written | null} parts.written
 * @returns {{look: (index: number | null) => void}} `look` goes to a character, or away from all
 */
export function bindReading({ element, sheet, card, written }) {
  let held = false // a character was chosen, and stays until another is, or none
  let frame = 0

  function show(index) {
    if (index === sheet.here) return
    sheet.mark(index)
    if (index === null) card.hide()
    else card.show(written(), index, sheet.boxOf(index))
  }

  function look(index) {
    held = index !== null
    if (index === null) return show(null)
    sheet.goTo(index)
    card.show(written(), index, sheet.boxOf(index))
  }

  element.addEventListener('pointermove', ({ pointerType, clientX, clientY }) => {
    if (pointerType === 'touch' || held) return
    cancelAnimationFrame(frame)
    frame = requestAnimationFrame(() => show(sheet.at(clientX, clientY)))
  })
  element.addEventListener('pointerleave', () => {
    cancelAnimationFrame(frame)
    if (!held) show(null)
  })
  element.addEventListener('click', ({ clientX, clientY }) => {
    if (!getSelection().isCollapsed) return // a piece of text was selected, to be copied
    const index = sheet.at(clientX, clientY)
    const again = held && index === sheet.here
    held = false
    show(null)
    if (index === null || again) return
    held = true
    show(index)
  })
  element.addEventListener('keydown', (event) => {
    const last = sheet.shown - 1
    if (event.key === 'Escape' && sheet.here !== null) {
      event.stopPropagation() // it ends the looking, not the text
      return look(null)
    }
    if (last < 0 || event.ctrlKey || event.altKey || event.metaKey) return
    const step = KEYS[event.key] * (event.shiftKey ? FAR : 1)
    if (event.key === 'Home') look(0)
    else if (event.key === 'End') look(last)
    else if (step) look(Math.min(Math.max(0, sheet.here === null ? (step > 0 ? 0 : last) : sheet.here + step), last))
    else return
    event.preventDefault()
  })
  element.addEventListener('scroll', () => held || show(null), { passive: true })
  element.addEventListener('blur', () => look(null))

  return { look }
}
