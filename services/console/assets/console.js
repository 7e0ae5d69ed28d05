// Live updates and gentler forms. Every page works without this file.
'use strict'
{
  const $ = (selector, root = document) => root.querySelector(selector)
  const all = (selector, root = document) => [...root.querySelectorAll(selector)]
  const POLL_MS = 10_000, SILENT_MS = 30_000, SAY_MS = 10_000
  const live = $('[data-live]'), pause = $('[data-pause]'), status = $('[data-status]'), isWall = live && 'wall' in live.dataset
  let stream = null, heard = 0, updated = Date.now(), failing = false, paused = false, present = false

  // Controls that somebody is using are never touched.
  const isDirty = (el) => el.type === 'checkbox' || el.type === 'radio' ? el.checked !== el.defaultChecked
    : el.tagName === 'SELECT' ? [...el.options].some((o) => o.selected !== o.defaultSelected) && el.dataset.touched
    : 'defaultValue' in el && el.type !== 'hidden' && el.value !== el.defaultValue
  const isInUse = (root) => (root.contains(document.activeElement) && document.activeElement !== document.body) ||
    all('input,textarea,select', root).some(isDirty)

  // Makes `from` like `to`. Elements with an id keep their identity, so focus, scroll and open details stay.
  const morph = (from, to, force) => {
    if (from.isEqualNode(to)) return
    if (!force && /FORM|BUTTON/.test(from.tagName) && isInUse(from)) return
    for (const { name, value } of to.attributes) if (name !== 'open' && from.getAttribute(name) !== value) from.setAttribute(name, value)
    for (const { name } of [...from.attributes]) if (name !== 'open' && name !== 'class' && !to.hasAttribute(name)) from.removeAttribute(name)
    if (!to.hasAttribute('class')) from.removeAttribute('class')
    if (from.tagName === 'INPUT' && (force || from !== document.activeElement)) from.value = to.value
    const wanted = new Set([...to.children].map((el) => el.id).filter(Boolean))
    let at = from.firstChild
    for (const next of [...to.childNodes]) {
      let match = null
      if (next.id) match = [...from.children].find((el) => el.id === next.id)
      else {
        while (at?.id && !wanted.has(at.id)) at = drop(at, force)
        if (at?.nodeName === next.nodeName && !at.id) match = at
      }
      if (!match) { from.insertBefore(document.importNode(next, true), at); continue }
      if (match !== at) from.insertBefore(match, at)
      else at = at.nextSibling
      if (match.nodeType === 1) morph(match, next, force)
      else if (match.data !== next.data) match.data = next.data
    }
    while (at) at = drop(at, force)
  }

  // Removes what left; a row that somebody is using stays, marked, unless it was their own deed.
  const drop = (node, force) => {
    const next = node.nextSibling
    const gone = node.dataset?.gone ?? node.parentNode.dataset?.gone
    if (!force && node.nodeType === 1 && gone && isInUse(node)) {
      if (!node.classList.contains('gone')) {
        node.classList.add('gone')
        say(gone)
        const cell = node.tagName === 'TR' ? node.cells[0] : node
        cell.append(Object.assign(document.createElement('p'), { className: 'gone-note', textContent: gone }))
      }
    } else node.remove()
    return next
  }

  // One sentence for screen readers, at most every ten seconds; the last one wins.
  let said = -SAY_MS, toSay = null
  const say = (text) => {
    clearTimeout(toSay)
    toSay = setTimeout(() => { said = performance.now(); if (status) status.textContent = text }, Math.max(0, said + SAY_MS - performance.now()))
  }

  // Whether the page loads by itself, which is no sign of anybody's presence.
  const byItself = (seconds) => { document.cookie = 'fallow_by_itself=1;path=/;max-age=' + seconds }
  byItself(0)

  const isVisible = () => !document.hidden
  const parse = (html) => new DOMParser().parseFromString(html, 'text/html')

  const pull = async (el) => {
    if (el.pulling) { el.again = true; return }
    const wait = Number(el.dataset.every || 300) - (Date.now() - (el.pulledAt || 0))
    if (wait > 0) { clearTimeout(el.timer); el.timer = setTimeout(() => pull(el), wait); return }
    el.pulling = true
    const at = el.pulledAt = Date.now()
    try {
      const headers = el.etag ? { 'If-None-Match': el.etag } : {}
      if (present) { headers['X-Fallow-Present'] = '1'; present = false }
      const answer = await fetch(el.dataset.fragment, { headers, signal: AbortSignal.timeout(8000) })
      if (answer.status === 401 && !isWall) { location.assign('/sign-in?next=' + encodeURIComponent(location.pathname + location.search)); return }
      if (answer.status !== 200 && answer.status !== 304) throw new Error(answer.status)
      const text = await answer.text()
      // A page that has come since may be newer.
      if (el.pulledAt !== at) el.again = true
      else if (answer.status === 200) {
        const fresh = parse(text).body.firstElementChild
        const before = Number(el.dataset.count), after = Number(fresh.dataset.count)
        morph(el, fresh)
        el.etag = answer.headers.get('ETag')
        if (after > before) say(`${after - before} ${fresh.dataset.noun.split('|')[after - before === 1 ? 0 : 1]}`)
        retitle(fresh)
      }
      updated = Date.now(); failing = false
    } catch { failing = true }
    el.pulling = false
    show()
    if (el.again) { el.again = false; pull(el) }
  }
  const retitle = (root) => {
    const count = Number(root.dataset.waiting ?? $('[data-waiting]', root)?.dataset.waiting)
    if (!isNaN(count)) document.title = (count > 0 ? `(${count}) ` : '') + document.title.replace(/^\(\d+\) /, '')
  }
  const pullAll = (topic) => {
    if (paused || !isVisible()) return
    for (const el of all('[data-fragment]')) if (!topic || el.dataset.topics.split(' ').includes(topic)) pull(el)
  }

  const isOpen = () => stream?.readyState === 1 && Date.now() - heard < SILENT_MS
  const open = () => {
    if (stream || paused || !live || !isVisible()) return
    stream = new EventSource('/events')
    const hear = () => { heard = Date.now(); if (!failing) updated = heard; show() }
    stream.onopen = hear
    for (const topic of ['cap', 'req', 'inbox', 'xfer', 'gold', 'alert']) stream.addEventListener(topic, () => { hear(); pullAll(topic) })
    stream.addEventListener('beat', hear)
    stream.addEventListener('reset', () => { hear(); pullAll() })
    stream.addEventListener('build', (event) => {
      hear()
      if (event.data !== document.documentElement.dataset.build && !isInUse($('main'))) { byItself(9); location.reload() }
    })
    // Refused, as after signing out: the browser does not try again.
    stream.onerror = () => { if (stream?.readyState === 2) close(); show() }
  }
  const close = () => { stream?.close(); stream = null }

  const show = () => {
    if (!live) return
    const age = Math.round((Date.now() - updated) / 1000)
    const old = age > 45 || (failing && age > 15)
    const ago = age < 60 ? `${age} s` : `${Math.floor(age / 60)} min`
    const text = isWall ? (old ? `NOT LIVE SINCE ${$('[data-at]').dataset.at}` : '') : paused ? `Paused. Last update ${ago} ago` : old ? `Not live. Last update ${ago} ago`
      : isOpen() ? `Live, ${ago} ago` : 'Checking every 10 s'
    if (live.textContent !== text) live.textContent = text
    document.body.classList.toggle('not-live', old || paused)
  }

  // The floor: where the stream does not get through, ask.
  const poll = () => {
    if (!isOpen() || failing) pullAll()
    if (!stream) open()
    setTimeout(poll, POLL_MS * (0.85 + Math.random() * 0.3))
  }

  // A form is sent without losing the place: the page that comes back is morphed in.
  const send = async (event) => {
    const form = event.target, button = event.submitter, by = button ?? form
    if (form.method !== 'post' || 'whole' in form.dataset || form.action.includes('/sign-') || event.defaultPrevented) return
    event.preventDefault()
    // One form serves many rows.
    if (by.busy) return
    by.busy = true
    try {
      const action = button?.hasAttribute('formaction') ? button.formAction : form.action
      const answer = await fetch(action, { method: 'POST', body: new URLSearchParams(new FormData(form, button)) })
      const page = parse(await answer.text()), to = new URL(answer.url)
      if (!$('main', page) || to.pathname === '/sign-in') { location.assign(answer.url); return }
      form.reset()
      const before = document.activeElement, moved = answer.redirected && to.pathname !== location.pathname
      if (moved) { history.pushState(null, '', to); scrollTo(0, 0) } else if (answer.redirected) history.replaceState(null, '', to)
      document.title = page.title
      for (const el of all('[data-fragment]')) el.etag = el.pulledAt = null
      morph($('main'), $('main', page), true)
      const head = $('#head', page)
      if (head) morph($('#head'), head)
      updated = Date.now()
      const problem = $('[data-focus]')
      if (problem) problem.focus()
      else {
        const flash = $('[data-flash]')
        if (flash) status.textContent = flash.textContent
        if (!before.isConnected || document.activeElement === document.body) $('main').focus({ preventScroll: true })
      }
    } catch { location.reload() } finally { by.busy = false }
  }

  document.addEventListener('submit', send)
  addEventListener('popstate', () => location.reload())
  document.addEventListener('change', (event) => { event.target.dataset.touched = '1' })
  for (const kind of ['keydown', 'pointerdown']) document.addEventListener(kind, () => { present = true })
  document.addEventListener('visibilitychange', () => { if (isVisible()) { open(); pullAll() } else close() })
  $('[data-focus]')?.focus()
  if (live) {
    if (pause) {
      // Paused stays paused on the next page of this tab.
      const label = () => { pause.textContent = paused ? 'Resume updates' : 'Pause updates' }
      paused = sessionStorage.getItem('paused') === '1'
      pause.hidden = false
      label()
      pause.addEventListener('click', () => {
        paused = !paused
        sessionStorage.setItem('paused', paused ? '1' : '')
        label()
        if (paused) close(); else { open(); pullAll() }
        show()
      })
    }
    open()
    show()
    setInterval(show, 1000)
    setTimeout(poll, POLL_MS)
  }
}
