// What takes two people: asking, confirming as another person, and bypassing a proposal in an incident.
import assert from 'node:assert/strict'
import { test } from './suite.mjs'

const PAGES = ['/actions', '/actions/proposal?id=p-2', '/approvals']
const WAITING = '#actions article'

for (const width of [320, 1280, 1920]) {
  for (const user of ['duty-lead', 'icb', 'platform-admin', 'site-lead.ZA4', 'bed-manager.ZA4']) {
    test(`what takes two people is accessible at ${width} px, for ${user}`, async ({ person }) => {
      const who = await person({ user, width })
      for (const path of user === 'platform-admin' ? PAGES.slice(0, 1) : PAGES) {
        const answer = await who.go(path)
        assert.equal(answer.status(), 200, path)
        // What is folded is looked at as well.
        await who.page.$$eval('details', (all) => all.forEach((one) => { one.open = true }))
        assert.deepEqual(await who.axe(), [], `axe on ${path}`)
        assert.equal(await who.overflow(), 0, `${path} is too wide`)
      }
    })
  }
}

for (const scripts of [true, false]) {
  const how = scripts ? 'with scripts' : 'without scripts'

  test(`one asks to answer for a trust, and a second person confirms, ${how}`, async ({ person }) => {
    const icb = await person({ user: 'icb', scripts })
    await icb.go('/actions')
    assert.match(await icb.text(WAITING.split(' ')[0]), /Nothing waits\./)
    await icb.page.click('summary:has-text("Act on a live proposal")')
    await icb.page.click('a[href="/actions/proposal?id=p-2"]')
    await icb.page.waitForSelector('h2:has-text("Break glass, with a second person")')
    await icb.page.check('input[value=accept]')
    await icb.page.fill('input[name=reason]', 'Their network is down.')
    await icb.page.selectOption('#code', 'SYSTEMS_DOWN')
    await icb.page.click('text=Ask a second person')
    await icb.page.waitForSelector('.flash:has-text("Nothing is done until a second person")')
    assert.match(await icb.text(WAITING), /(29|30) min left ?Breaks glass ?Break glass: somebody is to answer for Dunmere/)
    assert.match(await icb.text(WAITING), /The trust cannot reach Fallow: Their network is down\./)
    assert.match(await icb.text(WAITING), /Integrated care board asked for it: somebody in another role must confirm it\./)
    assert.equal(await icb.page.$(`${WAITING} button:has-text("Confirm")`), null, 'nobody confirms what they asked for')
    if (scripts) assert.deepEqual(await icb.axe(), [])

    const lead = await person({ user: 'site-lead.ZA4', scripts })
    await lead.go('/actions')
    assert.match(await lead.text('.glass'), /somebody is to answer for Dunmere/, 'every page of both trusts tells of it')
    await lead.page.click(`${WAITING} button:has-text("Confirm, and do it now")`)
    await lead.page.waitForSelector('.flash:has-text("Confirmed and done.")')
    assert.match(await lead.text('#actions'), /To be reviewed \(1\)/)
    assert.match(await lead.text(WAITING), /Since then ?Site lead confirmed it/)

    // A third person looks at it again.
    const gold = await person({ user: 'duty-lead', scripts })
    await gold.go('/actions')
    await gold.page.click(`${WAITING} summary:has-text("Write down the review")`)
    await gold.page.fill(`${WAITING} input[name=note]`, 'Rang the ward: it was right.')
    await gold.page.click(`${WAITING} button:has-text("Keep the review")`)
    await gold.page.waitForSelector('.flash:has-text("The review is kept.")')
    await gold.page.click('summary:has-text("The last two weeks")')
    assert.match(await gold.text('#actions'), /Done ?Site lead confirmed it.* Gold command reviewed it.*: Rang the ward: it was right\./)
  })

  test(`a second person refuses, and the first reads why, ${how}`, async ({ person }) => {
    const icb = await person({ user: 'icb', scripts })
    await icb.go('/actions/proposal?id=p-2')
    await icb.page.check('input[value=accept]')
    await icb.page.fill('input[name=reason]', 'Their network is down.')
    await icb.page.selectOption('#code', 'SYSTEMS_DOWN')
    await icb.page.click('text=Ask a second person')
    await icb.page.waitForSelector('.flash:has-text("Nothing is done until a second person")')
    const lead = await person({ user: 'site-lead.ZA4', scripts })
    await lead.go('/actions')
    await lead.page.click(`${WAITING} summary:has-text("Refuse it")`)
    await lead.page.fill(`${WAITING} input[name=reason]`, 'Our lines are up again.')
    await lead.page.click(`${WAITING} details button:has-text("Refuse")`)
    await lead.page.waitForSelector('.flash:has-text("Nothing is done.")')
    await icb.go('/actions')
    await icb.page.click('summary:has-text("The last two weeks")')
    assert.match(await icb.text('#actions'), /Refused ?Site lead refused it.*: Our lines are up again\./)
  })

  test(`a region file is looked at and asked for, ${how}`, async ({ person }) => {
    const admin = await person({ user: 'platform-admin', scripts })
    await admin.go('/actions')
    await admin.page.click('summary:has-text("Ask for a new region file")')
    assert.match(await admin.page.inputValue('#toml'), /^id = /, 'one begins with the file in force')
    await admin.page.fill('#toml', 'name = "without its name"')
    await admin.page.fill('#reason', 'Ewe Cross joins.')
    await admin.page.click('text=Show what it changes')
    await admin.page.waitForSelector('.nhsuk-error-summary a[href="#toml"]')
    assert.equal(await admin.page.inputValue('#reason'), 'Ewe Cross joins.', 'what was typed is kept')
    await admin.page.fill('#toml', 'id = "north-vale"')
    await admin.page.click('text=Show what it changes')
    await admin.page.waitForSelector('.file table')
    assert.match(await admin.text('.file'), /SHA-256 [0-9a-f ]{71}/)
    assert.match(await admin.text('.file tbody tr'), /Aldermoor.*\(ZA1\): fair allowance ?0 ?2/)
    assert.equal(await admin.page.$(WAITING), null, 'to look is not to ask')
    await admin.page.click('button:has-text("Ask for it")')
    await admin.page.waitForSelector('.flash')
    assert.match(await admin.text(WAITING), /Platform admin asked for it/)
    // Looked at again while it waits, the file stands on the page twice, and each says which it is.
    if (!(await admin.page.isVisible('#toml'))) await admin.page.click('summary:has-text("Ask for a new region file")')
    await admin.page.fill('#toml', 'id = "north-vale"')
    await admin.page.click('text=Show what it changes')
    await admin.page.waitForSelector('.file table >> nth=1')
    if (scripts) assert.deepEqual(await admin.axe(), [])
  })

  test(`gold bypasses a proposal in an incident, with a reason, and its trusts read it, ${how}`, async ({ person }) => {
    const gold = await person({ user: 'duty-lead', scripts })
    await gold.go('/actions/proposal?id=p-2')
    assert.match(await gold.text('#reason-hint'), /Dunmere.* and Eastholme.* both read this/)
    await gold.page.fill('#reason', 'The ward has flooded.')
    await gold.page.click('text=Bypass, and tell both trusts')
    await gold.page.waitForSelector('.flash:has-text("Bypassed.")')
    assert.match(await gold.text('.flash'), /with your reason: The ward has flooded\./)
    const trust = await person({ user: 'bed-manager.ZA4', scripts })
    await trust.go('/proposals')
    assert.match(await trust.text('#inbox'), /Bypassed by gold command.*The ward has flooded\./)
    if (scripts) assert.deepEqual(await trust.axe(), [])
    await gold.go('/actions/proposal?id=p-2')
    assert.match(await gold.text('main'), /This proposal is over: The ward has flooded\./)
    assert.equal(await gold.page.$('main form'), null)
  })
}

test('gold confirms by keyboard alone what another asked for', async ({ person }) => {
  const icb = await person({ user: 'icb' })
  await icb.go('/actions/proposal?id=p-3')
  await icb.page.focus('input[value=bypass]')
  await icb.page.keyboard.press('Space')
  await icb.page.focus('#code')
  await icb.page.keyboard.type('Waiting')
  await icb.page.focus('input[name=reason]')
  await icb.page.keyboard.type('Two patients wait in the ambulance bay.')
  await icb.page.keyboard.press('Enter')
  await icb.page.waitForSelector('.flash:has-text("Asked for.")')

  const gold = await person({ user: 'duty-lead' })
  await gold.go('/actions')
  for (let steps = 0; ; steps += 1) {
    assert.ok(steps < 60, 'the button is reached by the tab key')
    await gold.page.keyboard.press('Tab')
    if (await gold.page.evaluate(() => document.activeElement.textContent.startsWith('Confirm, and do it now'))) break
  }
  await gold.page.keyboard.press('Enter')
  await gold.page.waitForSelector('.flash:has-text("Confirmed and done.")')
  // It broke glass, and so stands there until somebody else has looked at it.
  assert.match(await gold.text('#actions'), /To be reviewed \(1\).*Since then ?Gold command confirmed it/s)
})
