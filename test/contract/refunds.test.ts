/** All that the operations on refunds may answer. */
import t from 'tap'
import type { ProblemCode } from '../../src/problems/problems.ts'
import { newAccountId } from '../test-service.ts'
import { eventually, type Judged, judgedService, stale } from './judged.ts'

const pounds = (value: number) => ({ currency: 'GBP', value })
/** Above it another operator approves. */
const limit = 1000
const asker = { id: 'agent-7', reason: 'by phone' }
const decider = { id: 'supervisor-2', reason: 'checked' }

t.test('every answer about refunds is what the document says', async (t) => {
  const service = await judgedService(t, { refundApprovalAbove: limit, duplicateWindowS: 0 })
  const { meet, createPayment, findUnmet } = service
  const id = await meetRefunds(service)
  const refundId = await meetDecisions(service)
  const { id: pending } = await createPayment()
  const body = { amount: pounds(1) }
  await meet('payment_not_refundable', 'refundPayment', [pending], { body })
  await meet('payment_not_found', 'refundPayment', ['none'], { body })
  await meetUnrepresentable(service)
  await meetDisputes(service)
  await meetRecorded(service)

  await meet(200, 'listRefunds', [id])
  const { body: first } = await meet(200, 'listRefunds', [id], { query: '?limit=1' })
  await meet(200, 'listRefunds', [id], { query: `?limit=1&cursor=${first.nextCursor}` })
  await meet('payment_not_found', 'listRefunds', ['none'])
  await service.meetUnchanged('getRefund', [refundId])
  await meet('refund_not_found', 'getRefund', ['none'])
  t.same(findUnmet('Refunds'), [])
})

type Expected = number | ProblemCode

async function capture({ createPayment, pay, until }: Judged, changes: object = {}) {
  const { id } = await createPayment({ ...changes })
  await pay(id)
  return await until(id, ({ status }) => status === 'captured')
}

/** Answers a payment with two refunds. */
async function meetRefunds(service: Judged): Promise<string> {
  const { meet } = service
  const { id } = await capture(service)
  const refund = (expected: Expected, body: object, key: string = crypto.randomUUID()) =>
    meet(expected, 'refundPayment', [id], { body, idempotencyKey: key })
  const whole = { amount: pounds(700), reason: 'paid twice', amountRefundable: 2500 }
  await refund(202, whole, 'one')
  await refund(202, whole, 'one')
  await refund('idempotency_key_reused', { amount: pounds(1) }, 'one')
  await refund(202, { amount: pounds(300), operator: asker })
  await refund('precondition_failed', whole)
  await refund('refund_exceeds_captured', { amount: pounds(2000), operator: asker })
  await refund('currency_mismatch', { amount: { currency: 'EUR', value: 1 } })
  await refund('request_invalid', { amount: pounds(limit + 1) })
  await service.until(id, ({ amountRefunded }) => amountRefunded === 1000)
  return id
}

/** Answers a refund that was approved. */
async function meetDecisions(service: Judged): Promise<string> {
  const { meet, control, until } = service
  const request = async (id: string, value: number): Promise<string> => {
    const body = { amount: pounds(value), operator: asker }
    return (await meet(202, 'refundPayment', [id], { body })).body.id
  }
  const decide = (
    expected: Expected,
    decision: 'approveRefund' | 'rejectRefund',
    of: string,
    { operator = decider, key = crypto.randomUUID() as string } = {}
  ) => meet(expected, decision, [of], { body: { operator }, idempotencyKey: key })

  const { id, provider } = await capture(service)
  const approved = await request(id, 1100)
  const rejected = await request(id, 1200)
  for (const [decision, refundId] of [
    ['approveRefund', approved],
    ['rejectRefund', rejected]
  ] as const) {
    await decide('approver_is_requester', decision, refundId, { operator: asker })
    const supposed = { body: { operator: decider }, ...stale }
    await meet('precondition_failed', decision, [refundId], supposed)
    await decide(200, decision, refundId, { key: refundId })
    await decide(200, decision, refundId, { key: refundId })
    const options = { operator: { ...decider, id: 'supervisor-3' }, key: refundId }
    await decide('idempotency_key_reused', decision, refundId, options)
    await decide('refund_not_awaiting_approval', decision, refundId)
    await decide('refund_not_found', decision, 'none')
  }
  await until(id, ({ amountRefunded }) => amountRefunded === 1100)

  const waiting = await request(id, 1300)
  const path = `/_simulator/payments/${provider.reference}/modify`
  await control('POST', path, { kind: 'refund', amount: pounds(500) })
  await until(id, ({ amountRefunded }) => amountRefunded === 1600)
  await decide('refund_exceeds_captured', 'approveRefund', waiting)

  const disputed = await capture(service)
  const blocked = await request(disputed.id, 1100)
  await dispute(service, disputed, 'NOTIFICATION_OF_CHARGEBACK', 'notification')
  await decide('payment_disputed', 'approveRefund', blocked)
  return approved
}

/** Adyen counts rupiah without the decimals that ISO 4217 gives them. */
async function meetUnrepresentable(service: Judged): Promise<void> {
  const accountId = newAccountId()
  await service.call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'IDR' } })
  const whole = { accountId, amount: { currency: 'IDR', value: 100_000 } }
  const { id } = await capture(service, whole)
  const body = { amount: { currency: 'IDR', value: 150 } }
  await service.meet('amount_not_representable', 'refundPayment', [id], { body })
}

type Captured = { id: string; provider: { reference: string } }

async function dispute(
  { call, control }: Judged,
  { id, provider }: Captured,
  eventCode: string,
  stage: string
): Promise<void> {
  await control('POST', `/_simulator/payments/${provider.reference}/dispute`, { eventCode })
  await eventually(
    async () => (await call('GET', `/v1/payments/${id}/disputes`)).body.data[0]?.stage,
    (found) => found === stage
  )
}

async function meetDisputes(service: Judged): Promise<void> {
  const { meet } = service
  const payment = await capture(service)
  await dispute(service, payment, 'REQUEST_FOR_INFORMATION', 'informationRequest')
  await meet(202, 'refundPayment', [payment.id], { body: { amount: pounds(100) } })
  await dispute(service, payment, 'CHARGEBACK', 'chargeback')
  await meet('payment_disputed', 'refundPayment', [payment.id], { body: { amount: pounds(100) } })
}

/** Its processor has refunded it already, and names each refund once. */
async function meetRecorded({ meet, createPayment }: Judged): Promise<void> {
  const { accountId } = await createPayment()
  const { body: recorded } = await meet(201, 'recordPayment', [], {
    body: {
      accountId,
      amount: pounds(2500),
      channel: 'ivr',
      outcome: 'captured',
      processor: { name: 'ivr-platform', reference: 'A1' },
      takenAt: '2026-01-01T00:00:00Z'
    }
  })
  const processor = { name: 'ivr-platform', reference: 'R1' }
  const body = { amount: pounds(100), processor }
  await meet(202, 'refundPayment', [recorded.id], { body })
  await meet('recorded_payment_conflict', 'refundPayment', [recorded.id], { body })
}
