import fc from 'fast-check'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { createCharge } from '../../src/accounts/account.commands.ts'
import { findBalance } from '../../src/accounts/account.store.ts'
import { returnFromPage } from '../../src/checkout/return.commands.ts'
import { claimDue, giveUp } from '../../src/due/due.store.ts'
import { newId } from '../../src/id.ts'
import { lockAggregates, readClock, saveAggregates } from '../../src/lifecycle/aggregate.store.ts'
import { applyEvents, type EventOfPayment } from '../../src/lifecycle/apply.commands.ts'
import { requestCancellation } from '../../src/lifecycle/cancellations.ts'
import type { Effect, PaymentAggregate } from '../../src/lifecycle/model.ts'
import { dueOperations, recordAccepted } from '../../src/operations/due-operation.store.ts'
import { findPayment, listEvents } from '../../src/payments/payment.store.ts'
import type { Payment, PaymentStatus } from '../../src/payments/payment.ts'
import type { PageResult, Provider, ProviderEvent } from '../../src/provider.ts'
import { addPayment as insertNewPayment } from '../checkout/intents.ts'
import { findMoneyFaults } from '../invariants.ts'
import { testContext } from '../test-context.ts'
import { insertClients, testDatabase } from '../test-database.ts'
import {
  byHand,
  captured,
  captureFailedOf,
  closedBy,
  disputed,
  gbp,
  newPayment,
  paidBy,
  price,
  recaptured,
  refunded,
  refundFailedOf,
  refusedBy,
  rejected,
  requestOf,
  reversalRefused,
  reversed,
  unknown,
  visa
} from './aggregates.ts'

const { db } = await testDatabase(t)
await insertClients(db, newPayment().clientId)
// Statements are planned while the tables are empty, and used when they are not.
await sql`set enable_seqscan = off`.execute(db)

let accounts = 20_000_000
async function addAccount(): Promise<number> {
  accounts += 1
  await db
    .insertInto('account')
    .values({ id: accounts, currency: 'GBP', name: null, status: 'open' })
    .execute()
  return accounts
}

type Start = { accountId: number; capture?: 'automatic' | 'manual'; cancelledBy?: 'client' }

/** A pending payment whose page is open; or one that the caller has cancelled. */
async function addPayment({ accountId, capture = 'automatic', cancelledBy }: Start) {
  const id = newId('pay')
  await insertNewPayment(db, newPayment({ id, accountId, capture }))
  await sql`update payment set provider_session = 'CS1' where id = ${id}`.execute(db)
  if (cancelledBy !== undefined) {
    await db.transaction().execute(async (tx) => {
      const aggregate = (await lockAggregates(tx, [id])).get(id) as PaymentAggregate
      requestCancellation(aggregate, { reason: null }, { now: await readClock(tx), newId })
      await saveAggregates(tx, [aggregate], 'adyen')
    })
  }
  return id
}

async function addCharge(accountId: number, value: number, dueAt = new Date('2026-01-01')) {
  const amount = { currency: 'GBP', value }
  const reference = newId('chg')
  return await createCharge(db, { accountId, reference, amount, dueAt })
}

async function apply(events: EventOfPayment[]): Promise<Array<Effect | 'unknown'>> {
  const { effects } = await db.transaction().execute((tx) => applyEvents(tx, 'adyen', events))
  return effects
}

const applyTo = (paymentId: string, ...events: ProviderEvent[]) =>
  apply(events.map((event) => ({ paymentId, event })))

async function read(id: string): Promise<Payment> {
  return (await findPayment(db, id)) as Payment
}

async function typesOf(id: string): Promise<string[]> {
  return (await listEvents(db, id, 0, 100)).map(({ type }) => type)
}

/** The ids of what was asked of this kind, oldest first. */
async function idsOf(paymentId: string, kind: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from modification where payment_id = ${paymentId} and kind = ${kind}
    order by id`.execute(db)
  return rows.map(({ id }) => id)
}

async function postingsOf(id: string): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`
    select posting || ' ' || fact || ' ' || trim(currency) || ' ' || amount as text
    from ledger_transfer where payment_id = ${id} order by id`.execute(db)
  return rows.map(({ text }) => text)
}

let references = 0
/** A reference of money that no other payment has. */
function newReference(): string {
  references += 1
  return `PSP${String(references).padStart(13, '0')}`
}

/** Whatever of these accounts would differ, if anything had changed. */
async function fingerprint(accountIds: number[]): Promise<string> {
  const { rows } = await sql<{ text: string }>`
    with p as (select * from payment where account_id = any(${accountIds}))
    select md5(jsonb_build_array(
      (select jsonb_agg(to_jsonb(p) order by id) from p),
      (select jsonb_agg(to_jsonb(e) order by payment_id, sequence) from payment_event e
        where payment_id in (select id from p)),
      (select jsonb_agg(to_jsonb(a) order by provider_reference) from authorisation a
        where payment_id in (select id from p)),
      (select jsonb_agg(to_jsonb(m) order by id) from modification m
        where payment_id in (select id from p)),
      (select jsonb_agg(to_jsonb(d) order by id) from discrepancy d
        where payment_id in (select id from p)),
      (select jsonb_agg(to_jsonb(d) order by id) from dispute d
        where payment_id in (select id from p)),
      (select jsonb_agg(to_jsonb(l) order by id) from ledger_transfer l
        where account_id = any(${accountIds})),
      (select jsonb_agg(to_jsonb(c) order by id) from charge c
        where account_id = any(${accountIds})),
      (select jsonb_agg(to_jsonb(c) order by transfer_id) from credit c
        where account_id = any(${accountIds})),
      (select jsonb_agg(to_jsonb(d) order by transfer_id) from debit d
        where account_id = any(${accountIds})),
      (select jsonb_agg(to_jsonb(a) order by id) from allocation a
        where account_id = any(${accountIds}))
    )::text) as text`.execute(db)
  return rows[0]?.text ?? ''
}

/** The invariants that do not hold, each with the rows that say so. */
async function findFaults(accountIds: number[]): Promise<string[]> {
  return (await findMoneyFaults(db, accountIds)).map((fault) => JSON.stringify(fault))
}

async function checkInvariants(t: Test, accountIds: number[]): Promise<void> {
  t.same(await findFaults(accountIds), [], 'all invariants hold')
}

t.test('a paid payment is written as a whole: row, event, authorisation, ledger', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const reference = newReference()
  t.same(await applyTo(id, paidBy(reference, { card: visa })), ['applied'])
  t.match(await read(id), {
    status: 'captured',
    amountCaptured: 2500,
    authorisationReference: reference,
    card: visa,
    failure: null,
    eventCount: 2,
    finishedAt: Date
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
  await checkInvariants(t, [accountId])
})

t.test('a payment pays the charges that are there, and those that come later', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  await addCharge(accountId, 1000)
  await applyTo(id, paidBy(newReference()))
  t.match(await findBalance(db, accountId), { outstanding: 0, credit: 1500 })
  await addCharge(accountId, 1700)
  t.match(await findBalance(db, accountId), { outstanding: 200, credit: 0 })
  await checkInvariants(t, [accountId])
})

t.test('second money is written as a reversal that is due', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const [kept, more] = [newReference(), newReference()]
  await applyTo(id, paidBy(kept), paidBy(more))
  const { rows } = await sql<{ id: string }>`
    select id, kind, authorisation, amount, status, next_attempt_at <= now() as due, provider_key
    from modification where payment_id = ${id}`.execute(db)
  const [reversal] = rows
  t.match(rows, [{ kind: 'reversal', authorisation: more, amount: 2500, status: 'requested' }])
  t.match(reversal, { due: true, provider_key: `${reversal?.id}.reversal.1` })
  t.match(await findBalance(db, accountId), { credit: 2500 })
  await checkInvariants(t, [accountId])

  await applyTo(id, reversed(more))
  t.same(await typesOf(id), [
    'payment.created',
    'payment.captured',
    'reversal.requested',
    'reversal.succeeded'
  ])
  await checkInvariants(t, [accountId])
  await applyTo(id, refundFailedOf(more))
  t.match(
    (
      await sql`select status, next_attempt_at, failure from modification
    where payment_id = ${id}`.execute(db)
    ).rows,
    [
      {
        status: 'failed',
        next_attempt_at: null,
        failure: { code: 'provider_error', message: 'Insufficient balance' }
      }
    ]
  )
  t.same(await postingsOf(id), [
    `payment ${kept} GBP 2500`,
    `held ${more} GBP 2500`,
    `reversal ${reversal?.id}:MOD${more} GBP 2500`,
    `reversalFailed ${reversal?.id}:MOD${more} GBP 2500`
  ])
  await checkInvariants(t, [accountId])
})

t.test('a reversal is ours by the reference that the provider gave it', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const more = newReference()
  await applyTo(id, paidBy(newReference()), paidBy(more))
  await sql`update modification set provider_reference = ${requestOf(more).providerReference}
    where payment_id = ${id}`.execute(db)
  const before = await fingerprint([accountId])
  t.same(await applyTo(id, reversalRefused(more, byHand)), ['ignored'])
  t.equal(await fingerprint([accountId]), before)
  t.same(await applyTo(id, reversalRefused(more)), ['applied'])
  await checkInvariants(t, [accountId])
  t.same(await applyTo(id, reversed(more)), ['applied'], 'it went back after all')
  const succeeded = await fingerprint([accountId])
  t.same(await applyTo(id, reversalRefused(more), reversed(more)), ['applied', 'applied'])
  t.equal(await fingerprint([accountId]), succeeded)
  t.match(
    (await sql`select status, failure from modification where payment_id = ${id}`.execute(db)).rows,
    [{ status: 'succeeded', failure: null }]
  )
  await checkInvariants(t, [accountId])
})

t.test('a reversal that fell through is given back by another request', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const more = newReference()
  await applyTo(id, paidBy(newReference()), paidBy(more))
  await sql`update modification set provider_reference = ${requestOf(more).providerReference}
    where payment_id = ${id}`.execute(db)
  await applyTo(id, reversed(more))
  await applyTo(id, refundFailedOf(more))
  const fallen = await fingerprint([accountId])
  t.same(await applyTo(id, reversed(more)), ['applied'])
  t.equal(await fingerprint([accountId]), fallen, 'the same request changes nothing')
  const byHand = { providerReference: `BYHAND${more}`, reference: 'by hand' }
  t.same(await applyTo(id, reversed(more, byHand)), ['applied'])
  t.same((await typesOf(id)).slice(3), [
    'reversal.succeeded',
    'reversal.failed',
    'discrepancy.opened',
    'reversal.succeeded'
  ])
  await checkInvariants(t, [accountId])
})

t.test('a reversal may fail more than once', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const more = newReference()
  await applyTo(id, paidBy(newReference()), paidBy(more))
  const [id2] = await idsOf(id, 'reversal')
  for (const event of [rejected(id2 as string), reversed(more), refundFailedOf(more)]) {
    t.same(await applyTo(id, event), ['applied'], event.type)
    await checkInvariants(t, [accountId])
  }
  t.match((await typesOf(id)).slice(-2), ['reversal.failed', 'discrepancy.opened'])
})

t.test('money that differs and was given back stands in clearing no more', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const reference = newReference()
  const amount = { currency: 'EUR', value: 2400 }
  t.same(await applyTo(id, paidBy(reference, { amount })), ['applied'])
  await checkInvariants(t, [accountId])
  t.same(await applyTo(id, reversed(reference)), ['applied'])
  t.same(await postingsOf(id), [`held ${reference} EUR 2400`, `reversal ${reference} EUR 2400`])
  t.match(
    (await sql`select disposition from authorisation where payment_id = ${id}`.execute(db)).rows,
    [{ disposition: 'released' }]
  )
  const before = await fingerprint([accountId])
  t.same(await applyTo(id, reversed(reference)), ['applied'])
  t.equal(await fingerprint([accountId]), before)
  await checkInvariants(t, [accountId])
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
  const [capture] = await idsOf(id, 'capture')
  t.same(await postingsOf(id), [`payment ${capture}.1 GBP 1000`])
  t.match(await findBalance(db, accountId), { outstanding: 0, credit: 300 })
  await checkInvariants(t, [accountId])
  const before = await fingerprint([accountId])
  t.same(await applyTo(id, captured(reference, part)), ['applied'])
  t.equal(await fingerprint([accountId]), before)
  t.same(await applyTo(id, reversed(reference)), ['applied'])
  t.match(await read(id), { status: 'captured', amountRefunded: 1000 })
  t.match(await findBalance(db, accountId), { outstanding: 700, credit: 0 })
  await checkInvariants(t, [accountId])
})

t.test('a capture that fails and is taken again is written each time', async (t) => {
  const accountId = await addAccount()
  await addCharge(accountId, 2500)
  const id = await addPayment({ accountId, capture: 'manual' })
  const reference = newReference()
  await applyTo(id, paidBy(reference), captured(reference))
  t.match(await findBalance(db, accountId), { outstanding: 0, credit: 0 })
  await applyTo(id, captureFailedOf(reference))
  t.match(await read(id), {
    status: 'failed',
    amountCaptured: 0,
    failure: { code: 'capture_failed', message: 'Capture expired' }
  })
  t.match(await findBalance(db, accountId), { outstanding: 2500, credit: 0 })
  await checkInvariants(t, [accountId])
  await applyTo(id, recaptured(reference))
  t.match(await read(id), { status: 'captured', amountCaptured: 2500, failure: null })
  t.match(await findBalance(db, accountId), { outstanding: 0, credit: 0 })
  const [capture] = await idsOf(id, 'capture')
  t.same(await postingsOf(id), [
    `payment ${capture}.1 GBP 2500`,
    `captureFailed ${capture}.1 GBP 2500`,
    `payment ${capture}.2 GBP 2500`
  ])
  const { rows } = await sql`select status, failure, successes, failures, origin, next_attempt_at
    from modification where payment_id = ${id}`.execute(db)
  t.same(rows, [
    {
      status: 'succeeded',
      failure: null,
      successes: 2,
      failures: 1,
      origin: 'provider',
      next_attempt_at: null
    }
  ])
  await checkInvariants(t, [accountId])
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
  await checkInvariants(t, [accountId])
  const aggregate = await db
    .transaction()
    .execute(async (tx) => (await lockAggregates(tx, [id])).get(id))
  t.match(aggregate, {
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
  await checkInvariants(t, [accountId])
})

t.test('what was accepted after its outcome was reported is due no more', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const more = newReference()
  await applyTo(id, paidBy(newReference()), paidBy(more))
  const [reversal] = (await idsOf(id, 'reversal')) as [string]
  const only = sql`id = ${reversal}`
  const [held] = await claimDue(db, dueOperations, { limit: 1, leaseS: 60, only })
  if (held === undefined) return t.fail('it is due')
  await applyTo(id, reversed(more))
  await recordAccepted(db, held, 'MOD1')
  const { rows } = await sql`select status, next_attempt_at, lease, leased_until, attempts
    from operation where id = ${reversal}`.execute(db)
  const idle = { next_attempt_at: null, lease: null, leased_until: null }
  t.same(rows, [{ status: 'succeeded', ...idle, attempts: 1 }])
})

t.test('what was accepted is due after a day, to be shown to a person', async (t) => {
  const id = await addPayment({ accountId: await addAccount() })
  await applyTo(id, paidBy(newReference()), paidBy(newReference()))
  const [reversal] = (await idsOf(id, 'reversal')) as [string]
  const only = sql`id = ${reversal}`
  const [held] = await claimDue(db, dueOperations, { limit: 1, leaseS: 60, only })
  if (held === undefined) return t.fail('it is due')
  await recordAccepted(db, held, 'MOD2')
  await recordAccepted(db, held, 'MOD3')
  const { rows } = await sql`select provider_reference, lease,
    round(extract(epoch from next_attempt_at - first_tried_at) / 60)::int as minutes
    from operation where id = ${reversal}`.execute(db)
  t.same(rows, [{ provider_reference: 'MOD2', lease: null, minutes: 24 * 60 + 1 }])
})

t.test('a reversal that is given up is due no more, and a discrepancy', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const more = newReference()
  await applyTo(id, paidBy(newReference()), paidBy(more))
  const [reversal] = (await idsOf(id, 'reversal')) as [string]
  const only = sql`id = ${reversal}`
  const [held] = await claimDue(db, dueOperations, { limit: 1, leaseS: 60, only })
  if (held === undefined) return t.fail('it is due')
  await giveUp(db, dueOperations, held, (tx) =>
    applyEvents(tx, 'adyen', [{ paymentId: id, event: unknown(reversal) }])
  )
  const { rows } = await sql`select status, next_attempt_at from modification
    where payment_id = ${id}`.execute(db)
  t.same(rows, [{ status: 'requested', next_attempt_at: null }])
  t.match(
    (await sql`select kind, status from discrepancy where payment_id = ${id}`.execute(db)).rows,
    [{ kind: 'outcome_unknown', status: 'open' }]
  )
  await checkInvariants(t, [accountId])
})

t.test('what has ended is no longer due', async (t) => {
  const accountId = await addAccount()
  for (const event of [paidBy(newReference()), closedBy('customer'), closedBy('time')]) {
    const id = await addPayment({ accountId })
    await applyTo(id, event)
    t.match((await sql`select due_at from payment where id = ${id}`.execute(db)).rows, [
      { due_at: null }
    ])
  }
  const open = await addPayment({ accountId })
  await applyTo(open, refusedBy(newReference()))
  t.match((await sql`select due_at from payment where id = ${open}`.execute(db)).rows, [
    { due_at: Date }
  ])
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
  await checkInvariants(t, [accountId])
})

t.test('what the page says when the browser comes back', async (t) => {
  const differing = { authorisationReference: newReference(), outcome: 'paid' as const }
  const results: Array<[PageResult, PaymentStatus]> = [
    [{ outcome: 'paid', authorisationReference: newReference(), amount: price }, 'captured'],
    [{ ...differing, amount: { currency: 'GBP', value: 2499 } }, 'pending'],
    [{ ...differing, amount: { currency: 'EUR', value: 2500 } }, 'pending'],
    [{ outcome: 'cancelled' }, 'cancelled'],
    [{ outcome: 'refused' }, 'refused'],
    [{ outcome: 'open' }, 'pending']
  ]
  for (const [result, status] of results) {
    const id = await addPayment({ accountId: await addAccount() })
    const provider = { name: 'adyen', findPageResult: async () => result } as unknown as Provider
    const faults: unknown[] = []
    const context = testContext(db, { provider })
    const given = { sessionResult: 'result' }
    const url = await returnFromPage(context, id, given, (fault) => faults.push(fault))
    t.equal(url, `https://selfcare.example/paid?paymentId=${id}`)
    t.match(await read(id), { status }, JSON.stringify(result))
    t.same(faults, [])
    if (status === 'pending') t.same(await typesOf(id), ['payment.created'])
  }
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
    await checkInvariants(t, [accountId])
  }
})

// From here on: whatever the provider tells, in whatever order and however often.

/** A fact of a payment; places stand for payments and references that each run makes anew. */
type Step =
  | { do: 'apply'; events: Array<{ payment: number; make: Made }> }
  | { do: 'charge'; account: number; value: number; due: number; inQuery: boolean }
type Made = { type: (typeof madeTypes)[number]; reference: number; variant: number }
const madeTypes = [
  'authorised',
  'attemptRefused',
  'reversed',
  'reversalRefused',
  'refundFailed',
  'captured',
  'pageClosed',
  'authorisationExpired',
  'rejected'
] as const
const often: Partial<Record<Made['type'], number>> = { authorised: 5, attemptRefused: 3 }

const made: fc.Arbitrary<Made> = fc.record({
  type: fc.oneof(
    ...madeTypes.map((type) => ({ weight: often[type] ?? 2, arbitrary: fc.constant(type) }))
  ),
  reference: fc.nat({ max: 2 }),
  variant: fc.nat({ max: 9 })
})

/**
 * One fact is always told alike: the amount belongs to the reference, and so does whether the
 * request to give it back is refused, or accepted and may fall through.
 */
function makeEvent({ type, reference, variant }: Made, references: string[]): ProviderEvent {
  const authorisation = references[reference] as string
  const amount = reference === 2 ? gbp(2400) : price
  switch (type) {
    case 'authorised':
      return {
        type,
        authorisationReference: authorisation,
        amount,
        card: variant % 2 === 0 ? visa : null
      }
    case 'attemptRefused':
      return { ...refusedBy(authorisation), type, amount } as ProviderEvent
    case 'pageClosed':
      return closedBy((['customer', 'refusals', 'time'] as const)[variant % 3] ?? 'time')
    case 'captured':
      return captured(authorisation, reference === 1 ? gbp(1000) : amount)
    case 'reversed':
      return reversed(authorisation)
    case 'reversalRefused':
    case 'refundFailed':
      return reference === 1 ? reversalRefused(authorisation) : refundFailedOf(authorisation)
    case 'rejected':
      return { type, reason: 'Adyen answered 422' }
    case 'authorisationExpired':
      return { type, authorisationReference: authorisation }
  }
}

/** Four payments of two accounts: automatic and manual, one of each cancelled by the caller. */
const starts = [
  { account: 0 },
  { account: 0, cancelledBy: 'client' },
  { account: 1, capture: 'manual' },
  { account: 1, capture: 'manual', cancelledBy: 'client' },
  { account: 1 }
] as const

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('apply' as const),
      events: fc.array(fc.record({ payment: fc.nat({ max: starts.length - 1 }), make: made }), {
        minLength: 1,
        maxLength: 8
      })
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('charge' as const),
      account: fc.nat({ max: 1 }),
      value: fc.constantFrom(2500, 1000, 400, 6000),
      due: fc.integer({ min: 1, max: 5 }),
      inQuery: fc.boolean()
    })
  }
)

type World = { accountIds: number[]; payments: Array<{ id: string; references: string[] }> }

async function newWorld(): Promise<World> {
  const accountIds = [await addAccount(), await addAccount()]
  const payments: World['payments'] = []
  for (const { account, ...start } of starts) {
    const id = await addPayment({ ...start, accountId: accountIds[account] as number })
    payments.push({ id, references: [newReference(), newReference(), newReference()] })
  }
  return { accountIds, payments }
}

function eventsOf(world: World, step: Extract<Step, { do: 'apply' }>): EventOfPayment[] {
  return step.events.map(({ payment, make }) => {
    const { id, references } = world.payments[payment] as World['payments'][number]
    return { paymentId: id, event: makeEvent(make, references) }
  })
}

async function addRandomCharge(world: World, step: Extract<Step, { do: 'charge' }>): Promise<void> {
  const accountId = world.accountIds[step.account] as number
  const { charge } = await addCharge(accountId, step.value, new Date(Date.UTC(2026, 0, step.due)))
  // A charge in query is skipped from then on; what was matched to it already stays.
  if (!step.inQuery) return
  await db.updateTable('charge').set({ in_query: true }).where('id', '=', charge.id).execute()
}

/**
 * Applies events; those that are early again and again, as the inbox does, until none changes. That
 * a reversal was refused is told after it was asked for, so what is told too soon is told again.
 */
async function settle(events: EventOfPayment[]): Promise<void> {
  let due = events
  for (let round = 0; round <= events.length && due.length > 0; round++) {
    const effects = await apply(due)
    due = due.filter(
      ({ event }, place) =>
        effects[place] === 'deferred' ||
        (effects[place] === 'ignored' && event.type === 'reversalRefused')
    )
  }
}

async function mustHold(accountIds: number[], when: string): Promise<void> {
  const faults = await findFaults(accountIds)
  if (faults.length > 0) throw new Error(`${when}: ${faults.join('; ')}`)
}

t.test('whatever comes, in any order and batches: the money is right at every step', async (t) => {
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
      const world = await newWorld()
      const { accountIds } = world
      for (const step of steps) {
        if (step.do === 'charge') {
          await addRandomCharge(world, step)
          await mustHold(accountIds, 'after a charge')
          continue
        }
        const events = eventsOf(world, step)
        const effects = await apply(events)
        await mustHold(accountIds, 'after a batch')
        if (effects.includes('deferred') || effects.includes('ignored')) {
          await settle(events)
          await mustHold(accountIds, 'settled')
        }
        const before = await fingerprint(accountIds)
        await apply(events)
        if ((await fingerprint(accountIds)) !== before) throw new Error('a second time changed it')
      }
      for (const { id } of world.payments) for (const type of await typesOf(id)) seen.add(type)
    }),
    { numRuns: 200 }
  )
  for (const type of [
    'payment.authorised',
    'payment.captured',
    'payment.refused',
    'payment.cancelled',
    'payment.expired',
    'payment.attemptRefused',
    'reversal.requested',
    'reversal.succeeded',
    'reversal.failed',
    'discrepancy.opened'
  ]) {
    t.ok(seen.has(type), `${type} was among them`)
  }
})

/** Where the money of an account stands, and what became of that which goes back. */
async function moneyOf(accountId: number): Promise<unknown> {
  const { rows } = await sql`
    select side, trim(currency) as currency, sum(amount)::bigint as amount
    from (
      select debit_account as side, currency, amount from ledger_transfer
      where account_id = ${accountId}
      union all
      select credit_account, currency, -amount from ledger_transfer
      where account_id = ${accountId}
    ) sides group by 1, 2 having sum(amount) <> 0 order by 1, 2`.execute(db)
  const reversals = await sql`
    select m.status from modification m join payment p on p.id = m.payment_id
    where p.account_id = ${accountId} and m.kind = 'reversal' order by m.id`.execute(db)
  const { outstanding, credit } = await findBalance(db, accountId)
  return { sides: rows, reversals: reversals.rows, outstanding, credit }
}

/** Several facts of one authorisation, some told more than once, and two orders of them. */
const twoOrders = fc
  .array(
    fc.constantFrom(
      'authorised' as const,
      'attemptRefused' as const,
      'reversed' as const,
      'reversalRefused' as const,
      'refundFailed' as const,
      'captured' as const,
      'authorisationExpired' as const
    ),
    { minLength: 1, maxLength: 6 }
  )
  .chain((facts) => {
    const order = fc.shuffledSubarray(facts, { minLength: facts.length, maxLength: facts.length })
    return fc.tuple(order, order)
  })

/**
 * With manual capture a reversal of somebody at the provider is a cancellation before the capture
 * and a refund after it, and nothing that is signed says which.
 */
function toldOf<T extends string>(order: readonly T[], capture: Start['capture']): T[] {
  const isEither = capture === 'manual' && order.includes('captured' as T)
  return order.filter((type) => !(isEither && type === 'reversed'))
}

t.test('the order in which facts of one authorisation come changes no money', async (t) => {
  const situations = fc.constantFrom<Array<Omit<Start, 'accountId'> & { paid?: boolean }>>(
    {},
    { paid: true },
    { cancelledBy: 'client' },
    { capture: 'manual' },
    { capture: 'manual', paid: true },
    { capture: 'manual', cancelledBy: 'client' }
  )
  await fc.assert(
    fc.asyncProperty(
      situations,
      fc.nat({ max: 2 }),
      twoOrders,
      async ({ paid, ...start }, reference, orders) => {
        const ends: unknown[] = []
        for (const order of orders) {
          const accountId = await addAccount()
          const paymentId = await addPayment({ accountId, ...start })
          const references = [newReference(), newReference(), newReference()]
          if (paid) await applyTo(paymentId, paidBy(newReference()))
          const events = toldOf(order, start.capture).map((type) => ({
            paymentId,
            event: makeEvent({ type, reference, variant: 0 }, references)
          }))
          await settle(events)
          await mustHold([accountId], 'settled')
          ends.push(await moneyOf(accountId))
        }
        const [one, other] = ends.map((end) => JSON.stringify(end))
        if (one !== other) throw new Error(`${one}, or else ${other}`)
      }
    ),
    { numRuns: 150 }
  )
  t.pass('150 times')
})

t.test('batches of any size leave the same money as one fact at a time', async (t) => {
  const facts = fc.array(made, { minLength: 2, maxLength: 10 })
  await fc.assert(
    fc.asyncProperty(facts, fc.array(fc.integer({ min: 1, max: 5 })), async (facts, sizes) => {
      const ends: unknown[] = []
      for (const isBatched of [false, true]) {
        const accountId = await addAccount()
        const paymentId = await addPayment({ accountId })
        const references = [newReference(), newReference(), newReference()]
        const events = facts.map((made) => ({ paymentId, event: makeEvent(made, references) }))
        let place = 0
        for (let turn = 0; place < events.length; turn++) {
          const size = isBatched ? (sizes[turn] ?? events.length) : 1
          await apply(events.slice(place, place + size))
          place += size
        }
        const { status, eventCount } = await read(paymentId)
        ends.push({
          money: await moneyOf(accountId),
          status,
          eventCount,
          types: await typesOf(paymentId)
        })
      }
      const [one, other] = ends.map((end) => JSON.stringify(end))
      if (one !== other) throw new Error(`${one}, or else ${other}`)
    }),
    { numRuns: 60 }
  )
  t.pass('60 times')
})
