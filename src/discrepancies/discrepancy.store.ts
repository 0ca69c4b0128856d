import { type SqlBool, sql } from 'kysely'
import { type Db, plannedEachTime, type Tx } from '../database/database.ts'
import type {
  Decision,
  DiscrepancyKind,
  DiscrepancyStatus,
  StoredDiscrepancy
} from './discrepancy.ts'

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
      'discrepancy.resolved_at as resolvedAt',
      sql<Decision | null>`case when discrepancy.resolution is not null then
        jsonb_build_object('resolution', discrepancy.resolution, 'reason', discrepancy.reason,
          'operator', discrepancy.operator) end`.as('decision'),
      sql<number>`floor(extract(epoch from now() - discrepancy.created_at))::integer`.as('ageS')
    ])

type DiscrepancyFilter = {
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
  let query = selected(db)
    .modifyFront(plannedEachTime)
    .orderBy('discrepancy.id', 'desc')
    .limit(filter.limit)
  if (before !== null) query = query.where('discrepancy.id', '<', before)
  if (kind !== undefined) query = query.where('discrepancy.kind', '=', kind)
  // As a literal, so that the planner finds the index of open ones.
  if (status !== undefined) {
    query = query.where(sql<SqlBool>`discrepancy.status = ${sql.lit(status)}`)
  }
  if (paymentId !== undefined) query = query.where('discrepancy.payment_id', '=', paymentId)
  if (createdFrom !== undefined) query = query.where('discrepancy.created_at', '>=', createdFrom)
  if (createdTo !== undefined) query = query.where('discrepancy.created_at', '<', createdTo)
  return await query.execute()
}

export async function findDiscrepancy(
  db: Db | Tx,
  id: string
): Promise<StoredDiscrepancy | undefined> {
  return await selected(db).where('discrepancy.id', '=', id).executeTakeFirst()
}

/** The same, locked: of two who decide the second sees the first. */
export async function lockDiscrepancy(tx: Tx, id: string): Promise<StoredDiscrepancy | undefined> {
  const query = selected(tx).where('discrepancy.id', '=', id).forUpdate('discrepancy')
  return await query.executeTakeFirst()
}

/** Of these facts those of which a discrepancy of the kind was opened, whenever. */
export async function findOpened(
  tx: Tx,
  kind: DiscrepancyKind,
  facts: readonly string[]
): Promise<Set<string>> {
  const { rows } = await sql<{ fact: string }>`
    select fact from discrepancy where kind = ${kind} and fact = any(${facts})`.execute(tx)
  return new Set(rows.map(({ fact }) => fact))
}
