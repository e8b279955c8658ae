/* Light or dark as chosen here before, set ahead of the first paint; else as the system has it. */
try {
  const theme = localStorage.getItem('theme')
  if (theme) document.documentElement.dataset.theme = theme
} catch {
  // No storage allowed: the system's choice stands.
}
