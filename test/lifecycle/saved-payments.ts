/** Payments in a database of their own, and what is written of them when facts are applied. */
import { sql } from 'kysely'
import type { Test } from 'tap'
import { createCharge } from '../../src/accounts/account.commands.ts'
import { type Db, readClock, type Tx } from '../../src/database/database.ts'
import { newId } from '../../src/id.ts'
import { lockAggregates, saveAggregates } from '../../src/lifecycle/aggregate.store.ts'
import { applyEvents, type EventOfPayment } from '../../src/lifecycle/apply.commands.ts'
import { requestCancellation } from '../../src/lifecycle/cancellations.ts'
import type {
  Effect,
  LifecycleContext,
  OperationKind,
  PaymentAggregate
} from '../../src/lifecycle/model.ts'
import { findPayment, listEvents } from '../../src/payments/payment.store.ts'
import type { Payment } from '../../src/payments/payment.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import { addPayment as insertNewPayment } from '../checkout/intents.ts'
import { findMoneyFaults } from '../invariants.ts'
import { insertClients, testDatabase } from '../test-database.ts'
import { newPayment } from './aggregates.ts'

export type Start = { accountId: number; capture?: 'automatic' | 'manual'; cancelledBy?: 'client' }

export type SavedPayments = Awaited<ReturnType<typeof savedPayments>>

export async function savedPayments(t: Test) {
  const { db } = await testDatabase(t)
  await insertClients(db, newPayment().clientId)
  const apply = async (events: EventOfPayment[]): Promise<Array<Effect | 'unknown'>> => {
    const { effects } = await db.transaction().execute((tx) => applyEvents(tx, 'adyen', events))
    return effects
  }
  return {
    db,
    apply,
    applyTo: (paymentId: string, ...events: ProviderEvent[]) =>
      apply(events.map((event) => ({ paymentId, event }))),
    addAccount: () => addAccount(db),
    addPayment: (start: Start) => addPayment(db, start),
    addCharge: (accountId: number, value: number, dueAt?: Date) =>
      addCharge(db, accountId, value, dueAt),
    /** Asks something about a payment and saves it, as a command does. */
    request: <T>(id: string, ask: Ask<T>) => db.transaction().execute((tx) => request(tx, id, ask)),
    read: async (id: string) => (await findPayment(db, id)) as Payment,
    /** As it is read back. */
    aggregateOf: (id: string) =>
      db.transaction().execute(async (tx) => (await lockAggregates(tx, [id])).get(id)),
    typesOf: async (id: string): Promise<string[]> =>
      (await listEvents(db, id, 0, 100)).map(({ type }) => type),
    operationsOf: (id: string, kind: OperationKind) => operationsOf(db, id, kind),
    postingsOf: (id: string) => postingsOf(db, id),
    discrepanciesOf: (id: string) => discrepanciesOf(db, id),
    fingerprint: (accountIds: number[]) => fingerprint(db, accountIds),
    checkInvariants: async (t: Test, accountId: number) => {
      t.same(await findMoneyFaults(db, [accountId]), [], 'all invariants hold')
    }
  }
}

let accounts = 20_000_000
async function addAccount(db: Db): Promise<number> {
  accounts += 1
  await db
    .insertInto('account')
    .values({ id: accounts, currency: 'GBP', name: null, status: 'open' })
    .execute()
  return accounts
}

/** A pending payment whose page is open; or one that its client has cancelled. */
async function addPayment(
  db: Db,
  { accountId, capture = 'automatic', cancelledBy }: Start
): Promise<string> {
  const id = newId('pay')
  await insertNewPayment(db, newPayment({ id, accountId, capture }))
  await sql`update payment set provider_session = 'CS1' where id = ${id}`.execute(db)
  if (cancelledBy !== undefined) {
    await db
      .transaction()
      .execute((tx) =>
        request(tx, id, (one, context) => requestCancellation(one, { reason: null }, context))
      )
  }
  return id
}

type Ask<T> = (aggregate: PaymentAggregate, context: LifecycleContext) => T

async function request<T>(tx: Tx, id: string, ask: Ask<T>): Promise<T> {
  const aggregate = (await lockAggregates(tx, [id])).get(id) as PaymentAggregate
  const asked = ask(aggregate, { now: await readClock(tx), newId })
  await saveAggregates(tx, [aggregate], 'adyen')
  return asked
}

async function addCharge(
  db: Db,
  accountId: number,
  value: number,
  dueAt = new Date('2026-01-01')
): Promise<string> {
  const amount = { currency: 'GBP', value }
  const { charge } = await createCharge(db, { accountId, reference: newId('chg'), amount, dueAt })
  return charge.id
}

type OperationRow = {
  id: string
  authorisation: string
  origin: string
  amount: number
  status: string
  failure: unknown
  providerKey: string | null
  nextAttemptAt: Date | null
  isDue: boolean
}

/** What was asked of this kind, oldest first. */
async function operationsOf(db: Db, id: string, kind: OperationKind): Promise<OperationRow[]> {
  const { rows } = await sql<OperationRow>`
    select id, authorisation_reference as authorisation, origin, amount, status, failure,
      provider_key as "providerKey", next_attempt_at as "nextAttemptAt",
      coalesce(next_attempt_at <= now(), false) as "isDue"
    from operation where payment_id = ${id} and kind = ${kind} order by id`.execute(db)
  return rows
}

async function postingsOf(db: Db, id: string): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`
    select posting || ' ' || fact || ' ' || trim(currency) || ' ' || amount as text
    from ledger_transfer where payment_id = ${id} order by id`.execute(db)
  return rows.map(({ text }) => text)
}

async function discrepanciesOf(db: Db, id: string): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`
    select concat_ws(' ', kind, status, resolution) as text
    from discrepancy where payment_id = ${id} order by id`.execute(db)
  return rows.map(({ text }) => text)
}

let references = 0
/** A reference of money that no other payment has. */
export function newReference(): string {
  references += 1
  return `PSP${String(references).padStart(13, '0')}`
}

/** Whatever of these accounts would differ, if anything had changed. */
async function fingerprint(db: Db, accountIds: number[]): Promise<string> {
  const ofPayments = ['payment_event', 'event_outbox', 'authorisation', 'operation', 'dispute']
  const ofAccounts = ['payment', 'ledger_transfer', 'charge', 'credit', 'debit', 'allocation']
  const contents = [
    ...[...ofPayments, 'discrepancy'].map(
      (table) => sql`(select jsonb_agg(to_jsonb(x) order by to_jsonb(x))
        from ${sql.table(table)} x join payment p on p.id = x.payment_id
        where p.account_id = any(${accountIds}))`
    ),
    ...ofAccounts.map(
      (table) => sql`(select jsonb_agg(to_jsonb(x) order by to_jsonb(x))
        from ${sql.table(table)} x where x.account_id = any(${accountIds}))`
    )
  ]
  const { rows } = await sql<{ text: string }>`
    select md5(jsonb_build_array(${sql.join(contents)})::text) as text`.execute(db)
  return rows[0]?.text ?? ''
}
