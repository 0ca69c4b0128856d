import t from 'tap'
import { eventOf, MERCHANT, pounds, startShop } from './harness.ts'

t.test('somebody can modify a payment in the Customer Area', async (t) => {
  const { authorise, control, endpoint, booksOf } = await startShop(t)
  const psp = await authorise()
  const capture = await control(psp, 'modify', { kind: 'capture', amount: pounds(2000) })
  t.match(capture.body, { kind: 'capture', success: true, reference: 'customer-area' })
  t.match(await eventOf(endpoint, 'CAPTURE'), {
    success: 'true',
    pspReference: capture.body.id,
    originalReference: psp,
    merchantReference: 'customer-area',
    amount: pounds(2000)
  })
  await control(psp, 'modify', { kind: 'refund', amount: pounds(500), reference: null })
  t.match(await eventOf(endpoint, 'REFUND'), {
    success: 'true',
    amount: pounds(500),
    merchantReference: 'pay_0001'
  })
  t.match(await booksOf(psp), { captured: 2000, refunded: 500 })
  t.match((await control(psp, 'modify', { kind: 'cancel' })).body, { success: false })
  t.equal((await control(psp, 'modify', { kind: 'chargeback' })).status, 400)
  t.equal((await control(psp, 'modify', { kind: 'capture', undoCapture: true })).status, 400)
  t.equal((await control('UNKNOWN000000000', 'modify', { kind: 'cancel' })).status, 404)
})

t.test('what somebody asks for can be refused', async (t) => {
  const { authorise, control, endpoint, booksOf } = await startShop(t)
  const psp = await authorise()
  await control(psp, 'modify', { kind: 'capture', success: false, reason: 'Acquirer Error' })
  t.match(await eventOf(endpoint, 'CAPTURE'), { success: 'false', reason: 'Acquirer Error' })
  t.match(await booksOf(psp), { captured: 0, capturable: 2500 })
})

t.test('an adjustment changes what is reserved, and so what can be captured', async (t) => {
  const { authorise, post, outcome, booksOf } = await startShop(t)
  const psp = await authorise()
  const amount = pounds(4000)
  const adjust = { amount, reference: 'adj-1', adjustAuthType: 'merchantInitiatedTransaction' }
  const answer = await post(psp, 'amountUpdates', adjust)
  t.equal(answer.status, 201)
  const { pspReference, ...rest } = answer.body
  t.match(pspReference, /^[A-Z0-9]{16}$/)
  const echo = { merchantAccount: MERCHANT, amount, reference: 'adj-1' }
  t.strictSame(rest, { ...echo, paymentPspReference: psp, status: 'received' })
  t.match(await outcome(answer, 'AUTHORISATION_ADJUSTMENT'), {
    success: 'true',
    originalReference: psp,
    merchantReference: 'adj-1',
    amount
  })
  t.match(await booksOf(psp), { authorised: 4000, capturable: 4000 })
  const captureOf = async (value: number) =>
    await outcome(await post(psp, 'captures', { amount: pounds(value) }), 'CAPTURE')
  t.match(await captureOf(4001), { success: 'false' })
  t.match(await captureOf(4000), { success: 'true' })
  const late = await post(psp, 'amountUpdates', { amount: pounds(5000) })
  t.match(await outcome(late, 'AUTHORISATION_ADJUSTMENT'), {
    success: 'false',
    reason: 'Transaction already captured'
  })
  t.match(await booksOf(psp), { authorised: 4000, captured: 4000 })
  t.equal((await post(psp, 'amountUpdates')).status, 422, 'no amount')
  t.equal((await post(psp, 'amountUpdates', { ...adjust, adjustAuthType: 'whim' })).status, 422)
})

t.test('an adjustment by hand follows the same rules, and can be refused', async (t) => {
  const { authorise, control, endpoint, booksOf } = await startShop(t)
  const psp = await authorise({ additionalData: {}, captureDelayHours: 1 })
  const adjust = (value: number, changes: object = {}) =>
    control(psp, 'modify', { kind: 'amountUpdate', amount: pounds(value), ...changes })
  await adjust(600)
  t.match(await eventOf(endpoint, 'AUTHORISATION_ADJUSTMENT'), {
    success: 'true',
    originalReference: psp,
    merchantReference: 'customer-area',
    amount: pounds(600)
  })
  await adjust(9000, { success: false })
  const isRefused = ({ success }: { success: string }) => success === 'false'
  t.match(await eventOf(endpoint, 'AUTHORISATION_ADJUSTMENT', isRefused), {
    amount: pounds(9000),
    reason: 'Refused'
  })
  const books = await booksOf(psp)
  t.match(books, { authorised: 600, capturable: 600 })
  t.ok(Date.parse(books.capturedAt) > Date.now(), 'the automatic capture is still to come')
  t.equal((await control(psp, 'modify', { kind: 'amountUpdate' })).status, 400)
  await control(psp, 'modify', { kind: 'capture' })
  t.match(await eventOf(endpoint, 'CAPTURE'), { success: 'true', amount: pounds(600) })
})

t.test('a capture that is not settled can be undone by a cancel or a reversal', async (t) => {
  const { authorise, control, call, endpoint, booksOf } = await startShop(t)
  const undo = (psp: string, kind: string) =>
    control(psp, 'modify', { kind, undoCapture: true, reference: `undo-${kind}` })

  const automatic = await authorise({ additionalData: {} })
  const reversal = await undo(automatic, 'reversal')
  t.match(await eventOf(endpoint, 'CANCEL_OR_REFUND'), {
    success: 'true',
    pspReference: reversal.body.id,
    originalReference: automatic,
    merchantReference: 'undo-reversal',
    additionalData: { 'modification.action': 'cancel' }
  })
  t.match(await booksOf(automatic), { captured: 0, cancelled: true, refundable: 0 })

  const manual = await authorise()
  await control(manual, 'modify', { kind: 'capture' })
  await undo(manual, 'cancel')
  t.match(await eventOf(endpoint, 'CANCELLATION'), { success: 'true' })
  t.match(await booksOf(manual), { captured: 0, cancelled: true })

  const settled = await authorise({ additionalData: {} })
  t.match((await call('POST', '/_simulator/reports')).body, { lines: 3 }, 'one sale, fee, payout')
  t.match((await undo(settled, 'reversal')).body, {
    success: false,
    reason: 'Transaction already settled'
  })
  const refund = (await control(settled, 'modify', { kind: 'reversal' })).body
  t.match(refund, { success: true, action: 'refund' })
  const isRefund = ({ pspReference }: { pspReference: string }) => pspReference === refund.id
  t.match(await eventOf(endpoint, 'CANCEL_OR_REFUND', isRefund), {
    additionalData: { 'modification.action': 'refund' }
  })
})

t.test('what is partly refunded is not undone', async (t) => {
  const { authorise, control, booksOf } = await startShop(t)
  const psp = await authorise({ additionalData: {} })
  await control(psp, 'modify', { kind: 'refund', amount: pounds(100) })
  const undone = await control(psp, 'modify', { kind: 'cancel', undoCapture: true })
  t.match(undone.body, { success: false })
  t.match(await booksOf(psp), { captured: 2500, refunded: 100, cancelled: false })
})
