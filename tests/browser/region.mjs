// The region: the wall, the account behind a number, and what gold sees of needs.
import assert from 'node:assert/strict'
import { row, test } from './suite.mjs'

const DAY_MINUTES = 24 * 60
const nodes = (who) => who.page.evaluate(() => document.querySelectorAll('*').length)

test('the wall has numbers, ages and no control, no name of a person', async ({ person }) => {
  const who = await person({ user: 'duty-lead', width: 1920, height: 1080 })
  await who.go('/wall')
  assert.equal(await who.page.$$eval('a,button,input,select,form,summary', (all) => all.length), 0)
  const said = await who.text('body')
  assert.match(said, /North Vale ?14:3\d ?5 of 6 trusts live ?Silent: Brackwater Hospitals, 2 h 1\d min/)
  assert.match(said, /OPEL declared: 2, 4, 2, 3, none, 1/)
  assert.doesNotMatch(said, /duty|lead|manager/i)
  assert.match(await who.text('.heat'), /Brackwater Hospitals, CT: short by 6 slots, pressure 4 of 4, updated 2 h 2[0-2] min ago, stale/)
  const [wall, plain] = [22, 16]
  assert.equal(await who.page.$eval('.wall', (body) => Math.floor(parseFloat(getComputedStyle(body).fontSize))), wall, `1.4 of ${plain}`)
  const bottom = await who.page.$eval('.heat', (table) => table.getBoundingClientRect().bottom)
  assert.ok(bottom <= 1080, `the table ends at ${bottom} px`)
})

test('a wall that hears nothing turns grey and says since when', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.page.clock.install()
  await who.go('/wall')
  assert.equal(await who.text('[data-live]'), '')
  await who.page.route(/\/(events|f\/wall)$/, (route) => route.abort())
  who.blocked = '**'
  await who.page.clock.runFor(120_000)
  await who.page.waitForFunction(() => /^NOT LIVE SINCE 14:3\d$/.test(document.querySelector('[data-live]').textContent))
  assert.equal(await who.page.$eval('body', (body) => body.classList.contains('not-live')), true)
  assert.equal(await who.page.$eval('[data-live]', (line) => getComputedStyle(line).fontSize), '40px')
  await who.page.unroute(/\/(events|f\/wall)$/)
  await who.page.clock.runFor(60_000)
  await who.page.waitForFunction(() => document.querySelector('[data-live]').textContent === '')
})

test('a wall whose session ended says so and never shows a form', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.page.clock.install()
  await who.go('/wall')
  await who.page.route('**/f/wall', (route) => route.fulfill({ status: 401 }))
  who.expected = /401/
  await who.page.clock.runFor(120_000)
  await who.page.waitForFunction(() => document.querySelector('[data-live]').textContent.startsWith('NOT LIVE SINCE'))
  assert.match(who.page.url(), /\/wall$/)
})

test('a wall reloads itself when the screens were built anew', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.page.route('**/events', (route) => route.fulfill({ contentType: 'text/event-stream', body: 'event: build\ndata: another\n\n' }), { times: 1 })
  const reloaded = new Promise((resolve) => {
    let loads = 0
    who.page.on('load', () => { loads += 1; if (loads === 2) resolve() })
  })
  await who.go('/wall')
  await reloaded
})

test('a wall stays within bounds through a whole accelerated day', async ({ person }) => {
  const who = await person({ user: 'duty-lead', width: 1920, height: 1080 })
  const first = await (await who.context.request.get(`${who.base}/f/wall`)).text()
  let minute = 15
  // Every minute of a day: other numbers, other pressures, rows that come and go.
  const at = () => first
    .replace('data-every="2000"', 'data-every="0"')
    .replace(/data-at="[^"]*"/, `data-at="${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}"`)
    .replace(/class="p\d/g, () => `class="p${1 + (minute * 7 + 3) % 4}`)
    .replace(/<tr><th scope="row">Eastholme[\s\S]*?<\/tr>/, (found) => (minute % 30 < 10 ? '' : found))
    .replace(/<strong>\d+<\/strong>/g, () => `<strong>${minute}</strong>`)
  await who.page.route('**/f/wall', (route) => route.fulfill({ contentType: 'text/html', body: at() }))
  await who.page.addInitScript(() => {
    globalThis.EventSource = class extends EventTarget {
      readyState = 1
      constructor() { super(); globalThis.stream = this; setTimeout(() => this.onopen?.()) }
      close() { this.readyState = 2 }
    }
  })
  await who.go('/wall')
  const show = async () => {
    const shown = `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
    await who.page.evaluate((shown) => new Promise((done) => {
      const wall = document.getElementById('wall')
      const look = () => (wall.dataset.at === shown ? done() : setTimeout(look))
      stream.dispatchEvent(new Event('gold'))
      look()
    }), shown)
  }
  await show()
  const before = await nodes(who)
  for (minute = 16; minute < DAY_MINUTES; minute += 1) await show()
  const client = await who.context.newCDPSession(who.page)
  await client.send('HeapProfiler.collectGarbage')
  const { nodes: held, jsEventListeners } = await client.send('Memory.getDOMCounters')
  assert.equal(await nodes(who), before, 'as many elements as in the morning')
  assert.ok(held < 20 * before, `${held} nodes are still held`)
  assert.ok(jsEventListeners < 100, `${jsEventListeners} listeners`)
})

for (const scripts of [true, false]) {
  const how = scripts ? 'with scripts' : 'without scripts'

  test(`a number leads to its account, and its trust is asked to confirm, ${how}`, async ({ person }) => {
    const who = await person({ user: 'duty-lead', scripts })
    await who.go('/situation')
    await who.page.click(`${row('Dunmere General')} a:has-text("Level 2")`)
    await who.page.waitForURL('**/situation/one**')
    assert.equal(await who.text('.sum'), 'staffed 14 = free 1 + held 1 + agreed 1 + occupied 11 + blocked 0')
    assert.match(await who.text('main'), /short by 1 bed, pressure 3 of 4 \u00b7 OPEL 3, declared today 13:1\d/)
    assert.match(await who.text('main'), /Dunmere General desk 0555 0104/)
    await who.page.click('text=Ask to confirm')
    await who.page.waitForSelector('.flash:has-text("Asked to confirm 2 offers.")')
    await who.page.click('text=Ask to confirm')
    await who.page.waitForSelector('.nhsuk-error-summary')
    assert.match(await who.text('.nhsuk-error-summary'), /Too much at once.*was asked a short while ago; ring its desk/)
  })

  test(`gold reads everybody\u2019s needs and why each is not served, ${how}`, async ({ person }) => {
    const who = await person({ user: 'duty-lead', scripts })
    await who.go('/needs')
    assert.equal(await who.text('h1'), 'Needs of the region')
    assert.match(await who.text(row('2 \u00d7 G&A adult, ')).catch(() => who.text('.figures')), /Dunmere General Hospital, Dunmere General/)
    await who.page.click(`tr:has-text("LC-120") >> text=Why not yet`)
    await who.page.waitForSelector('#why')
    assert.match(await who.text('#why'), /6 too far/)
    assert.equal(await who.page.$('#why >> text=Widen to'), null, 'gold changes no need of a trust')
    await who.page.click('#why >> text=Ask Eastholme Hospitals to confirm')
    await who.page.waitForSelector('.flash:has-text("to confirm 2 offers")')
    await who.page.selectOption('#only', 'DIAGNOSTIC/MRI')
    await who.page.click('.filter >> text=Show')
    await who.page.waitForURL('**resource=DIAGNOSTIC**')
    assert.equal(await who.page.$$eval('.figures tbody tr', (all) => all.length), 1)
  })
}

for (const scripts of [true, false]) {
  const how = scripts ? 'with scripts' : 'without scripts'

  test(`a what-if cannot pass for what is, adds change on change and is saved, ${how}`, async ({ person }) => {
    const who = await person({ user: 'duty-lead', scripts })
    await who.go('/situation')
    await who.page.click('.sections >> text=What-if')
    await who.page.waitForURL('**/what-if')
    assert.equal(await who.page.title(), 'SIMULATION: what-if - Fallow')
    assert.match(await who.text('.empty'), /Nothing is changed yet/)
    await who.page.fill('#minutes', '60')
    await who.page.click('text=Set limit')
    await who.page.waitForSelector('.compared')
    assert.match(await who.text('tr:has(th:text-is("Placed"))'), /29 ?35 ?\+6 better/)
    assert.match(await who.text('.simulation'), /every travel limit at least 60 minutes/)
    await who.page.selectOption('#units-trust', 'ZA1')
    await who.page.selectOption('#units-resource', 'BED/CC_ADULT/2')
    await who.page.click('text=Add units')
    await who.page.waitForSelector('li:has-text("4 more Level 2 at Aldermoor University Hospitals until")')
    assert.match(await who.text('tr:has(th:text-is("Placed"))'), /29 ?41 ?\+12 better/)
    assert.match(await who.text('.simulation'), /LC-120: none -> Calverleigh Hospitals \(2 units\)/)
    assert.match(await who.text('.simulation'), /Who is worse off \(1\)DX-77 travels 12 minutes farther/)
    if (scripts) assert.deepEqual(await who.axe(), [])
    const saved = await (await who.context.request.get(who.base + (await who.page.getAttribute('text=Save scenario.toml', 'href')))).text()
    assert.match(saved, /\[\[change\]\]\ntravel_limit_minutes = 60\n\n\[\[change\]\]\nunits = \{ trust = "ZA1", resource = "bed\/cc_adult\/2", by = 4, until = 2026-11-24T20:00:00Z \}\n/)
    await who.page.click('text=Link to this answer')
    await who.page.waitForURL('**revision=100')
    await who.page.click('li:has-text("travel limit") >> text=Remove')
    await who.page.waitForURL((url) => !url.search.includes('travel'))
    await who.page.waitForSelector('.compared')
    assert.equal(await who.page.$('li:has-text("every travel limit")'), null)
    await who.page.fill('#minutes', 'an hour')
    await who.page.click('text=Set limit')
    await who.page.waitForSelector('.nhsuk-error-summary a[href="#minutes"]')
  })
}
