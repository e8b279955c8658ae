/*
 * A colour for every node: eight that people with any colour vision tell apart and that stand out on
 * a gray video, then the same eight lighter and darker for skeletons with more nodes.
 */

const BASE = [
  [255, 159, 28], // orange
  [58, 178, 255], // sky
  [0, 200, 140], // green
  [255, 92, 122], // rose
  [240, 228, 66], // yellow
  [176, 124, 255], // violet
  [110, 231, 233], // cyan
  [232, 93, 36], // vermilion
]

/**
 * @param {number} index of a node
 * @returns {string} a CSS colour, the same for the same index
 */
export function nodeColor(index) {
  return (made[index] ??= color(index))
}

const made = []

function color(index) {
  const base = BASE[index % BASE.length]
  const round = Math.floor(index / BASE.length) % 3
  const toward = [null, 255, 0][round]
  const mixed = toward === null ? base : base.map((part) => Math.round(part + (toward - part) * 0.45))
  return `rgb(${mixed.join(', ')})`
}
