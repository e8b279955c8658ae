/*
 * The scale of the shades: what each of them means, from likely to unlikely.
 */

import { BOUNDS, canShade } from './shades.js'

/**
 * @param {HTMLElement} scale
 * @param {HTMLOListElement} list
 */
export function showScale(scale, list) {
  if (!canShade) {
    scale.textContent = 'This browser is too old to shade the characters. Their probabilities are told where you point.'
    return
  }
  const percent = (bound) => `${bound * 100}`
  const names = [...BOUNDS.map((bound) => `≥ ${percent(bound)} %`), `< ${percent(BOUNDS.at(-1))} %`]
  list.replaceChildren(...names.map((name, shade) => {
    const step = document.createElement('li')
    step.className = `shade-${shade}`
    step.title = name
    step.textContent = shade < BOUNDS.length ? percent(BOUNDS[shade]) : name
    return step
  }))
}
