/** What facts do to a payment, as it is written and read again. */
import { sql } from 'kysely'
import t from 'tap'
import { findBalance } from '../../src/accounts/account.store.ts'
import { requestCapture } from '../../src/lifecycle/captures.ts'
import { listEvents } from '../../src/payments/payment.store.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  captured,
  captureFailedOf,
  closedBy,
  disputed,
  gbp,
  ours,
  paidBy,
  price,
  recaptured,
  refunded,
  refusedBy,
  requestOf,
  reversed,
  visa
} from './aggregates.ts'
import { newReference, type Start, savedPayments } from './saved-payments.ts'

const saved = await savedPayments(t)
const { db, addAccount, addPayment, addCharge, apply, applyTo, request, read, typesOf } = saved
const { aggregateOf, operationsOf, postingsOf, discrepanciesOf } = saved
const { fingerprint, checkInvariants } = saved

t.test('a paid payment is written as a whole: row, event, authorisation, ledger', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const reference = newReference()
  t.same(await applyTo(id, paidBy(reference, { card: visa })), ['applied'])
  t.match(await read(id), {
    status: 'captured',
    amountCaptured: 2500,
    amountAuthorised: 2500,
    authorisationReference: reference,
    card: visa,
    failure: null,
    eventCount: 2,
    finishedAt: Date
  })
  t.match(await aggregateOf(id), {
    authorisations: [
      { reference, outcome: 'authorised', disposition: 'kept', amount: price, reported: [] }
    ]
  })
  t.match(await listEvents(db, id, 1, 10), [
    {
      sequence: 2,
      type: 'payment.captured',
      data: { authorisation: reference },
      payment: { status: 'captured', finished: true, card: visa, checkout: null }
    }
  ])
  const { rows } = await sql`
    select debit_account, credit_account, trim(currency) as currency, amount, posting, fact,
      cause_type, cause_id, payment_id from ledger_transfer
    where account_id = ${accountId}`.execute(db)
  t.same(rows, [
    {
      debit_account: 'provider',
      credit_account: 'customer',
      currency: 'GBP',
      amount: 2500,
      posting: 'payment',
      fact: reference,
      cause_type: 'payment',
      cause_id: id,
      payment_id: id
    }
  ])
  t.match(await findBalance(db, accountId), { outstanding: 0, credit: 2500 })
  await checkInvariants(t, accountId)
})

t.test('a payment pays the charges that are there, and those that come later', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  await addCharge(accountId, 1000)
  await applyTo(id, paidBy(newReference()))
  t.match(await findBalance(db, accountId), { outstanding: 0, credit: 1500 })
  await addCharge(accountId, 1700)
  t.match(await findBalance(db, accountId), { outstanding: 200, credit: 0 })
  await checkInvariants(t, accountId)
})

t.test('what was captured of a reservation is credited, and pays charges', async (t) => {
  const accountId = await addAccount()
  await addCharge(accountId, 700)
  const id = await addPayment({ accountId, capture: 'manual' })
  const reference = newReference()
  const part = gbp(1000)
  t.same(await applyTo(id, paidBy(reference)), ['applied'])
  t.match(await findBalance(db, accountId), { outstanding: 700, credit: 0 })
  t.same(await applyTo(id, captured(reference, part)), ['applied'])
  t.match(await read(id), { status: 'captured', amountCaptured: 1000, finishedAt: Date })
  const [capture] = await operationsOf(id, 'capture')
  t.match(capture, { authorisation: reference, origin: 'provider', providerKey: null })
  t.same(await postingsOf(id), [`payment ${capture?.id}.2 GBP 1000`])
  t.match(await findBalance(db, accountId), { outstanding: 0, credit: 300 })
  await checkInvariants(t, accountId)
  const before = await fingerprint([accountId])
  t.same(await applyTo(id, captured(reference, part)), ['applied'])
  t.equal(await fingerprint([accountId]), before)
  t.same(await applyTo(id, reversed(reference)), ['applied'])
  t.match(await read(id), { status: 'captured', amountRefunded: 1000 })
  t.match(await findBalance(db, accountId), { outstanding: 700, credit: 0 })
  await checkInvariants(t, accountId)
})

t.test('a capture that fails and is taken again is written each time', async (t) => {
  const accountId = await addAccount()
  await addCharge(accountId, 2500)
  const id = await addPayment({ accountId, capture: 'manual' })
  const reference = newReference()
  await applyTo(id, paidBy(reference))
  const capture = await request(id, (one, context) =>
    requestCapture(one, { amount: null, several: false }, context)
  )
  t.match(await operationsOf(id, 'capture'), [
    { origin: 'client', status: 'requested', isDue: true, providerKey: `${capture.id}.capture.1` }
  ])
  await applyTo(id, captured(reference, price, ours(capture)))
  t.match(await findBalance(db, accountId), { outstanding: 0, credit: 0 })
  await applyTo(id, captureFailedOf(reference, price, ours(capture)))
  const failure = { code: 'capture_failed', message: 'Capture expired' }
  t.match(await read(id), { status: 'failed', amountCaptured: 0, failure })
  t.match(await operationsOf(id, 'capture'), [{ status: 'failed', failure, nextAttemptAt: null }])
  t.match(await findBalance(db, accountId), { outstanding: 2500, credit: 0 })
  await checkInvariants(t, accountId)
  const again = { providerReference: `AGAIN${reference}`, reference: capture.id }
  await applyTo(id, recaptured(reference, price, again))
  t.match(await read(id), { status: 'captured', amountCaptured: 2500, failure: null })
  t.match(await findBalance(db, accountId), { outstanding: 0, credit: 0 })
  t.match(await operationsOf(id, 'capture'), [
    { id: capture.id, status: 'succeeded', failure: null, nextAttemptAt: null }
  ])
  const facts = (await postingsOf(id)).map((text) => text.replace(capture.id, 'capture'))
  t.same(facts, [
    'payment capture.3 GBP 2500',
    'captureFailed capture.5 GBP 2500',
    'payment capture.7 GBP 2500'
  ])
  const [written] = (await aggregateOf(id))?.operations ?? []
  const { providerReference } = ours(capture)
  t.strictSame(written?.reported, [
    { outcome: 'succeeded', reference: providerReference },
    { outcome: 'failed', reference: providerReference, reason: 'Capture expired' },
    { outcome: 'succeeded', reference: again.providerReference, again: true }
  ])
  await checkInvariants(t, accountId)
})

t.test('a discrepancy is resolved once it is true no more, and opened when it is', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const reference = newReference()
  const numbered = (n: number) => ({ providerReference: `${reference}.${n}`, reference: 'by hand' })
  await applyTo(id, paidBy(reference), refunded(reference, gbp(300)))
  const steps: Array<[ProviderEvent, string]> = [
    [captureFailedOf(reference, price, numbered(1)), 'open'],
    [recaptured(reference, price, numbered(2)), 'resolved noLongerTrue'],
    [captureFailedOf(reference, price, numbered(3)), 'open']
  ]
  for (const [event, stands] of steps) {
    t.same(await applyTo(id, event), ['applied'])
    t.same(await discrepanciesOf(id), [`refunded_beyond_captured ${stands}`])
    await checkInvariants(t, accountId)
  }
  const { rows } = await sql`
    select resolved_at, reopened_at from discrepancy where payment_id = ${id}`.execute(db)
  t.match(rows, [{ resolved_at: null, reopened_at: Date }])
})

t.test('a refund and a dispute are written as a whole, and read as they were', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const reference = newReference()
  const defendBy = new Date('2026-03-01T00:00:00Z')
  const about = { dispute: 'DSP1', amount: gbp(1500) }
  await applyTo(id, paidBy(reference), refunded(reference, gbp(1000)))
  await applyTo(
    id,
    disputed('notified', { ...about, reason: 'Fraud', reasonCode: '10.4', defendBy })
  )
  t.match(await read(id), { amountRefunded: 1000, amountChargedBack: 0 })
  await applyTo(id, disputed('chargedBack', about))
  await checkInvariants(t, accountId)
  t.match(await aggregateOf(id), {
    operations: [
      {
        kind: 'refund',
        status: 'succeeded',
        amount: gbp(1000),
        origin: 'provider',
        providerReference: requestOf(reference).providerReference
      }
    ],
    disputes: [
      {
        reference: 'DSP1',
        status: 'open',
        stage: 'chargeback',
        amount: gbp(1500),
        amountChargedBack: 1500,
        reason: 'Fraud',
        reasonCode: '10.4',
        defendBy,
        reported: ['notified', 'chargedBack'],
        closedAt: null
      }
    ]
  })
  t.match(await findBalance(db, accountId), { outstanding: 0, credit: 0 })
  await applyTo(id, disputed('reversed', about), disputed('issuerTimeEnded', about))
  t.match(await findBalance(db, accountId), { outstanding: 0, credit: 1500 })
  t.same(await typesOf(id), [
    ...['payment.created', 'payment.captured', 'refund.succeeded', 'dispute.opened'],
    ...['dispute.updated', 'dispute.updated', 'dispute.closed']
  ])
  await checkInvariants(t, accountId)
})

t.test('what has ended is no longer due', async (t) => {
  const accountId = await addAccount()
  const addLeased = async () => {
    const id = await addPayment({ accountId })
    await sql`update payment set lease = gen_random_uuid(), leased_until = now()
      where id = ${id}`.execute(db)
    return id
  }
  const dueOf = async (id: string) => {
    const { rows } = await sql`
      select next_attempt_at, lease, leased_until from payment where id = ${id}`.execute(db)
    return rows[0]
  }
  for (const event of [paidBy(newReference()), closedBy('customer'), closedBy('time')]) {
    const id = await addLeased()
    await applyTo(id, event)
    t.same(await dueOf(id), { next_attempt_at: null, lease: null, leased_until: null })
  }
  const open = await addLeased()
  const before = await dueOf(open)
  t.match(before, { next_attempt_at: Date, lease: String, leased_until: Date })
  await applyTo(open, refusedBy(newReference()))
  t.same(await dueOf(open), before)
})

t.test('a card that comes later is written, and is no event', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const reference = newReference()
  await applyTo(id, paidBy(reference))
  await applyTo(id, paidBy(reference, { card: visa }))
  t.match(await read(id), { card: visa, eventCount: 2 })
})

t.test('facts of an unknown payment are unknown, and keep none from the others', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const missing = { paymentId: 'pay_0000000000000000', event: paidBy(newReference()) }
  t.same(await apply([missing, { paymentId: id, event: paidBy(newReference()) }, missing]), [
    'unknown',
    'applied',
    'unknown'
  ])
  t.match(await read(id), { status: 'captured' })
})

t.test('one piece of money pays one payment: for another it can not be written', async (t) => {
  const accountId = await addAccount()
  for (const capture of ['automatic', 'manual'] as const) {
    const owner = await addPayment({ accountId, capture })
    const other = await addPayment({ accountId, capture })
    const reference = newReference()
    await applyTo(owner, refusedBy(reference))
    const before = await fingerprint([accountId])
    await t.rejects(applyTo(other, paidBy(reference)), `${capture}: a success`)
    await t.rejects(applyTo(other, refusedBy(reference)), `${capture}: a refusal`)
    await t.rejects(
      apply([
        { paymentId: owner, event: paidBy(reference) },
        { paymentId: other, event: paidBy(reference) }
      ]),
      `${capture}: both at once`
    )
    t.equal(await fingerprint([accountId]), before, 'nothing was written')
  }
})

t.test('a batch that fails in part is not written at all', async (t) => {
  const accountId = await addAccount()
  const [one, other] = [await addPayment({ accountId }), await addPayment({ accountId })]
  const before = await fingerprint([accountId])
  const tooMuch = paidBy(newReference(), { amount: gbp(-1) })
  await t.rejects(
    apply([
      { paymentId: one, event: paidBy(newReference()) },
      { paymentId: other, event: tooMuch }
    ])
  )
  t.equal(await fingerprint([accountId]), before)
})

t.test('a success of no money at all is a discrepancy, and moves no books', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const nothing = paidBy(newReference(), { amount: gbp(0) })
  t.same(await applyTo(id, nothing, nothing), ['applied', 'applied'])
  t.same(await typesOf(id), ['payment.created', 'discrepancy.opened'])
  t.match(await read(id), { status: 'pending' })
  await checkInvariants(t, accountId)
})

t.test('the late rule, with the ledger', async (t) => {
  const endings: Array<[string, ProviderEvent[], Partial<Start>]> = [
    ['expired', [closedBy('time')], {}],
    ['refused', [refusedBy(newReference()), closedBy('refusals')], {}],
    ['cancelled by the customer', [closedBy('customer')], {}],
    ['cancelled by the caller', [], { cancelledBy: 'client' }]
  ]
  for (const [name, ending, start] of endings) {
    const accountId = await addAccount()
    const id = await addPayment({ accountId, ...start })
    await applyTo(id, ...ending)
    await applyTo(id, paidBy(newReference()))
    const kept = start.cancelledBy === undefined
    t.match(await read(id), { status: kept ? 'captured' : 'cancelled' }, name)
    t.match(await findBalance(db, accountId), { credit: kept ? 2500 : 0 }, name)
    await checkInvariants(t, accountId)
  }
})
