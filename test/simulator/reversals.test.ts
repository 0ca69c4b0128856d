import t from 'tap'
import { MERCHANT, startPair, until } from './harness.ts'

const body = { merchantAccount: MERCHANT, reference: 'rev-1' }

t.test('a captured payment is refunded, and the outcome comes later', async (t) => {
  const { call, createSession, pay, endpoint } = await startPair(t)
  const { pspReference } = await pay((await createSession({ captureDelayHours: 0 })).id)
  const answer = await call('POST', `/v72/payments/${pspReference}/reversals`, body)
  t.equal(answer.status, 201)
  t.match(answer.body, { ...body, paymentPspReference: pspReference, status: 'received' })
  t.match(answer.body.pspReference, /^[A-Z0-9]{16}$/)

  await until(() => endpoint.received.length === 2)
  t.match(endpoint.received[1]?.item, {
    eventCode: 'CANCEL_OR_REFUND',
    success: 'true',
    pspReference: answer.body.pspReference,
    originalReference: pspReference,
    merchantReference: 'rev-1',
    amount: { currency: 'GBP', value: 2500 },
    additionalData: { 'modification.action': 'refund' }
  })
})

t.test('a payment that is not captured yet is cancelled', async (t) => {
  const { call, createSession, pay, endpoint } = await startPair(t)
  for (const capture of [
    { additionalData: { manualCapture: 'true' } },
    { captureDelayHours: 24 }
  ]) {
    const { pspReference } = await pay((await createSession(capture)).id)
    await call('POST', `/v72/payments/${pspReference}/reversals`, { merchantAccount: MERCHANT })
    const outcome = () =>
      endpoint.received.find(({ item }) => item.originalReference === pspReference)
    await until(() => outcome() !== undefined)
    t.match(outcome()?.item, {
      success: 'true',
      merchantReference: 'pay_0001',
      additionalData: { 'modification.action': 'cancel' }
    })
  }
})

t.test('a second reversal is received, and fails', async (t) => {
  const { call, createSession, pay, endpoint } = await startPair(t)
  const { pspReference } = await pay((await createSession()).id)
  const path = `/v72/payments/${pspReference}/reversals`
  await call('POST', path, body)
  t.equal((await call('POST', path, body)).status, 201)
  await until(() => endpoint.received.length === 3)
  const outcomes = endpoint.received.filter(({ item }) => item.eventCode === 'CANCEL_OR_REFUND')
  t.same(outcomes.map(({ item }) => item.success).sort(), ['false', 'true'])
})

t.test('under one idempotency key there is one reversal', async (t) => {
  const { call, createSession, pay, endpoint } = await startPair(t)
  const { pspReference } = await pay((await createSession()).id)
  const path = `/v72/payments/${pspReference}/reversals`
  const key = { 'idempotency-key': 'pay_0001.reversal.1' }
  const first = await call('POST', path, body, key)
  const again = await call('POST', path, body, key)
  t.strictSame(again.body, first.body)
  await call('POST', '/_simulator/flush')
  t.equal(endpoint.received.length, 2)
})

t.test('the holder name "refund failed" lets the refund fail after its success', async (t) => {
  const { call, createSession, pay, endpoint } = await startPair(t)
  const { pspReference } = await pay((await createSession()).id, { holderName: 'refund failed' })
  const answer = await call('POST', `/v72/payments/${pspReference}/reversals`, body)
  await until(() => endpoint.received.length === 3)
  t.match(endpoint.received[1]?.item, { eventCode: 'CANCEL_OR_REFUND', success: 'true' })
  t.match(endpoint.received[2]?.item, {
    eventCode: 'REFUND_FAILED',
    success: 'true',
    pspReference: answer.body.pspReference,
    originalReference: pspReference
  })
})

t.test('an unknown payment, another account and unknown fields are refused', async (t) => {
  const { call, createSession, pay } = await startPair(t)
  const unknown = await call('POST', '/v72/payments/UNKNOWN000000000/reversals', body)
  t.equal(unknown.status, 422)
  t.match(unknown.body, { errorCode: '167', errorType: 'validation' })
  const { pspReference } = await pay((await createSession()).id)
  const path = `/v72/payments/${pspReference}/reversals`
  t.equal((await call('POST', path, { merchantAccount: 'Other' })).status, 403)
  t.equal((await call('POST', path, { ...body, amount: {} })).status, 400)
  t.equal((await call('POST', path, { ...body, reference: 'r'.repeat(81) })).status, 422)
})
