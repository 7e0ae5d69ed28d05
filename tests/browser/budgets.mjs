// Measures what goals C1 and B1 of docs/performance.md bound, over a whole `fallow dev`: `node budgets.mjs [BINARY]`.
import { readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { build, dev } from './app.mjs'
import { Person } from './person.mjs'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const PAGES = ['/proposals', '/capacity', '/needs', '/transfers', '/situation', '/wall']
const FRAGMENTS = ['/f/proposals', '/f/capacity', '/f/needs', '/f/transfers', '/f/situation', '/f/wall']
const ROUNDS = 21
/** A page pulls a fragment at most so often. */
const APART_MS = 1_000
const [HTML_MAX, VISIT_MAX] = [60_000, 40_000]

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
const [binary] = process.argv.slice(2)
if (!binary) await build(['--package', 'fallow', '--bin', 'fallow'])
const began = performance.now()
const app = await dev(binary, { speed: 60 })
const ready = performance.now() - began
/** Returns the memory of the process in MiB. */
const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${app.pid}/status`, 'utf8'))[1]) / 1024

/** Notes in a page when it hears of what: revision and time. The page's own listener comes after this one. */
const NOTES = () => {
  const Stream = globalThis.EventSource
  globalThis.heard = []
  globalThis.EventSource = class extends Stream {
    constructor(...given) {
      super(...given)
      this.addEventListener('cap', (event) => globalThis.heard.push({ revision: Number(event.data), at: performance.timeOrigin + performance.now() }))
    }
  }
}

/**
 * Changes a number as one person and waits until another one's page shows it. Returns the milliseconds from the click, from
 * the answer to the write, and from the event that told the page of it (null where the page had asked by itself before).
 */
const pushed = async (writer, reader) => {
  const page = await (await writer.context.request.get(app.base + '/capacity')).text()
  const form = /<form method="post" action="\/capacity\/free".*?<\/form>/s.exec(page)[0]
  const fields = Object.fromEntries([...form.matchAll(/<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"/g)].map(([, name, value]) => [name, value]))
  const id = `free-${fields.offer}`
  const other = String(Number(fields.free) + (Number(fields.free) > 0 ? -1 : 1))
  const seen = reader.page.evaluate(([id, other, from]) => new Promise((resolve) => {
    const look = () => {
      const input = document.getElementById(id)
      const revision = Number(input?.form.elements.revision.value)
      if (input?.value !== other || !(revision > from)) return
      changes.disconnect()
      const at = performance.timeOrigin + performance.now()
      resolve({ at, told: globalThis.heard.find((one) => one.revision >= revision)?.at ?? null })
    }
    const changes = new MutationObserver(look)
    changes.observe(document.getElementById('capacity'), { subtree: true, childList: true, attributes: true })
    look()
  }), [id, other, Number(fields.revision)])
  const clicked = Date.now()
  const answer = await writer.context.request.post(app.base + '/capacity/free', { form: { ...fields, free: other }, headers: { Origin: app.base }, maxRedirects: 0 })
  const answered = Date.now()
  if (answer.status() !== 303) throw new Error(`the change was answered with ${answer.status()}`)
  const { at, told } = await seen
  return { clicked: at - clicked, answered: at - answered, told: told === null ? null : at - told }
}

/** Lets time pass so many times as fast as ours. */
const pace = async (who, speed) => {
  const csrf = /name="csrf" value="([^"]+)"/.exec(await (await who.context.request.get(app.base + '/demo')).text())[1]
  const answer = await who.context.request.post(app.base + '/demo/speed', { form: { csrf, speed: String(speed) }, headers: { Origin: app.base } })
  if (!answer.ok()) throw new Error(`the speed was answered with ${answer.status()}`)
}

/** Changes numbers one after the other, and prints what it takes until another page shows them. */
const push = async (writer, reader, when) => {
  const found = []
  for (let round = 0; round < ROUNDS; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, APART_MS))
    found.push(await pushed(writer, reader))
  }
  const told = found.map((one) => one.told).filter((ms) => ms !== null)
  const ms = (numbers) => `${median(numbers).toFixed(0)} ms (at most ${Math.max(...numbers).toFixed(0)})`
  console.log(`\nuntil the number is on another page, ${when}, medians of ${ROUNDS}:`)
  console.log(`  from the click, the write included  ${ms(found.map((one) => one.clicked))}`)
  console.log(`  from the answer to the write        ${ms(found.map((one) => one.answered))}`)
  console.log(`  push to page, from the event        ${told.length > 0 ? ms(told) : 'no event came first'}, of ${told.length}`)
}
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--headless', '--no-sandbox', '--disable-gpu'] })
let over = 0
try {
  await new Promise((resolve) => setTimeout(resolve, 20_000))
  console.log('page           HTML bytes   first visit, compressed')
  for (const path of PAGES) {
    const who = await Person.open(browser, app.base)
    const client = await who.context.newCDPSession(who.page)
    await client.send('Network.enable')
    await client.send('Network.setCacheDisabled', { cacheDisabled: true })
    let compressed = 0
    client.on('Network.loadingFinished', ({ encodedDataLength }) => { compressed += encodedDataLength })
    const html = (await (await who.go(path)).body()).length
    await who.page.waitForLoadState('load')
    if (html > HTML_MAX || compressed > VISIT_MAX) over += 1
    console.log(`${path.padEnd(14)} ${String(html).padStart(10)}   ${String(compressed).padStart(10)}`)
    await who.context.close()
  }
  const who = await Person.open(browser, app.base)
  console.log(`\nfragment            median ms of ${ROUNDS}, seen by the client on this machine`)
  for (const path of FRAGMENTS) {
    const times = []
    for (let round = 0; round < ROUNDS; round += 1) {
      const began = performance.now()
      await (await who.context.request.get(app.base + path)).body()
      times.push(performance.now() - began)
    }
    console.log(`${path.padEnd(18)} ${median(times).toFixed(1).padStart(6)}`)
  }
  const reader = await Person.open(browser, app.base, { user: 'site-lead.ZA4' })
  await reader.context.addInitScript(NOTES)
  await reader.go('/capacity')
  await reader.page.waitForSelector('[data-live]:has-text("Live")')
  await push(who, reader, 'in a region 60 times as fast')
  await pace(who, 1)
  await push(who, reader, 'in a region at its own speed')
  console.log(`fallow dev: ready after ${(ready / 1000).toFixed(2)} s, ${resident().toFixed(0)} MiB with all services in it`)
} finally {
  await browser.close()
  await app.stop()
}
if (over > 0) console.log(`${over} pages are over ${HTML_MAX} bytes of HTML or ${VISIT_MAX} bytes of a first visit`)
process.exitCode = over > 0 ? 1 : 0
