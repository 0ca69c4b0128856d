import { type RawBuilder, sql } from 'kysely'
import t, { type Test } from 'tap'
import { readCatalog } from '../../sandbox/catalog.ts'
import { toSchemaSql } from '../../sandbox/schema-sql.ts'
import { toTableTypes } from '../../sandbox/schema-types.ts'
import { testDatabase } from '../test-database.ts'

/** What is written of a schema in which these commands were run. */
async function write(t: Test, ...commands: ReadonlyArray<RawBuilder<unknown>>) {
  const { db } = await testDatabase(t)
  for (const command of commands) await command.execute(db)
  const catalog = await readCatalog(db)
  return { catalog, text: toSchemaSql(catalog) }
}

t.test('a table is shown with all that belongs to it', async (t) => {
  const { text } = await write(
    t,
    sql`
      create table thing (
        id bigint generated always as identity primary key,
        place integer not null default 1,
        kind text check (kind in ('one', 'Other''s')),
        at timestamptz not null default now(),
        account_id integer references account,
        constraint both_or_none check ((kind is null) = (account_id is null))
      ) with (fillfactor = 50)`,
    sql`create unique index thing_once on thing (place) where kind = 'one'`,
    sql`create trigger thing_append_only before update on thing
      for each row execute function refuse_change()`
  )
  t.match(
    text,
    `create table thing (
  id bigint not null generated always as identity,
  place integer not null default 1,
  kind text,
  at timestamptz not null default now(),
  account_id integer,
  constraint thing_pkey primary key (id),
  constraint both_or_none check ((kind is null) = (account_id is null)),
  constraint thing_kind_check check (kind in ('one', 'Other''s')),
  constraint thing_account_id_fkey foreign key (account_id) references account(id)
) with (fillfactor=50);
create unique index thing_once on thing (place) where kind = 'one';
create trigger thing_append_only before update on thing
  for each row execute function refuse_change();
`
  )
})

t.test('no line is too wide for a reader', async (t) => {
  const { text } = await write(t)
  t.same(
    text.split('\n').filter((line) => line.length > 100),
    []
  )
})

t.test('a row has the type that the database holds it to', async (t) => {
  const { catalog } = await write(
    t,
    sql`
      create table thing (
        id bigint generated always as identity primary key,
        place integer not null default 1,
        kind text check (kind in ('one', 'other')),
        names text[] not null,
        next_attempt_at timestamptz,
        attempts integer not null default 0,
        lease uuid,
        leased_until timestamptz
      )`
  )
  const types = toTableTypes(catalog)
  t.match(
    types,
    '  thing: Due & { id: GeneratedAlways<number>; place: Generated<number>; ' +
      "kind: 'one' | 'other' | null; names: string[] }\n"
  )
  t.match(types, "import type { Scope } from '../clients/client.ts'\n")
})

t.test('a column that says nothing to TypeScript must be named', async (t) => {
  const { catalog } = await write(t, sql`create table thing (what jsonb)`)
  t.throws(() => toTableTypes(catalog), /what is jsonb: say what that is/)
})

t.test('a name of a column that is gone is refused', async (t) => {
  const { catalog } = await write(t, sql`alter table payment rename column metadata to labels`)
  t.throws(() => toTableTypes(catalog), /No such columns: payment.metadata/)
})
