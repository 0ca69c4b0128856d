import { type RawBuilder, sql } from 'kysely'
import type { Db } from '../database/database.ts'

/**
 * What is forgotten once it is old. Ids are given in the order in which rows are made, `madeAt` is
 * the column that has the time, and `remove` deletes those of `oldest` that are old and that nobody
 * waits for any more.
 */
export type Purgeable = {
  table: 'notification' | 'webhook_delivery'
  madeAt: string
  remove: (keptForDays: number) => RawBuilder<unknown>
}

const atOnce = 1_000

/**
 * Removes what was made so many days ago and has ended, a thousand of the oldest a statement;
 * answers how many. Whatever was removed before, nothing that is younger is read.
 */
export async function purge(db: Db, what: Purgeable, keptForDays: number): Promise<number> {
  let purged = 0
  for (let after: string | undefined = ''; after !== undefined; ) {
    const { count, next } = await purgePage(db, what, keptForDays, after)
    purged += count
    after = next
  }
  return purged
}

/** Of a page of the oldest: how many went; and where to go on, where what follows may be as old. */
type Page = { count: number; next: string | undefined }

async function purgePage(
  db: Db,
  { table, madeAt, remove }: Purgeable,
  keptForDays: number,
  after: string
): Promise<Page> {
  const { rows } = await sql<{ count: number; last: string | null; isOld: boolean }>`
    with oldest as materialized (
      select id, ${sql.ref(madeAt)} < now() - make_interval(days => ${keptForDays}) as is_old
      from ${sql.table(table)} where id > ${after} order by id limit ${atOnce}
    ), gone as (
      ${remove(keptForDays)} returning old.id
    )
    select (select count(*) from gone) as count, max(id) as last,
      count(*) filter (where is_old) = ${atOnce} as "isOld"
    from oldest`.execute(db)
  const { count = 0, last = null, isOld = false } = rows[0] ?? {}
  return { count, next: isOld && last !== null ? last : undefined }
}
