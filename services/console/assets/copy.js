// Copies what a link leads to. Without this file, or where a browser does not let it, the link shows the text.
'use strict'
document.addEventListener('click', async (event) => {
  const link = event.target.closest('a[data-copy]')
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  try {
    const answer = await fetch(link.href)
    if (!answer.ok || answer.redirected) throw new Error(answer.status)
    await navigator.clipboard.writeText(await answer.text())
    link.firstChild.data = 'Copied'
    document.querySelector('[data-status]').textContent = 'Copied as text'
  } catch { location.assign(link.href) }
})
