/** All that the operations on payments, captures, cancellations and disputes may answer. */
import t, { type Test } from 'tap'
import type { ProblemCode } from '../../src/problems/problems.ts'
import { registerCard } from '../registered-card.ts'
import { newAccountId, paymentBody } from '../test-service.ts'
import type { Json } from './document.ts'
import { eventually, type Judged, judgedService, meetInFlight, stale } from './judged.ts'

type Expected = number | ProblemCode

const pounds = (value: number) => ({ currency: 'GBP', value })
const euros = { currency: 'EUR', value: 1 }
const tooLarge = pounds(1_000_000_000)
const tooFine = { currency: 'BHD', value: 1001 }
const customer = { reference: 'c', email: 'a@b.example', phone: '+441234567890', locale: 'en-GB' }
const operator = { id: 'agent-7', reason: 'by phone' }

t.test('every answer about payments is what the document says', async (t) => {
  const service = await judgedService(t)
  const accountId = newAccountId()
  await service.call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  await meetRefusedCreates(service, accountId)
  await meetPages(service, accountId)
  await meetRegisteredCard(t, service, accountId)
  await meetCaptures(service)
  await meetCancellations(service)
  await meetDisputes(service)
  await meetRecords(service, accountId)
  await meetReads(t, service)
  await service.call('PUT', `/v1/accounts/${accountId}`, {
    body: { currency: 'GBP', status: 'closed' }
  })
  await service.meet('account_closed', 'createPayment', [], { body: paymentBody(accountId) })
  t.same(service.findUnmet('Payments'), [])
})

/** Creates with an amount of its own each, lest it be a duplicate, unless told otherwise. */
function creating({ meet }: Judged, accountId: string) {
  let value = 100
  return (expected: Expected, changes: object = {}, key: string = crypto.randomUUID()) => {
    value += 1
    const body = { ...paymentBody(accountId), amount: pounds(value), ...changes }
    return meet(expected, 'createPayment', [], { body, idempotencyKey: key })
  }
}

async function meetRefusedCreates(service: Judged, accountId: string): Promise<void> {
  const create = creating(service, accountId)
  await create('account_not_found', { accountId: '7' })
  await create('currency_mismatch', { amount: euros })
  await create('amount_too_large', { amount: tooLarge })
  await create('amount_not_representable', { amount: tooFine })
  await create('return_url_refused', { returnUrl: 'https://elsewhere.example' })
  await create('request_invalid', { expiresAt: '2020-01-01T00:00:00Z' })
  await create('payment_method_not_offered', { paymentMethods: ['scheme', 'applepay'] })
  const onCard = { method: 'registeredCard', registeredCardId: 'crd_none' }
  await create('registered_card_not_found', onCard)
  await create('charge_not_found', { allocations: [{ chargeId: 'chg_none', amount: 1 }] })
  const chargeId = await pushCharge(service, accountId)
  const allocations = [{ chargeId, amount: 5000 }]
  await create('allocations_exceed_amount', { allocations })
  await create(201, { amount: pounds(5000), allocations })
}

async function pushCharge({ call }: Judged, accountId: string): Promise<string> {
  const { body } = await call('POST', `/v1/accounts/${accountId}/charges`, {
    body: { amount: pounds(5000), reference: 'A', dueAt: '2026-01-01T00:00:00Z' }
  })
  return body.id
}

/** Card pages and links, and what becomes of them. */
async function meetPages(service: Judged, accountId: string): Promise<void> {
  const { control, pay, until } = service
  const create = creating(service, accountId)
  const full = { reference: 'r', description: 'd', metadata: { a: 'b' }, customer, operator }
  const twice = { ...full, amount: pounds(3000), channel: 'agent', saveCard: 'ask' }
  const { body: payment } = await create(201, twice, 'one')
  await create(201, twice, 'one')
  await create('idempotency_key_reused', {}, 'one')
  await create('duplicate_suspected', twice)
  await create(201, { method: 'paymentLink', returnUrl: undefined, channel: 'ivr' })

  const faults = (api: object) => control('PUT', '/_simulator/faults', { api })
  await faults({ status4xx: { times: 1 } })
  await create('provider_rejected')
  await faults({ resetBeforeHeaders: true })
  await create('provider_unavailable')
  await faults({ resetBeforeHeaders: false, delayMs: { ms: 500, times: 1 } })
  const left = await meetInFlight(service, 'createPayment', '/v1/payments', {
    ...paymentBody(accountId),
    amount: pounds(3001)
  })

  const sessions = (await control('GET', '/_simulator/sessions')).body
  const ofLeft = sessions.find((one: Json) => one.request.reference === left.id)
  await control('POST', `/_simulator/sessions/${ofLeft.id}/expire`)
  await until(left.id, ({ status }) => status === 'expired')
  await pay(payment.id, 'NOT_ENOUGH_BALANCE')
  await until(payment.id, ({ failure }) => failure !== null)
  await service.meetUnchanged('getPayment', [payment.id])
  await pay(payment.id)
  await until(payment.id, ({ status }) => status === 'captured')
}

async function meetRegisteredCard(t: Test, service: Judged, accountId: string): Promise<void> {
  const { control } = service
  const registeredCardId = await registerCard(service, accountId)
  const create = creating(service, accountId)
  const [stored] = (await control('GET', '/_simulator/storedCards')).body
  const charge = async (card: object, changes: object, outcome: object) => {
    await control('PATCH', `/_simulator/storedCards/${stored.id}`, card)
    const method = { method: 'registeredCard', registeredCardId, returnUrl: undefined }
    const body = { ...method, channel: 'ivr', allowDuplicate: true, ...changes }
    t.match((await create(201, body)).body, outcome)
  }
  await charge({}, {}, { status: 'captured', checkout: null })
  await charge({}, { capture: 'manual' }, { status: 'authorised', checkout: null })
  await charge({ challenge: true }, {}, { status: 'pending', checkout: { url: String } })
  const refused = { status: 'refused', failure: { code: 'card_declined' } }
  await charge({ challenge: false, holderName: 'DECLINED' }, {}, refused)
}

async function paid({ createPayment, pay, until }: Judged, changes: object, holderName?: string) {
  const { id } = await createPayment({ ...changes })
  await pay(id, holderName)
  return await until(id, ({ status }) => status === 'authorised' || status === 'captured')
}

/** What Adyen counts without the decimals that ISO 4217 gives it. */
async function inRupiah({ call }: Judged) {
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'IDR' } })
  return { accountId, amount: { currency: 'IDR', value: 100_000 } }
}

async function meetCaptures(service: Judged): Promise<void> {
  const { meet, until } = service
  const { id } = await paid(service, { capture: 'manual' }, 'capture failed')
  const capture = (expected: Expected, body: unknown = {}, key: string = crypto.randomUUID()) =>
    meet(expected, 'capturePayment', [id], { body, idempotencyKey: key })
  await capture('capture_exceeds_authorised', { amount: pounds(2501) })
  await capture('currency_mismatch', { amount: euros })
  await meet('precondition_failed', 'capturePayment', [id], stale)
  await capture(202, { amount: pounds(2000) }, 'capture')
  await capture(202, { amount: pounds(2000) }, 'capture')
  await capture('idempotency_key_reused', {}, 'capture')
  await capture('payment_not_capturable')
  await meet('payment_not_found', 'capturePayment', ['none'])
  await until(id, ({ status }) => status === 'failed')
  const fine = await paid(service, { ...(await inRupiah(service)), capture: 'manual' })
  const part = { amount: { currency: 'IDR', value: 150 } }
  await meet('amount_not_representable', 'capturePayment', [fine.id], { body: part })
  const whole = await paid(service, { capture: 'manual' })
  await meet(202, 'capturePayment', [whole.id])
  await until(whole.id, ({ status }) => status === 'captured')
  await meet(200, 'listCaptures', [id])
  await meet('payment_not_found', 'listCaptures', ['none'])
}

async function meetCancellations(service: Judged): Promise<void> {
  const { meet, createPayment, pay, until } = service
  const cancel = (expected: Expected, id: string, key: string = crypto.randomUUID(), body = {}) =>
    meet(expected, 'cancelPayment', [id], { body, idempotencyKey: key })
  const { id } = await createPayment()
  await meet('precondition_failed', 'cancelPayment', [id], stale)
  await cancel(202, id, 'cancel', { reason: 'called back' })
  await cancel(202, id, 'cancel', { reason: 'called back' })
  await cancel('idempotency_key_reused', id, 'cancel')
  await cancel('payment_not_cancellable', id)
  await cancel('payment_not_found', 'none')
  await pay(id)
  const events = () => service.call('GET', `/v1/payments/${id}/events`)
  await eventually(events, ({ body }) =>
    body.data.some(({ type }: Json) => type === 'reversal.succeeded')
  )
  const reserved = await paid(service, { capture: 'manual' })
  await cancel(202, reserved.id)
  await until(reserved.id, ({ status }) => status === 'cancelled')
}

async function meetDisputes(service: Judged): Promise<void> {
  const { meet, control } = service
  const { id, provider } = await paid(service, {})
  const list = async () => (await meet(200, 'listDisputes', [id])).body.data[0]
  for (const [eventCode, stage] of [
    ['REQUEST_FOR_INFORMATION', 'informationRequest'],
    ['NOTIFICATION_OF_CHARGEBACK', 'notification'],
    ['CHARGEBACK', 'chargeback'],
    ['CHARGEBACK_REVERSED', 'chargebackReversed'],
    ['SECOND_CHARGEBACK', 'secondChargeback']
  ]) {
    await control('POST', `/_simulator/payments/${provider.reference}/dispute`, { eventCode })
    await eventually(list, (found) => found?.stage === stage)
  }
  await meet('payment_not_found', 'listDisputes', ['none'])
  await meet(200, 'listAllDisputes', [], { query: '?limit=1' })
  await meet(200, 'listAllDisputes', [], { query: '?defendBefore=2999-01-01T00:00:00Z' })
  await service.meetUnchanged('getReceipt', [id])
  const pending = await service.createPayment()
  await meet('receipt_not_found', 'getReceipt', [pending.id])
  await meet('payment_not_found', 'getReceipt', ['none'])
}

async function meetRecords({ meet }: Judged, accountId: string): Promise<void> {
  const record = (expected: Expected, changes: object = {}, reference = 'A1') => {
    const body = {
      accountId,
      amount: pounds(4000),
      channel: 'ivr',
      outcome: 'captured',
      processor: { name: 'ivr-platform', reference },
      takenAt: '2026-01-01T00:00:00Z',
      card: { brand: 'visa', lastFour: '1111' },
      ...changes
    }
    return meet(expected, 'recordPayment', [], { body })
  }
  await record(201)
  await record(200)
  await record(201, { outcome: 'refused', failure: { code: 'card_expired' } }, 'A2')
  await record('recorded_payment_conflict', { amount: pounds(4001) })
  await record('account_not_found', { accountId: '7' }, 'A3')
  await record('currency_mismatch', { amount: euros }, 'A3')
  await record('amount_too_large', { amount: tooLarge }, 'A3')
  await record('amount_not_representable', { amount: tooFine }, 'A3')
  await record('request_invalid', { takenAt: '2999-01-01T00:00:00Z' }, 'A3')
}

/** Every payment that the others have left, in whatever state, with all that happened to it. */
async function meetReads(t: Test, { meet }: Judged): Promise<void> {
  const { body } = await meet(200, 'listPayments', [], { query: '?limit=100' })
  const statuses = new Set(body.data.map(({ status }: Json) => status))
  t.equal(statuses.size, 7, `payments of every status: ${[...statuses]}`)
  const types = new Set<string>()
  for (const { id } of body.data) {
    await meet(200, 'getPayment', [id])
    const { body: events } = await meet(200, 'listPaymentEvents', [id], { query: '?limit=100' })
    for (const { type } of events.data) types.add(type)
  }
  t.ok(types.size > 15, `events of many types: ${[...types]}`)
  const { body: first } = await meet(200, 'listPayments', [], { query: '?limit=1' })
  await meet(200, 'listPayments', [], { query: `?limit=1&cursor=${first.nextCursor}` })
  await meet('payment_not_found', 'getPayment', ['none'])
  await meet('payment_not_found', 'listPaymentEvents', ['none'])
}
