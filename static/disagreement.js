/*
 * How far two models are apart in a frame: pure. Nodes are matched by name, points of a node to the
 * nearest of the other model; the greatest distance counts, both ways. A node that only one of the two
 * found counts as a quarter of the frame's shorter side.
 */

/**
 * @param {object} message with `compare`
 * @param {object} info with `compare`
 * @param {number} threshold
 * @returns {number} px
 */
export function disagreement(message, info, threshold) {
  const [one, other] = [
    byName(message, info, threshold), byName(message.compare, info.compare, threshold),
  ]
  const missing = Math.min(info.width, info.height) / 4
  let most = 0
  for (const name of info.nodes) {
    if (!info.compare.nodes.includes(name)) continue
    const [a, b] = [one.get(name) ?? [], other.get(name) ?? []]
    if (!a.length !== !b.length) most = Math.max(most, missing)
    else for (const [from, to] of [[a, b], [b, a]]) most = Math.max(most, ...from.map((p) => nearest(p, to)))
  }
  return most
}

/** The points of the animals, or of all peaks where none was made of them. */
function byName({ instances, peak_points, peak_vals, peak_nodes }, { nodes }, threshold) {
  const found = new Map()
  const add = (node, x, y, score) => {
    if (!(score > threshold)) return
    if (!found.has(nodes[node])) found.set(nodes[node], [])
    found.get(nodes[node]).push([x, y])
  }
  if (instances?.length) {
    for (const { points } of instances) points.forEach((point, node) => point && add(node, ...point))
  } else peak_vals.forEach((score, i) => peak_points[i] && add(peak_nodes[i], ...peak_points[i], score))
  return found
}

const nearest = ([x, y], points) => Math.min(...points.map(([a, b]) => Math.hypot(a - x, b - y)))
