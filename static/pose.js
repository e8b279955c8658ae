/*
 * What is to be seen of a pose model's message: pure geometry, from a message and a threshold to the
 * coordinates of each trace. A new kind of model brings a file like this one.
 */

/**
 * @typedef {{width: number, height: number, nodes: string[], edges: number[][]}} Info
 * @typedef {{frame_idx: number, peak_points: number[][], peak_vals: number[], peak_nodes: number[]}} Message
 */

/**
 * The peaks over the threshold, in the message's order.
 * @param {Message} message
 * @param {number} threshold
 * @param {Set<number>} hidden nodes to leave out
 * @returns {{x: number[], y: number[], score: number[], node: number[]}}
 */
export function peaks(message, threshold, hidden) {
  const found = { x: [], y: [], score: [], node: [] }
  message.peak_vals.forEach((score, i) => {
    const node = message.peak_nodes[i]
    if (!(score > threshold) || hidden.has(node)) return
    const [x, y] = message.peak_points[i]
    found.x.push(x)
    found.y.push(y)
    found.score.push(score)
    found.node.push(node)
  })
  return found
}

/**
 * The skeleton's edges as one broken line. An edge is drawn only where both its ends are certain,
 * which is one peak each: with several animals nothing here says whose head goes with whose tail.
 * @param {{x: number[], y: number[], node: number[]}} found from `peaks`
 * @param {number[][]} edges
 * @returns {{x: (number | null)[], y: (number | null)[]}}
 */
export function skeleton(found, edges) {
  const only = new Map() // the peak of each node, or null where it has several
  found.node.forEach((node, i) => only.set(node, only.has(node) ? null : i))
  const line = { x: [], y: [] }
  for (const [from, to] of edges) {
    const [a, b] = [only.get(from) ?? null, only.get(to) ?? null]
    if (a === null || b === null) continue
    line.x.push(found.x[a], found.x[b], null)
    line.y.push(found.y[a], found.y[b], null)
  }
  return line
}

/**
 * The best score of each node, 0 for a node that was not found.
 * @param {Message} message
 * @param {number} nodes how many
 * @returns {number[]}
 */
export function bestScores(message, nodes) {
  const best = new Array(nodes).fill(0)
  message.peak_vals.forEach((score, i) => {
    const node = message.peak_nodes[i]
    if (score > best[node]) best[node] = score
  })
  return best
}
