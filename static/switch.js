/* The button that goes over from light to dark and back; theme.js does what it chose at the next visit. */

/** @param {HTMLButtonElement} button */
export function bindThemeSwitch(button) {
  const root = document.documentElement
  button.addEventListener('click', () => {
    const isDark = root.dataset.theme
      ? root.dataset.theme === 'dark'
      : matchMedia('(prefers-color-scheme: dark)').matches
    root.dataset.theme = isDark ? 'light' : 'dark'
    try {
      localStorage.setItem('theme', root.dataset.theme)
    } catch {
      // Not kept, then.
    }
  })
}
