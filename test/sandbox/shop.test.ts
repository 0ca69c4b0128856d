/** The page of the sandbox that customers return to. */
import t from 'tap'
import { startShop } from '../../sandbox/shop.ts'
import { testService } from '../test-service.ts'

t.test('G1: the page that a newcomer returns to says what the API says', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { url: apiUrl, key, createPayment, control } = service
  const merchantName = 'Sandbox & Merchant'
  const shop = await startShop({ host: '127.0.0.1', port: 0, apiUrl, key, merchantName })
  t.teardown(shop.close)
  /** Comes back from the card page, over the service, to the shop. */
  async function comeBack(holderName?: string) {
    const payment = await createPayment({ returnUrl: shop.url })
    const session = payment.checkout.url.split('/').at(-1)
    if (holderName !== undefined) {
      await control('POST', `/_simulator/sessions/${session}/pay`, { holderName })
    }
    const back = await fetch(`${payment.checkout.url}/cancel`)
    const { origin, searchParams } = new URL(back.url)
    t.equal(origin, shop.url)
    t.equal(searchParams.get('paymentId'), payment.id)
    return { ...payment, page: await back.text(), headers: back.headers }
  }

  const paid = await comeBack('A. Customer')
  t.match(paid.page, '<h1>Thank you, your payment is complete</h1>')
  t.match(paid.page, '<dd>£25.00</dd>')
  t.match(paid.page, 'Sandbox &amp; Merchant')
  t.match(paid.page, `${apiUrl}/v1/payments/${paid.id};`)
  t.match(paid.page, `${apiUrl}/v1/accounts/${paid.accountId};`)
  t.notMatch(paid.page, key, 'any program of this machine may read it')
  t.match(paid.headers.get('content-security-policy'), /^default-src 'none'/)

  const refused = await comeBack('DECLINED')
  t.match(refused.page, '<h1>Your payment was cancelled</h1>')
  t.notMatch(refused.page, /thank/i)
  const waiting = await createPayment({ returnUrl: shop.url })
  const early = await (await fetch(`${shop.url}/?paymentId=${waiting.id}`)).text()
  t.match(early, '<h1>Your payment is being processed</h1>', 'whatever the address says')

  const unknown = await (await fetch(`${shop.url}/?paymentId=%3Cb%3E..%2F`)).text()
  t.match(unknown, '<h1>We cannot show your payment now</h1>')
  t.notMatch(unknown, '<b>')
  const card = await (await fetch(`${shop.url}/?registrationId=reg_1`)).text()
  t.match(card, '<h1>Back from registering a card</h1>')
  t.equal((await fetch(`${shop.url}/favicon.ico`)).status, 404)
})
