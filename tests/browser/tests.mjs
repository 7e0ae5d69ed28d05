// What must be true of the screens. `anyWorld` marks the tests that need no particular records.
import assert from 'node:assert/strict'
import { POLL_MS, UPDATE_MS, card, isSamePage, mark, publish, row, test } from './suite.mjs'

const PAGES = ['/proposals', '/capacity', '/needs', '/needs?of=all', '/transfers', '/transfers?view=columns', '/situation', '/wall', '/what-if', '/capacity/offer', '/needs/new', '/preferences', '/search?q=adult', '/help', '/upload', '/upload?of=needs', '/needs?why=n-4', '/transfers?view=returning', '/wall/display', '/demo']

for (const width of [320, 1280, 1920]) {
  test(`every page at ${width} px is accessible and needs no sideways scroll`, async ({ person }) => {
    const who = await person({ width })
    const one = '/situation/one?trust=ZA4&resource=BED/GA_ADULT'
    for (const path of [...PAGES, one]) {
      await who.go(path)
      assert.deepEqual(await who.axe(), [], `axe on ${path}`)
      assert.equal(await who.overflow(), 0, `${path} is too wide`)
    }
    await who.page.setViewportSize({ width, height: 800 })
  }, { anyWorld: true })
}

test('signing in, out, and what needs it', async ({ person, base }) => {
  const who = await person()
  await who.go('/capacity')
  await who.page.click('text=Sign out')
  await who.page.waitForURL('**/sign-in')
  assert.deepEqual(await who.axe(), [])
  await who.go('/needs/new')
  assert.match(who.page.url(), /\/sign-in\?next=\/needs\/new$/)
  const bare = await fetch(`${base}/f/capacity`)
  assert.equal(bare.status, 401)
}, { anyWorld: true })

test('a form without the session\u2019s secret is refused', async ({ person }) => {
  const who = await person()
  const answer = await who.context.request.post(`${who.base}/capacity/still-true`, { form: { all: '1', csrf: 'guess' }, maxRedirects: 0 })
  assert.equal(answer.status(), 403)
}, { anyWorld: true })

test('every answer forbids what the page does not need', async ({ base }) => {
  for (const path of ['/sign-in', '/healthz', '/assets/none']) {
    const { headers } = await fetch(base + path)
    assert.match(headers.get('content-security-policy'), /^default-src 'none'; script-src 'self'; style-src 'self'/)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('referrer-policy'), 'no-referrer')
  }
}, { anyWorld: true })

test('a first visit is small', async ({ person }) => {
  const who = await person()
  const client = await who.context.newCDPSession(who.page)
  await client.send('Network.enable')
  await client.send('Network.setCacheDisabled', { cacheDisabled: true })
  let compressed = 0
  client.on('Network.loadingFinished', ({ encodedDataLength }) => { compressed += encodedDataLength })
  const answer = await who.go('/capacity')
  const html = (await answer.body()).length
  await who.page.waitForLoadState('load')
  assert.ok(html <= 60_000, `the page has ${html} bytes`)
  assert.ok(compressed > 0 && compressed <= 40_000, `the visit took ${compressed} bytes`)
}, { anyWorld: true })

for (const scripts of [true, false]) {
  const how = scripts ? 'with scripts' : 'without scripts'

  test(`publish in at most three interactions, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/capacity')
    await who.page.click('text=Add an offer')
    const before = await who.page.inputValue('#until')
    assert.match(before, /^\d{4}-\d\d-\d\dT20:00$/, 'until is filled in')
    await who.page.selectOption('#resource', 'BED/STEP_DOWN')
    await who.page.fill('#count', '3')
    await who.page.press('#count', 'Enter')
    await who.page.waitForURL('**/capacity')
    assert.match(await who.text('.flash'), /Published: Step-down, 3 free\./)
    await who.page.waitForSelector(row('Step-down'))
  }, { anyWorld: true })

  test(`still true in one click, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await publish(who, 2)
    await who.click(`${row('Step-down')} >> text=Still true`)
    await who.page.waitForSelector('.flash:has-text("Step-down: still true.")')
    assert.equal(who.clicks, 1)
  }, { anyWorld: true })

  test(`one more, one fewer and a typed number, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await publish(who, 2)
    const field = `${row('Step-down')} input[name=free]`
    await who.page.click(`${row('Step-down')} button[value="1"]`)
    await who.page.waitForSelector('.flash:has-text("Step-down: 3 free now.")')
    await who.page.click(`${row('Step-down')} button[value="-1"]`)
    await who.page.waitForSelector('.flash:has-text("Step-down: 2 free now.")')
    await who.page.fill(field, '5')
    await who.page.press(field, 'Enter')
    await who.page.waitForSelector('.flash:has-text("Step-down: 5 free now.")')
    assert.equal(await who.page.inputValue(field), '5')
  }, { anyWorld: true })

  test(`an offer that is wrong names every field, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/capacity/offer')
    await who.page.fill('#count', '0')
    await who.page.fill('#until', '2020-01-01T10:00')
    await who.page.click('text=Publish')
    await who.page.waitForSelector('.nhsuk-error-summary')
    const links = await who.page.$$eval('.nhsuk-error-summary a', (all) => all.map((one) => one.getAttribute('href')))
    assert.ok(links.includes('#count') && links.includes('#until'), `${links}`)
    assert.equal(await who.page.inputValue('#count'), '0', 'what was typed is kept')
    if (scripts) {
      assert.equal(await who.page.evaluate(() => document.activeElement.className), 'nhsuk-error-summary')
      assert.deepEqual(await who.axe(), [])
    }
  }, { anyWorld: true })

  test(`accept in one click, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/proposals')
    await who.click(`${card('BW-31')} button.primary`)
    await who.page.waitForSelector('.flash:has-text("Accepted. Waiting for Brackwater Hospitals.")')
    assert.equal(who.clicks, 1)
    await who.page.waitForSelector('h2:has-text("Waiting for the other trust (1)")')
    await who.page.click(`${card('BW-31')} >> text=Undo`)
    await who.page.waitForSelector('.flash:has-text("taken back")')
  })

  test(`the second yes makes a transfer, and it goes on, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/proposals')
    await who.page.click(`${card('LC-118')} button.primary`)
    await who.page.waitForSelector('.flash:has-text("Now: transfer t-")')
    await who.page.click('.agreed a')
    await who.page.waitForURL('**/transfers#transfer-*')
    const fresh = 'article:has-text("transfer t-1")'
    await who.page.click(`${fresh} >> text=Everything is ready`)
    await who.page.waitForSelector('.flash:has-text("Ready")')
  })

  test(`decline with a reason, and take fewer, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/proposals')
    await who.page.click(`${card('EH-2207')} summary:has-text("Decline")`)
    await who.page.click(`${card('EH-2207')} >> text=Accept these`)
    await who.page.waitForSelector('.flash:has-text("Accepted.")')
    await who.page.click(`${card('BW-31')} summary:has-text("Decline")`)
    await who.page.check(`${card('BW-31')} >> text=Staffing`)
    await who.page.check(`${card('BW-31')} >> text=Also set Free to 0`)
    await who.page.click(`${card('BW-31')} button:has-text("Decline")`)
    await who.page.waitForSelector('.flash:has-text("Declined. Fallow asks the next in line.")')
  })

  test(`who lends a team is asked for it alone, and answers for it, ${how}`, async ({ person }) => {
    const who = await person({ user: 'bed-manager.ZA3', scripts })
    await who.go('/proposals')
    const lent = 'article:has(h3:has-text("Main theatre"))'
    const said = await who.text(lent)
    assert.match(said, /You lend/)
    assert.match(said, /anaesthetist/i)
    assert.match(said, /Brackwater Hospitals: Accepted/)
    if (scripts) assert.deepEqual(await who.axe(), [])
    await who.page.click(`${lent} button.primary`)
    await who.page.waitForSelector('.flash:has-text("Accepted. Waiting for Aldermoor University Hospitals.")')
  })

  test(`a list is answered at once, ${how}`, async ({ person }) => {
    const who = await person({ user: 'bed-manager.ZA6', scripts })
    await who.go('/proposals')
    assert.match(await who.text('.block h3'), /Saturday list at Garrow/)
    assert.equal(await who.page.$$eval('.block article', (all) => all.length), 2)
    if (scripts) assert.deepEqual(await who.axe(), [])
    await who.click('.block button.primary')
    await who.page.waitForSelector('.flash')
    assert.match(await who.text('.flash'), /Accepted 2 cases/)
    assert.equal(who.clicks, 1)
    assert.equal(await who.page.$('.block'), null, 'nothing of it waits any more')
  })

  test(`a list is declined with one reason, ${how}`, async ({ person }) => {
    const who = await person({ user: 'bed-manager.ZA6', scripts })
    await who.go('/proposals')
    await who.page.click('.block > details > summary')
    await who.page.check('.block .decline >> text=Staffing')
    await who.page.click('.block > details button.warning')
    await who.page.waitForSelector('.flash')
    assert.match(await who.text('.flash'), /Declined 2 cases/)
    assert.equal(await who.page.$('.block'), null)
  })

  test(`a typed number meets a change: both are shown, ${how}`, async ({ person }) => {
    const [who, other] = [await person({ scripts }), await person({ user: 'site-lead.ZA4' })]
    await who.go('/capacity')
    await other.go('/capacity')
    const field = `${row('MRI')} input[name=free]`
    await who.page.fill(field, '7')
    await other.page.click(`${row('MRI')} button[value="1"]`)
    await other.page.waitForSelector('.flash')
    await who.page.press(field, 'Enter')
    await who.page.waitForSelector('.interruption:has-text("You typed 7. It now says 2")')
    await who.page.click('text=Set it to 7')
    await who.page.waitForSelector('.flash:has-text("MRI: 7 free now.")')
  })

  test(`raise a need, see why not, widen the limit, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/needs/new')
    await who.page.selectOption('#resource', 'BED/GA_ADULT')
    await who.page.selectOption('#priority', 'PRIORITY_P2')
    await who.page.fill('#case-ref', 'LC-200')
    await who.page.click('text=Raise this need')
    await who.page.waitForSelector('.flash:has-text("Raised: 1 \u00d7 G&A adult.")')
    await who.page.click('text=Widen to 60 min')
    await who.page.waitForSelector('.flash:has-text("60 minutes now")')
  })
}

test('the inbox shows the first explanation open and a telephone for each', async ({ person }) => {
  const who = await person({ width: 1920, height: 1080 })
  await who.go('/proposals')
  assert.equal(await who.page.title(), '(3) Proposals - Fallow')
  assert.equal(await who.page.$$eval('.fold-why', (all) => all.map((one) => one.open).join()), 'true,false,false')
  assert.equal(await who.page.$$eval('article', (all) => all.every((one) => one.querySelector('a[href^="tel:"]'))), true)
  const height = await who.page.$$eval('article', (all) => all.at(-1).getBoundingClientRect().height)
  assert.ok(height <= 70, `a proposal is ${height} px high: twelve do not fit on a screen`)
})

test('stale numbers say so in words, with a reason to mend them', async ({ person }) => {
  const who = await person()
  await who.go('/capacity')
  assert.match(await who.text('tr.stale'), /Colonoscopy.*2 h [5-7] min Stale/)
  assert.match(await who.text('tr.stale-note'), /Fallow is not offering these.* 1 open need elsewhere asks for this\./)
  assert.match(await who.text('.oldest'), /Oldest number: Colonoscopy, 2 h [5-7] min \(due every 1 h\)\. 2 need you now\./)
})

test('the situation says every number in words', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.go('/')
  assert.match(who.page.url(), /\/situation$/)
  assert.match(await who.text('.heat'), /Brackwater Hospitals, CT: short by 6 slots, pressure 4 of 4, updated 2 h 2[0-2] min ago, stale/)
  assert.match(await who.text('.incident'), /Incident mode: North Vale Acute Provider Collaborative.*norovirus/)
  assert.equal(await who.page.$('a[href="/capacity"]'), null, 'gold has no capacity of its own')
})

test('a change elsewhere appears without reload', async ({ person }) => {
  const [who, other] = [await person(), await person({ user: 'site-lead.ZA4' })]
  await who.go('/capacity')
  await who.page.waitForFunction(() => document.querySelector('[data-live]').textContent.startsWith('Live'))
  await mark(who)
  await publish(other, 4)
  await who.page.waitForSelector(row('Step-down'), { timeout: UPDATE_MS })
  await isSamePage(who)
}, { anyWorld: true })

test('where the stream is blocked the page asks by itself', async ({ person }) => {
  const [who, other] = [await person({ block: '**/events' }), await person({ user: 'site-lead.ZA4' })]
  await who.go('/capacity')
  await who.page.waitForFunction(() => document.querySelector('[data-live]').textContent === 'Checking every 10 s')
  await mark(who)
  await publish(other, 4)
  await who.page.waitForSelector(row('Step-down'), { timeout: POLL_MS })
  await isSamePage(who)
}, { anyWorld: true })

test('what is being typed stays while the page changes around it', async ({ person }) => {
  const [who, other] = [await person(), await person({ user: 'site-lead.ZA4' })]
  await publish(who, 2)
  await who.page.waitForFunction(() => document.querySelector('[data-live]').textContent.startsWith('Live'))
  const field = `${row('Step-down')} input[name=free]`
  await who.page.fill(field, '17')
  await mark(who)
  await who.page.focus(field)
  await other.go('/capacity')
  await other.page.click(`${row('Step-down')} button[value="1"]`)
  await other.page.waitForSelector('.flash')
  // The rest of the row says what is now.
  await who.page.waitForSelector(`${row('Step-down')} td[data-l="Staffed"]:text-is("3")`, { timeout: UPDATE_MS })
  assert.equal(await who.page.inputValue(field), '17')
  assert.equal(await who.page.evaluate(() => document.activeElement.name), 'free', 'the focus moved')
  await isSamePage(who)
}, { anyWorld: true })

test('updates can be paused and go on', async ({ person }) => {
  const [who, other] = [await person(), await person({ user: 'site-lead.ZA4' })]
  await who.go('/capacity')
  await who.page.click('text=Pause updates')
  await publish(other, 4)
  await who.page.waitForTimeout(2_000)
  assert.equal(await who.page.$(row('Step-down')), null)
  assert.match(await who.text('[data-live]'), /^Paused/)
  await who.page.click('text=Resume updates')
  await who.page.waitForSelector(row('Step-down'), { timeout: UPDATE_MS })
})
