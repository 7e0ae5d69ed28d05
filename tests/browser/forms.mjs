// The forms beside the everyday ones, each with and without scripts; who may look and not act; two trusts through a whole transfer.
import assert from 'node:assert/strict'
import { UPDATE_MS, card, row, test } from './suite.mjs'

for (const scripts of [true, false]) {
  const how = scripts ? 'with scripts' : 'without scripts'

  test(`what is offered is paused, and one of it withdrawn, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/capacity')
    await who.page.click('summary:has-text("Pause new proposals")')
    await who.page.fill('#suspend-reason', 'norovirus on two wards')
    await who.page.click('button:has-text("Pause new proposals")')
    await who.page.waitForSelector('.flash')
    assert.match(await who.text('.kept'), /offers are suspended\./)
    await who.page.click(`${row('Level 2')} th a`)
    await who.page.waitForURL('**/capacity/offer/*')
    await who.page.click('button:has-text("Withdraw this offer")')
    await who.page.waitForURL('**/capacity')
    assert.equal(await who.page.$(row('Level 2')), null, 'what is withdrawn is gone')
  })

  test(`a need is put aside with a reason and looked for again, ${how}`, async ({ person }) => {
    const who = await person({ scripts })
    await who.go('/needs?why=n-4#why')
    await who.page.click('summary:has-text("Park this need")')
    await who.page.fill('#park-reason', 'waits for a scan')
    await who.page.click('button:has-text("Park this need")')
    await who.page.waitForSelector('.flash:has-text("Parked until tomorrow 08:00.")')
    assert.match(await who.text('tr:has-text("LC-120")'), /Parked until tomorrow 08:00/)
    if (scripts) assert.deepEqual(await who.axe(), [])
    await who.page.click('button:has-text("Look for it again now")')
    await who.page.waitForSelector('.flash:has-text("Fallow is looking for it again.")')
    assert.doesNotMatch(await who.text('tr:has-text("LC-120")'), /Parked/)
  })

  test(`a wall is hung, shows nothing else and is taken down, ${how}`, async ({ person }) => {
    const [wall, gold] = [await person({ user: 'duty-lead', scripts }), await person({ user: 'duty-lead', scripts })]
    for (const who of [wall, gold]) who.expected = /status of 401/
    await wall.go('/wall/display')
    await wall.page.fill('#name', 'Gold room')
    await wall.page.click('button:has-text("Keep the wall on this screen")')
    await wall.page.waitForURL('**/wall')
    assert.match(await wall.text('.key'), /This screen: Gold room, until tomorrow 02:3\d/)
    if (scripts) assert.deepEqual(await wall.axe(), [])
    await wall.go('/situation')
    assert.match(wall.page.url(), /\/sign-in\?next=\/situation$/)
    await wall.go('/wall')
    await gold.go('/wall/display')
    await gold.page.click('li:has-text("Gold room") button')
    await gold.page.waitForSelector('.flash:has-text("Taken down")')
    assert.equal((await wall.context.request.get(`${wall.base}/f/wall`)).status(), 401)
  })
}

test('who may only look sees what waits, and presses nothing but questions', async ({ person }) => {
  for (const width of [320, 1280]) {
    const who = await person({ user: 'coordinator.ZA4', width })
    for (const path of ['/proposals', '/capacity', '/needs?why=n-4', '/transfers']) {
      await who.go(path)
      // Whoever coordinates may ask others; nothing else is theirs to do.
      assert.equal(await who.page.$('main form[method="post"]:not([action="/needs/ask"])'), null, path)
      assert.deepEqual(await who.axe(), [], `axe on ${path}`)
      assert.equal(await who.overflow(), 0, `${path} is too wide`)
    }
    await who.go('/proposals')
    assert.match(await who.text('#inbox'), /Bed managers and site leads of Dunmere General Hospital answer them/)
  }
})

test('two trusts at two screens take one proposal from the first yes to the arrival', async ({ person }) => {
  const [support, home] = [await person(), await person({ user: 'bed-manager.ZA1' })]
  // Dunmere needs a level 3 bed, Aldermoor has said yes already.
  await support.go('/proposals')
  await support.page.click(`${card('LC-118')} button.primary`)
  await support.page.waitForSelector('.flash:has-text("Now: transfer t-")')
  const moving = 'article:has(:text("LC-118"))'
  await home.go('/transfers')
  for (const who of [support, home]) {
    await who.go('/transfers')
    await who.page.waitForSelector(moving)
  }
  await support.page.click(`${moving} >> text=Everything is ready`)
  await support.page.waitForSelector('.flash:has-text("Ready")')
  // The other screen hears of it by itself.
  await home.page.waitForSelector(`${moving} >> text=Mark moving`, { timeout: 2 * UPDATE_MS })
  await home.page.click(`${moving} >> text=Mark moving`)
  await home.page.waitForSelector('.flash')
  // Only the side that receives says that somebody has arrived.
  await support.go('/transfers')
  assert.equal(await support.page.$(`${moving} button:has-text("Mark arrived")`), null)
  await home.go('/transfers')
  await home.page.click(`${moving} >> text=Mark arrived`)
  await home.page.waitForSelector('.flash')
  assert.match(await home.text(moving), /Arrived/)
})
