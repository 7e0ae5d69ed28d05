// A signed-in person with a browser window of their own.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export class Person {
  /** Opens a window and signs in. */
  static async open(browser, base, { user = 'bed-manager.ZA4', width = 1280, height = 900, scripts = true, block } = {}) {
    // axe is injected by the test, past the page's own policy; the policy itself is tested by what the page does.
    const context = await browser.newContext({ viewport: { width, height }, javaScriptEnabled: scripts, locale: 'en-GB' })
    const page = await context.newPage()
    const person = new Person(context, page, base)
    if (block) await page.route(block, (route) => route.abort())
    person.blocked = block
    await person.go('/sign-in')
    await page.click(`button[value="${user}"]`)
    await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'))
    return person
  }

  constructor(context, page, base) {
    Object.assign(this, { context, page, base, errors: [], clicks: 0 })
    page.on('pageerror', (error) => this.errors.push(error.message))
    page.on('console', (message) => message.type() === 'error' && this.errors.push(message.text()))
  }

  go(path) {
    return this.page.goto(this.base + path)
  }

  /** Clicks and counts it. */
  async click(selector) {
    this.clicks += 1
    await this.page.click(selector)
  }

  text(selector) {
    return this.page.textContent(selector).then((text) => text.replace(/\s+/g, ' ').trim())
  }

  /** Fails when the page logged an error, such as something that its policy forbids. */
  checkQuiet() {
    const expected = (text) => (this.blocked && text.includes('ERR_FAILED')) || /status of 4(09|22|29)/.test(text) || this.expected?.test(text)
    assert.deepEqual(this.errors.filter((text) => !expected(text)), [], 'the page logged errors')
  }

  /** Returns what axe finds, one line a violation. */
  async axe() {
    await this.page.evaluate(AXE)
    return this.page.evaluate(async () => {
      const { violations } = await globalThis.axe.run(document)
      return violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)
    })
  }

  /** Returns by how many pixels the page is wider than the window. */
  overflow() {
    return this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  }
}
