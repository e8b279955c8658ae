/*
 * What the charts show of a pose model's message. What the picture shows of it is instances.js's; a new kind
 * of model brings files like these two.
 */

/**
 * The best score of each node, 0 for a node that was not found, or of which no number came.
 * @param {{peak_vals: (number | null)[], peak_nodes: number[]}} message
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
