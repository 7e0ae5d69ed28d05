// The wall for an hour of ours, at sixty times the speed: `node endure.mjs [--minutes N] [--speed N] [BINARY]`.
//
// Prints how much the page and the process hold, and fails when the page logged an error, a pull failed, it said that it was
// not live, or it grew.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright-core'
import { build, dev } from './app.mjs'
import { Person } from './person.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: '60' }, speed: { type: 'string', default: '60' } },
})
const [minutes, speed] = [Number(values.minutes), Number(values.speed)]
if (!(minutes >= 1) || !(speed >= 1)) {
  console.error('--minutes and --speed are numbers from 1 on')
  process.exit(2)
}
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const MINUTE_MS = 60_000
/** A look is at the page as it is, between two of its pulls. */
const LOOK_MS = 10_000
/** By how much the page may hold more at the end than at the first look: a row more here, a longer name there. */
const GROWTH = 1.25

const [binary] = positionals
if (!binary) await build(['--package', 'fallow', '--bin', 'fallow'])
const app = await dev(binary, { speed })
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--headless', '--no-sandbox', '--disable-gpu'] })
const found = []
let pulls = 0, failed = 0
/** Notes a pull that failed; the first ones by what became of them. */
const note = (what) => {
  failed += 1
  if (failed <= 10) found.push(`${new Date().toISOString()}: ${what}`)
}
try {
  const gold = await Person.open(browser, app.base, { user: 'duty-lead', width: 1920, height: 1080 })
  gold.page.on('response', (response) => {
    if (!new URL(response.url()).pathname.startsWith('/f/')) return
    pulls += 1
    if (response.status() >= 400) note(`${response.url()} was answered with ${response.status()}`)
  })
  gold.page.on('requestfailed', (request) => {
    if (new URL(request.url()).pathname.startsWith('/f/')) note(`${request.url()}: ${request.failure().errorText}`)
  })
  await gold.go('/wall')
  const inspector = await gold.context.newCDPSession(gold.page)
  await inspector.send('Performance.enable')

  /** Returns what the page holds once everything that is not used has gone. */
  const held = async () => {
    await inspector.send('HeapProfiler.collectGarbage')
    const { metrics } = await inspector.send('Performance.getMetrics')
    const of = (name) => metrics.find((one) => one.name === name).value
    const resident = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${app.pid}/status`, 'utf8'))[1]) / 1024
    return { heap: of('JSHeapUsedSize') / 1024 / 1024, nodes: of('Nodes'), listeners: of('JSEventListeners'), resident }
  }
  let first = null
  console.log('| minute | heap of the page | nodes | listeners | pulls, failed | `fallow dev`, all services |\n|---|---|---|---|---|---|')
  for (let minute = 1; minute <= minutes; minute += 1) {
    const until = Date.now() + MINUTE_MS
    while (Date.now() < until) {
      await gold.page.waitForTimeout(Math.min(LOOK_MS, until - Date.now()))
      if (await gold.page.evaluate(() => document.body.classList.contains('not-live'))) {
        found.push(`minute ${minute}: it says ${JSON.stringify(await gold.text('[data-status]'))}`)
      }
    }
    // Somebody is there: a session that nobody uses ends by itself.
    if (minute % 2 === 0) await gold.page.mouse.click(5, 5)
    const now = await held()
    first ??= now
    if (minute === 1 || minute % 10 === 0 || minute === minutes) {
      console.log(`| ${minute} | ${now.heap.toFixed(2)} MiB | ${now.nodes} | ${now.listeners} | ${pulls}, ${failed} | ${now.resident.toFixed(0)} MiB |`)
    }
    if (minute === minutes) {
      for (const what of ['heap', 'nodes', 'listeners']) {
        if (now[what] > first[what] * GROWTH) found.push(`${what} grew from ${first[what]} to ${now[what]}`)
      }
    }
  }
  if (pulls === 0) found.push('it asked for nothing')
  if (failed > 10) found.push(`${failed} pulls failed`)
  found.push(...gold.errors)
} finally {
  await browser.close()
  await app.stop()
}
for (const one of found) console.error(one)
process.exitCode = found.length > 0 ? 1 : 0
