// The day's work: transfers step by step, what helps a need, search, and how a person likes their screen.
import assert from 'node:assert/strict'
import { test } from './suite.mjs'

for (const scripts of [true, false]) {
  const how = scripts ? 'with scripts' : 'without scripts'

  test(`a transfer\u2019s checklist and timeline, and its end with a reason, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/transfers')
    assert.match(await who.text('article'), /DX-77: 12 \u00d7 MRI, Aldermoor University Hospitals supports Dunmere General Hospital/)
    assert.match(await who.text('article'), /Overdue/)
    await who.page.click('article >> text=Checklist and timeline')
    await who.page.waitForSelector('#open')
    assert.match(await who.text('.timeline'), /13:5\d Need raised \(Dunmere General Hospital\).*Agreed: the transfer began.*14:1\d Clinical handover \(Bed manager\)/)
    await who.page.click('#open .task-list button')
    await who.page.waitForSelector('.flash:has-text("The checklist is updated.")')
    assert.match(await who.text('#open .task-list'), /Transport booked Done 14:3\d, Bed manager/)
    if (scripts) assert.deepEqual(await who.axe(), [])
    // The way in the list leads to the very reasons, open.
    await who.page.click('article >> text=Abort')
    await who.page.waitForSelector('#abort[open]')
    await who.page.check('#open >> text=Not fit to move')
    await who.page.click('#open >> text=Abort and give the units back')
    await who.page.waitForSelector('.flash:has-text("The transfer is aborted. Its units are given back.")')
    assert.match(await who.text('article'), /Aborted.*Not fit to move/)
    assert.equal(await who.page.$('article button'), null, 'nothing more can be done to it')
    await who.go('/transfers?view=columns')
    assert.match(await who.text('section:has(h2:has-text("Aborted"))'), /Aborted 1 DX-77/)
  })

  test(`a transfer says who agreed, and ends with its need where the case was solved outside, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/transfers')
    assert.match(await who.text('article'), /agreed today 1[34]:\d\d/)
    await who.page.click('article >> text=Checklist and timeline')
    await who.page.waitForSelector('#open')
    assert.match(await who.text('#open'), /Agreed today 1[34]:\d\d by Aldermoor University Hospitals \(site lead, 1[34]:\d\d\) and Dunmere General Hospital \(bed manager, 1[34]:\d\d\)/)
    await who.page.click('#resolve summary')
    await who.page.fill('#resolve-note', 'NHS number as told')
    await who.page.click('#resolve button')
    await who.page.waitForSelector('.nhsuk-error-summary >> text=How was it resolved?')
    assert.ok(await who.page.isVisible('#resolve-note'), 'what is wrong is in view')
    if (scripts) assert.deepEqual(await who.axe(), [])
    await who.page.fill('#resolve-note', 'Their own scanner is back.')
    await who.page.click('#resolve button')
    await who.page.waitForSelector('.flash:has-text("Recorded: resolved outside Fallow. The transfer and its need have ended.")')
    assert.match(await who.text('article'), /Aborted.*Treated elsewhere/)
    await who.go('/needs')
    assert.equal(await who.page.$('tbody tr:has-text("DX-77") >> text=Part agreed'), null, 'the need is over')
    const lender = await person({ scripts, user: 'bed-manager.ZA1' })
    await lender.go('/transfers?open=t-21')
    assert.equal(await lender.page.$('#resolve'), null, 'there is nothing left to say')
  })

  test(`a need that nothing fits shows its cheapest relaxation in the list, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/needs')
    await who.click('tr:has-text("LC-120") >> text=Widen to 60 min')
    await who.page.waitForSelector('.flash:has-text("60 minutes now")')
    assert.equal(who.clicks, 1)
  })

  test(`why a need is not met says when gold is told, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/needs?why=n-4')
    const said = await who.text('#why')
    const [, unmet, told] = /If nothing changes this is unmet at (\d\d:\d\d)\. Gold is told at (\d\d:\d\d)\./.exec(said) ?? assert.fail(said)
    const minutes = (clock) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3))
    assert.equal(minutes(unmet) - minutes(told), 60, said)
  })

  test(`density is kept, and twelve proposals fit on a screen, ${how}`, async ({ person }) => {
    const who = await person({ scripts, width: 1920, height: 1080 })
    await who.go('/preferences')
    await who.page.check('text=Compact')
    await who.page.click('main button.primary')
    await who.page.waitForSelector('.flash:has-text("Kept for this browser.")')
    await who.go('/proposals')
    const boxes = await who.page.$$eval('#inbox > .cards >> nth=0 >> article', (all) => all.map((one) => one.getBoundingClientRect()).map(({ top, height }) => ({ top, height })))
    const tallest = Math.max(...boxes.map((one) => one.height))
    assert.ok(boxes[0].top + 12 * tallest <= 1080, `the first begins at ${boxes[0].top} px and each takes up to ${tallest} px`)
  })

  test(`the newest proposals can stand on top, and do so after an answer, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/proposals')
    const order = () => who.page.$$eval('#inbox > .cards >> nth=0 >> article', (all) => all.map((one) => one.id))
    const byHold = await order()
    await who.page.click('nav[aria-label=Order] >> text=Newest first')
    await who.page.waitForURL('**/proposals?order=newest')
    const newest = await order()
    assert.notDeepEqual(newest, byHold)
    assert.deepEqual([...newest].sort(), [...byHold].sort())
    const proposed = await who.page.$$eval('#inbox > .cards >> nth=0 >> article', (all) => all.map((one) => /proposed today (\d\d:\d\d)/.exec(one.textContent)?.[1]))
    assert.deepEqual(proposed, proposed.toSorted().toReversed(), 'each says when it was proposed, the newest first')
    assert.match(proposed[0], /^14:[23]\d$/)
    assert.equal(await who.text('nav[aria-label=Order] [aria-current=true]'), 'Newest first')
    if (scripts) assert.deepEqual(await who.axe(), [])
    await who.page.click('article >> nth=0 >> button:text-is("Accept")')
    await who.page.waitForSelector('.flash')
    assert.equal(new URL(who.page.url()).search, '?order=newest')
    assert.equal(await who.text('nav[aria-label=Order] [aria-current=true]'), 'Newest first')
  })

  test(`a search finds a case, a desk and what is very urgent, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/capacity')
    await who.page.fill('#search', 'lc-118')
    await who.page.press('#search', 'Enter')
    await who.page.waitForURL('**/search**')
    await who.page.click('.found >> text=LC-118')
    await who.page.waitForSelector('#why-title:has-text("LC-118")')
    await who.go('/search?q=aldermoor+royal')
    assert.match(await who.text('main'), /Aldermoor Royal Infirmary: 0555 0101/)
    await who.go('/search?q=zz')
    assert.match(await who.text('.empty'), /Nothing that is live has \u201czz\u201d/)
  })
}

test('single keys do nothing until they are chosen', async ({ person }) => {
  const who = await person()
  await who.go('/proposals')
  await who.page.keyboard.press('j')
  assert.equal(await who.page.evaluate(() => document.activeElement.tagName), 'BODY')
  await who.go('/preferences')
  await who.page.check('input[name=keys]')
  await who.page.click('main button.primary')
  await who.page.waitForSelector('.flash')
  await who.go('/proposals')
  await who.page.keyboard.press('j')
  await who.page.keyboard.press('a')
  assert.equal(await who.page.evaluate(() => document.activeElement.textContent), 'Accept')
  await who.page.keyboard.press('j')
  await who.page.keyboard.press('d')
  assert.equal(await who.page.evaluate(() => document.activeElement.name), 'reason')
  await who.page.keyboard.press('Escape')
  assert.deepEqual(await who.axe(), [])
})

test('a proposal is accepted with the keyboard alone', async ({ person }) => {
  const who = await person()
  await who.go('/proposals')
  const isThere = () => who.page.evaluate(() => document.activeElement.matches('article button.primary'))
  for (let pressed = 0; pressed < 40 && !(await isThere()); pressed += 1) {
    await who.page.keyboard.press('Tab')
    // Whatever has the focus is in view and not under the sticky bar.
    const hidden = await who.page.evaluate(() => {
      const { top, bottom } = document.activeElement.getBoundingClientRect()
      const bar = document.querySelector('.livebar').getBoundingClientRect()
      return document.activeElement.closest('main') !== null && bar.bottom > top && bottom > bar.top && bar.top === 0
    })
    assert.equal(hidden, false, 'the sticky bar covers the focus')
  }
  assert.equal(await isThere(), true, 'the Accept button is reached')
  await who.page.keyboard.press('Enter')
  await who.page.waitForSelector('.flash:has-text("Accepted.")')
})

test('paused stays paused on the next page, and nothing that is shown changes', async ({ person }) => {
  const who = await person()
  await who.go('/proposals')
  await who.page.click('text=Pause updates')
  await who.go('/capacity')
  assert.match(await who.text('[data-live]'), /^Paused/)
  await who.page.click('text=Resume updates')
  await who.page.waitForFunction(() => document.querySelector('[data-live]').textContent.startsWith('Live'))
})

test('paper shows the list and no buttons', async ({ person }) => {
  const who = await person()
  await who.page.emulateMedia({ media: 'print' })
  for (const path of ['/proposals', '/needs', '/transfers', '/situation']) {
    await who.go(path)
    const seen = await who.page.$$eval('button,nav,.livebar,form', (all) => all.filter((one) => one.checkVisibility()).length)
    assert.equal(seen, 0, path)
  }
})

for (const scripts of [true, false]) {
  const how = scripts ? 'with scripts' : 'without scripts'

  test(`the demonstration says who one is, lets one be another and breaks things, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/capacity')
    assert.match(await who.text('.demo'), /You are Dunmere General Hospital\u2019s bed manager; time passes as it does/)
    await who.page.click('.demo a')
    await who.page.selectOption('#trust-silent', 'ZA2')
    await who.page.click('.fault:has(h3:has-text("A feed falls silent")) button')
    await who.page.waitForSelector('.flash:has-text("Broken: the feed of Brackwater Hospitals is silent.")')
    await who.go('/proposals')
    assert.match(await who.text('.demo'), /Broken on purpose: the feed of Brackwater Hospitals is silent\./)
    if (scripts) assert.deepEqual(await who.axe(), [])
    await who.go('/demo')
    if (scripts) assert.deepEqual(await who.axe(), [])
    await who.page.click('text=Mend it')
    await who.page.waitForSelector('.flash:has-text("Mended")')
    await who.page.click('button:has-text("Stop the clock")')
    await who.page.waitForSelector('.flash:has-text("From now on, time stands still.")')
    assert.match(await who.text('.demo'), /time stands still/)
    await who.page.click('button:has-text("As it is")')
    await who.page.waitForSelector('.flash:has-text("From now on, time passes as it does.")')
    await who.page.selectOption('#user', 'duty-lead')
    await who.page.click('text=Become them')
    await who.page.waitForSelector('.demo:has-text("You are gold command of North Vale")')
  })
}
