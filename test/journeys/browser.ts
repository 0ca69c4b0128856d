/** A customer's browser: Chromium, where there is one. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
export const skip = existsSync(executablePath)
  ? false
  : `no Chromium at ${executablePath}: set CHROMIUM to run the browser journeys`

/** Where pictures go, for a person to look at; none are made without it. */
const pictures = process.env.SCREENSHOTS

const phone = { width: 375, height: 812 }
/** Without JavaScript: the pages must not need it. */
export const devices = {
  desktop: { viewport: { width: 1280, height: 900 }, javaScriptEnabled: false },
  phone: { viewport: phone, javaScriptEnabled: false, isMobile: true, hasTouch: true }
} as const
export type Device = keyof typeof devices
export const deviceNames = Object.keys(devices) as Device[]

export async function openBrowser(t: Test) {
  const browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync'
    ]
  })
  t.teardown(() => browser.close())
  return browser
}

/** Takes a picture, where somebody wants one; what is seen is never wider than the screen. */
export async function look(t: Test, page: Page, name: string): Promise<void> {
  if (pictures !== undefined) {
    await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true })
  }
  const wide: number = await page.evaluate('document.documentElement.scrollWidth')
  const screen = page.viewportSize()?.width ?? 0
  t.ok(wide <= screen, `${name}: ${wide} px wide on ${screen}`)
}

/** A caller's page that the customer comes back to. */
export async function openShop(t: Test): Promise<string> {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(`<!doctype html><title>Shop</title><p id="url">${request.url}</p>`)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

/** Presses a button or a link as the device does it, and waits for the page that it leads to. */
export async function press(page: Page, name: RegExp): Promise<void> {
  const target = page.getByRole('button', { name }).or(page.getByRole('link', { name })).first()
  const isTouch = await page.evaluate('navigator.maxTouchPoints > 0')
  await Promise.all([page.waitForEvent('load'), isTouch ? target.tap() : target.click()])
}

export const testCards = { good: '4111 1111 1111 1111', challenged: '4212 3456 7891 0006' }

/** Fills in the card form of the page. */
export async function typeCard(
  page: Page,
  { number = testCards.good, holderName = 'A. Customer' } = {}
): Promise<void> {
  await page.locator('input[autocomplete=cc-number]').fill(number)
  await page.locator('input[autocomplete=cc-exp]').fill('03/30')
  await page.locator('input[autocomplete=cc-csc]').fill('737')
  await page.locator('input[autocomplete=cc-name]').fill(holderName)
}
