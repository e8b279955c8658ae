/*
 * What the model might have written instead: a card beside the character under the pointer, the finger, or the
 * arrow keys, with its probability and the likeliest alternatives. One card serves all texts of the page.
 */

import { sign, spoken } from './characters.js'

const APART = 8 // px between the card and the character

/** The card. */
export class Alternatives {
  #card

  /** @param {HTMLElement} card */
  constructor(card) {
    this.#card = card
  }

  /**
   * Shows what is known of a character.
   * @param {import('./written.js').Written} written
   * @param {number} index
   * @param {DOMRect} box where it stands on the screen
   */
  show(written, index, box) {
    const character = String.fromCodePoint(written.code(index))
    const others = written.alternatives(index)
    const head = part('p', 'head',
      part('b', 'sign', sign(character)), ...named(character, 'word'), part('span', 'share', share(written.prob(index))))
    const rows = others.map(([other, prob]) => row(other, prob, other === character))
    const foot = part('p', 'foot', `character ${index + 1}, entropy ${written.entropy(index).toFixed(2)} bits`)
    this.#card.replaceChildren(head, part('ol', '', ...rows), foot)
    this.#place(box)
  }

  hide() {
    this.#card.replaceChildren() // empty, not hidden: what comes into it is read out
  }

  #place(box) {
    const { offsetWidth: width, offsetHeight: height } = this.#card
    const left = Math.min(Math.max(APART, box.left + box.width / 2 - width / 2), innerWidth - width - APART)
    const below = box.bottom + APART
    const top = below + height < innerHeight ? below : Math.max(APART, box.top - height - APART)
    this.#card.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`
  }
}

/** @returns {string} a probability for people */
export function share(prob) {
  if (prob > 0 && prob < 0.001) return '< 0.1 %'
  return `${(100 * prob).toFixed(prob < 0.0995 ? 1 : 0)} %`
}

function row(character, prob, isChosen) {
  const bar = part('span', 'bar')
  bar.style.setProperty('--share', prob)
  const told = [part('b', 'sign', sign(character)), ...named(character, 'unseen'), bar, part('span', 'share', share(prob))]
  return part('li', isChosen ? 'chosen' : '', ...told)
}

/** What a sign is called that stands for something else. */
function named(character, name) {
  return spoken(character) === character ? [' '] : [part('span', name, ` ${spoken(character)} `)]
}

function part(kind, name, ...children) {
  const made = document.createElement(kind)
  made.className = name
  made.append(...children)
  return made
}
