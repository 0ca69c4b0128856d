import t from 'tap'
import { MERCHANT, pounds, startShop, until } from './harness.ts'

const merchantAccount = MERCHANT

t.test('a capture is received, and its outcome comes later', async (t) => {
  const { authorise, post, outcome, booksOf, call } = await startShop(t)
  const psp = await authorise()
  const amount = pounds(2500)
  const answer = await post(psp, 'captures', { amount, reference: 'cap-1' })
  t.equal(answer.status, 201)
  const { pspReference, ...rest } = answer.body
  t.match(pspReference, /^[A-Z0-9]{16}$/)
  t.strictSame(rest, {
    merchantAccount,
    amount,
    reference: 'cap-1',
    paymentPspReference: psp,
    status: 'received'
  })
  t.match(await outcome(answer, 'CAPTURE'), {
    success: 'true',
    originalReference: psp,
    merchantReference: 'cap-1',
    amount,
    paymentMethod: 'visa'
  })
  t.match(await booksOf(psp), { authorised: 2500, captured: 2500, refunded: 0, cancelled: false })
  t.match((await call('GET', '/_simulator/modifications')).body, [
    { id: pspReference, kind: 'capture', paymentPspReference: psp, amount, success: true }
  ])
})

t.test('what is asked without a reference carries the payment reference', async (t) => {
  const { authorise, post, outcome } = await startShop(t)
  const answer = await post(await authorise(), 'captures', { amount: pounds(1) })
  t.equal(answer.body.reference, undefined)
  t.equal((await outcome(answer, 'CAPTURE')).merchantReference, 'pay_0001')
})

t.test('a capture of too much, or of what is captured, cancelled or expired fails', async (t) => {
  const { authorise, post, outcome, control } = await startShop(t)
  const captureOf = async (psp: string, value: number) =>
    await outcome(await post(psp, 'captures', { amount: pounds(value) }), 'CAPTURE')
  const failure = { success: 'false', reason: 'Insufficient balance on payment' }

  t.match(await captureOf(await authorise(), 2501), { ...failure, amount: pounds(2501) })
  const captured = await authorise()
  t.match(await captureOf(captured, 1000), { success: 'true', amount: pounds(1000) })
  t.match(await captureOf(captured, 1500), failure, 'a partial capture cancels the remainder')
  t.match(await captureOf(await authorise({ additionalData: {} }), 2500), failure, 'automatic')
  const cancelled = await authorise()
  await post(cancelled, 'cancels')
  t.match(await captureOf(cancelled, 2500), failure)
  const expired = await authorise()
  await control(expired, 'expire')
  t.match(await captureOf(expired, 2500), failure)
})

t.test('with multiple partial captures the remainder stays', async (t) => {
  const { authorise, post, outcome, booksOf } = await startShop(t, {
    multiplePartialCaptures: true
  })
  const psp = await authorise()
  for (const [value, success] of [
    [1000, 'true'],
    [1501, 'false'],
    [1500, 'true']
  ] as const) {
    const answer = await post(psp, 'captures', { amount: pounds(value) })
    t.equal((await outcome(answer, 'CAPTURE')).success, success, `${value}`)
  }
  t.match(await booksOf(psp), { captured: 2500, capturable: 0 })
})

t.test('a delayed automatic capture can be done earlier, and is not done twice', async (t) => {
  const { authorise, post, booksOf } = await startShop(t)
  const psp = await authorise({ additionalData: {}, captureDelayHours: 1 })
  t.match(await booksOf(psp), { captured: 0, capturable: 2500 })
  await post(psp, 'captures', { amount: pounds(1000) })
  t.match(await booksOf(psp), { captured: 1000, capturedAt: null })
})

t.test('a payment is cancelled once, and only before it is captured', async (t) => {
  const { authorise, post, outcome, booksOf } = await startShop(t)
  const psp = await authorise()
  const answer = await post(psp, 'cancels', { reference: 'can-1' })
  t.equal(answer.status, 201)
  t.match(answer.body, { merchantAccount, paymentPspReference: psp, status: 'received' })
  t.match(await outcome(answer, 'CANCELLATION'), {
    success: 'true',
    originalReference: psp,
    merchantReference: 'can-1',
    amount: pounds(2500)
  })
  t.match(await booksOf(psp), { cancelled: true, capturable: 0 })
  t.match(await outcome(await post(psp, 'cancels'), 'CANCELLATION'), {
    success: 'false',
    reason: 'Transaction already cancelled'
  })
  const captured = await post(await authorise({ additionalData: {} }), 'cancels')
  t.match(await outcome(captured, 'CANCELLATION'), { success: 'false' })
})

t.test('a cancel calls off the automatic capture', async (t) => {
  const { authorise, post, booksOf } = await startShop(t)
  const psp = await authorise({ additionalData: {}, captureDelayHours: 1 })
  await post(psp, 'cancels')
  t.match(await booksOf(psp), { cancelled: true, capturedAt: null })
})

t.test('a payment can be cancelled by the reference of the merchant', async (t) => {
  const { authorise, call, outcome, endpoint } = await startShop(t)
  const cancel = (paymentReference: string, changes: object = {}) =>
    call('POST', '/v72/cancels', { merchantAccount, paymentReference, ...changes })

  const psp = await authorise()
  const answer = await cancel('pay_0001')
  t.equal(answer.status, 201)
  t.match(answer.body, { merchantAccount, paymentReference: 'pay_0001', status: 'received' })
  t.notOk('paymentPspReference' in answer.body)
  t.match(await outcome(answer, 'TECHNICAL_CANCEL'), {
    success: 'true',
    originalReference: psp,
    merchantReference: 'pay_0001',
    amount: pounds(2500)
  })
  t.match(await outcome(await cancel('pay_0001'), 'TECHNICAL_CANCEL'), { success: 'false' })

  await authorise({ reference: 'captured', additionalData: {} })
  const own = await cancel('captured', { reference: 'own' })
  t.match(await outcome(own, 'TECHNICAL_CANCEL'), { success: 'false', merchantReference: 'own' })

  const none = await outcome(await cancel('nobody'), 'TECHNICAL_CANCEL')
  t.match(none, { success: 'false', merchantReference: 'nobody' })
  t.ok(none.reason)
  t.notOk('originalReference' in none)
  t.equal((await call('POST', '/v72/cancels', { merchantAccount })).status, 422)
  await until(() => endpoint.received.length === 6)
})

t.test('of two payments under one reference the one that can be is cancelled', async (t) => {
  const { authorise, call, outcome } = await startShop(t)
  const open = await authorise()
  await authorise({ additionalData: {} })
  const body = { merchantAccount, paymentReference: 'pay_0001' }
  const cancelled = await outcome(await call('POST', '/v72/cancels', body), 'TECHNICAL_CANCEL')
  t.match(cancelled, { success: 'true', originalReference: open })
})

t.test('refunds stay within what was captured', async (t) => {
  const { authorise, post, outcome, booksOf } = await startShop(t)
  const psp = await authorise()
  const refundOf = async (value: number, changes: object = {}) =>
    await outcome(await post(psp, 'refunds', { amount: pounds(value), ...changes }), 'REFUND')

  t.match(await refundOf(1), {
    success: 'false',
    reason: "Transaction hasn't been captured, refund not possible"
  })
  await post(psp, 'captures', { amount: pounds(2000) })
  const named = { reference: 'ref-1', merchantRefundReason: 'CUSTOMER REQUEST' }
  t.match(await refundOf(1500, named), {
    success: 'true',
    originalReference: psp,
    merchantReference: 'ref-1',
    amount: pounds(1500)
  })
  t.match(await refundOf(501), { success: 'false', reason: 'Insufficient balance on payment' })
  t.match(await refundOf(500), { success: 'true' })
  t.match(await booksOf(psp), { captured: 2000, refunded: 2000, refundable: 0 })
})

t.test('a reversal counts the captures and refunds before it', async (t) => {
  const { authorise, post, outcome, booksOf } = await startShop(t)
  const partly = await authorise()
  await post(partly, 'captures', { amount: pounds(1000) })
  t.match(await outcome(await post(partly, 'reversals'), 'CANCEL_OR_REFUND'), {
    success: 'true',
    amount: pounds(1000),
    additionalData: { 'modification.action': 'refund' }
  })
  t.match(await booksOf(partly), { refunded: 1000, refundable: 0 })

  const cancelled = await authorise()
  await post(cancelled, 'cancels')
  t.match(await outcome(await post(cancelled, 'reversals'), 'CANCEL_OR_REFUND'), {
    success: 'false',
    additionalData: { 'modification.action': 'cancel' }
  })
  const open = await authorise()
  await post(open, 'reversals')
  t.match(await booksOf(open), { cancelled: true })
})

t.test('a modification that makes no sense is refused at once', async (t) => {
  const { authorise, post, call } = await startShop(t)
  const psp = await authorise()
  const amount = pounds(100)
  t.equal((await post(psp, 'captures')).status, 422, 'no amount')
  t.equal((await post(psp, 'refunds')).status, 422, 'no amount')
  t.equal((await post(psp, 'captures', { amount: pounds(0) })).status, 422)
  t.match((await post(psp, 'captures', { amount: { currency: 'EUR', value: 1 } })).body, {
    status: 422,
    errorCode: '138'
  })
  t.equal((await post(psp, 'captures', { amount, merchantAccount: 'Other' })).status, 403)
  t.match((await post(psp, 'captures', { amount, refrence: 'a' })).body, {
    status: 400,
    message: /PaymentCaptureRequest contains the following unknown fields: \[refrence\]/
  })
  t.equal((await post(psp, 'cancels', { amount })).status, 400, 'a cancel has no amount')
  t.equal((await post(psp, 'refunds', { amount, merchantRefundReason: 'WHIM' })).status, 422)
  t.equal((await post(psp, 'captures', { amount, reference: 'r'.repeat(81) })).status, 422)
  t.match((await post('UNKNOWN000000000', 'captures', { amount })).body, { errorCode: '167' })
  t.same((await call('GET', '/_simulator/modifications')).body, [])
})

t.test('under one idempotency key there is one capture', async (t) => {
  const { authorise, post, call } = await startShop(t)
  const psp = await authorise()
  const key = { 'idempotency-key': 'capture-1' }
  const first = await post(psp, 'captures', { amount: pounds(100) }, key)
  const again = await post(psp, 'captures', { amount: pounds(100) }, key)
  t.strictSame(again.body, first.body)
  t.equal(again.headers.get('idempotency-key'), 'capture-1')
  t.equal((await call('GET', '/_simulator/modifications')).body.length, 1)
})
