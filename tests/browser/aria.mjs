// What each page says to whoever does not see it: one snapshot of the accessibility tree a page, beside the tests in `aria`.
//
//   node run.mjs --only "says the same"     compares
//   node run.mjs --renew                    writes them anew, and says which have changed
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from './suite.mjs'

const FOLDER = fileURLToPath(new URL('aria', import.meta.url))
const isRenewed = process.argv.includes('--renew')

// The made-up world is the same each time but for its clock, which goes on while a test runs.
const CLOCKS = [
  [/\d\d(?::|%3A)\d\d(?:(?::|%3A)\d\d(?:\.\d+Z)?)?/g, '<time>'],
  [/\b(?:\d+ h )?\d+ (?:s|min|h|d)(?= (?:left|ago|old|Fresh|Ageing|Stale|unowned)\b)/g, '<age>'],
  [/\b(Silent: [^,"]+, |unowned |waiting |Oldest number: [^,"]+, )(?:\d+ h )?\d+ (?:s|min|h|d)\b/g, '$1<age>'],
  [/\bunder 1 min\b/g, '<age>'],
]
const steady = (said) => `${CLOCKS.reduce((text, [clock, word]) => text.replace(clock, word), said)}\n`

/** Opens what is folded, so that it is in the snapshot, and waits until the line about updates says what it will. */
const settled = async (who) => {
  await who.page.$$eval('details', (all) => all.forEach((one) => { one.open = true }))
  await who.page.waitForFunction(() => {
    const live = document.querySelector('[data-live]')
    return !live || 'wall' in live.dataset || live.textContent.startsWith('Live')
  })
}

/** Compares a page with its snapshot, or writes it. */
const check = async (who, name) => {
  await settled(who)
  const said = steady(await who.page.locator('body').ariaSnapshot())
  const file = `${FOLDER}/${name}.yml`
  const kept = (() => { try { return readFileSync(file, 'utf8') } catch { return null } })()
  if (isRenewed) {
    if (kept === said) return
    mkdirSync(FOLDER, { recursive: true })
    writeFileSync(file, said)
    console.log(`renewed ${file}`)
    return
  }
  assert.ok(kept !== null, `there is no ${file}: node run.mjs --renew writes it`)
  try {
    assert.equal(said, kept)
  } catch (error) {
    throw new Error(`${name} says something else than aria/${name}.yml (+ as it is, - as it was). When that is meant: node run.mjs --renew\n${error.message}`)
  }
}

/** Pages that are one person's, each by the name of its snapshot. */
const PAGES = {
  'bed-manager.ZA4': {
    proposals: '/proposals',
    capacity: '/capacity',
    offer: '/capacity/offer/o-2',
    'offer-change': '/capacity/offer/o-2/change',
    'offer-new': '/capacity/offer',
    needs: '/needs',
    'needs-why': '/needs?why=n-4',
    'need-new': '/needs/new',
    transfers: '/transfers',
    'transfers-columns': '/transfers?view=columns',
    'transfers-open': '/transfers?open=t-21',
    'transfers-returning': '/transfers?view=returning',
    upload: '/upload',
    search: '/search?q=aldermoor',
    preferences: '/preferences',
    help: '/help',
    demo: '/demo',
    nowhere: '/nowhere',
  },
  'duty-lead': {
    situation: '/situation',
    account: '/situation/one?trust=ZA4&resource=BED/CC_ADULT/2',
    wall: '/wall',
    'wall-display': '/wall/display',
    alerts: '/alerts',
    'report-unmet': '/reports?kind=unmet',
    'report-flow': '/reports?kind=flow',
    'report-equity': '/reports?kind=equity',
    'report-declines': '/reports?kind=declines',
    'report-outcomes': '/reports?kind=outcomes',
    'report-theatres': '/reports?kind=theatres',
    'report-rules': '/reports?kind=rules',
    timeline: '/timeline',
    'what-if': '/what-if?change=travel~60',
    sitrep: '/sitrep',
    actions: '/actions',
    'action-proposal': '/actions/proposal?id=p-2',
    approvals: '/approvals',
  },
}

for (const [user, pages] of Object.entries(PAGES)) {
  test(`every page says the same as in its snapshot, for ${user}`, async ({ person }) => {
    const who = await person({ user })
    who.expected = /status of 404/
    const wrong = []
    for (const [name, path] of Object.entries(pages)) {
      await who.go(path)
      await check(who, name).catch((error) => wrong.push(error.message))
    }
    if (wrong.length > 0) throw new Error(wrong.join('\n\n'))
  })
}

test('every page says the same as in its snapshot, when nothing is there and when something is wrong', async ({ person }) => {
  const lone = await person({ user: 'bed-manager.ZA3' })
  for (const [name, path] of [['capacity-empty', '/capacity'], ['needs-empty', '/needs'], ['transfers-empty', '/transfers']]) {
    await lone.go(path)
    await check(lone, name)
  }
  await lone.go('/capacity/offer')
  await lone.page.fill('#count', '0')
  await lone.page.fill('#until', '2020-01-01T10:00')
  await lone.page.click('text=Publish')
  await lone.page.waitForSelector('.nhsuk-error-summary')
  await check(lone, 'offer-wrong')
  await lone.page.click('text=Sign out')
  await lone.page.waitForURL('**/sign-in')
  await check(lone, 'sign-in')
})
