/*
 * Files that are dropped anywhere on the page. What is done with one is the page's own.
 */

/**
 * @param {object} parts
 * @param {HTMLElement} parts.target shown while a file is held over the page
 * @param {(file: File) => void} parts.onFile told the first file that was dropped
 */
export function bindDrop({ target, onFile }) {
  let depth = 0 // dragenter and dragleave come for every element on the way
  const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files')
  const show = (change) => {
    depth = change === 0 ? 0 : Math.max(0, depth + change)
    target.hidden = depth === 0
  }
  addEventListener('dragenter', (event) => holdsFile(event) && show(1))
  addEventListener('dragleave', (event) => holdsFile(event) && show(-1))
  addEventListener('dragover', (event) => holdsFile(event) && event.preventDefault())
  addEventListener('drop', (event) => {
    if (!holdsFile(event)) return
    event.preventDefault()
    show(0)
    const [file] = event.dataTransfer.files
    if (file) onFile(file)
  })
}
