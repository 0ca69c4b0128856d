import { sql } from 'kysely'
import { brandSuffix } from '../database/brand.ts'
import type { Db } from '../database/database.ts'

/** The channel that carries which payments changed: their ids, with commas between them. */
export const changedChannel = 'payments_changed'
/** A notice holds at most 8000 bytes. */
const idsInNotice = 300

/** Tells every instance of this brand which payments changed; of a transaction at its commit. */
export async function notifyChanged(db: Db, paymentIds: readonly string[]): Promise<void> {
  const notices: string[] = []
  for (let start = 0; start < Math.max(paymentIds.length, 1); start += idsInNotice) {
    notices.push(paymentIds.slice(start, start + idsInNotice).join(','))
  }
  await sql`
    select pg_notify(${changedChannel} || ${sql.raw(brandSuffix)}, ids)
    from unnest(${notices}::text[]) as ids`.execute(db)
}
