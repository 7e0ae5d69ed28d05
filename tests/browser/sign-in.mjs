// Signing in at a provider, being idle, and signing out, as people do in production.
import assert from 'node:assert/strict'
import { Person } from './person.mjs'
import { test } from './suite.mjs'

const IDLE_MS = 60_000

/** Opens a window that is signed in as nobody yet. */
const visitor = async (browser, base) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB' })
  return new Person(context, await context.newPage(), base)
}

/** Goes from the sign-in page to the provider, chooses a bed manager, and comes back. */
const signIn = async (who) => {
  assert.deepEqual(await who.axe(), [])
  await who.page.click('main a:has-text("Sign in")')
  // One signs in elsewhere.
  await who.page.waitForURL((url) => url.origin !== who.base)
  await who.page.click('button:has-text("Bed manager, Dunmere")')
  await who.page.waitForURL((url) => url.origin === who.base && !url.pathname.startsWith('/sign-in'))
}

/** Waits until the services think that the person has gone home. */
const untilIdle = async (who) => {
  const until = Date.now() + IDLE_MS
  for (;;) {
    const answer = await who.context.request.get(`${who.base}/f/head/capacity`, { maxRedirects: 0 })
    if (answer.status() === 401) return
    assert.ok(Date.now() < until, 'the session did not end')
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

test('one signs in at the provider, finds a form again that was sent too late, and signs out', async ({ browser, base }) => {
  const who = await visitor(browser, base)
  try {
    await who.go('/needs/new')
    await signIn(who)
    assert.equal(new URL(who.page.url()).pathname, '/needs/new', 'one comes to where one was going')
    const cookie = (await who.context.cookies(base)).find((one) => one.name === 'fallow_session')
    assert.ok(cookie.httpOnly && cookie.sameSite === 'Lax' && cookie.value.length === 64)

    await who.go('/capacity/offer')
    await who.page.selectOption('#resource', 'BED/STEP_DOWN')
    await who.page.fill('#count', '3')
    await untilIdle(who)
    await who.page.click('text=Publish')
    await who.page.waitForURL('**/sign-in?next=/resume/**')
    await signIn(who)
    assert.match(new URL(who.page.url()).pathname, /^\/resume\//)
    assert.deepEqual(await who.axe(), [])
    assert.match(await who.text('main dl'), /BED\/STEP_DOWN/)
    await who.page.click('text=Send it now')
    await who.page.waitForURL('**/capacity')
    assert.match(await who.text('main'), /step-down/i)

    await who.page.click('text=Sign out')
    await who.page.waitForURL('**/sign-in')
    const answer = await who.context.request.get(`${base}/f/capacity`)
    assert.equal(answer.status(), 401)
    // The browser asks for updates by itself and is told 401 once the session is over.
    who.errors = who.errors.filter((text) => !/status of 401/.test(text))
    who.checkQuiet()
  } finally {
    await who.context.close()
  }
}, { provider: true })
