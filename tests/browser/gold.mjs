// What gold looks at over time: alerts, trends, reports, the timeline and the situation report.
import assert from 'node:assert/strict'
import { UPDATE_MS, isSamePage, mark, row, test } from './suite.mjs'

const PAGES = ['/alerts', '/trends', '/trends?measure=MEASURE_NET', '/reports?kind=unmet', '/reports?kind=flow', '/reports?kind=equity', '/reports?kind=declines', '/reports?kind=outcomes', '/reports?kind=theatres', '/reports?kind=rules', '/timeline', '/sitrep']
const OF_A_TRUST = PAGES.filter((path) => path !== '/reports?kind=rules')

for (const width of [320, 1280, 1920]) {
  for (const [user, pages] of [['duty-lead', PAGES], ['bed-manager.ZA4', OF_A_TRUST]]) {
    test(`gold\u2019s pages at ${width} px are accessible and need no sideways scroll, for ${user}`, async ({ person }) => {
      const who = await person({ user, width })
      for (const path of pages) {
        const answer = await who.go(path)
        assert.equal(answer.status(), 200, path)
        assert.deepEqual(await who.axe(), [], `axe on ${path}`)
        assert.equal(await who.overflow(), 0, `${path} is too wide`)
        const html = (await answer.body()).length
        assert.ok(html <= 60_000, `${path} has ${html} bytes`)
      }
    }, { anyWorld: true })
  }
}

test('each headline number stands beside what is usual of it, on the page and on the wall', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  for (const path of ['/situation', '/wall']) {
    await who.go(path)
    const numbers = await who.page.$$eval('.headlines li', (all) => all.map((one) => one.textContent.replace(/\s+/g, ' ')))
    assert.match(numbers[0], /38 open needs.*usual 20 to 45$/)
    assert.match(numbers[1], /9 past needed-by.*usual 0 to 4 above usual$/)
    assert.match(numbers[2], /usual 70 to 88 %$/)
    assert.match(await who.text('.strip'), /Alerts: 2, 1 without an owner.*Dunmere General Hospital: a need .* unowned [2-4] min/)
  }
  assert.equal(await who.page.$('.wall a[href="/alerts"]'), null, 'a wall has nothing to press')
})

for (const scripts of [true, false]) {
  const how = scripts ? 'with scripts' : 'without scripts'

  test(`an alert is taken in one click and closed with what was done, ${how}`, async ({ person }) => {
    const who = await person({ user: 'duty-lead', scripts })
    await who.go('/alerts')
    assert.match(await who.text('.title-row'), /2 open, 1 without an owner\. Raised in 24 h: 7 of 20 a day\./)
    const mine = row('a need for General and acute')
    assert.match(await who.text(mine), /unowned [2-4] min/)
    await who.click(`${mine} button:has-text("Take")`)
    await who.page.waitForSelector('.flash:has-text("Yours now: Dunmere General Hospital")')
    assert.equal(who.clicks, 1)
    assert.match(await who.text(mine), /Gold command/)
    assert.match(await who.text('.title-row'), /2 open, all owned\./)
    await who.page.click(`${mine} summary:has-text("Close")`)
    await who.page.fill(`${mine} input[name=note]`, 'Calverleigh opens two beds at 18:00.')
    await who.page.click(`${mine} button:has-text("Close it")`)
    await who.page.waitForSelector('.flash:has-text("Closed: Dunmere General Hospital")')
    assert.match(await who.text('h2:has-text("Over") + .scroll'), /Calverleigh opens two beds at 18:00\./)
    if (scripts) assert.deepEqual(await who.axe(), [])
  })

  test(`a decision is recorded and stands in the timeline, ${how}`, async ({ person }) => {
    const who = await person({ user: 'duty-lead', scripts })
    await who.go('/timeline')
    await who.page.click('summary:has-text("Record a decision")')
    await who.page.fill('#rationale', 'Three boarders since noon.')
    await who.page.click('text=Record this decision')
    await who.page.waitForSelector('.nhsuk-error-summary a[href="#decision"]')
    assert.equal(await who.page.inputValue('#rationale'), 'Three boarders since noon.', 'what was typed is kept')
    await who.page.fill('#decision', 'Escalate to the regional team.')
    await who.page.fill('#consulted', 'ICB, site leads')
    await who.page.click('text=Record this decision')
    await who.page.waitForSelector('.flash:has-text("The decision is recorded.")')
    assert.match(await who.text('.log li'), /Decision Gold decided: Escalate to the regional team\. ?Why: Three boarders since noon\. ?Consulted: ICB, site leads/)
    await who.page.click('.views >> text=Feeds')
    await who.page.waitForURL('**kind=TIMELINE_KIND_FEED')
    assert.equal(await who.page.$$eval('.log li', (all) => all.length), 1)
  })

  test(`a situation report is read and signed, ${how}`, async ({ person }) => {
    const who = await person({ user: 'duty-lead', scripts })
    await who.go('/sitrep')
    assert.match(await who.text('.sitrep'), /situation as of Tue 24 Nov 14:32/)
    assert.match(await who.text('.sitrep'), /Not signed off\./)
    await who.page.fill('#signatory', 'duty director')
    await who.page.click('button:has-text("Sign off")')
    await who.page.waitForSelector('.flash:has-text("Signed off.")')
    assert.match(await who.text('.sitrep'), /Signed off by duty director \(gold\) at Tue 24 Nov 14:3\d/)
    assert.equal(await who.page.$('#signatory'), null, 'the first signature counts')
  })
}

test('a bed manager reads alerts of others and acts on those of their own trust', async ({ person }) => {
  const who = await person()
  await who.go('/alerts')
  assert.equal(await who.page.$(`${row('Brackwater Hospitals is silent')} button`), null)
  assert.ok(await who.page.$(`${row('a need for General and acute')} button:has-text("Take")`))
  await who.go('/timeline')
  assert.equal(await who.page.$('text=Record a decision'), null, 'gold decides')
  await who.go('/sitrep')
  assert.equal(await who.page.$('#signatory'), null, 'gold signs')
})

test('two people take the same alert: the second is told', async ({ person }) => {
  const [who, other] = [await person({ user: 'duty-lead', scripts: false }), await person({ user: 'site-lead.ZA4' })]
  const mine = row('a need for General and acute')
  await who.go('/alerts')
  await other.go('/alerts')
  await other.page.click(`${mine} button:has-text("Take")`)
  await other.page.waitForSelector('.flash')
  await who.page.click(`${mine} button:has-text("Take")`)
  await who.page.waitForSelector('.interruption')
  assert.match(await who.text(mine), /Site lead, Dunmere General/)
})

test('an alert that somebody takes elsewhere shows its owner without reload', async ({ person }) => {
  const [who, other] = [await person({ user: 'duty-lead' }), await person({ user: 'site-lead.ZA4' })]
  await who.go('/alerts')
  await who.page.waitForFunction(() => document.querySelector('[data-live]').textContent.startsWith('Live'))
  await mark(who)
  await other.go('/alerts')
  await other.page.click(`${row('a need for General and acute')} button:has-text("Take")`)
  await who.page.waitForSelector(`${row('a need for General and acute')}:has-text("Site lead, Dunmere General")`, { timeout: UPDATE_MS })
  await isSamePage(who)
})

test('a trend says in one sentence what is unusual, draws it, and has the same as a table', async ({ person }) => {
  const who = await person({ user: 'duty-lead', scripts: false })
  await who.go('/trends')
  assert.equal(await who.text('main .sum'), 'Above the usual range since 09:32: special cause.')
  assert.equal(await who.page.$$eval('.chart circle', (all) => all.length), 6)
  assert.match(await who.page.getAttribute('.chart svg', 'aria-label'), /Open needs, .* special cause\./)
  await who.page.click('summary:has-text("The same as a table")')
  assert.equal(await who.page.$$eval('details tbody tr', (all) => all.length), 169)
  await who.page.selectOption('#measure', 'MEASURE_NET')
  await who.page.click('.filter >> text=Show')
  await who.page.waitForSelector('#resource')
  await who.page.selectOption('#trust', 'ZA4')
  await who.page.selectOption('#resource', 'BED/CC_ADULT/2')
  await who.page.click('.filter >> text=Show')
  await who.page.waitForURL('**trust=ZA4**')
  assert.match(await who.text('h1'), /^Spare minus needed: Dunmere General.*, Level 2$/)
})

test('reports name the blockers, the levers, the harm and the rules', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.go('/reports?kind=unmet')
  assert.match(await who.text('.report'), /G&A adult ?12 ?4 ?3 ?1 ?\u00b7 ?too far 44%, age or sex 21%/)
  assert.match(await who.text('main'), /Cheapest levers now: ?15 minutes more travel: \+3 placed\. ?Eastholme confirms/)
  await who.page.click('.sections >> text=Reports')
  assert.match(await who.text(row('Declined late')), /Harm/)
  await who.page.click('.views >> text=Declines')
  await who.page.waitForURL('**kind=declines**')
  assert.match(await who.text('.report'), /Staffing ?41 ?41/)
  await who.page.click('.views >> text=Alert rules')
  await who.page.waitForURL('**kind=rules**')
  assert.match(await who.text('.report'), /The region is short .*13 ?21 ?Digest only/)
  await who.page.fill('#thresholds', 'trust_pressure = { enter = 3, clear = 2, minutes = 30 }')
  await who.page.click('text=Back-test')
  await who.page.waitForURL('**thresholds=trust_pressure**')
})

test('a situation report is taken away as Markdown and as a workbook', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.go('/sitrep')
  const get = async (name) => who.context.request.get(who.base + (await who.page.getAttribute(`text=${name}`, 'href')))
  assert.match(await (await get('As Markdown')).text(), /^# North Vale: situation as of Tue 24 Nov 14:32\n/)
  const book = await get('As a workbook')
  assert.equal(book.headers()['content-type'], 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet')
  assert.equal((await book.body()).subarray(0, 2).toString(), 'PK', 'a workbook is a zip')
})

test('a situation report says in plain words what is needed and who has an alert, wherever it is read', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.go('/sitrep')
  const get = async (name) => who.context.request.get(who.base + (await who.page.getAttribute(`text=${name}`, 'href')))
  const files = await Promise.all(['As Markdown', 'As CSV'].map(async (name) => (await get(name)).text()))
  for (const text of [await who.text('.sitrep'), ...files]) {
    assert.match(text, /adult critical care, level 3/i)
    assert.match(text, /gold command/)
    assert.doesNotMatch(text, /\b(bed|theatre|diagnostic|staff|equipment|virtual_ward)\/[a-z]|[A-Z]{2,}_[A-Z]|[a-z]_[a-z]/i)
  }
  assert.match(files[1], /^\ufeff5 of 6 trusts live\r?\n/)
  assert.equal(files[1].split('\ufeff').length, 2, 'one mark, at the beginning')
})

for (const scripts of [true, false]) {
  const how = scripts ? 'with scripts' : 'without scripts'

  test(`the timeline is looked at as of a moment that is chosen, and leads back to now, ${how}`, async ({ person }) => {
    const who = await person({ user: 'duty-lead', scripts })
    const entries = () => who.page.$$eval('.log li', (all) => all.length)
    await who.go('/timeline?kind=TIMELINE_KIND_DECISION')
    await who.go('/timeline')
    const all = await entries()
    assert.match(await who.text('.scrubber .told'), /^Up to now$/)
    assert.equal(await who.page.$('.scrubber >> text=Back to now'), null)
    assert.ok((await who.page.$$('.marks a')).length <= 14)

    // A mark: nothing is dragged.
    await who.click('.marks a:has-text("14:00")')
    await who.page.waitForURL('**at=2026-11-24T14*')
    assert.match(await who.text('.scrubber .told'), /^As of today 14:00, 3[2-4] min ago ?Back to now$/)
    assert.equal(await who.text('.marks [aria-current]'), '14:00')
    const then = await entries()
    assert.ok(then > 0 && then < all, `${then} of ${all}`)
    assert.doesNotMatch(await who.text('.log'), /is silent/, 'that came later')
    assert.match(await who.page.getAttribute('.row-actions a:has-text("CSV")', 'href'), /at=2026-11-24T14/)
    if (scripts) assert.deepEqual(await who.axe(), [])

    // Only a kind, still as of then.
    await who.click('.views >> text=OPEL')
    await who.page.waitForURL('**kind=TIMELINE_KIND_PRESSURE&at=**')
    assert.equal(await entries(), 1)
    await who.click('.views >> text=All')
    await who.page.waitForURL((url) => !url.searchParams.has('kind'))

    // The form, with the keyboard alone, and a jump.
    await who.page.fill('#at', '2026-11-24T13:30')
    await who.page.press('#at', 'Enter')
    await who.page.waitForURL('**at=2026-11-24T13*')
    assert.match(await who.text('.scrubber .told'), /^As of today 13:30, 1 h [2-4] min ago/)
    await who.click('.scrubber >> text=1 h earlier')
    await who.page.waitForURL('**at=2026-11-24T12*')
    assert.match(await who.text('.scrubber .told'), /^As of today 12:30/)
    assert.match(await who.text('main'), /Nothing of this kind had happened by then\./)
    await who.click('.scrubber >> text=Back to now')
    await who.page.waitForURL('**/timeline')
    assert.equal(await entries(), all)
  })
}

test('the timeline offers no moment before what is held, nor one that lies ahead', async ({ person }) => {
  const who = await person({ user: 'duty-lead', scripts: false })
  for (const [asked, told] of [['2026-11-23T09:00', /^As of today 06:32/], ['2026-11-25T09:00', /^Up to now$/], ['soon', /^Up to now$/]]) {
    await who.go(`/timeline?at=${asked}`)
    assert.match(await who.text('.scrubber .told'), told)
    const [first, last] = await Promise.all(['min', 'max'].map((name) => who.page.getAttribute('#at', name)))
    assert.deepEqual([first, last], ['2026-11-24T06:32', '2026-11-24T14:32'])
    const offered = await who.page.$$eval('.scrubber a', (all) => all.map((one) => new URL(one.href).searchParams.get('at')).filter(Boolean))
    assert.ok(offered.length > 3)
    for (const at of offered) assert.ok(at >= first && at < last, `${at} is beyond what is held`)
  }
  await who.go('/timeline?at=2026-11-23T09:00')
  assert.match(await who.text('.scrubber'), /no longer held here; it is in the archive/)
})

for (const width of [320, 1280]) {
  test(`a timeline of the past and the account of an alert are accessible at ${width} px`, async ({ person }) => {
    const who = await person({ user: 'duty-lead', width })
    for (const path of ['/timeline?at=2026-11-24T14:00', '/alerts/one?id=a-1', '/alerts/one?id=a-4']) {
      await who.go(path)
      assert.deepEqual(await who.axe(), [], path)
      assert.equal(await who.overflow(), 0, `${path} is too wide`)
    }
  })
}

test('an alert leads to its account: what fired it, when it entered and cleared, whose it was, and what the timeline says', async ({ person }) => {
  const who = await person({ user: 'duty-lead', scripts: false })
  await who.go('/situation')
  await who.click('.strip >> text=Brackwater Hospitals is silent')
  await who.page.waitForURL('**/alerts/one?id=a-1')
  const account = await who.text('main')
  for (const said of [/A trust has been silent for more than 2 cadences/, /Entered ?today 14:18, 1[4-6] min ago/, /Gold command, from today 14:22, 4 min after it was raised/, /not yet: it is still so/, /pressure 4 of 4 for CT/]) assert.match(account, said)
  const entries = await who.page.$$eval('.log li', (all) => all.map((one) => one.textContent))
  assert.equal(entries.length, 2, 'only what concerns it')
  assert.match(entries[0], /Gold command took it/)
  await who.click('text=The whole timeline as of when it was raised')
  assert.match(await who.text('.scrubber .told'), /^As of today 14:18/)

  // One that is over says how it ended.
  await who.go('/alerts')
  await who.click('text=pressure 4 of 4 for Level 3')
  await who.page.waitForURL('**/alerts/one?id=*')
  const over = await who.text('main')
  for (const said of [/Cleared ?today 13:32/, /Closed ?today 13:02, by Site lead, Dunmere General.*: Rang the ward: two beds from 16:00\./, /no longer holds anything of it/]) assert.match(over, said)
  assert.equal(await who.page.getAttribute('a:has-text("Dunmere General Hospital, Level 3")', 'href'), '/situation/one?trust=ZA4&resource=BED/CC_ADULT/3')
  who.expected = /status of 404/
  assert.equal((await who.go('/alerts/one?id=nothing')).status(), 404)
})

test('an alert that is taken on its account stays there', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.go('/alerts/one?id=a-2')
  await who.click('button:has-text("Take")')
  await who.page.waitForSelector('.flash:has-text("Yours now")')
  assert.match(who.page.url(), /alerts\/one\?id=a-2/)
  assert.match(await who.text('main'), /Owner ?Gold command/)
})

test('the account of a number says how often it was late in the last seven days', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.go('/situation/one?trust=ZA2&resource=BED/CC_ADULT/2')
  assert.match(await who.text('.reports'), /Late 3 times in 7 days\./)
  await who.go('/situation/one?trust=ZA4&resource=BED/CC_ADULT/2')
  assert.match(await who.text('.reports'), /Source: .*every .*\. Never late in 7 days\./)
})

test('twelve trusts with long names and seven resources are on the upper 78 % of a wall of 1600 by 900', async ({ person }) => {
  const who = await person({ user: 'duty-lead', width: 1600, height: 900, scripts: false })
  await who.go('/wall')
  // What a demonstration and an incident say above it is no part of the measure.
  const bottom = await who.page.evaluate(() => {
    for (const extra of document.querySelectorAll('.demo, .wall-incident')) extra.remove()
    const body = document.querySelector('.heat tbody')
    const rows = [...body.rows]
    for (let n = 0; body.rows.length < 12; n += 1) body.append(rows[n % rows.length].cloneNode(true))
    for (const row of body.rows) row.cells[0].firstChild.textContent = 'Mid Northvale and South Brackwater NHS Foundation Trust'
    // Rows share what is left of the screen: how little they can do with is the question.
    document.querySelector('#wall .scroll').style.flex = 'none'
    return document.querySelector('.heat').getBoundingClientRect().bottom
  })
  assert.ok(bottom <= 0.78 * 900, `the table ends at ${bottom}`)
  assert.equal(await who.overflow(), 0)
})

/** Makes the table one of twenty trusts and twenty-one resources with figures in all of them, half of them stale, as the server would. */
const enlarge = (who) =>
  who.page.evaluate(() => {
    for (const extra of document.querySelectorAll('.demo, .wall-incident')) extra.remove()
    const heads = 'Level 2|Level 3|G&A adult|G&A children|Maternity|Acute adult mental health|Acute older adult mental health|Psychiatric intensive care|Neonatal intensive care|PICU|Step-down|Main theatre|Colonoscopy|CT|DEXA scan|Echo|Gastroscopy|MRI|Ultrasound|Sleep studies|Frailty, virtual ward'.split('|')
    const names = ['Calverleigh and Upper Wharrendale Teaching Hospitals', 'Kirkmere Community and Mental Health', 'Hollinbeck', 'Thornholme Community Interest Company']
    const table = document.querySelector('.heat'), [like] = table.tBodies[0].rows
    const fill = (row, tag) => {
      while (row.cells.length > 1) row.cells[1].remove()
      for (const [at, name] of heads.entries()) {
        const cell = document.createElement(tag)
        cell.innerHTML = tag === 'td' ? `<span>\u2212${at + 9} <small>P4</small>${at % 2 ? ' <small class="word">stale</small>' : ''}</span>` : name
        cell.className = tag === 'td' ? `p4${at % 2 ? ' hatch' : ''}` : ''
        row.append(cell)
      }
    }
    table.classList.add('many')
    fill(table.tHead.rows[0], 'th')
    fill(table.tFoot.rows[0], 'td')
    while (table.tBodies[0].rows.length < 20) table.tBodies[0].append(like.cloneNode(true))
    for (const [at, row] of [...table.tBodies[0].rows].entries()) {
      fill(row, 'td')
      row.cells[0].innerHTML = `${names[at % names.length]}<span class="sub">OPEL 3</span>`
    }
  })

for (const [width, height] of [[1920, 1080], [1600, 900], [1366, 768]]) {
  test(`twenty trusts and twenty-one resources are whole on a wall of ${width} by ${height}`, async ({ person }) => {
    const who = await person({ user: 'duty-lead', width, height, scripts: true, block: '**/assets/console-*.js' })
    await who.go('/wall')
    await enlarge(who)
    const { wide, high, smallest, cut } = await who.page.evaluate(() => ({
      wide: document.querySelector('#wall .scroll').scrollWidth - document.querySelector('#wall .scroll').clientWidth,
      high: document.querySelector('.heat').getBoundingClientRect().bottom,
      smallest: Math.min(...[...document.querySelectorAll('.heat td, .heat tbody th')].map((one) => parseFloat(getComputedStyle(one).fontSize))),
      cut: [...document.querySelectorAll('.heat th, .heat td')].filter((one) => one.scrollWidth > one.clientWidth + 1).length,
    }))
    assert.equal(wide, 0, 'no column is out of sight')
    assert.ok(high <= height, `the table ends at ${high}`)
    assert.equal(cut, 0, 'nothing is wider than its cell')
    assert.ok(smallest >= height / 80, `the smallest figure or name has ${smallest} px`)
  })
}

test('a table of twenty trusts and twenty-one resources is whole at 1920 px, and keeps whose row it is at 1280', async ({ person }) => {
  const who = await person({ user: 'duty-lead', width: 1920, block: '**/assets/console-*.js' })
  await who.go('/situation')
  await enlarge(who)
  const beyond = () => who.page.$eval('.scroll', (one) => one.scrollWidth - one.clientWidth)
  assert.equal(await beyond(), 0)
  await who.page.setViewportSize({ width: 1280, height: 900 })
  assert.ok((await beyond()) > 0, 'it scrolls in its own frame')
  assert.equal(await who.overflow(), 0)
  await who.page.$eval('.scroll', (one) => { one.scrollLeft = one.scrollWidth })
  const [name, frame] = await who.page.evaluate(() => ['.heat tbody th', '.scroll'].map((one) => document.querySelector(one).getBoundingClientRect().left))
  assert.ok(Math.abs(name - frame) <= 1, `the name stands at ${name} px, its frame at ${frame}`)
  assert.deepEqual(await who.axe(), [])
})

test('what an account says of its reports does not touch the table above it', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.go('/situation/one?trust=ZA2&resource=BED/CC_ADULT/2')
  const [table, line] = await who.page.evaluate(() => [document.querySelector('.reports').previousElementSibling.getBoundingClientRect().bottom, document.querySelector('.reports').getBoundingClientRect().top])
  assert.ok(line - table >= 8, `${line - table} px`)
})

test('a situation report prints on at most two pages of A4', async ({ person }) => {
  const who = await person({ user: 'duty-lead' })
  await who.go('/sitrep')
  const pdf = (await who.page.pdf({ format: 'A4', margin: { top: '12mm', bottom: '12mm', left: '12mm', right: '12mm' } })).toString('latin1')
  const pages = pdf.match(/\/Type\s*\/Page[^s]/g).length
  assert.ok(pages <= 2, `${pages} pages`)
})
