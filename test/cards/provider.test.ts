import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import t, { type Test } from 'tap'
import { createAdyenProvider } from '../../src/adyen/adyen.provider.ts'
import type { RegistrationRequest } from '../../src/provider.ts'

const merchantAccount = 'TestMerchant'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Json = any
type Seen = { method: string; path: string; query: Record<string, string>; body: Json; key: string }
type Reply = [status: number, body?: unknown, headers?: Record<string, string>]

/** A server in Adyen's place, a provider of it, and what it was asked. */
async function startStub(t: Test, reply: (call: Seen) => Reply, timeoutMs = 5_000) {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    const { pathname: path, searchParams } = new URL(request.url ?? '', 'http://x')
    const call = {
      method: request.method ?? '',
      path,
      query: Object.fromEntries(searchParams),
      body: text === '' ? undefined : JSON.parse(text),
      key: String(request.headers['idempotency-key'])
    }
    seen.push(call)
    const [status, body, headers] = reply(call)
    if (status === 0) return
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const provider = createAdyenProvider({
    environment: 'TEST',
    apiKey: 'key',
    merchantAccount,
    timeoutMs,
    checkoutUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  t.teardown(() => provider.close())
  return { provider, seen }
}

const registration: RegistrationRequest = {
  key: 'reg_1.registration.1',
  registrationId: 'reg_1',
  accountId: 7,
  currency: 'GBP',
  returnUrl: 'https://pay.example/return/reg_1',
  expiresAt: new Date(Date.now() + 3_600_000),
  customer: null
}
const session = { id: 'CS1', url: 'https://test.adyen.link/CS1', reference: 'reg_1' }

t.test('a registration is a page with the amount 0 that keeps the card', async (t) => {
  const { provider, seen } = await startStub(t, () => [201, session])
  const answer = await provider.createRegistrationPage(registration)
  t.same(answer, { outcome: 'done', value: { session: 'CS1', url: session.url } })
  t.match(seen, [{ method: 'POST', path: '/v72/sessions', key: registration.key }])
  t.same(seen[0]?.body, {
    merchantAccount,
    amount: { currency: 'GBP', value: 0 },
    reference: 'reg_1',
    returnUrl: registration.returnUrl,
    mode: 'hosted',
    expiresAt: registration.expiresAt.toISOString(),
    allowedPaymentMethods: ['scheme'],
    shopperReference: 'account-7',
    shopperInteraction: 'Ecommerce',
    storePaymentMethodMode: 'enabled',
    recurringProcessingModel: 'CardOnFile'
  })
  const customer = { email: 'a@b.example', phone: '+44 20', locale: 'en-GB', countryCode: 'GB' }
  await provider.createRegistrationPage({ ...registration, customer })
  t.match(seen[1]?.body, {
    shopperEmail: 'a@b.example',
    telephoneNumber: '+4420',
    shopperLocale: 'en-GB',
    countryCode: 'GB'
  })
})

const transient = { 'transient-error': 'true' }
const openings: ReadonlyArray<[name: string, reply: Reply, outcome: object]> = [
  ['without url', [201, { ...session, url: undefined }], { outcome: 'unknown', retry: 'same_key' }],
  ['of another reference', [201, { ...session, reference: 'reg_2' }], { outcome: 'unknown' }],
  ['refused', [422, { status: 422, errorCode: '130' }], { outcome: 'rejected' }],
  ['stored 500', [500, { status: 500 }], { outcome: 'unknown', retry: 'new_key' }],
  ['transient 500', [500, {}, transient], { outcome: 'unknown', retry: 'same_key' }],
  ['in progress', [422, { status: 422, errorCode: '704' }], { outcome: 'unknown' }]
]
for (const [name, reply, expected] of openings) {
  t.test(`the page of a registration, ${name}: ${JSON.stringify(expected)}`, async (t) => {
    const { provider } = await startStub(t, () => reply)
    t.match(await provider.createRegistrationPage(registration), expected)
  })
}

const stored = {
  id: 'TOKEN1',
  type: 'scheme',
  brand: 'visa',
  lastFour: '1111',
  expiryMonth: '03',
  expiryYear: '30',
  holderName: 'A. Customer'
}
const card = {
  token: 'TOKEN1',
  brand: 'visa',
  lastFour: '1111',
  expiryMonth: 3,
  expiryYear: 2030,
  funding: null
}
const listOf = (...methods: unknown[]) => ({
  merchantAccount,
  shopperReference: 'account-7',
  storedPaymentMethods: methods
})

t.test('the cards of an account are asked for by its shopperReference', async (t) => {
  const { provider, seen } = await startStub(t, () => [200, listOf(stored)])
  for (const _ of [1, 2]) {
    t.same(await provider.listStoredCards(7), { outcome: 'done', value: [card] })
  }
  const query = { shopperReference: 'account-7', merchantAccount }
  const call = { method: 'GET', path: '/v72/storedPaymentMethods', query, body: undefined }
  t.match(seen, [call, call])
})

const lists: ReadonlyArray<[name: string, body: object, value: object[]]> = [
  ['none', listOf(), []],
  ['no list', { merchantAccount, shopperReference: 'account-7' }, []],
  [
    'a year of four digits',
    listOf({ ...stored, expiryYear: '2031' }),
    [{ ...card, expiryYear: 2031 }]
  ],
  ['a month of one digit', listOf({ ...stored, expiryMonth: '9' }), [{ ...card, expiryMonth: 9 }]],
  [
    'its owner beside each card only',
    { storedPaymentMethods: [{ ...stored, shopperReference: 'account-7' }] },
    [card]
  ],
  ['no type', listOf({ ...stored, type: undefined }), [card]],
  ['what is no card', listOf({ id: 'IBAN', type: 'sepadirectdebit' }, stored), [card]],
  ['what has no id', listOf({ ...stored, id: undefined }, { ...stored, id: '' }), []],
  [
    'nothing but an id',
    listOf({ id: 'TOKEN1' }),
    [{ ...card, brand: null, lastFour: null, expiryMonth: null, expiryYear: null }]
  ],
  [
    'a face that is none',
    listOf({ ...stored, lastFour: '12345', expiryMonth: '13', expiryYear: 'MMXXX' }),
    [{ ...card, lastFour: null, expiryMonth: null, expiryYear: null }]
  ]
]
for (const [name, body, value] of lists) {
  t.test(`a list with ${name}`, async (t) => {
    const { provider } = await startStub(t, () => [200, body])
    t.same(await provider.listStoredCards(7), { outcome: 'done', value })
  })
}

const unlisted: ReadonlyArray<[name: string, reply: Reply, outcome: string]> = [
  ['of another shopper', [200, { ...listOf(stored), shopperReference: 'account-8' }], 'unknown'],
  [
    'with a card of another shopper',
    [200, listOf({ ...stored, shopperReference: 'x' })],
    'unknown'
  ],
  ['of nobody', [200, { storedPaymentMethods: [] }], 'unknown'],
  ['that is empty text', [200], 'unknown'],
  ['that is none', [200, { ...listOf(), storedPaymentMethods: 'none' }], 'unknown'],
  ['that is null', [200, { ...listOf(), storedPaymentMethods: null }], 'unknown'],
  ['refused', [403, { status: 403, errorCode: '901' }], 'unknown'],
  ['that failed', [500, { status: 500 }], 'unknown'],
  ['too many', [429, {}], 'unknown'],
  ['that never comes', [0], 'unknown']
]
for (const [name, reply, outcome] of unlisted) {
  t.test(`a list ${name} changes nothing: ${outcome}`, async (t) => {
    const { provider } = await startStub(t, () => reply, 300)
    t.match(await provider.listStoredCards(7), { outcome })
  })
}

t.test('a card is removed under its account', async (t) => {
  const { provider, seen } = await startStub(t, () => [204])
  for (const token of ['TOKEN1', 'a/b?c']) {
    t.same(await provider.forgetCard(7, token), { outcome: 'done', value: null })
  }
  const query = { shopperReference: 'account-7', merchantAccount }
  t.match(seen, [
    { method: 'DELETE', path: '/v72/storedPaymentMethods/TOKEN1', query, body: undefined },
    { method: 'DELETE', path: '/v72/storedPaymentMethods/a%2Fb%3Fc', query }
  ])
})

const removals: ReadonlyArray<[name: string, reply: Reply, outcome: string]> = [
  ['404', [404, { status: 404 }], 'done'],
  ['422 with 803', [422, { status: 422, errorCode: '803' }], 'done'],
  ['422 with another code', [422, { status: 422, errorCode: '702' }], 'rejected'],
  ['403', [403, { status: 403, errorCode: '010' }], 'unknown'],
  ['500', [500, { status: 500, errorCode: '803' }], 'unknown'],
  ['no answer', [0], 'unknown']
]
for (const [name, reply, outcome] of removals) {
  t.test(`removing a card, ${name}: ${outcome}`, async (t) => {
    const { provider } = await startStub(t, () => reply, 300)
    t.match(await provider.forgetCard(7, 'TOKEN1'), { outcome })
  })
}

const specs = process.env.ADYEN_SPECS
const noSpecs = 'ADYEN_SPECS does not name the folder of Adyen’s OpenAPI files'

t.test(
  'the request is valid by Adyen’s own description',
  { skip: !specs && noSpecs },
  async (t) => {
    const text = await readFile(join(specs as string, 'CheckoutService-v72.json'), 'utf8')
    const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }))
    ajv.addSchema({ $id: 'adyen', ...JSON.parse(text) })
    const validate = ajv.getSchema('adyen#/components/schemas/CreateCheckoutSessionRequest')
    const { provider, seen } = await startStub(t, () => [201, session])
    await provider.createRegistrationPage(registration)
    t.ok(validate?.(seen[0]?.body), ajv.errorsText(validate?.errors))
  }
)
