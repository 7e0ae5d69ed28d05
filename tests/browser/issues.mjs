// One test for each complaint that people had about boards like this one, named after it. The numbers are those of the
// issues in which they said it.
import assert from 'node:assert/strict'
import { card, row, test } from './suite.mjs'

test('479: status, urgency, time and the first comment are on the card', async ({ person }) => {
  const who = await person()
  await who.go('/proposals')
  const said = await who.text(card('LC-118'))
  assert.match(said, /You: Waiting Aldermoor University Hospitals: Accepted/)
  assert.match(said, /P1A/)
  assert.match(said, /needed by today 16:0\d \u00b7 since today 13:5\d/)
  assert.match(said, /ventilated, flu A/)
  assert.equal(await who.page.$eval(card('LC-118'), (one) => one.classList.contains('urgent')), true)
})

test('479: VERY URGENT finds what is very urgent', async ({ person }) => {
  const who = await person()
  await who.go('/search?q=VERY+URGENT')
  assert.deepEqual(await who.page.$$eval('.found > li > a', (all) => all.map((one) => one.textContent)), ['LC-118'])
})

test('6134: a duplicate is seen before the form is filled in', async ({ person }) => {
  const who = await person()
  await who.go('/needs/new')
  const [note, form] = await Promise.all(['.already', '#resource'].map((one) => who.page.$eval(one, (el) => el.getBoundingClientRect().top)))
  assert.ok(note < form, 'it stands above the form')
  assert.match(await who.text('.already'), /LC-118 1 \u00d7 Level 3/)
})

test('400: nothing moves before both sides know and say yes', async ({ person }) => {
  const [support, home] = [await person(), await person({ user: 'bed-manager.ZA1' })]
  await support.go('/proposals')
  await support.page.click(`${card('BW-31')} button.primary`)
  await support.page.waitForSelector('.flash:has-text("Accepted. Waiting for Brackwater Hospitals.")')
  await support.go('/transfers')
  assert.equal(await support.page.$('article:has-text("BW-31")'), null, 'one yes makes no transfer')
  await home.go('/transfers')
  assert.match(await home.text('article'), /DX-77/, 'what was agreed is on both sides\u2019 pages')
})

test('1091: what was solved elsewhere is said to be, not sent to an invented place', async ({ person }) => {
  const who = await person()
  await who.go('/needs?why=n-4')
  await who.page.fill('#resolve-note', 'placed by telephone')
  await who.page.click('button:has-text("Resolved outside Fallow")')
  await who.page.waitForSelector('.flash:has-text("Recorded: resolved outside Fallow.")')
})

test('5393: the everyday things take one step', async ({ person }) => {
  const who = await person()
  await who.go('/proposals')
  await who.click(`${card('BW-31')} button.primary`)
  await who.page.waitForSelector('.flash:has-text("Accepted.")')
  assert.equal(who.clicks, 1)
  await who.go('/capacity')
  await who.click(`${row('Level 2')} >> text=Still true`)
  await who.page.waitForSelector('.flash:has-text("Level 2: still true.")')
  assert.equal(who.clicks, 2)
})

test('5302: an incident is on every page, and routine is quiet', async ({ person }) => {
  const who = await person()
  for (const path of ['/proposals', '/capacity', '/needs', '/transfers', '/situation', '/help']) {
    await who.go(path)
    assert.match(await who.text('.incident'), /Incident mode: North Vale Acute Provider Collaborative, since today 09:1\d\. Reason: norovirus, Brackwater\./, path)
    assert.equal(await who.page.$$eval('.incident', (all) => all.length), 1, 'the routine network is not shouted about')
  }
})

test('overdue numbers never take the next click, and nothing ever sounds', async ({ person }) => {
  const who = await person()
  await who.go('/capacity')
  assert.ok(await who.page.$('tr.stale'), 'something is overdue')
  await who.page.click('.nav >> text=Needs')
  await who.page.waitForURL('**/needs')
  assert.equal(await who.page.$$eval('audio,video,dialog[open]', (all) => all.length), 0)
})

test('a number without an age is nowhere', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.go('/situation')
  const ages = await who.page.$$eval('.heat td:not(.none) .hidden', (all) => all.map((one) => one.textContent))
  assert.ok(ages.length > 20 && ages.every((one) => /updated .* ago/.test(one)))
  const other = await person()
  await other.go('/capacity')
  assert.ok((await other.page.$$eval('.figures tbody tr:not(.stale-note) .fresh', (all) => all.map((one) => one.textContent))).every((one) => /\d+ (min|h|d)/.test(one)))
})

test('stale is hatched and said, and no colour speaks alone', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.go('/situation')
  const cells = await who.page.$$eval('.heat td:not(.none)', (all) => all.filter((one) => one.querySelector('a')).map((one) => ({ said: one.textContent, hatched: getComputedStyle(one).backgroundImage !== 'none' })))
  assert.ok(cells.some((one) => one.hatched))
  for (const { said, hatched } of cells) {
    assert.match(said, /P[1-4]/)
    assert.equal(hatched, /stale$/.test(said), said)
  }
})

test('a silent trust is named, not left out', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.go('/situation')
  assert.match(await who.text('.title-row'), /5 of 6 trusts live\. Silent: Brackwater Hospitals, 2 h 1\d min\./)
  assert.ok(await who.page.$(row('Brackwater Hospitals')))
})

test('every proposal has a desk to ring and a reason to read', async ({ person }) => {
  const who = await person()
  await who.go('/proposals')
  const cards = await who.page.$$eval('article', (all) => all.map((one) => ({ phone: !!one.querySelector('a[href^="tel:"]'), why: !!one.querySelector('.why-lines') })))
  assert.ok(cards.length >= 3 && cards.every((one) => one.phone && one.why))
})

test('a login does not run out while somebody types', async ({ person }) => {
  const who = await person()
  await who.page.route('**/events', (route) => route.abort())
  who.blocked = '**/events'
  await who.go('/capacity')
  const told = who.page.waitForRequest((request) => request.headers()['x-fallow-present'] === '1', { timeout: 60_000 })
  await who.page.focus(`${row('MRI')} input[name=free]`)
  await who.page.keyboard.type('7')
  await told
})

test('a no says who is asked next and how to mend its cause', async ({ person }) => {
  const who = await person()
  await who.go('/proposals')
  await who.page.click(`${card('EH-2207')} summary:has-text("Decline")`)
  assert.match(await who.text(`${card('EH-2207')} .decline`), /After this Fallow asks Calverleigh Hospitals\./)
  await who.page.check(`${card('EH-2207')} >> text=Capacity changed`)
  await who.page.click(`${card('EH-2207')} button.warning`)
  await who.page.waitForSelector('.flash:has-text("Is the number no longer true?") a[href="/capacity#free-o-1"]')
})
