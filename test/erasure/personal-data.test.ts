/** No column that can hold a text is forgotten. */
import { sql } from 'kysely'
import t from 'tap'
import { personalData, reasonsToKeep } from '../../src/erasure/personal-data.ts'
import { testDatabase } from '../test-database.ts'

const { db } = await testDatabase(t)

/** Of types in which something can be said of a person, and what is derived of none of them. */
const silent = ['bool', 'int2', 'int4', 'int8', 'timestamptz', 'date']

t.test('every column that can hold a text is erased, or stays for a reason', async (t) => {
  const { rows } = await sql<{ table: string; columns: string[] }>`
    select c.relname as table, array_agg(a.attname::text order by a.attnum)
      filter (where t.typname <> all(${silent}) or a.attname like 'expiry%') as columns
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
      and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
      and c.relname <> 'kysely_migration'
    group by c.relname`.execute(db)
  t.ok(rows.length > 40)
  const known = new Map<string, unknown>(Object.entries(personalData))
  for (const { table, columns } of rows) {
    const { kept, erased = {} } = personalData[table as keyof typeof personalData]
    const named = [...Object.values(kept).flatMap((one) => one.split(' ')), ...Object.keys(erased)]
    t.same(named.toSorted(), (columns ?? []).toSorted(), table)
    known.delete(table)
  }
  t.same([...known.keys()], [], 'no table is named that is not there')
})

t.test('each reason is given somewhere, and what is erased says of whom', async (t) => {
  const given = new Set(Object.values(personalData).flatMap(({ kept }) => Object.keys(kept)))
  t.same([...given].toSorted(), Object.keys(reasonsToKeep).toSorted())
  for (const [table, { erased, rows }] of Object.entries(personalData)) {
    t.equal(erased === undefined, rows === undefined, table)
  }
})
