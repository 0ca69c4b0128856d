/** What PostgreSQL's catalog says of a migrated database; names without their schema. */
import { type RawBuilder, sql } from 'kysely'
import type { Db } from '../src/database/database.ts'

export type Column = {
  name: string
  type: string
  notNull: boolean
  /** As SQL; null without one. */
  default: string | null
  /** `a` is always, `d` by default; null where it is no identity. */
  identity: 'a' | 'd' | null
}
export type Constraint = {
  name: string
  kind: 'primary' | 'unique' | 'check' | 'foreign'
  /** The columns that it is about, as far as the catalog knows them. */
  columns: string[]
  definition: string
}
export type Table = {
  name: string
  /** Storage parameters, such as `fillfactor=70`. */
  options: string[]
  columns: Column[]
  constraints: Constraint[]
  /** Without those that hold a constraint. */
  indexes: string[]
  triggers: string[]
}
export type Catalog = { sequences: string[]; functions: string[]; tables: Table[] }

const kinds = { p: 'primary', u: 'unique', c: 'check', f: 'foreign' } as const

/** Everything in alphabetical order but columns, so that two databases give the same answer. */
export async function readCatalog(db: Db): Promise<Catalog> {
  const read = async <Row>(query: RawBuilder<Row>) => (await query.execute(db)).rows
  const here = sql`current_schema()::regnamespace`
  const tables = await read(sql<{ oid: number; name: string; options: string[] }>`
    select oid::integer, relname as name, coalesce(reloptions, '{}') as options from pg_class
    where relnamespace = ${here} and relkind = 'r' and relname not like 'kysely_%'
    order by relname collate "C"`)
  const columns = await read(sql<Column & { of: number }>`
    select a.attrelid::integer as of, a.attname as name, a.attnotnull as "notNull",
      format_type(a.atttypid, a.atttypmod) as type, nullif(a.attidentity::text, '') as identity,
      pg_get_expr(d.adbin, d.adrelid, true) as default
    from pg_attribute a join pg_class c on c.oid = a.attrelid and c.relnamespace = ${here}
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped order by a.attnum`)
  type Rule = Omit<Constraint, 'kind'> & { of: number; kind: keyof typeof kinds }
  const constraints = await read(sql<Rule>`
    select conrelid::integer as of, conname as name, contype as kind,
      pg_get_constraintdef(oid, true) as definition,
      array(select attname::text from pg_attribute
        where attrelid = conrelid and attnum = any(conkey)) as columns
    from pg_constraint where connamespace = ${here} and contype in ('p', 'u', 'c', 'f')
    order by position(contype::text in 'pucf'), conname collate "C"`)
  const indexes = await read(sql<{ of: number; definition: string }>`
    select of::integer, definition from (
      select i.indrelid as of, pg_get_indexdef(i.indexrelid, 0, true) as definition,
        c.relname as name
      from pg_index i join pg_class c on c.oid = i.indexrelid and c.relnamespace = ${here}
      where not exists (select from pg_constraint k where k.conindid = i.indexrelid)
      union all
      select stxrelid, pg_get_statisticsobjdef(oid), stxname from pg_statistic_ext
      where stxnamespace = ${here}
    ) as one order by name collate "C"`)
  const triggers = await read(sql<{ of: number; definition: string }>`
    select t.tgrelid::integer as of, pg_get_triggerdef(t.oid, true) as definition
    from pg_trigger t join pg_class c on c.oid = t.tgrelid and c.relnamespace = ${here}
    where not t.tgisinternal order by t.tgname collate "C"`)
  const functions = await read(sql<{ definition: string }>`
    select pg_get_functiondef(oid) as definition from pg_proc where pronamespace = ${here}
    order by proname collate "C"`)
  const sequences = await read(sql<{ name: string }>`
    select relname as name from pg_class c where relnamespace = ${here} and relkind = 'S'
      and not exists (select from pg_depend where objid = c.oid and deptype = 'i')
    order by relname collate "C"`)
  const [schema] = await read(sql<{ name: string }>`select quote_ident(current_schema()) as name`)
  const unqualified = (text: string) => text.replaceAll(`${schema?.name}.`, '')
  const ofTable = <T extends { of: number }>(all: readonly T[], oid: number) =>
    all.filter(({ of }) => of === oid)
  return {
    sequences: sequences.map(({ name }) => name),
    functions: functions.map(({ definition }) => unqualified(definition)),
    tables: tables.map(({ oid, name, options }) => ({
      name,
      options,
      columns: ofTable(columns, oid),
      constraints: ofTable(constraints, oid).map((one) => ({ ...one, kind: kinds[one.kind] })),
      indexes: ofTable(indexes, oid).map(({ definition }) => unqualified(definition)),
      triggers: ofTable(triggers, oid).map(({ definition }) => unqualified(definition))
    }))
  }
}
