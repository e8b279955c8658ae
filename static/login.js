/*
 * Logging in: with the token that the address carries behind its #, which is never sent with a request,
 * or with the one that is typed. Without this script the form does the same.
 */

const form = document.getElementById('login')
const wrong = document.getElementById('wrong')
const page = new URLSearchParams(location.search).get('page')
const next = `${page === 'text' ? page : './'}${location.search}` // the page, at the place that was asked for

async function logIn(token) {
  let sentence = 'The server does not answer. Is the program still running?'
  try {
    const headers = { 'Content-Type': 'application/json' }
    const response = await fetch('login', { method: 'POST', headers, body: JSON.stringify({ token }) })
    if (response.ok) return location.replace(next)
    sentence = (await response.json()).error
  } catch {
    // No answer, or none of ours: the sentence stands.
  }
  wrong.textContent = sentence
  wrong.hidden = false
  form.elements.token.select()
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  logIn(form.elements.token.value)
})

const carried = new URLSearchParams(location.hash.slice(1)).get('token')
if (carried) {
  history.replaceState(null, '', location.pathname + location.search) // not to be kept, nor shown
  logIn(carried)
} else {
  // Led here by a link of another site, a browser holds back the cookie that it has: asked from here, it does not.
  fetch(next, { cache: 'no-store' }).then(({ ok }) => ok && location.replace(next)).catch(() => {})
}
