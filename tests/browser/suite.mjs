// How a test is written down, and what several of them need.
import assert from 'node:assert/strict'

export const UPDATE_MS = 5_000
export const POLL_MS = 40_000

export const tests = []
/** Writes a test down. `anyWorld` marks one that needs no particular records, `provider` one whose people sign in at a provider. */
export const test = (name, run, { anyWorld = false, provider = false } = {}) => tests.push({ name, run, anyWorld, provider })

/** Publishes so many beds by the form. */
export const publish = async (who, count) => {
  await who.go('/capacity/offer')
  await who.page.selectOption('#resource', 'BED/STEP_DOWN')
  await who.page.fill('#count', `${count}`)
  await who.page.click('text=Publish')
  await who.page.waitForURL('**/capacity')
}
export const row = (name) => `tr:has(th:has-text("${name}"))`
export const card = (ref) => `article:has(h3:has-text("${ref}"))`
/** Leaves a mark that a reload would wipe. */
export const mark = (who) => who.page.evaluate(() => { globalThis.mark = 'same page' })
export const isSamePage = async (who) => assert.equal(await who.page.evaluate(() => globalThis.mark), 'same page', 'the page was reloaded')
