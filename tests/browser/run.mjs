// The screens in a real browser.
//
//   node run.mjs                   over the made-up winter Tuesday, started anew for each test
//   node run.mjs --dev [BINARY]    over a whole `fallow dev`, the tests that suit any world
//   node run.mjs --base URL        over one that runs already, the same tests
//   node run.mjs --only TEXT       those whose name has TEXT
//   node run.mjs --renew           writes the snapshots in `aria` anew, and nothing else
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright-core'
import { atProvider, build, dev, screens } from './app.mjs'
import { Person } from './person.mjs'
import { tests } from './suite.mjs'
import './tests.mjs'
import './region.mjs'
import './gold.mjs'
import './actions.mjs'
import './work.mjs'
import './forms.mjs'
import './issues.mjs'
import './sign-in.mjs'
import './mend.mjs'
import './phone.mjs'
import './aria.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { base: { type: 'string' }, dev: { type: 'boolean' }, only: { type: 'string' }, renew: { type: 'boolean' } },
})
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const TEST_MS = 120_000

if (!existsSync(CHROMIUM)) {
  console.error(`the tests need ${CHROMIUM}.\n\n    sudo apt-get install chromium fonts-liberation\n`)
  process.exit(2)
}
const only = values.renew ? 'says the same as in its snapshot' : values.only
const anyWorld = Boolean(values.base || values.dev)
if (values.dev && positionals.length === 0) await build(['--package', 'fallow', '--bin', 'fallow'])
if (!anyWorld) await build(['--package', 'fallow-console', '--example', 'screens'])

const chosen = tests.filter((test) => (!anyWorld || test.anyWorld) && (!only || test.name.includes(only)))
if (chosen.some((test) => test.provider)) await build(['--package', 'fallow', '--bin', 'fallow'])
const profile = mkdtempSync(join(tmpdir(), 'fallow-browser-'))
const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS, env: { ...process.env, TMPDIR: profile } })
const shared = values.base ? { base: values.base.replace(/\/$/, ''), stop: () => {} } : values.dev ? await dev(positionals[0]) : null
let passed = 0, failed = 0
try {
  for (const test of chosen) {
    const app = test.provider ? await atProvider() : shared ?? (await screens())
    const people = []
    const person = async (options) => {
      const one = await Person.open(browser, app.base, options)
      people.push(one)
      return one
    }
    const began = Date.now()
    try {
      let timer
      const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`took longer than ${TEST_MS / 1000} s`)), TEST_MS) })
      await Promise.race([test.run({ person, browser, base: app.base }), late]).finally(() => clearTimeout(timer))
      for (const one of people) one.checkQuiet()
      passed += 1
      console.log(`ok    ${test.name} (${Date.now() - began} ms)`)
    } catch (error) {
      failed += 1
      console.log(`FAIL  ${test.name}\n      ${String(error.stack ?? error).replaceAll('\n', '\n      ')}`)
    }
    for (const one of people) await one.context.close().catch(() => {})
    if (app !== shared) await app.stop()
  }
} finally {
  await browser.close()
  await shared?.stop()
  rmSync(profile, { recursive: true, force: true })
}
// The closing lines of node's own runner, which `cargo xtask test` counts, and the plain one for people.
console.log(`# pass ${passed}\n# fail ${failed}`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
