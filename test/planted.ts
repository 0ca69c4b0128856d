/** The card numbers that tests type on pages and send in requests: none of them is ever kept. */
import { sql } from 'kysely'
import { TEST_CARDS } from '../sandbox/simulator/test-data.ts'
import type { Db } from '../src/database/database.ts'

/** In any grouping, and not a part of something longer. */
const planted = TEST_CARDS.map(({ number }) => [...number.replaceAll(' ', '')].join('[ -]*'))
const pattern = `(^|[^0-9A-Za-z])(${planted.join('|')})($|[^0-9A-Za-z])`

/** Throws where a row of the database, or what was logged, holds one of them. */
export async function refusePlanted(db: Db, logged: string): Promise<void> {
  const { rows: tables } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables
    where table_schema = current_schema()`.execute(db)
  const searches = tables.map(
    ({ name }) => sql<{ row: string }>`
      select ${sql.lit(name)} || ' ' || row as row from (
        select to_jsonb(t)::text as row from ${sql.table(name)} t) as rows
      where row ~ ${sql.lit(pattern)}`
  )
  const { rows } = await sql<{ row: string }>`${sql.join(searches, sql` union all `)}`.execute(db)
  const [line] = new RegExp(pattern).exec(logged) ?? []
  const found = [...rows.map(({ row }) => row), ...(line === undefined ? [] : [`log ${line}`])]
  if (found.length > 0) throw new Error(`A card number was kept: ${found.slice(0, 3).join('; ')}`)
}
