import t from 'tap'
import { checkMoney } from '../invariants.ts'
import { testService } from '../test-service.ts'
import {
  deviceNames,
  devices,
  look,
  openBrowser,
  openShop,
  press,
  skip,
  typeCard
} from './browser.ts'

t.test('in a browser: a bad card, a refusal, a payment; back at the shop', { skip }, async (t) => {
  const { call, createPayment, until, db } = await testService(t)
  const shop = await openShop(t)
  const browser = await openBrowser(t)
  for (const device of deviceNames) {
    const { id, accountId, checkout } = await createPayment({
      returnUrl: `${shop}/paid?basket=a%20b`,
      reference: 'basket-77'
    })
    const page = await (await browser.newContext(devices[device])).newPage()
    await page.goto(checkout.url)
    await look(t, page, `${device}-1-page`)
    t.match(await page.textContent('body'), /25\.00/, 'the amount is shown')

    await page.locator('input[autocomplete=cc-number]').fill('4111 1111 1111 1112')
    await press(page, /pay/i)
    await look(t, page, `${device}-2-bad-card`)
    t.equal(
      await page.locator('input[autocomplete=cc-number]').getAttribute('aria-invalid'),
      'true'
    )

    await typeCard(page, { holderName: 'NOT_ENOUGH_BALANCE' })
    await press(page, /pay/i)
    await look(t, page, `${device}-3-refused`)
    const refused = await until(id, ({ failure }) => failure !== null)
    t.match(refused, { status: 'pending', failure: { code: 'insufficient_funds' } })

    await typeCard(page)
    await press(page, /pay/i)
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
  await look(t, page, 'docs')
  t.same(faults, [])
  await page.goto(`${url}/docs/problems#payment_not_found`)
  t.ok(await page.locator('#payment_not_found').isVisible())
  await look(t, page, 'problems')
})

t.test('in a browser: a wallet pays at the press of its button', { skip }, async (t) => {
  const paymentMethods = ['scheme', 'applepay', 'googlepay'] as const
  const { createPayment, until } = await testService(t, { paymentMethods: [...paymentMethods] })
  const shop = await openShop(t)
  const browser = await openBrowser(t)
  for (const device of deviceNames) {
    const page = await (await browser.newContext(devices[device])).newPage()
    const { id, checkout } = await createPayment({ returnUrl: `${shop}/paid` })
    await page.goto(checkout.url)
    await look(t, page, `${device}-wallets`)
    // The key Enter in the card form is not the wallet's button.
    const number = page.locator('input[autocomplete=cc-number]')
    await Promise.all([page.waitForEvent('load'), number.press('Enter')])
    t.match(await page.textContent('[role=alert]'), 'Enter the card number')
    await press(page, /google pay/i)
    await page.waitForURL(`${shop}/paid?paymentId=${id}`)
    const paid = await until(id, ({ card }) => card?.lastFour)
    t.match(paid, { status: 'captured', card: { brand: 'mc', wallet: 'googlepay' } })

    const link = { channel: 'ivr', method: 'paymentLink', returnUrl: undefined }
    const narrowed = await createPayment({ ...link, paymentMethods: ['applepay'] })
    await page.goto(narrowed.checkout.url)
    await look(t, page, `${device}-wallet-alone`)
    t.equal(await page.getByRole('button').count(), 1, 'nothing else is offered')
    await press(page, /apple pay/i)
    await page.waitForURL('**/done')
    t.match(await until(narrowed.id, ({ card }) => card !== null), { status: 'captured' })
  }
})
