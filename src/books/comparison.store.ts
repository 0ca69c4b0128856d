import { sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import type { Comparison } from './comparison.ts'

/** Until when what was said has its part in the comparisons; undefined where there are none yet. */
export async function findMark(db: Db): Promise<Date | undefined> {
  const { rows } = await sql<{ until: Date }>`select until from comparison_mark`.execute(db)
  return rows[0]?.until
}

/** From the day `first` to `last`, `2026-11-28`. */
export async function findComparisons(db: Db, first: string, last: string): Promise<Comparison[]> {
  const { rows } = await sql<Comparison>`
    select day::text as day, sums from daily_comparison
    where day >= ${first}::date and day <= ${last}::date`.execute(db)
  return rows
}

export async function insertComparison(tx: Tx, { day, sums }: Comparison): Promise<void> {
  await sql`
    insert into daily_comparison (day, sums) values (${day}::date, ${JSON.stringify(sums)}::jsonb)
    on conflict (day) do nothing`.execute(tx)
}

/** Takes away what was said of these days; what was said until `until` is done. */
export async function forgetComparisons(
  tx: Tx,
  days: readonly string[],
  until: Date
): Promise<void> {
  await sql`delete from daily_comparison where day = any(${days}::date[])`.execute(tx)
  await sql`
    insert into comparison_mark (until) values (${until})
    on conflict (id) do update set until = excluded.until`.execute(tx)
}

/** Days without a comparison, of those from the first fact to `last`, newest first. */
export async function findNotCompared(db: Db, last: string, limit: number): Promise<string[]> {
  const { rows } = await sql<{ day: string }>`
    select d.day::date::text as day from generate_series(
      (select (least(
          (select min(created_at) from ledger_transfer),
          (select min(created_at) from settlement_line)
        ) at time zone 'UTC')::date), ${last}::date, interval '1 day') as d(day)
    where not exists (select from daily_comparison c where c.day = d.day::date)
    order by d.day desc limit ${limit}`.execute(db)
  return rows.map(({ day }) => day)
}
