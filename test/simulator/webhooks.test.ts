import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import hmacValidator from '@adyen/api-library/lib/src/utils/hmacValidator.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import t from 'tap'
import { DISPUTE_EVENTS } from '../../sandbox/simulator/dispute-events.ts'
import { KEY, MERCHANT, sleep, startPair, until } from './harness.ts'

const HmacValidator = hmacValidator.default
const folder = process.env.ADYEN_SPECS ?? ''
const skip = folder === '' && 'ADYEN_SPECS does not name the folder of Webhooks-v1.json'

t.test('a payment is notified in one signed item', async (t) => {
  const { createSession, pay, endpoint } = await startPair(t, {
    webhookUser: 'adyen',
    webhookPassword: 'pass:word'
  })
  const session = await createSession({ metadata: { channel: 'ivr' } })
  const { pspReference } = await pay(session.id, { holderName: 'J. Smith' })
  await until(() => endpoint.received.length === 1)
  const [received] = endpoint.received
  if (received === undefined) throw new Error('nothing was received')
  const { headers, body, item } = received

  t.equal(headers['user-agent'], 'Adyen HttpClient 1.0')
  t.match(headers['content-type'], 'application/json')
  t.equal(headers.authorization, `Basic ${Buffer.from('adyen:pass:word').toString('base64')}`)
  t.strictSame(Object.keys(body), ['live', 'notificationItems'])
  t.equal(body.live, 'false')
  t.equal(body.notificationItems.length, 1)
  t.match(item, {
    eventCode: 'AUTHORISATION',
    success: 'true',
    merchantAccountCode: MERCHANT,
    merchantReference: 'pay_0001',
    pspReference,
    amount: { currency: 'GBP', value: 2500 },
    paymentMethod: 'visa',
    operations: ['CANCEL', 'CAPTURE', 'REFUND'],
    additionalData: {
      cardSummary: '1111',
      expiryDate: '03/2030',
      cardHolderName: 'J. Smith',
      checkoutSessionId: session.id,
      'metadata.channel': 'ivr'
    }
  })
  t.match(item.eventDate, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+01:00$/)
  t.equal(item.originalReference, undefined)

  const text = `${pspReference}::${MERCHANT}:pay_0001:2500:GBP:AUTHORISATION:true`
  const expected = createHmac('sha256', Buffer.from(KEY, 'hex')).update(text).digest('base64')
  t.equal(item.additionalData.hmacSignature, expected, 'signed over the eight values')
  t.ok(new HmacValidator().validateHMAC(item, KEY), "which Adyen's own library confirms")
})

t.test('without additional data only the signature is left', async (t) => {
  const { createSession, pay, endpoint } = await startPair(t, { additionalData: false })
  await pay((await createSession()).id)
  await until(() => endpoint.received.length === 1)
  t.same(Object.keys(endpoint.received[0]?.item.additionalData), ['hmacSignature'])
})

t.test('notifications are valid against the OpenAPI file of Adyen', { skip }, async (t) => {
  const spec = JSON.parse(readFileSync(join(folder, 'Webhooks-v1.json'), 'utf8'))
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  ajv.addSchema(spec, 'adyen')
  const { call, createSession, pay, endpoint } = await startPair(t)
  const { pspReference } = await pay((await createSession()).id, { holderName: 'refund failed' })
  await pay((await createSession()).id, { holderName: 'DECLINED' })
  const reversal = { merchantAccount: MERCHANT }
  await call('POST', `/v72/payments/${pspReference}/reversals`, reversal)
  await until(() => endpoint.received.length === 4)
  const schemas: Record<string, string> = {
    AUTHORISATION: 'AuthorisationNotificationRequest',
    CANCEL_OR_REFUND: 'CancelOrRefundNotificationRequest',
    REFUND_FAILED: 'ModificationNotificationRequest'
  }
  for (const { body, item } of endpoint.received) {
    const name = schemas[item.eventCode]
    const validate = ajv.compile({ $ref: `adyen#/components/schemas/${name}` })
    // Adyen sends it where it is switched on, although the file does not know it.
    delete item.additionalData?.cardHolderName
    t.ok(validate(body), `${name} ${JSON.stringify(validate.errors)}`)
  }
})

t.test('later events are valid against the OpenAPI file of Adyen', { skip }, async (t) => {
  const spec = JSON.parse(readFileSync(join(folder, 'Webhooks-v1.json'), 'utf8'))
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema(spec, 'adyen')
  const { authorise, call, endpoint } = await startPair(t)
  const control = (psp: string, what: string, body: object = {}) =>
    call('POST', `/_simulator/payments/${psp}/${what}`, body)
  const disputes = DISPUTE_EVENTS.filter((code) => `/${code}` in spec.webhooks)
  t.ok(disputes.length > 10)
  const psp = await authorise()
  await control(psp, 'modify', { kind: 'amountUpdate', amount: { currency: 'GBP', value: 3000 } })
  for (const kind of ['capture', 'refund']) await control(psp, 'modify', { kind })
  for (const what of ['refund-reversed', 'capture-failed', 'recapture']) await control(psp, what)
  for (const eventCode of disputes) await control(psp, 'dispute', { eventCode })
  await control(await authorise(), 'modify', { kind: 'cancel' })
  await control(await authorise(), 'expire')
  for (const paymentReference of ['pay_0001', 'nobody']) {
    await call('POST', '/v72/cancels', { merchantAccount: MERCHANT, paymentReference })
  }
  await until(() => endpoint.received.length === 3 + 6 + disputes.length + 4)

  const seen = new Set(endpoint.received.map(({ item }) => item.eventCode))
  t.equal(seen.size, 1 + 5 + disputes.length + 3)
  for (const { body, item } of endpoint.received) {
    if (item.eventCode === 'AUTHORISATION') continue
    const { content } = spec.webhooks[`/${item.eventCode}`].post.requestBody
    const name = content['application/json'].schema.$ref.split('/').at(-1)
    const validate = ajv.compile({ $ref: `adyen#/components/schemas/${name}` })
    validate(body)
    // Its list of codes lacks some that have a webhook of their own.
    const faults = validate.errors?.filter(({ schemaPath }) => !/eventCode.enum$/.test(schemaPath))
    t.same(faults ?? [], [], item.eventCode)
    t.ok(new HmacValidator().validateHMAC(item, KEY), item.eventCode)
  }
})

t.test('any 2xx accepts, anything else is tried again', async (t) => {
  const { call, createSession, pay, endpoint } = await startPair(t, { retryDelaysMs: [10] })
  const answers = [500, 401, 302, null, 299]
  endpoint.answerWith = () => {
    const answer = answers[endpoint.received.length - 1]
    return answer === undefined ? 500 : answer
  }
  await pay((await createSession()).id)
  await until(() => endpoint.received.length === 5)
  await sleep(60)
  t.equal(endpoint.received.length, 5, 'it is not sent again after the 2xx')
  const [webhook] = (await call('GET', '/_simulator/webhooks')).body
  t.equal(webhook.status, 'delivered')
  t.same(
    webhook.attempts.map(({ status }: { status: number }) => status),
    answers
  )
  t.equal(new Set(endpoint.received.map(({ raw }) => raw)).size, 1, 'the text stays the same')
})

t.test('the pauses between tries are those given', async (t) => {
  const { createSession, pay, endpoint } = await startPair(t, { retryDelaysMs: [20, 60, 120] })
  endpoint.answerWith = () => (endpoint.received.length < 4 ? 500 : 202)
  await pay((await createSession()).id)
  await until(() => endpoint.received.length === 4)
  const times = endpoint.received.map(({ at }) => at)
  const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0))
  t.ok((pauses[0] ?? 0) >= 18 && (pauses[1] ?? 0) >= 58 && (pauses[2] ?? 0) >= 118, `${pauses}`)
})

t.test(
  'quick retries hold up nobody, a webhook in the queue holds up all later ones',
  async (t) => {
    const retryDelaysMs = [10, 10, 10, 2_000]
    const { createSession, pay, endpoint } = await startPair(t, { retryDelaysMs })
    let isBroken = true
    endpoint.answerWith = ({ item }) => (isBroken && item.merchantReference === 'first' ? 401 : 202)
    const references = () => endpoint.received.map(({ item }) => item.merchantReference)

    await pay((await createSession({ reference: 'first' })).id)
    await pay((await createSession({ reference: 'second' })).id)
    await until(() => references().includes('second'))
    await until(() => endpoint.received.length === 5)

    await pay((await createSession({ reference: 'third' })).id)
    await pay((await createSession({ reference: 'fourth' })).id)
    await sleep(150)
    t.equal(endpoint.received.length, 5, 'the first is now in the queue and blocks it')
    isBroken = false
    await until(() => endpoint.received.length === 8)
    t.same(references().slice(5), ['first', 'third', 'fourth'], 'its success lets the others go')
  }
)

t.test('flush tries all that is undelivered once, redeliver sends everything again', async (t) => {
  const { call, createSession, pay, endpoint } = await startPair(t, { retryDelaysMs: [60_000] })
  endpoint.answerWith = () => 503
  await pay((await createSession()).id)
  await pay((await createSession()).id)
  await until(() => endpoint.received.length === 2)
  endpoint.answerWith = () => 202
  const flushed = await call('POST', '/_simulator/flush')
  t.equal(flushed.status, 200)
  t.same(
    flushed.body.map(({ status }: { status: string }) => status),
    ['delivered', 'delivered']
  )
  t.equal(endpoint.received.length, 4)
  await call('POST', '/_simulator/flush')
  t.equal(endpoint.received.length, 4, 'nothing is left to flush')
  await call('POST', '/_simulator/redeliver')
  t.equal(endpoint.received.length, 6)
})

t.test('any notification can be sent, signed or not', async (t) => {
  const { call, endpoint } = await startPair(t)
  const item = {
    eventCode: 'OFFER_CLOSED',
    success: 'true',
    pspReference: 'OFFER00000000001',
    merchantReference: 'a:b',
    amount: { currency: 'GBP', value: 0 }
  }
  const validator = new HmacValidator()
  const rotated = 'f'.repeat(64)
  const send = async (settings: object) => {
    const before = endpoint.received.length
    await call('POST', '/_simulator/webhooks', { items: [item], ...settings })
    await until(() => endpoint.received.length > before)
    return endpoint.received.at(-1)
  }
  const good = await send({})
  t.ok(validator.validateHMAC(good?.item, KEY))
  t.match(good?.item, { ...item, merchantAccountCode: MERCHANT })
  t.ok(validator.validateHMAC((await send({ key: rotated }))?.item, rotated))
  t.notOk(validator.validateHMAC((await send({ sign: 'wrong' }))?.item, KEY))
  t.equal((await send({ sign: 'missing' }))?.item.additionalData.hmacSignature, undefined)
  t.equal((await send({ sign: false, live: true }))?.body.live, 'true')
  t.equal((await send({ items: [item, item] }))?.body.notificationItems.length, 2)
})

t.test('an abandoned page ends in OFFER_CLOSED', async (t) => {
  const { call, createSession, endpoint } = await startPair(t)
  const session = await createSession()
  await call('POST', `/_simulator/sessions/${session.id}/expire`)
  await until(() => endpoint.received.length === 1)
  t.match(endpoint.received[0]?.item, { eventCode: 'OFFER_CLOSED', merchantReference: 'pay_0001' })
  t.match((await call('GET', `/pay/${session.id}`)).text, 'This payment page has expired')
})
