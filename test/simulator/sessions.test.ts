import { readFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import t from 'tap'
import { MERCHANT, sessionRequest, startPair } from './harness.ts'

const HOUR = 3_600_000

t.test('a hosted session is created and repeats the request', async (t) => {
  const { call, simulator } = await startPair(t)
  const request = sessionRequest({ metadata: { channel: 'ivr' }, captureDelayHours: 0 })
  const { status, body } = await call('POST', '/v72/sessions', request)
  t.equal(status, 201)
  t.match(body, request)
  t.match(body.id, /^CS[A-Z0-9]{16,}$/)
  t.equal(body.url, `${simulator.url}/pay/${body.id}`)
  t.match(body.expiresAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+01:00$/)
  const life = Date.parse(body.expiresAt) - Date.now()
  t.ok(life > HOUR - 5000 && life <= HOUR, 'it lives for one hour')
})

t.test('an embedded session has no page', async (t) => {
  const { call, createSession } = await startPair(t)
  const session = await createSession({ mode: undefined })
  t.equal(session.mode, 'embedded')
  t.equal(session.url, undefined)
  t.equal((await call('GET', `/pay/${session.id}`)).status, 404)
})

t.test('a wrong API key or merchant account is refused as Adyen does it', async (t) => {
  const { call } = await startPair(t)
  const key = await call('POST', '/v72/sessions', sessionRequest(), { 'x-api-key': 'wrong' })
  t.strictSame(key.body, {
    status: 401,
    errorCode: '000',
    message: 'HTTP Status Response - Unauthorized',
    errorType: 'security'
  })
  t.equal(key.status, 401)
  const other = await call('POST', '/v72/sessions', sessionRequest({ merchantAccount: 'Other' }))
  t.equal(other.status, 403)
  t.match(other.body, { status: 403, errorCode: '901', errorType: 'security' })
  t.match(other.body.pspReference, /^[A-Z0-9]{16}$/)
})

t.test('a request that Adyen would refuse is refused, with its code', async (t) => {
  const { call } = await startPair(t)
  const ahead = (ms: number) => new Date(Date.now() + ms).toISOString()
  const pairs = (count: number, key = 'k') =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${key}${index}`, 'v']))
  const cases: [string, object, number, string][] = [
    ['an unknown field', { refrence: 'x' }, 400, '702'],
    ['a value of another type', { reference: 7 }, 400, '702'],
    ['an unknown field of the amount', { amount: { currency: 'GBP', value: 1, x: 1 } }, 400, '702'],
    ['no amount', { amount: undefined }, 422, '100'],
    ['an amount that is not whole', { amount: { currency: 'GBP', value: 1.5 } }, 422, '137'],
    ['an amount below zero', { amount: { currency: 'GBP', value: -1 } }, 422, '137'],
    ['an amount in text', { amount: { currency: 'GBP', value: '100' } }, 422, '137'],
    ['a currency of two letters', { amount: { currency: 'GB', value: 100 } }, 422, '138'],
    ['no reference', { reference: undefined }, 422, '130'],
    ['an empty reference', { reference: '' }, 422, '130'],
    ['no returnUrl', { returnUrl: undefined }, 422, '14_030'],
    ['a long returnUrl', { returnUrl: `https://a.example/${'a'.repeat(1024)}` }, 422, '29_001'],
    ['a returnUrl that is none', { returnUrl: 'nowhere' }, 422, '192'],
    ['an unknown mode', { mode: 'popup' }, 422, '192'],
    ['a short shopperReference', { shopperReference: 'ab' }, 422, '180'],
    ['a long shopperReference', { shopperReference: 'a'.repeat(257) }, 422, '180'],
    ['21 pairs of metadata', { metadata: pairs(21) }, 422, '177'],
    ['a long metadata key', { metadata: pairs(1, 'k'.repeat(20)) }, 422, '178'],
    ['a capture delay of 29 days', { captureDelayHours: 29 * 24 }, 422, '164'],
    ['an expiry in the past', { expiresAt: ahead(-1000) }, 422, '192'],
    ['an expiry after 24 hours', { expiresAt: ahead(25 * HOUR) }, 422, '192'],
    ['an expiry that is no time', { expiresAt: 'soon' }, 422, '192']
  ]
  for (const [name, changes, status, errorCode] of cases) {
    const answer = await call('POST', '/v72/sessions', sessionRequest(changes))
    t.equal(answer.status, status, name)
    t.match(answer.body, { status, errorCode, errorType: 'validation' }, name)
  }
  const longest = { expiresAt: ahead(24 * HOUR - 1000), amount: { currency: 'GBP', value: 0 } }
  t.equal((await call('POST', '/v72/sessions', sessionRequest(longest))).status, 201)
})

t.test('a body that is not a JSON object is refused with 702', async (t) => {
  const { call } = await startPair(t)
  for (const body of ['{"reference":', '[]', '"text"', 'null']) {
    const answer = await call('POST', '/v72/sessions', body)
    t.equal(answer.status, 400, body)
    t.match(answer.body, { status: 400, errorCode: '702', errorType: 'validation' }, body)
  }
})

t.test('an unknown path is answered like one of Adyen', async (t) => {
  const { call } = await startPair(t)
  for (const path of ['/v72/nothing', '/v72/donations']) {
    const answer = await call('POST', path, {})
    t.equal(answer.status, 404)
    t.match(answer.body, { status: 404, errorCode: '000' })
  }
})

t.test('a chunked body is accepted', async (t) => {
  const { simulator } = await startPair(t)
  const status = await new Promise((resolve, reject) => {
    const headers = { 'x-api-key': 'secret', 'content-type': 'application/json' }
    const request = http.request(`${simulator.url}/v72/sessions`, { method: 'POST', headers })
    request.on('response', (response) => resolve(response.resume().statusCode))
    request.on('error', reject)
    const text = JSON.stringify(sessionRequest())
    request.flushHeaders()
    request.write(text.slice(0, 20))
    request.end(text.slice(20))
  })
  t.equal(status, 201)
})

t.test('the result of a session is a snapshot that belongs to its sessionResult', async (t) => {
  const { call, createSession, pay, resultOf } = await startPair(t)
  const session = await createSession()
  const { redirect, pspReference } = await pay(session.id)
  t.match(redirect, 'https://merchant.example/return/pay_0001?keep=a%20b&sessionId=CS')
  const { status, body } = await resultOf(redirect)
  t.equal(status, 200)
  t.strictSame(body, {
    id: session.id,
    status: 'completed',
    reference: 'pay_0001',
    payments: [
      {
        pspReference,
        resultCode: 'Authorised',
        amount: { currency: 'GBP', value: 2500 },
        paymentMethod: { type: 'scheme', brand: 'visa' }
      }
    ]
  })

  const path = `/v72/sessions/${session.id}`
  const sessionResult = new URL(redirect).searchParams.get('sessionResult') ?? ''
  for (const sign of ['!', '+', '/', '=']) t.match(sessionResult, sign)

  const encoded = await call('GET', `${path}?sessionResult=${encodeURIComponent(sessionResult)}`)
  t.equal(encoded.status, 500, 'percent-encoded, Adyen fails')
  t.match(encoded.body, { errorCode: '701' })
  const without = await call('GET', path)
  t.equal(without.status, 422)
  t.match(without.body.message, "Required query parameter 'sessionResult' is not provided")
  for (const wrong of [`${path}?sessionResult=other`, '/v72/sessions/CSNONE?sessionResult=x']) {
    const answer = await call('GET', wrong)
    t.equal(answer.status, 422)
    t.match(answer.body.message, "Field 'sessionId' is not valid.")
  }
})

const folder = process.env.ADYEN_SPECS ?? ''
const skip = folder === '' && 'ADYEN_SPECS does not name the folder of CheckoutService-v72.json'

t.test('answers are valid against the OpenAPI file of Adyen', { skip }, async (t) => {
  const spec = JSON.parse(readFileSync(join(folder, 'CheckoutService-v72.json'), 'utf8'))
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  ajv.addSchema(spec, 'adyen')
  const check = (name: string, value: unknown) => {
    const validate = ajv.compile({ $ref: `adyen#/components/schemas/${name}` })
    t.ok(validate(value), `${name} ${JSON.stringify(validate.errors)}`)
  }

  const { call, pay, resultOf } = await startPair(t)
  const request = sessionRequest({ dateOfBirth: '1996-09-04', shopperReference: 'account-1' })
  check('CreateCheckoutSessionRequest', request)
  const { body } = await call('POST', '/v72/sessions', request)
  check('CreateCheckoutSessionResponse', body)
  const { redirect, pspReference } = await pay(body.id)
  check('SessionResultResponse', (await resultOf(redirect)).body)
  const reversal = { merchantAccount: MERCHANT, reference: 'rev-1' }
  const path = `/v72/payments/${pspReference}/reversals`
  check('PaymentReversalResponse', (await call('POST', path, reversal)).body)
  check('ServiceError', (await call('POST', '/v72/sessions', {})).body)
  const properties = spec.components.schemas.CreateCheckoutSessionRequest.properties
  for (const field of Object.keys(properties)) {
    const answer = await call('POST', '/v72/sessions', sessionRequest({ [field]: null }))
    t.notMatch(answer.body.message ?? '', 'unknown fields', `${field} is known`)
  }
})
