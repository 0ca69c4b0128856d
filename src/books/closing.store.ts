import { sql } from 'kysely'
import { lockUntilEnd } from '../database/brand.ts'
import type { Db, Tx } from '../database/database.ts'
import type { Closing } from './closing.ts'

/** The last closing of a day before `date` (`2026-11-28`); undefined where none is written. */
export async function findClosing(db: Db, date: string): Promise<Closing | undefined> {
  const { rows } = await sql<Closing>`
    select day::text as day, postings, settled from daily_closing
    where day < ${date}::date order by day desc limit 1`.execute(db)
  return rows[0]
}

/** Any number: who closes days, and who books on a day that was closed, wait for each other. */
const closingLock = 7_240_016

/** Until the end of `tx` nobody books on a day that is long over. */
export async function lockDays(tx: Tx): Promise<void> {
  await lockUntilEnd(tx, closingLock)
}

/**
 * Where the next closing goes on, locked until the end of `tx`: the last one, else the day of the
 * first fact; undefined where there is no fact yet.
 */
export async function lockClosings(
  tx: Tx
): Promise<{ last?: Closing; first?: string } | undefined> {
  await lockDays(tx)
  const last = await findClosing(tx, 'infinity')
  if (last !== undefined) return { last }
  const { rows } = await sql<{ day: string | null }>`
    select (least(
      (select min(created_at) from ledger_transfer),
      (select min(created_at) from settlement_line),
      (select min(matched_at) from settlement_line)
    ) at time zone 'UTC')::date::text as day`.execute(tx)
  const first = rows[0]?.day ?? undefined
  return first === undefined ? undefined : { first }
}

export async function insertClosing(tx: Tx, { day, postings, settled }: Closing): Promise<void> {
  await sql`
    insert into daily_closing (day, postings, settled)
    values (${day}::date, ${JSON.stringify(postings)}::jsonb, ${JSON.stringify(settled)}::jsonb)
    on conflict (day) do nothing`.execute(tx)
}
