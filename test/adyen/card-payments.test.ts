/** Charges and links, as Adyen's answers to them are read. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createAdyenProvider } from '../../src/adyen/adyen.provider.ts'
import type { CardPaymentRequest, PaymentLinkRequest } from '../../src/provider.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Json = any
type Seen = { method: string; path: string; body: Json; headers: Record<string, unknown> }

/** A server in Adyen's place that gives every call the same answer, and the last that it saw. */
async function startStub(t: Test, status: number, answer: unknown, afterMs = 0) {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    const { method = '', url: path = '', headers } = request
    seen.push({ method, path, headers, body: text === '' ? undefined : JSON.parse(text) })
    await new Promise((resolve) => setTimeout(resolve, afterMs))
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(typeof answer === 'function' ? answer(seen.length) : answer))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const provider = createAdyenProvider({
    environment: 'TEST',
    apiKey: 'key',
    merchantAccount: 'TestMerchant',
    timeoutMs: 5_000,
    checkoutUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  t.teardown(() => {
    provider.close()
    server.closeAllConnections()
    server.close()
  })
  return { provider, seen, last: () => seen.at(-1) as Seen }
}

const paymentId = 'pay_0000000000000001'
const charge: CardPaymentRequest = {
  key: `${paymentId}.charge.1`,
  paymentId,
  accountId: 7,
  amount: { currency: 'ISK', value: 25 },
  returnUrl: `https://pay.example/return/${paymentId}`,
  capture: 'automatic',
  metadata: null,
  token: 'TOKEN1',
  customer: null
}
const details = { key: `${paymentId}.details.1`, paymentId, result: 'X+/=!' }

const authorised = {
  resultCode: 'Authorised',
  pspReference: 'PSP1',
  merchantReference: paymentId,
  amount: { currency: 'ISK', value: 2500 }
}
const redirect = {
  resultCode: 'RedirectShopper',
  action: { type: 'redirect', method: 'GET', url: 'https://checkoutshopper-test.adyen.com/3ds?a=b' }
}
const without = (body: object, field: string) =>
  Object.fromEntries(Object.entries(body).filter(([name]) => name !== field))

const unknown = { outcome: 'unknown', retry: 'same_key' }
const done = (value: object) => ({ outcome: 'done', value })
const paid = done({
  result: 'paid',
  authorisationReference: 'PSP1',
  amount: { currency: 'ISK', value: 25 }
})
const asked = done({ result: 'asked', url: 'https://checkoutshopper-test.adyen.com/3ds?a=b' })
const open = done({ result: 'open' })
const refused = (code: string) =>
  done({ result: 'refused', authorisationReference: 'PSP1', failure: { code } })

const answers: ReadonlyArray<[name: string, body: unknown, charge: object, details: object]> = [
  ['authorised', authorised, paid, paid],
  ['without our reference', without(authorised, 'merchantReference'), paid, unknown],
  [
    'of another payment, which the customer of ours can not have brought back',
    { ...authorised, merchantReference: 'pay_2' },
    unknown,
    { outcome: 'rejected', said: 'an answer about pay_2' }
  ],
  ['of nothing', { ...authorised, merchantReference: '' }, unknown, unknown],
  ['without a pspReference', without(authorised, 'pspReference'), unknown, unknown],
  ['without an amount', without(authorised, 'amount'), open, open],
  ['partially', { ...authorised, resultCode: 'PartiallyAuthorised' }, unknown, unknown],
  ['a code of next year', { ...authorised, resultCode: 'Sleeping' }, unknown, unknown],
  ['without a code', without(authorised, 'resultCode'), unknown, unknown],
  ['nothing', {}, unknown, unknown],
  ['pending', { ...authorised, resultCode: 'Pending' }, open, open],
  ['received', { ...authorised, resultCode: 'Received' }, open, open],
  [
    'refused',
    { ...authorised, resultCode: 'Refused', refusalReason: 'x', refusalReasonCode: '6' },
    refused('card_expired'),
    refused('card_expired')
  ],
  [
    'an error',
    { ...authorised, resultCode: 'Error', refusalReason: 'Acquirer Error' },
    refused('provider_error'),
    refused('provider_error')
  ],
  [
    'cancelled',
    { ...authorised, resultCode: 'Cancelled', refusalReason: 'FRAUD-CANCELLED' },
    refused('fraud_suspected'),
    refused('fraud_suspected')
  ],
  [
    'refused without a pspReference',
    { ...without(authorised, 'pspReference'), resultCode: 'Refused' },
    unknown,
    unknown
  ],
  ['a redirect', { ...redirect, merchantReference: paymentId }, asked, unknown],
  ['a redirect without our reference', redirect, asked, unknown],
  [
    'a redirect by POST',
    { ...redirect, merchantReference: paymentId, action: { ...redirect.action, method: 'POST' } },
    unknown,
    unknown
  ],
  [
    'B3: a redirect to a script',
    { ...redirect, merchantReference: paymentId, action: { ...redirect.action, url: 'data:,x' } },
    { outcome: 'rejected', trouble: 'address_refused' },
    unknown
  ],
  ['a redirect to nowhere', { ...authorised, resultCode: 'RedirectShopper' }, unknown, unknown],
  [
    'a challenge within a page of ours',
    { ...redirect, merchantReference: paymentId, action: { type: 'threeDS2', token: 'x' } },
    unknown,
    unknown
  ]
]

for (const [name, body, ofCharge, ofDetails] of answers) {
  t.test(`an answer: ${name}`, async (t) => {
    const { provider } = await startStub(t, 200, body)
    t.match(await provider.createCardPayment(charge), ofCharge)
    t.match(await provider.finishCardPayment(details, 5_000), ofDetails)
  })
}

t.test('a charge is asked for as the card was kept, under its key', async (t) => {
  const { provider, last } = await startStub(t, 200, authorised)
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  await provider.createCardPayment(charge, { traceparent })
  t.same(
    [last().method, last().path, last().headers['idempotency-key'], last().headers.traceparent],
    ['POST', '/v72/payments', charge.key, traceparent]
  )
  t.same(last().body, {
    merchantAccount: 'TestMerchant',
    amount: { currency: 'ISK', value: 2500 },
    reference: paymentId,
    paymentMethod: { type: 'scheme', storedPaymentMethodId: 'TOKEN1' },
    shopperReference: 'account-7',
    shopperInteraction: 'ContAuth',
    recurringProcessingModel: 'CardOnFile',
    returnUrl: charge.returnUrl,
    captureDelayHours: 0
  })
  await provider.finishCardPayment(details, 5_000)
  t.same(
    [last().path, last().body],
    ['/v72/payments/details', { details: { redirectResult: 'X+/=!' } }]
  )
  t.equal(last().headers['idempotency-key'], details.key)
})

t.test('details have a deadline of their own', async (t) => {
  const { provider } = await startStub(t, 200, authorised, 1_000)
  const startedAt = performance.now()
  t.match(await provider.finishCardPayment(details, 200), unknown)
  t.ok(performance.now() - startedAt < 900)
})

t.test(
  'an error of a charge is definite, or the outcome is unknown under the same key',
  async (t) => {
    const error = { status: 422, errorCode: '803', message: 'PaymentDetail not found' }
    const gone = await startStub(t, 422, error)
    t.match(await gone.provider.createCardPayment(charge), { outcome: 'rejected', reason: /803/ })
    const stored = await startStub(t, 500, { status: 500, errorCode: '701' })
    t.match(
      await stored.provider.createCardPayment(charge),
      unknown,
      'a new key could charge twice'
    )
  }
)

const link: PaymentLinkRequest = {
  key: `${paymentId}.link.1`,
  paymentId,
  accountId: 7,
  amount: { currency: 'GBP', value: 2500 },
  returnUrl: 'https://pay.example/return/pay_1',
  capture: 'automatic',
  metadata: null,
  expiresAt: new Date('2027-01-01T00:00:00Z'),
  saveCard: 'never',
  offers: ['scheme'],
  customer: null,
  description: null
}

t.test('a link is asked for', async (t) => {
  const made = { id: 'PL1', url: 'https://test.adyen.link/PL1', reference: paymentId }
  const { provider, last } = await startStub(t, 201, made)
  const opened = { outcome: 'done', value: { session: 'PL1', url: made.url } }
  t.same(await provider.createPaymentLink(link), opened)
  t.equal(last().headers['idempotency-key'], link.key)
  t.same(last().body, {
    merchantAccount: 'TestMerchant',
    amount: link.amount,
    reference: paymentId,
    expiresAt: '2027-01-01T00:00:00.000Z',
    returnUrl: link.returnUrl,
    reusable: false,
    allowedPaymentMethods: ['scheme'],
    storePaymentMethodMode: 'disabled',
    captureDelayHours: 0
  })
  for (const field of ['id', 'url', 'reference']) {
    const stub = await startStub(t, 201, without(made, field))
    t.match(await stub.provider.createPaymentLink(link), unknown, field)
  }
  const broken = await startStub(t, 500, { status: 500 })
  t.match(await broken.provider.createPaymentLink(link), { outcome: 'unknown', retry: 'new_key' })
})

t.test('what a link says of itself', async (t) => {
  const statuses = {
    active: 'open',
    paymentPending: 'open',
    completed: 'paid',
    paid: 'paid',
    expired: 'expired',
    asleep: 'unknown',
    toString: 'unknown'
  }
  for (const [status, expected] of Object.entries(statuses)) {
    const { provider, last } = await startStub(t, 200, { id: 'PL1', status })
    t.equal(await provider.findLinkStatus('PL1'), expected, status)
    t.same([last().method, last().path], ['GET', '/v72/paymentLinks/PL1'])
  }
  const other = await startStub(t, 200, { id: 'PL2', status: 'expired' })
  t.equal(await other.provider.findLinkStatus('PL1'), 'unknown')
  const gone = await startStub(t, 404, { status: 404 })
  t.equal(await gone.provider.findLinkStatus('PL1'), 'unknown')
})

t.test('a link is closed, once and for all', async (t) => {
  const expired = await startStub(t, 200, { id: 'PL1', status: 'expired' })
  t.same(await expired.provider.expireLink('PL1'), { outcome: 'done', value: null })
  t.same(
    [expired.last().method, expired.last().path, expired.last().body],
    ['PATCH', '/v72/paymentLinks/PL1', { status: 'expired' }]
  )
  const odd = await startStub(t, 200, { id: 'PL1', status: 'completed' })
  t.match(await odd.provider.expireLink('PL1'), unknown)
  const paidFor = await startStub(t, 422, { status: 422, errorCode: '14_056' })
  t.match(await paidFor.provider.expireLink('PL1'), { outcome: 'rejected' })
  const broken = await startStub(t, 503, { status: 503 })
  t.match(await broken.provider.expireLink('PL1'), { outcome: 'unknown' })
})
