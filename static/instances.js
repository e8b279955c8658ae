/*
 * What is to be seen of a message's animals: pure geometry. An animal is drawn in the colour of its
 * identity (its track, else its class), or, without one, node by node.
 */

import { nodeColor } from './palette.js'

/**
 * @typedef {{points: ([number, number, number | null] | null)[], score: number | null, track: number | null,
 *   class: string | null}} Instance
 */

/** @returns {number | null} what its colour goes by */
export function identity(instance, classes = []) {
  if (instance.track !== null) return instance.track
  const known = classes.indexOf(instance.class)
  return known < 0 ? null : known
}

/** @returns {string} what it is called; '' if nobody knows */
export function nameOf(instance) {
  return instance.class ?? (instance.track === null ? '' : `track ${instance.track}`)
}

/**
 * Every mark of a frame: the animals' points, then the peaks that belong to none.
 * @param {object} message
 * @param {{classes?: string[]}} info
 * @param {number} threshold points up to this score are left out
 * @param {Set<number>} hidden nodes to leave out
 * @returns {{x: number[], y: number[], score: number[], node: number[], color: string[], name: string[]}}
 */
export function marks(message, { classes }, threshold, hidden) {
  const found = { x: [], y: [], score: [], node: [], color: [], name: [] }
  const grouped = new Set()
  const add = (x, y, score, node, color, name) => {
    if (!(score > threshold) || hidden.has(node)) return
    found.x.push(x)
    found.y.push(y)
    found.score.push(score)
    found.node.push(node)
    found.color.push(color)
    found.name.push(name)
  }
  for (const instance of message.instances ?? []) {
    const who = identity(instance, classes)
    instance.points.forEach((point, node) => {
      if (!point) return
      grouped.add(`${node} ${point[0]} ${point[1]}`)
      add(...point, node, nodeColor(who ?? node), nameOf(instance))
    })
  }
  message.peak_vals.forEach((score, i) => {
    const [node, point] = [message.peak_nodes[i], message.peak_points[i]]
    if (!point) return
    const [x, y] = point
    if (!grouped.has(`${node} ${x} ${y}`)) add(x, y, score, node, nodeColor(node), '')
  })
  return found
}

/**
 * The skeletons as SVG paths in px of the video, one a colour.
 * @returns {{color: string, d: string}[]}
 */
export function skeletons(message, { edges, classes }, threshold, hidden) {
  const paths = new Map()
  for (const instance of message.instances ?? []) {
    const who = identity(instance, classes)
    const color = who === null ? 'rgb(255, 255, 255)' : nodeColor(who)
    for (const [from, to] of edges) {
      const [a, b] = [instance.points[from], instance.points[to]]
      if (!a || !b || hidden.has(from) || hidden.has(to)) continue
      if (!(a[2] > threshold && b[2] > threshold)) continue
      paths.set(color, `${paths.get(color) ?? ''}M${a[0]} ${a[1]}L${b[0]} ${b[1]}`)
    }
  }
  return [...paths].map(([color, d]) => ({ color, d }))
}

/** @returns {[number, number] | null} the mean of an animal's points */
export function centre(instance) {
  let [x, y, n] = [0, 0, 0]
  for (const point of instance.points) {
    if (!point) continue
    x += point[0]
    y += point[1]
    n++
  }
  return n ? [x / n, y / n] : null
}

/** Names at each animal's top. @returns {{text: string, x: number, y: number, color: string}[]} */
export function animalNames(message, { classes }) {
  return (message.instances ?? []).flatMap((instance) => {
    const [text, middle] = [nameOf(instance), centre(instance)]
    if (!text || !middle) return []
    const top = Math.min(...instance.points.filter(Boolean).map((point) => point[1]))
    return [{ text, x: middle[0], y: top, color: nodeColor(identity(instance, classes) ?? 0) }]
  })
}

/** How many frames back a trail goes, and in how many steps it fades. */
export const TRAIL = 60
const STEPS = 5

/**
 * Where each animal with an identity was in the frames before, fading.
 * @param {object} message the frame that is shown
 * @param {(frame: number) => object | undefined} at a frame seen before, if it is kept
 * @returns {{color: string, d: string, opacity: number}[]}
 */
export function trails(message, { classes }, at) {
  const ways = new Map() // identity to its places, the newest first; null where it was away
  for (let back = 0; back < TRAIL; back++) {
    const entry = back ? at(message.frame_idx - back) : message
    const here = new Map((entry?.instances ?? []).map((one) => [identity(one, classes), one]))
    here.delete(null)
    for (const who of here.keys()) if (!ways.has(who)) ways.set(who, new Array(back).fill(null))
    for (const [who, way] of ways) way.push(here.has(who) ? centre(here.get(who)) : null)
  }
  const length = TRAIL / STEPS
  return [...ways].flatMap(([who, way]) =>
    Array.from({ length: STEPS }, (_, step) => ({
      color: nodeColor(who),
      d: line(way.slice(step * length, (step + 1) * length + 1)),
      opacity: 0.75 * (1 - step / STEPS),
    })).filter(({ d }) => d))
}

function line(places) {
  let d = ''
  for (let i = 1; i < places.length; i++) {
    const [a, b] = [places[i - 1], places[i]]
    if (a && b) d += `M${a[0].toFixed(1)} ${a[1].toFixed(1)}L${b[0].toFixed(1)} ${b[1].toFixed(1)}`
  }
  return d
}
