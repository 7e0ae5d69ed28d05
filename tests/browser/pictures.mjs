// Takes the README's pictures of a busy `fallow dev`: `node pictures.mjs [BINARY]`, by itself of a binary that it builds.
import { mkdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { build, dev } from './app.mjs'
import { Person } from './person.mjs'

const FOLDER = fileURLToPath(new URL('../../docs/pictures', import.meta.url))
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const PICTURES = [
  { name: 'wall', user: 'duty-lead', path: '/wall', width: 1600, height: 900 },
  { name: 'inbox', user: 'bed-manager.ZA4', path: '/proposals', width: 1200, height: 660 },
]
/** A region is busy when so many proposals wait for the bed manager. */
const BUSY = 6
const BUSY_MS = 180_000
/** A picture in a README is looked at on telephones, too. */
const BYTES_MAX = 250_000

const [binary] = process.argv.slice(2)
if (!binary) await build(['--package', 'fallow', '--bin', 'fallow'])
mkdirSync(FOLDER, { recursive: true })
const app = await dev(binary, { speed: 60 })
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--headless', '--no-sandbox', '--disable-gpu'] })
try {
  const waits = await Person.open(browser, app.base)
  const until = Date.now() + BUSY_MS
  for (;;) {
    await waits.go('/proposals')
    const waiting = Number(/^\((\d+)\)/.exec(await waits.page.title())?.[1] ?? 0)
    if (waiting >= BUSY) break
    if (Date.now() > until) throw new Error(`after ${BUSY_MS / 1000} s only ${waiting} proposals wait`)
    await waits.page.waitForTimeout(1_000)
  }
  for (const { name, user, path, width, height } of PICTURES) {
    const who = await Person.open(browser, app.base, { user, width, height })
    await who.go(path)
    await who.page.waitForTimeout(1_500)
    const file = `${FOLDER}/${name}.png`
    await who.page.screenshot({ path: file })
    const { size } = statSync(file)
    if (size > BYTES_MAX) throw new Error(`${file} has ${size} bytes, more than ${BYTES_MAX}`)
    console.log(`${file}: ${width} x ${height}, ${size} bytes`)
    await who.context.close()
  }
} finally {
  await browser.close()
  await app.stop()
}
