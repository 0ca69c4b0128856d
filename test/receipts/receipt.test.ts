/** The receipt of a payment, as data and as a page. */
import t from 'tap'
import { words } from '../../src/payments/return-page.ts'
import type { ReceiptView } from '../../src/receipts/receipt.ts'
import { toReceiptPage } from '../../src/receipts/receipt-page.ts'
import { receiptWords } from '../../src/receipts/receipt-words.ts'
import { newAccountId, testService } from '../test-service.ts'

const html = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }

t.test('a payment with money has a receipt', async (t) => {
  const service = await testService(t, { merchantName: 'Example & Sons' })
  const { call, createPayment, pay, until, addClient } = service
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  await call('POST', `/v1/accounts/${accountId}/charges`, {
    body: {
      ...{ amount: { currency: 'GBP', value: 1800 }, reference: '<INV-1>' },
      dueAt: '2026-01-01T00:00:00Z'
    }
  })
  const customer = { locale: 'de-AT' }
  const { id } = await createPayment({ accountId, customer, reference: 'basket-77' })
  const path = `/v1/payments/${id}/receipt`
  const early = await call('GET', path)
  t.match(early, { status: 404, body: { code: 'receipt_not_found', paymentId: id } })
  await pay(id)
  const payment = await until(id, ({ status, card }) => status === 'captured' && card !== null)

  const first = await call('GET', path)
  t.match(first.body, {
    ...{ paymentId: id, accountId, merchantName: 'Example & Sons', reference: 'basket-77' },
    ...{ amount: { currency: 'GBP', value: 2500 }, paidAt: payment.finishedAt },
    ...{ card: { brand: 'visa', lastFour: '1111' }, provider: payment.provider },
    ...{ allocations: payment.allocations, amountUnallocated: 700 },
    ...{ amountRefunded: 0, amountChargedBack: 0, refunds: [] }
  })
  const etag = first.headers.get('etag') ?? ''
  const known = { 'if-none-match': etag }
  t.equal((await call('GET', path, { headers: known })).status, 304)
  t.equal((await call('HEAD', path)).headers.get('etag'), etag)

  const refund = { amount: { currency: 'GBP', value: 1000 } }
  await call('POST', `/v1/payments/${id}/refunds`, { body: refund, idempotencyKey: 'refund' })
  await until(id, ({ amountRefunded }) => amountRefunded === 1000)
  const { status, body } = await call('GET', path, { headers: known })
  t.equal(status, 200)
  t.match(body, { amountRefunded: 1000, amountUnallocated: 0, refunds: [{ amount: 1000 }] })
  t.match(body.allocations, [{ reference: '<INV-1>', amount: 1500 }])

  t.test('and a page, in the language of the customer', async (t) => {
    const page = await call('GET', path, { headers: { ...html, 'accept-language': 'fr' } })
    t.equal(page.status, 200)
    t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
    t.match(page.headers.get('content-security-policy'), /default-src 'none'; style-src 'sha256-/)
    t.equal(page.headers.get('vary'), 'accept')
    t.not(page.headers.get('etag'), etag)
    const own = { ...html, 'if-none-match': page.headers.get('etag') ?? '' }
    t.equal((await call('GET', path, { headers: own })).status, 304)
    for (const text of ['<html lang="de">', 'Example &amp; Sons', '&lt;INV-1&gt;', id]) {
      t.ok(page.text.includes(text), text)
    }
    t.match(page.text, /<td>€?.?15,00.*<\/td>|£.?15,00/)
    t.match(page.text, 'Visa mit Endziffern 1111')
    t.match(page.text, /UTC<\/dd>/)
    t.notMatch(page.text, /<script|<form|<img|undefined|null|NaN/)
  })

  t.test('by what a caller takes', async (t) => {
    for (const [accept, type] of [
      ['*/*', 'application/json'],
      ['application/json', 'application/json'],
      ['text/html', 'text/html'],
      ['application/json;q=0.5, text/html', 'text/html']
    ] as const) {
      const answer = await call('GET', path, { headers: { accept } })
      t.ok(answer.headers.get('content-type')?.startsWith(type), `${accept}: ${type}`)
    }
    const refused = await call('GET', path, { headers: { accept: 'application/pdf' } })
    t.match(refused, {
      status: 406,
      body: { code: 'not_acceptable', detail: /json and text\/html/ }
    })
    t.equal(
      (await call('GET', `/v1/payments/${id}`, { headers: { accept: 'text/html' } })).status,
      406
    )
  })

  t.test('for whoever may see the payment', async (t) => {
    const key = await addClient({ scopes: ['payments:read'], thirdParty: true })
    t.match(await call('GET', path, { key }), { status: 404, body: { code: 'payment_not_found' } })
    const other = await addClient({ scopes: ['accounts:read'] })
    t.equal((await call('GET', path, { key: other })).status, 403)
  })
})

const receipt: ReceiptView = {
  paymentId: 'pay_0000000000000001',
  accountId: '10000001',
  merchantName: '<b>Acme</b>',
  amount: { currency: 'KWD', value: 12_345 },
  paidAt: '2026-06-22T23:30:00.000Z',
  method: 'hostedPage',
  card: { brand: 'mc', lastFour: '4444' },
  provider: { name: 'adyen', reference: 'PSP1' },
  reference: 'a "reference"',
  description: null,
  allocations: [{ chargeId: 'chg_1', reference: 'INV-1', amount: 5000 }],
  amountUnallocated: 1,
  amountRefunded: 1000,
  amountChargedBack: 2345,
  refunds: [{ id: 'ref_1', amount: 1000, createdAt: '2026-06-23T00:10:00.000Z' }]
}

t.test('every language has words of its own', async (t) => {
  const pages = Object.keys(words).map((name) => {
    const language = name as keyof typeof words
    const page = toReceiptPage(receipt, { language, tag: language })
    const { endingIn, ...own } = receiptWords[language]
    t.equal(new Set(Object.values(own)).size, Object.keys(own).length, 'no word stands for two')
    for (const word of Object.values(own)) {
      t.ok(word === own.description || page.includes(word), `${language}: ${word}`)
    }
    t.ok(page.includes(endingIn('Mastercard', '4444')))
    t.match(page, /KWD|د\.ك/)
    t.match(page, /12[.,]345/, 'with the decimals that the currency has')
    t.match(page, /9[.,]000/, 'and what remains')
    t.match(page, '&lt;b&gt;Acme&lt;/b&gt;')
    t.equal(page.match(/<h1>/g)?.length, 1)
    t.notMatch(page, /<script|undefined|null|NaN|Invalid/)
    return page
  })
  t.match(pages[0], 'June 22, 2026 at 11:30 PM UTC')
  t.match(toReceiptPage(receipt, { language: 'en', tag: 'en-GB' }), '22 June 2026 at 23:30 UTC')
})

t.test('what is not known is not shown', async (t) => {
  const page = toReceiptPage(
    {
      ...{ ...receipt, merchantName: null, card: null, reference: null, allocations: [] },
      ...{ amountUnallocated: 0, amountRefunded: 0, amountChargedBack: 0, refunds: [] }
    },
    { language: 'en', tag: 'en-GB' }
  )
  t.notMatch(page, /<table|<h2|Card|Reference|Paid to/)
  const known = { ...receipt, card: { brand: null, lastFour: '4444' } }
  t.match(toReceiptPage(known, { language: 'en', tag: 'en' }), '<dd>ending in 4444</dd>')
})
