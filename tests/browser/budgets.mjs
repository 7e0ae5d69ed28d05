// Measures what goal C1 of docs/performance.md bounds, over a whole `fallow dev`: `node budgets.mjs [BINARY]`.
import { chromium } from 'playwright-core'
import { build, dev } from './app.mjs'
import { Person } from './person.mjs'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const PAGES = ['/proposals', '/capacity', '/needs', '/transfers', '/situation', '/wall']
const FRAGMENTS = ['/f/proposals', '/f/capacity', '/f/needs', '/f/transfers', '/f/situation', '/f/wall']
const ROUNDS = 21
const [HTML_MAX, VISIT_MAX] = [60_000, 40_000]

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
const [binary] = process.argv.slice(2)
if (!binary) await build(['--package', 'fallow', '--bin', 'fallow'])
const app = await dev(binary, { speed: 60 })
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
} finally {
  await browser.close()
  await app.stop()
}
if (over > 0) console.log(`${over} pages are over ${HTML_MAX} bytes of HTML or ${VISIT_MAX} bytes of a first visit`)
process.exitCode = over > 0 ? 1 : 0
