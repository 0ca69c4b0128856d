import { type SqlBool, sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import { recordOtherEvents } from '../events/event.store.ts'
import { newId } from '../id.ts'
import {
  type Decision,
  type DiscrepancyKind,
  type DiscrepancyStatus,
  type Resolution,
  type StoredDiscrepancy,
  toEventData
} from './discrepancy.ts'

type Row = Omit<StoredDiscrepancy, 'decision'> & {
  resolution: Resolution | null
  reason: string | null
  operator: { id: string } | null
}

const selected = (db: Db | Tx) =>
  db
    .selectFrom('discrepancy')
    .leftJoin('payment', 'payment.id', 'discrepancy.payment_id')
    .select([
      'discrepancy.id',
      'discrepancy.kind',
      'discrepancy.fact',
      'discrepancy.payment_id as paymentId',
      'payment.account_id as accountId',
      'discrepancy.details',
      'discrepancy.status',
      'discrepancy.created_at as createdAt',
      'discrepancy.resolution',
      'discrepancy.reason',
      'discrepancy.operator',
      'discrepancy.resolved_at as resolvedAt',
      sql<number>`floor(extract(epoch from now() - discrepancy.created_at))::integer`.as('ageS')
    ])

function toDiscrepancy({ resolution, reason, operator, ...row }: Row): StoredDiscrepancy {
  return { ...row, decision: resolution === null ? null : { resolution, reason, operator } }
}

export type DiscrepancyFilter = {
  kind: DiscrepancyKind | undefined
  status: DiscrepancyStatus | undefined
  paymentId: string | undefined
  createdFrom: Date | undefined
  createdTo: Date | undefined
  before: string | null
  limit: number
}

/** Newest first. */
export async function listDiscrepancies(
  db: Db,
  filter: DiscrepancyFilter
): Promise<StoredDiscrepancy[]> {
  const { kind, status, paymentId, createdFrom, createdTo, before } = filter
  let query = selected(db).orderBy('discrepancy.id', 'desc').limit(filter.limit)
  if (before !== null) query = query.where('discrepancy.id', '<', before)
  if (kind !== undefined) query = query.where('discrepancy.kind', '=', kind)
  // As a literal, so that the index of open ones is used also by a prepared statement.
  if (status !== undefined) {
    query = query.where(sql<SqlBool>`discrepancy.status = ${sql.lit(status)}`)
  }
  if (paymentId !== undefined) query = query.where('discrepancy.payment_id', '=', paymentId)
  if (createdFrom !== undefined) query = query.where('discrepancy.created_at', '>=', createdFrom)
  if (createdTo !== undefined) query = query.where('discrepancy.created_at', '<', createdTo)
  return (await query.execute()).map(toDiscrepancy)
}

export async function findDiscrepancy(
  db: Db | Tx,
  id: string
): Promise<StoredDiscrepancy | undefined> {
  const row = await selected(db).where('discrepancy.id', '=', id).executeTakeFirst()
  return row && toDiscrepancy(row)
}

/** The same, locked: of two who decide the second sees the first. */
export async function lockDiscrepancy(tx: Tx, id: string): Promise<StoredDiscrepancy | undefined> {
  const query = selected(tx).where('discrepancy.id', '=', id).forUpdate('discrepancy')
  const row = await query.executeTakeFirst()
  return row && toDiscrepancy(row)
}

/** What was found of no payment of ours: it is opened, and everybody told. */
export async function openOrphans(
  tx: Tx,
  found: ReadonlyArray<{ kind: DiscrepancyKind; fact: string; details: object }>
): Promise<void> {
  if (found.length === 0) return
  const rows = found.map((one) => ({ id: newId('dis'), ...one }))
  await sql`
    insert into discrepancy (id, kind, fact, details)
    select id, kind, fact, details from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as x(id text, kind text, fact text, details jsonb)`.execute(tx)
  await recordOtherEvents(
    tx,
    rows.map(({ id, kind, details }) => ({
      type: 'discrepancy.opened',
      accountId: null,
      clientId: null,
      data: { discrepancy: { id, kind, details } }
    }))
  )
}

/** Writes down how discrepancies were resolved; those that were resolved before stay so. */
export async function saveResolved(
  tx: Tx,
  ids: readonly string[],
  { resolution, reason, operator }: Decision
): Promise<Date> {
  const { rows } = await sql<{ resolved_at: Date }>`
    update discrepancy set status = 'resolved', resolution = ${resolution}, reason = ${reason},
      operator = ${operator === null ? null : JSON.stringify(operator)}::jsonb,
      resolved_at = clock_timestamp()
    where id = any(${ids}) and status = 'open' returning resolved_at`.execute(tx)
  return rows[0]?.resolved_at ?? new Date()
}

/** Tells everybody of one that belongs to no payment. */
export async function tellResolved(
  tx: Tx,
  found: StoredDiscrepancy,
  decision: Decision
): Promise<void> {
  const data = { discrepancy: toEventData(found, decision) }
  await recordOtherEvents(tx, [
    { type: 'discrepancy.resolved', accountId: found.accountId, clientId: null, data }
  ])
}

/**
 * Money that no report has. `fact`: what it is called in `discrepancy`; `at`: when it was taken or
 * given back.
 */
export type Missing = {
  paymentId: string
  type: 'authorisation' | 'capture' | 'refund' | 'dispute'
  fact: string
  currency: string
  amount: number
  at: Date
}

/** How far back they are looked for: what is older was told long ago. */
const missingWithinDays = 90

/**
 * Captures, refunds and chargebacks that no report has, though they are more than `days` days older
 * than what the newest report of ours holds; at most `limit` that were not told yet. Money that is
 * sent back is not among them: where it was never captured, no report has it.
 */
export async function findMissing(db: Db, days: number, limit: number): Promise<Missing[]> {
  const { rows } = await sql<Missing>`
    with latest as (
      select max(least(booked_until, staged_at)) - make_interval(secs => ${days * 86_400}) as until,
        max(staged_at) - make_interval(days => ${missingWithinDays}) as since
      from settlement_report
      where kind = 'settlementDetails' and applied = lines and booked_until is not null
    ), missing as (
      select p.id as "paymentId", 'authorisation' as type, p.authorisation_reference as fact,
        p.currency, p.amount, p.finished_at as at
      from payment p, latest
      where p.settlement is null and p.status = 'captured' and p.capture = 'automatic'
        and p.method <> 'recorded' and p.finished_at < latest.until
        and p.finished_at > latest.since
        and not exists (select from settlement_line l where l.record_id = p.authorisation_reference)
      union all
      select m.payment_id, m.kind, m.id, m.currency, m.amount, m.updated_at
      from operation m join payment p on p.id = m.payment_id, latest
      where m.kind in ('capture', 'refund') and m.status = 'succeeded'
        and (m.kind = 'refund' or p.capture = 'manual') and p.method <> 'recorded'
        and m.updated_at < latest.until and m.updated_at > latest.since
        and not exists (select from settlement_line l where l.record_id = m.id)
      union all
      select d.payment_id, 'dispute', d.id, taken.currency, taken.amount, taken.created_at
      from dispute d join ledger_transfer taken
        on taken.posting = 'chargeback' and taken.fact = d.id || '.chargedBack', latest
      where taken.created_at < latest.until and taken.created_at > latest.since
        and not exists (select from settlement_line l where l.record_id = d.id)
    )
    select * from missing
    where not exists (
      select from discrepancy d where d.kind = 'settlement_missing' and d.fact = missing.fact)
    limit ${limit}`.execute(db)
  return rows
}

/** What was told to be missing of these payments, by its fact: the id, and whether it is open. */
export async function findToldMissing(
  tx: Tx,
  paymentIds: readonly string[]
): Promise<Map<string, { id: string; isOpen: boolean }>> {
  const { rows } = await sql<{ id: string; fact: string; isOpen: boolean }>`
    select id, fact, status = 'open' as "isOpen" from discrepancy
    where payment_id = any(${paymentIds}) and kind = 'settlement_missing'
    for update`.execute(tx)
  return new Map(rows.map(({ fact, ...told }) => [fact, told]))
}
