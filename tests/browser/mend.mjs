// Mending what a no was about, changing an offer, and the forms of a trust's own rules: pause and resume, reserves, OPEL.
import assert from 'node:assert/strict'
import { UPDATE_MS, card, publish, row, test } from './suite.mjs'

/** Declines a proposal for a reason and returns the way that the page then offers. */
const decline = async (who, ref, reason) => {
  await who.go('/proposals')
  await who.page.click(`${card(ref)} summary:has-text("Decline")`)
  await who.page.check(`${card(ref)} .decline >> text=${reason}`)
  await who.page.click(`${card(ref)} button.warning`)
  await who.page.waitForSelector('.flash a')
  return who.page.$eval('.flash a', (way) => way.getAttribute('href'))
}
const focused = (who) => who.page.evaluate(() => document.activeElement.id)

for (const scripts of [true, false]) {
  const how = scripts ? 'with scripts' : 'without scripts'

  test(`a no leads to the number, the limits or the pause of that very offer, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    assert.equal(await decline(who, 'BW-31', 'Staffing'), '/capacity#free-o-2')
    await who.page.click('.flash a')
    await who.page.waitForURL('**/capacity#free-o-2')
    if (scripts) assert.equal(await focused(who), 'free-o-2', 'one types at once')
    assert.equal(await decline(who, 'EH-2207', 'Case mix'), '/capacity/offer/o-1/change#age-min')
    await who.page.click('.flash a')
    await who.page.waitForURL('**/change#age-min')
    if (scripts) assert.equal(await focused(who), 'age-min')
    await who.page.fill('#age-min', '18')
    await who.page.fill('#capabilities', 'isolation, bariatric')
    await who.page.click('text=Change this offer')
    await who.page.waitForSelector('.flash:has-text("Changed: G&A adult. It counts as confirmed just now.")')
    assert.match(await who.text('main'), /Limits ?age 18 or over/)
    assert.match(await who.text('main'), /Can do ?isolation, bariatric/)
    assert.match(await who.text('main'), /staffed 412 = free 6 \+ held \d+ \+ agreed 2/, 'what is held and agreed stays')
  })

  test(`a home trust\u2019s no leads to the need\u2019s own control, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    assert.equal(await decline(who, 'LC-118', 'Too far for the patient'), '/needs?why=n-1#travel-limit')
    await who.page.click('.flash a')
    await who.page.waitForURL('**#travel-limit')
    if (scripts) assert.equal(await focused(who), 'travel-limit')
    await who.page.fill('#travel-limit', '30')
    await who.page.click('text=Set the travel limit')
    await who.page.waitForSelector('.flash:has-text("The travel limit is 30 minutes now.")')
    assert.equal(await who.page.inputValue('#travel-limit'), '30')
    await who.page.fill('#later-by', '2026-11-24T22:00')
    await who.page.click('text=Set the time')
    await who.page.waitForSelector('.flash:has-text("It may be met until today 22:00 now.")')
    assert.equal(await who.page.inputValue('#travel-limit'), '30', 'the other stays')
    await who.page.fill('#travel-limit', 'far')
    await who.page.click('text=Set the travel limit')
    await who.page.waitForSelector('.nhsuk-error-summary a[href="#travel-limit"]')
  })

  test(`an offer that somebody changed meanwhile is not overwritten, ${how}`, async ({ person }) => {
    const [who, other] = [await person({ scripts }), await person({ user: 'site-lead.ZA4' })]
    await who.go('/capacity/offer/o-5/change')
    await who.page.fill('#note', 'second scanner')
    await other.go('/capacity')
    await other.page.click(`${row('MRI')} button[value="1"]`)
    await other.page.waitForSelector('.flash')
    await who.page.click('text=Change this offer')
    await who.page.waitForSelector('.interruption')
    assert.match(await who.text('main'), /Now: 3 staffed, 2 free/)
    assert.equal(await who.page.inputValue('#note'), 'second scanner', 'what was typed is kept')
    if (scripts) assert.deepEqual(await who.axe(), [])
    await who.page.click('text=Change this offer')
    await who.page.waitForSelector('.flash:has-text("Changed: MRI.")')
  })

  test(`a change of an offer that is wrong names its field, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/capacity/offer/o-2/change')
    await who.page.fill('#until', '2020-01-01T10:00')
    await who.page.fill('#age-max', 'old')
    await who.page.click('text=Change this offer')
    await who.page.waitForSelector('.nhsuk-error-summary a[href="#age-max"]')
    await who.page.fill('#age-max', '')
    await who.page.click('text=Change this offer')
    await who.page.waitForSelector('.nhsuk-error-summary a[href="#until"]')
    assert.equal(await who.page.inputValue('#until'), '2020-01-01T10:00')
  })

  test(`everything that is paused is resumed at once, and one by itself, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/capacity')
    await who.page.click('summary:has-text("Pause new proposals")')
    await who.page.fill('#suspend-reason', 'norovirus on two wards')
    await who.page.click('button:has-text("Pause new proposals")')
    await who.page.waitForSelector('.flash:has-text("8 offers are paused until tomorrow 08:00.")')
    assert.match(await who.text(row('Level 2')), /Suspended until tomorrow 08:00: norovirus on two wards/)
    if (scripts) assert.deepEqual(await who.axe(), [])
    await who.page.click(`${row('Level 2')} th a`)
    await who.page.waitForURL('**/capacity/offer/o-2')
    await who.page.click('main button:has-text("Resume")')
    await who.page.waitForSelector('.flash:has-text("Open again: 1 offer.")')
    assert.doesNotMatch(await who.text(row('Level 2')), /Suspended/)
    if (!(await who.page.isVisible('button:has-text("Resume everything")'))) await who.page.click('summary:has-text("Pause new proposals")')
    await who.page.click('button:has-text("Resume everything that is paused")')
    await who.page.waitForSelector('.flash:has-text("Open again: 7 offers.")')
    assert.doesNotMatch(await who.text('#capacity'), /suspended/i)
  })

  test(`what is kept back is changed, and refused where it is no number, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/capacity')
    assert.match(await who.text('.kept'), /Level 2: keep 1/)
    const set = async (units) => {
      if (!(await who.page.isVisible('#reserve-units'))) await who.page.click('summary:has-text("Change reserves")')
      await who.page.selectOption('#reserve-what', 'BED/CC_ADULT/2')
      await who.page.fill('#reserve-units', units)
      await who.page.click('button:has-text("Set reserve")')
    }
    await set('3')
    await who.page.waitForSelector('.flash:has-text("Level 2: you keep back 3.")')
    assert.match(await who.text('.kept'), /Level 2: keep 3/)
    for (const wrong of ['a few', '10001']) {
      await set(wrong)
      await who.page.waitForSelector('.nhsuk-error-summary a[href="#reserve-units"]')
      await who.go('/capacity')
    }
    assert.match(await who.text('.kept'), /Level 2: keep 3/, 'nothing was changed by what was refused')
    assert.equal(await who.page.$('#reserve-what option[value^="THEATRE"]'), null, 'of minutes nothing is kept back')
  })

  test(`an OPEL level is declared and shown as declared, ${how}`, async ({ person }) => {
    const [who, gold] = [await person({ scripts }), await person({ user: 'duty-lead', scripts })]
    await who.go('/capacity')
    assert.match(await who.text('.kept'), /OPEL 3, declared today 13:1\d/)
    await who.page.click('summary:has-text("Declare OPEL")')
    await who.page.check('input[name=opel][value="4"]')
    await who.page.click('button:has-text("Declare")')
    await who.page.waitForSelector('.flash:has-text("You declared OPEL 4.")')
    assert.match(await who.text('.kept'), /OPEL 4, declared today 14:3\d/)
    await gold.go('/situation')
    assert.match(await gold.text(row('Dunmere General')), /OPEL 4/)
  })

  test(`one side has five more minutes to think, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/proposals')
    assert.match(await who.text(`${card('BW-31')} h3`), /^[34] min left/)
    await who.page.click(`${card('BW-31')} summary:has-text("Decline")`)
    await who.page.click(`${card('BW-31')} button:has-text("Give me 5 more minutes")`)
    await who.page.waitForSelector('.flash:has-text("You have 5 more minutes.")')
    assert.match(await who.text(`${card('BW-31')} h3`), /^[89] min left/)
  })

  test(`an explanation is taken away as text, and raw, ${how}`, async ({ person, base }) => {
    const who = await person({ scripts })
    await who.context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await who.go('/proposals')
    const [text, raw] = await who.page.$$eval(`${card('LC-118')} .why a`, (all) => all.map((one) => one.getAttribute('href')))
    const said = await (await who.context.request.get(base + text)).text()
    assert.match(said, /^1 \u00d7 Level 3 for Dunmere General, LC-118, from Aldermoor Royal Infirmary, held until today 14:4\d\n/)
    assert.match(said, /\n {2}Runner-up {2,}Calverleigh Hospitals, burden 41: 41 minutes away\n/)
    const whole = JSON.parse(await (await who.context.request.get(base + raw)).text())
    assert.equal(whole.explanation.policy, 'nv-2026-11')
    await who.page.click(`${card('LC-118')} summary:has-text("Why this match")`)
    await who.page.click(`${card('LC-118')} .why >> text=Copy as text`)
    if (scripts) {
      await who.page.waitForSelector(`${card('LC-118')} .why a:has-text("Copied")`)
      assert.equal(await who.page.evaluate(() => navigator.clipboard.readText()), said)
      assert.equal(await who.text('[data-status]'), 'Copied as text')
    } else {
      await who.page.waitForURL('**/proposals/text?id=p-1')
      // A browser asks by itself for an icon of what is no page of ours.
      who.expected = /status of 404/
    }
    await who.go('/needs?why=n-4')
    const why = await who.page.$eval('#why a[data-copy]', (one) => one.getAttribute('href'))
    assert.match(await (await who.context.request.get(base + why)).text(), /LC-120 {2}2 x G&A.*\n.*TOO_FAR/)
  })

  test(`who gave to whom is drawn beside the table, of each kind, ${how}`, async ({ person }) => {
    const who = await person({ user: 'duty-lead', scripts })
    await who.go('/reports?kind=flow')
    const [table, drawn] = await Promise.all(['.report', '#drawn'].map((one) => who.page.$eval(one, (el) => el.getBoundingClientRect().top)))
    assert.ok(table < drawn, 'the table comes first')
    const titles = () => who.page.$$eval('#drawn path title', (all) => all.map((one) => one.textContent))
    assert.ok((await titles()).includes('Aldermoor University Hospitals to Dunmere General Hospital, beds: 5'))
    assert.equal(await who.page.$$eval('#drawn circle', (all) => all.length), 7, 'every site is on the map')
    await who.page.click('#drawn >> text=Theatre cases')
    await who.page.waitForURL('**draw=theatre%20cases**')
    assert.deepEqual([...new Set(await titles())], ['Aldermoor University Hospitals to Dunmere General Hospital, theatre cases: 6'])
  })
}

test('a need that was not met does not leave without a word', async ({ person }) => {
  const who = await person({ scripts: false })
  await who.go('/needs')
  assert.equal(await who.text('#over summary'), 'Over in the last 24 hours: Unmet 1, Met 1')
  await who.page.click('#over summary')
  assert.match(await who.text('#over tbody tr'), /1 \u00d7 Level 2 ?LC-101 ?today 11:2\d ?Unmet/)
  await who.go('/needs?of=all')
  assert.equal(await who.page.$('#over'), null)
})

test('what is published is changed, paused and resumed, a reserve is kept and OPEL declared', async ({ person }) => {
  const who = await person()
  await publish(who, 2)
  await who.page.click(`${row('Step-down')} th a`)
  await who.page.click('text=Change this offer')
  await who.page.waitForURL('**/change')
  assert.equal(await who.page.inputValue('#count'), '2')
  await who.page.fill('#count', '5')
  await who.page.fill('#age-min', '18')
  await who.page.fill('#note', 'bay by the lift')
  await who.page.click('text=Change this offer')
  await who.page.waitForSelector('.flash:has-text("Changed: Step-down.")')
  assert.match(await who.text('main'), /staffed 5 = free \d.*Limits ?age 18 or over.*Note ?bay by the lift/s)
  await who.page.fill('#suspend-reason', 'the lift is broken')
  await who.page.click('button:has-text("Suspend")')
  await who.page.waitForSelector('.flash:has-text("1 offer is paused until")')
  await who.page.waitForSelector(`${row('Step-down')}:has-text("Suspended until")`)
  await who.page.click(`${row('Step-down')} th a`)
  await who.page.click('main button:has-text("Resume")')
  await who.page.waitForSelector('.flash:has-text("Open again: 1 offer.")')
  await who.page.click('summary:has-text("Change reserves")')
  await who.page.selectOption('#reserve-what', 'BED/STEP_DOWN')
  await who.page.fill('#reserve-units', '1')
  await who.page.click('button:has-text("Set reserve")')
  await who.page.waitForSelector('.flash:has-text("Step-down: you keep back 1.")')
  await who.page.click('summary:has-text("Declare OPEL")')
  await who.page.check('input[name=opel][value="2"]')
  await who.page.click('button:has-text("Declare")')
  await who.page.waitForSelector('.flash:has-text("You declared OPEL 2.")')
  await who.page.waitForSelector('.kept:has-text("OPEL 2, declared today")', { timeout: UPDATE_MS })
}, { anyWorld: true })

test('what somebody changed or took back while a form was open is not overwritten', async ({ person }) => {
  const [who, other] = [await person(), await person({ user: 'site-lead.ZA4' })]
  await publish(who, 3)
  await who.page.click(`${row('Step-down')} th a`)
  await who.page.click('text=Change this offer')
  await who.page.waitForURL('**/change')
  await who.page.fill('#note', 'bay by the lift')
  await other.go('/capacity')
  await other.page.click(`${row('Step-down')} button[value="-1"]`)
  await other.page.waitForSelector('.flash:has-text("Step-down: 2 free now.")')
  await who.page.click('text=Change this offer')
  await who.page.waitForSelector('.interruption')
  assert.match(await who.text('main'), /Now: 3 staffed, 2 free/)
  assert.equal(await who.page.inputValue('#note'), 'bay by the lift')
  await other.page.click(`${row('Step-down')} th a`)
  await other.page.click('button:has-text("Withdraw this offer")')
  await other.page.waitForSelector('.flash:has-text("The offer is withdrawn.")')
  await who.page.click('text=Change this offer')
  await who.page.waitForSelector('main:has-text("has ended: publish a new one")')
  assert.equal(await who.page.$('main form'), null, 'there is nothing to send any more')
}, { anyWorld: true })

test('an update that was asked for before an answer does not undo what the answer shows', async ({ person }) => {
  const who = await person()
  await publish(who, 2)
  // One update is slow: it tells of the time before the click, and comes after the answer to it.
  let asked, go
  const isAsked = new Promise((resolve) => { asked = resolve }), mayGo = new Promise((resolve) => { go = resolve })
  await who.page.route('**/f/capacity', async (route) => {
    const answer = await route.fetch()
    asked()
    await mayGo
    await route.fulfill({ response: answer })
  }, { times: 1 })
  await who.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  await isAsked
  await who.page.click(`${row('Step-down')} button[value="1"]`)
  await who.page.waitForSelector('.flash:has-text("Step-down: 3 free now.")')
  await who.page.$eval(`${row('Step-down')} input[name=free]`, (field) => {
    // What has the focus is left alone in any case.
    document.activeElement.blur()
    globalThis.shown = [field.value]
    new MutationObserver(() => globalThis.shown.push(field.value)).observe(field, { attributes: true })
  })
  let answers = 0
  const isAskedAgain = new Promise((resolve) => {
    who.page.on('response', (answer) => { if (answer.url().endsWith('/f/capacity') && (answers += 1) === 2) resolve() })
  })
  go()
  await isAskedAgain
  assert.deepEqual([...new Set(await who.page.evaluate(() => globalThis.shown))], ['3'])
}, { anyWorld: true })

const LONG = {
  'Aldermoor University Hospitals': 'Aldermoorchesterfieldingworthupontheminster and District University Teaching Hospitals',
  'Dunmere General Hospital': 'The Royal Dunmerecastlewoodbridgehampton General and Community Hospital Group',
  'Aldermoor Royal Infirmary': 'Aldermoorchesterfieldingworthupontheminster Royal Infirmary, East Wing',
  'LC-118': 'LC-118/2026-11-24/CRITICAL-CARE-TRANSFER-REQUEST-OF-THE-NIGHT-TEAM',
  'ventilated, flu A': 'ventilated, flu A, needsasideroomwithnegativepressureandananteroomoranotherplacewithoutneighbours, relatives are told, two drips',
}
for (const width of [320, 1280]) {
  test(`names, references and notes of the greatest length break no page at ${width} px`, async ({ person }) => {
    for (const [user, pages] of [
      ['bed-manager.ZA4', ['/proposals', '/capacity', '/capacity/offer/o-2/change', '/needs', '/needs?why=n-1', '/transfers?open=t-21', '/transfers?view=columns', '/search?q=lc', '/help']],
      ['duty-lead', ['/situation', '/situation/one?trust=ZA4&resource=BED/CC_ADULT/2', '/wall', '/alerts', '/reports?kind=flow', '/timeline', '/what-if?change=travel~60', '/sitrep', '/actions', '/actions/proposal?id=p-1']],
    ]) {
      const who = await person({ user, width })
      await who.page.route('**/*', async (route) => {
        if (!['document', 'fetch'].includes(route.request().resourceType())) return route.continue()
        const answer = await route.fetch()
        const body = Object.entries(LONG).reduce((text, [name, long]) => text.replaceAll(name, long), await answer.text())
        return route.fulfill({ response: answer, body })
      })
      for (const path of pages) {
        await who.go(path)
        await who.page.$$eval('details', (all) => all.forEach((one) => { one.open = true }))
        assert.equal(await who.overflow(), 0, `${path} is too wide`)
        assert.deepEqual(await who.axe(), [], `axe on ${path}`)
      }
    }
  })
}
