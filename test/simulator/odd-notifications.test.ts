import hmacValidator from '@adyen/api-library/lib/src/utils/hmacValidator.js'
import t from 'tap'
import { passesLuhn } from '../../sandbox/simulator/cards.ts'
import { eventOf, KEY, MERCHANT, startShop, until } from './harness.ts'

const validator = new hmacValidator.default()
const isSigned = (item: { amount: object }) => validator.validateHMAC(item as never, KEY)

t.test('members of an item can be null or missing, and count as empty', async (t) => {
  const { call, setFaults, endpoint } = await startShop(t)
  const eventCode = 'REPORT_AVAILABLE'
  const report = async (settings: object) => {
    endpoint.received.length = 0
    await setFaults({ webhooks: { reshape: { eventCode, times: 1, ...settings } } })
    await call('POST', '/_simulator/reports')
    return await eventOf(endpoint, eventCode)
  }
  const empty = await report({ set: { merchantReference: null } })
  t.equal(empty.merchantReference, null)
  t.ok(isSigned(empty))
  const absent = await report({ omit: ['merchantReference'] })
  t.notOk('merchantReference' in absent)
  t.ok(isSigned(absent))
  t.equal((await report({ times: 0 })).merchantReference, '')
})

t.test('the name of a report can hold colons', async (t) => {
  const { call, endpoint } = await startShop(t)
  const fileName = 'payments_accounting_report_2026-11-01T00:00:00_ab12.csv'
  await call('POST', '/_simulator/reports', { kind: 'paymentAccounting', fileName })
  const { pspReference, reason } = await eventOf(endpoint, 'REPORT_AVAILABLE')
  t.equal(pspReference, fileName)
  t.ok(reason.endsWith(`/${fileName}`))
  t.match((await call('GET', new URL(reason).pathname)).text, /^Company Account,/)
})

t.test('an item can be bare, with "null" as its reason and numbers as text', async (t) => {
  const { authorise, call, setFaults, endpoint } = await startShop(t)
  const omit = ['additionalData', 'operations', 'paymentMethod']
  await setFaults({ webhooks: { reshape: { omit, set: { reason: 'null' }, asText: true } } })
  await authorise()
  const item = await eventOf(endpoint, 'AUTHORISATION')
  t.same(Object.keys(item.additionalData), ['hmacSignature'])
  t.notOk('operations' in item || 'paymentMethod' in item)
  t.equal(item.reason, 'null')
  t.strictSame(item.amount, { currency: 'GBP', value: '2500' })
  t.ok(isSigned(item))

  await setFaults({ webhooks: { reshape: null } })
  const settings = await call('PUT', '/_simulator/settings', { additionalData: false })
  t.match(settings.body, { additionalData: false })
  t.match((await call('GET', '/_simulator/settings')).body, settings.body)
  endpoint.received.length = 0
  await authorise()
  const usual = await eventOf(endpoint, 'AUTHORISATION')
  t.same(Object.keys(usual.additionalData), ['hmacSignature'])
  t.strictSame(usual.amount, { currency: 'GBP', value: 2500 })
})

t.test('pspReferences can look like card numbers', async (t) => {
  const { authorise, setFaults, post, endpoint } = await startShop(t)
  await setFaults({ page: { cardLikeReference: 2 } })
  const psp = await authorise()
  const capture = await post(psp, 'captures', { amount: { currency: 'GBP', value: 1 } })
  for (const reference of [psp, capture.body.pspReference]) {
    t.match(reference, /^4\d{15}$/)
    t.ok(passesLuhn(reference), reference)
  }
  t.match(await eventOf(endpoint, 'CAPTURE'), { originalReference: psp })
  t.match(await authorise(), /^[A-Z0-9]{16}$/)
  t.notMatch(await authorise(), /^\d+$/, 'the fault was for two')
})

t.test('the Customer Area can test the endpoint', async (t) => {
  const { call, endpoint } = await startShop(t)
  await call('POST', '/_simulator/test-notification')
  const item = await eventOf(endpoint, 'AUTHORISATION')
  t.match(item, {
    pspReference: 'test_AUTHORISATION_1',
    merchantAccountCode: MERCHANT,
    success: 'true'
  })
  t.ok(isSigned(item))
  await call('POST', '/_simulator/test-notification', { eventCode: 'CAPTURE' })
  t.match(await eventOf(endpoint, 'CAPTURE'), { pspReference: 'test_CAPTURE_1' })
})

t.test('what was signed can come again with other unsigned members', async (t) => {
  const { authorise, control, call, endpoint } = await startShop(t)
  const psp = await authorise()
  await control(psp, 'modify', { kind: 'capture' })
  const original = await eventOf(endpoint, 'CAPTURE')
  await until(() => endpoint.received.length === 2)
  const again = (body: object) => call('POST', '/_simulator/redeliver', body)

  const set = { reason: 'Transaction Recaptured', eventDate: '2030-01-01T00:00:00+01:00' }
  const sent = await again({ eventCode: 'CAPTURE', set })
  t.match(sent.body, [{ kind: 'duplicate', status: 'sent', attempts: [{ status: 202 }] }])
  t.equal(sent.body.length, 1)
  t.equal(endpoint.received.length, 3)
  const repeated = endpoint.received.at(-1)?.item
  t.strictSame(repeated, { ...original, ...set })
  t.ok(isSigned(repeated))

  await again({ pspReference: psp, set: { additionalData: { authCode: 'X' } } })
  t.match(endpoint.received.at(-1)?.item, {
    eventCode: 'AUTHORISATION',
    additionalData: { authCode: 'X', cardSummary: '1111' }
  })
  t.ok(isSigned(endpoint.received.at(-1)?.item))
  t.match((await again({ set: { success: 'false' } })).body, { error: /success/ })
  t.equal(endpoint.received.length, 4)
  await call('POST', '/_simulator/redeliver')
  t.equal(endpoint.received.length, 6, 'copies are not sent again')
})

t.test('a token webhook has no unsigned members to change', async (t) => {
  const { storeCard, call, endpoint } = await startShop(t, { tokenHmacKey: KEY })
  await storeCard()
  await until(() => endpoint.received.length === 2)
  const sent = await call('POST', '/_simulator/redeliver', { set: { reason: 'x' } })
  t.equal(sent.body.length, 1)
})
