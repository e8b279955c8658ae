/*
 * The keyboard: space and the arrows. A key that means something where the focus is (text, a list, a
 * button, another slider) is left to it.
 */

/**
 * @param {object} actions
 * @param {() => void} actions.space
 * @param {(frames: number) => void} actions.step
 * @param {HTMLElement} actions.seekBar whose arrows step too, so that they mean the same everywhere
 */
export function bindKeys({ space, step, seekBar }) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    const target = event.target
    const arrows = target === seekBar || !target.matches('input, select, textarea')
    const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (direction && arrows) step(direction * (event.shiftKey ? 10 : 1))
    else if (event.key === ' ' && !target.matches('button, select, textarea, input:not([type=range])')) {
      if (!event.repeat) space()
    } else return
    event.preventDefault()
  })
}
