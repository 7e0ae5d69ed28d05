// Single keys, on pages of those who have chosen them.
'use strict'
{
  const all = (selector) => [...document.querySelectorAll(selector)]
  let row = -1
  const press = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest('input,textarea,select')) return
    const rows = all('[data-row]')
    const inRow = (selector) => (rows[row] ?? document).querySelector(selector)
    if (event.key === 'j' || event.key === 'k') {
      row = Math.max(0, Math.min(rows.length - 1, row + (event.key === 'j' ? 1 : -1)))
      inRow('a,button,summary')?.focus()
    } else if (event.key === 'a') inRow('button.primary')?.focus()
    else if (event.key === 'd') {
      const fold = inRow('.fold-no')
      if (fold) { fold.open = true; fold.querySelector('input:not([type=hidden])').focus() }
    } else if (event.key === '/') document.getElementById('search')?.focus()
    else return
    event.preventDefault()
  }
  document.addEventListener('keydown', press)
}
