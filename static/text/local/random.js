/*
 * The numbers that NumPy's default_rng draws: PCG64 (128-bit state, XSL-RR output), seeded through SeedSequence,
 * so that a random state writes in the browser what it writes on the server. Pure.
 */

const WORD = 0xffffffffn
const LONG = (1n << 64n) - 1n
const STATE = (1n << 128n) - 1n
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n
const POOL = 4

/** SeedSequence: eight well mixed 32-bit words from a whole number. */
function mixedWords(seed) {
  let constant = 0x43b0d7e5
  const hash = (value) => {
    value ^= constant
    constant = Math.imul(constant, 0x931e8875)
    value = Math.imul(value, constant)
    return value ^ (value >>> 16)
  }
  const mix = (one, other) => {
    const both = Math.imul(0xca01f9dd, one) - Math.imul(0x4973f715, other)
    return both ^ ((both | 0) >>> 16)
  }
  // a random state is below 2 ** 53: two words of entropy, the others are 0
  const pool = Array.from({ length: POOL }, (_, i) => hash(Number((BigInt(seed) >> BigInt(32 * i)) & WORD)))
  for (let from = 0; from < POOL; from++) {
    for (let to = 0; to < POOL; to++) {
      if (from !== to) pool[to] = mix(pool[to], hash(pool[from]))
    }
  }
  constant = 0x8b51f9dd
  return Array.from({ length: 8 }, (_, i) => {
    let value = pool[i % POOL] ^ constant
    constant = Math.imul(constant, 0x58f38ded)
    value = Math.imul(value, constant)
    return (value ^ (value >>> 16)) >>> 0
  })
}

/** A generator of numbers from 0 up to, not including, 1. */
export class Random {
  /** @param {number} seed a whole number from 0 to 2 ** 53 - 1 */
  constructor(seed) {
    const words = mixedWords(seed).map(BigInt)
    const long = (i) => words[2 * i] | (words[2 * i + 1] << 32n)
    this._increment = ((((long(2) << 64n) | long(3)) << 1n) | 1n) & STATE
    this._state = 0n
    this._step()
    this._state = (this._state + ((long(0) << 64n) | long(1))) & STATE
    this._step()
  }

  _step() {
    this._state = (this._state * MULTIPLIER + this._increment) & STATE
  }

  /** @returns {number} */
  next() {
    this._step()
    const folded = (this._state >> 64n) ^ (this._state & LONG)
    const turn = this._state >> 122n
    const drawn = ((folded >> turn) | (folded << (64n - turn))) & LONG
    return Number(drawn >> 11n) / 2 ** 53
  }
}
