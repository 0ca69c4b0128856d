/** Looks for values in every text of every table, whatever its name: what is not found is gone. */
import { sql } from 'kysely'
import type { Db } from '../database/database.ts'
import type { Blocks } from './erasure.store.ts'

export type TextTable = { table: string; columns: Array<{ name: string; isBytes: boolean }> }

/** Every table of the schema with the columns that can hold a text, by the catalog. */
export async function readTextTables(db: Db): Promise<TextTable[]> {
  const { rows } = await sql<TextTable>`
    select c.relname as table, jsonb_agg(jsonb_build_object(
      'name', a.attname, 'isBytes', t.typname = 'bytea') order by a.attnum) as columns
    from pg_class c join pg_attribute a on a.attrelid = c.oid join pg_type t on t.oid = a.atttypid
    where c.relnamespace = (select relnamespace from pg_class where oid = 'payment'::regclass)
      and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
      and t.typname in ('text', '_text', 'bpchar', 'varchar', 'name', 'json', 'jsonb', 'bytea')
    group by c.relname order by c.relname`.execute(db)
  return rows
}

/** Where a value stands: how many rows of a column have it, and the id of one. */
export type Place = { table: string; column: string; rows: number; example: string }

/** Which columns hold one of the values in these blocks; large and small letters are the same. */
export async function findValues(
  db: Db,
  { table, columns }: TextTable,
  values: readonly string[],
  { from, to }: Blocks
): Promise<Place[]> {
  const texts = columns.map(({ name, isBytes }) => {
    const column = sql.id('t', name)
    const text = isBytes ? sql`encode(${column}, 'escape')` : sql`${column}::text`
    return sql`(${name}::text, ${text})`
  })
  // Within JSON a text may stand otherwise.
  const forms = [...new Set(values.flatMap((one) => [one, JSON.stringify(one).slice(1, -1)]))]
  const { rows } = await sql<Place>`
    select ${table}::text as table, one.name as column, count(*)::integer as rows,
      min(coalesce(to_jsonb(t)->>'id', to_jsonb(t)->>'payment_id', t.ctid::text)) as example
    from ${sql.table(table)} t cross join lateral (values ${sql.join(texts)}) as one(name, text)
    where t.ctid >= ${from}::tid and t.ctid < ${to}::tid and exists (
      select from unnest(${forms}::text[]) as form where strpos(lower(one.text), lower(form)) > 0)
    group by one.name`.execute(db)
  return rows
}
