import t from 'tap'
import { checkMoney } from '../invariants.ts'
import { devices, look, openBrowser, openShop, press, skip, typeCard } from './browser.ts'
import { gbp, startJourney } from './journey.ts'

t.test('on a phone: a texted link is opened, refused, paid, and leads on', { skip }, async (t) => {
  const service = await startJourney(t)
  const shop = await openShop(t)
  const browser = await openBrowser(t)
  const { accountId } = await service.openAccount({ 'INV-1001': 1_234_567 })
  const page = await (await browser.newContext(devices.phone)).newPage()
  const { id, checkout } = await service.createPayment({
    ...{ accountId, channel: 'ivr', method: 'paymentLink', amount: gbp(1_234_567) },
    ...{ returnUrl: `${shop}/thanks?call=77`, reference: 'call-77' },
    description: 'Invoice INV-1001 of November, for fibre and two mobile lines at home'
  })
  await page.goto(checkout.url)
  await look(t, page, 'phone-link-1-page')
  t.match(await page.textContent('main'), 'Invoice INV-1001 of November')
  t.match(await page.textContent('main'), /12,?345\.67/)
  t.equal(
    await page.getByRole('link', { name: /cancel/i }).count(),
    0,
    'a link has nowhere to go back to'
  )

  await typeCard(page, { holderName: 'DECLINED' })
  await press(page, /pay/i)
  await look(t, page, 'phone-link-2-refused')
  t.match(await page.textContent('[role=alert]'), 'The payment was refused')
  t.match(await service.until(id, ({ failure }) => failure !== null), { status: 'pending' })

  await typeCard(page)
  await press(page, /pay/i)
  await page.waitForURL(`${service.simulatorUrl}/link/**/done`)
  await look(t, page, 'phone-link-3-done')
  t.match(await page.textContent('h1'), 'Thank you: the payment is complete')
  const paid = await service.until(id, ({ status }) => status === 'captured')
  t.match(paid, { failure: null, method: 'paymentLink' })

  await press(page, /continue/i)
  await page.waitForURL(`${shop}/thanks?call=77&paymentId=${id}`)
  await page.goto(checkout.url)
  await look(t, page, 'phone-link-4-again')
  t.match(await page.textContent('h1'), 'Thank you: the payment is complete')
  t.match(await service.balanceOf(accountId), { outstanding: 0, credit: 0 })
  t.same(await service.ledgerOf(accountId), [
    'charge 1234567: customer to billing',
    'payment 1234567: provider to customer'
  ])
  await checkMoney(t, service.db)
})

t.test('on a phone: a link that was cancelled takes nothing', { skip }, async (t) => {
  const service = await startJourney(t)
  const browser = await openBrowser(t)
  const page = await (await browser.newContext(devices.phone)).newPage()
  const link = { channel: 'ivr', method: 'paymentLink', returnUrl: undefined }
  const { id, accountId, checkout } = await service.createPayment(link)
  await page.goto(checkout.url)
  await typeCard(page)
  const path = `/v1/payments/${id}/cancellation`
  await service.post(path, { reason: 'paid at the shop' }, 202)
  await service.until(id, ({ status }) => status === 'cancelled')
  await press(page, /pay/i)
  await look(t, page, 'phone-link-5-expired')
  t.match(await page.textContent('main'), 'This payment link has expired')
  t.same(await service.ledgerOf(accountId), [])
  await checkMoney(t, service.db)
})
