// What is a phone's alone: the way around in one line, with the rest under More.
import assert from 'node:assert/strict'
import { UPDATE_MS, card, test } from './suite.mjs'

const PHONE = { width: 320, height: 640 }
/** What of the navigation can be seen, in order. */
const shown = (who) => who.page.$$eval('.nav a, .nav summary', (all) => all.filter((one) => one.checkVisibility()).map((one) => one.textContent.replace(/\s+/g, ' ').trim()))
const FIRST = ['Proposals 3 waiting for you', 'Capacity', 'Needs', 'More']

for (const scripts of [true, false]) {
  const how = scripts ? 'with scripts' : 'without scripts'

  test(`a phone has proposals, capacity, needs and more in one line, ${how}`, async ({ person }) => {
    const who = await person({ ...PHONE, scripts })
    await who.go('/proposals')
    assert.deepEqual(await shown(who), FIRST)
    const lines = await who.page.$$eval('.nav a, .nav summary', (all) => all.filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect()).map(({ top, right, height }) => ({ top: Math.round(top), right, height })))
    assert.ok(lines.every(({ top, right, height }) => Math.abs(top - lines[0].top) <= 2 && right <= 320 && height >= 24), JSON.stringify(lines))
    // By keyboard: the folded pages come after More, and only once it is open.
    await who.page.focus('.nav summary')
    await who.page.keyboard.press('Enter')
    assert.deepEqual((await shown(who)).slice(3), ['More', 'Transfers', 'Situation', 'Search', 'Help and site contacts', 'Preferences'])
    assert.equal(await who.overflow(), 0)
    if (scripts) assert.deepEqual(await who.axe(), [])
    await who.page.keyboard.press('Tab')
    await who.page.keyboard.press('Enter')
    await who.page.waitForURL('**/transfers')
    assert.ok(await who.page.$('.nav summary[aria-current="true"]'), 'More says that the page is in it')
    assert.deepEqual((await shown(who)).length, 4, 'the next page begins with it folded')
  })
}

test('what a phone has open under More stays open while the counts change', async ({ person }) => {
  const [who, other] = [await person(PHONE), await person({ user: 'site-lead.ZA4' })]
  await who.go('/capacity')
  await who.page.waitForSelector('[data-live]:has-text("Live")')
  await who.page.click('.nav summary')
  await other.go('/proposals')
  await other.page.click(`${card('BW-31')} button.primary`)
  await who.page.waitForSelector('.nav .count:has-text("2")', { timeout: 2 * UPDATE_MS })
  assert.equal(await who.page.isVisible('.more a:has-text("Transfers")'), true)
})

test('gold has its three pages unfolded on a phone, and a wide screen folds nothing', async ({ person }) => {
  const gold = await person({ ...PHONE, user: 'duty-lead' })
  await gold.go('/situation')
  assert.deepEqual(await shown(gold), ['Needs', 'Transfers', 'Situation', 'More'])
  const wide = await person()
  await wide.go('/capacity')
  assert.deepEqual(await shown(wide), ['Proposals 3 waiting for you', 'Capacity', 'Needs', 'Transfers', 'Situation'])
})
