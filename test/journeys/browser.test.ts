import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { type Browser, chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { checkMoney } from '../money.ts'
import { testService } from '../service.ts'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const skip = existsSync(executablePath)
  ? false
  : `no Chromium at ${executablePath}: set CHROMIUM to run the browser journey`

/** Where pictures go, for a person to look at; none are made without it. */
const pictures = process.env.SCREENSHOTS

async function picture(page: Page, name: string): Promise<void> {
  if (pictures !== undefined)
    await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true })
}

async function openBrowser(t: Test): Promise<Browser> {
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

/** A caller's page that the customer comes back to. */
async function openShop(t: Test): Promise<string> {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(`<!doctype html><title>Shop</title><p id="url">${request.url}</p>`)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

async function payWith(page: Page, holderName: string): Promise<void> {
  await page.locator('input[autocomplete=cc-number]').fill('4111 1111 1111 1111')
  await page.locator('input[autocomplete=cc-exp]').fill('03/30')
  await page.locator('input[autocomplete=cc-csc]').fill('737')
  await page.locator('input[autocomplete=cc-name]').fill(holderName)
  await page.getByRole('button', { name: /pay/i }).first().click()
}

t.test('in a browser: a bad card, a refusal, a payment; back at the shop', { skip }, async (t) => {
  const { call, createPayment, until, db } = await testService(t)
  const shop = await openShop(t)
  const browser = await openBrowser(t)
  for (const [device, viewport] of [
    ['desktop', { width: 1280, height: 900 }],
    ['phone', { width: 375, height: 812 }]
  ] as const) {
    const { id, accountId, checkout } = await createPayment({
      returnUrl: `${shop}/paid?basket=a%20b`,
      reference: 'basket-77'
    })
    // Without JavaScript: the page must not need it.
    const page = await (await browser.newContext({ viewport, javaScriptEnabled: false })).newPage()
    await page.goto(checkout.url)
    await picture(page, `${device}-1-page`)
    t.match(await page.textContent('body'), /25\.00/, 'the amount is shown')

    await page.locator('input[autocomplete=cc-number]').fill('4111 1111 1111 1112')
    await page.getByRole('button', { name: /pay/i }).first().click()
    await picture(page, `${device}-2-bad-card`)
    t.equal(
      await page.locator('input[autocomplete=cc-number]').getAttribute('aria-invalid'),
      'true'
    )

    await payWith(page, 'NOT_ENOUGH_BALANCE')
    await picture(page, `${device}-3-refused`)
    const refused = await until(id, ({ failure }) => failure !== null)
    t.match(refused, { status: 'pending', failure: { code: 'insufficient_funds' } })

    await payWith(page, 'A. Customer')
    await page.waitForURL(`${shop}/**`)
    t.equal(page.url(), `${shop}/paid?basket=a%20b&paymentId=${id}`)
    const paid = await until(id, ({ card }) => card !== null)
    t.match(paid, { status: 'captured', card: { brand: 'visa', lastFour: '1111' } })
    const { body } = await call('GET', `/v1/accounts/${accountId}`)
    t.equal(body.balance.credit.value, 2500)
  }
  await checkMoney(t, db)
})

t.test('in a browser: the customer cancels and comes back', { skip }, async (t) => {
  const { createPayment, until } = await testService(t)
  const shop = await openShop(t)
  const browser = await openBrowser(t)
  const { id, checkout } = await createPayment({ returnUrl: `${shop}/paid` })
  const page = await browser.newPage()
  await page.goto(checkout.url)
  await page
    .getByText(/cancel/i)
    .first()
    .click()
  await page.waitForURL(`${shop}/**`)
  const ended = await until(id, ({ finished }) => finished)
  t.match(ended, { status: 'cancelled', failure: { code: 'cancelled_by_customer' } })
})

t.test('in a browser: interactive docs and the page of problems', { skip }, async (t) => {
  const { url } = await testService(t)
  const browser = await openBrowser(t)
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  await page.goto(`${url}/docs`)
  await page.getByText('Create a payment').first().waitFor()
  await picture(page, 'docs')
  t.same(faults, [])
  await page.goto(`${url}/docs/problems#payment_not_found`)
  t.ok(await page.locator('#payment_not_found').isVisible())
  await picture(page, 'problems')
})
