import { sql } from 'kysely'
import type { Db } from '../database.ts'

/** How many rows wait for somebody, by kind: an index of each knows those that do. */
export async function countOpenItems(db: Db): Promise<Array<{ kind: string; count: number }>> {
  const { rows } = await sql<{ kind: string; count: number }>`
    select 'payments_pending' as kind, count(*) from payment where due_at is not null
    union all select 'payments_overdue', count(*) from payment
      where due_at < now() - interval '1 minute'
    union all select 'modifications_due', count(*) from modification where due_at is not null
    union all select 'notifications_due', count(*) from notification where due_at is not null
    union all select 'notifications_parked', count(*) from notification where status = 'parked'
    union all select 'discrepancies_open', count(*) from discrepancy where status = 'open'
    `.execute(db)
  return rows
}
