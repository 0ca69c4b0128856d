/**
 * What is asked of the database may be asked of Citus and through PgBouncer too: a rule that only a
 * cluster would show is held here, by the text of every statement.
 */
import { readdir, readFile } from 'node:fs/promises'
import t from 'tap'
import { isBreachOf } from '../../src/database/breach.ts'
import { splitCommands } from '../../src/database/migrate.ts'
import { faultsOf, faultsOfMigration, readFragments, readStatements } from './statements.ts'

const root = new URL('../../', import.meta.url)

async function filesOf(folder: string, ending: string): Promise<string[]> {
  const names = await readdir(new URL(folder, root), { recursive: true })
  const paths = names.filter((name) => name.endsWith(ending)).sort()
  return await Promise.all(paths.map((path) => readFile(new URL(folder + path, root), 'utf8')))
}

t.test('every statement is one that Citus and PgBouncer take', async (t) => {
  const sources = await filesOf('src/', '.ts')
  const fragments = new Map(
    sources.flatMap((source) => [...readFragments(source, { exported: true })])
  )
  const statements = sources.flatMap((source) =>
    readStatements(source, readFragments(source, { known: fragments }))
  )
  t.ok(statements.length > 150, `${statements.length} are read`)
  const found = statements.flatMap(({ name, text }) =>
    faultsOf(text).map((fault) => `${name}: ${fault}`)
  )
  t.same(found, tried)
})

/** What breaks a rule all the same, and works: tried on Citus 13.2.2, where it is run by tests. */
const tried: readonly string[] = [
  // Nothing of them is computed beforehand: their columns have no defaults that change.
  'othersStatement: an insert from a table',
  'oursStatement: an insert from a table',
  // It reads what it has just placed as well.
  'placeEvents: an insert from a table'
]

t.test('what a constraint refused is told by isBreachOf, which knows of shards', async (t) => {
  const sources = await filesOf('src/', '.ts')
  t.notOk(sources.some((source) => /\.constraint\b|\bconstraint\?/.test(source)))
  const message = (name: string) => `duplicate key value violates unique constraint "${name}"`
  const plain = (constraint: string) => ({
    code: '23505',
    constraint,
    message: message(constraint)
  })
  const shard = (name: string) => ({ code: '23505', message: message(`${name}_102290`) })
  t.ok(isBreachOf('fact_once', plain('fact_once')))
  t.ok(isBreachOf('fact_once', shard('fact_once')), 'as Citus passes it on')
  for (const other of ['fact_once_more', 'one_fact_once']) {
    t.notOk(isBreachOf('fact_once', plain(other)))
    t.notOk(isBreachOf('fact_once', shard(other)))
  }
  t.notOk(isBreachOf('fact_once', { ...shard('fact_once'), code: '55P03' }))
  t.notOk(isBreachOf('fact_once', { ...plain('fact_once_7') }), 'which is another one')
})

/** What breaks a rule all the same, by how often; and why that may stay. */
const allowed: ReadonlyArray<readonly [fault: string, times: number, reason: string]> = [
  [
    'a lock in a function',
    3,
    'reopen_days, for what is booked twelve hours late or more: on Citus it locks at the worker, ' +
      'so a day that is being closed at that moment may miss it. A statement of its own would ' +
      'be one more for each late notification, and 0.1.0 has none.'
  ],
  [
    'a lock of all brands',
    2,
    'reopen_days of 0014 and 0023, which 0040 replaces before there is a second brand.'
  ]
]

t.test('so is every command of a migration', async (t) => {
  const commands = (await filesOf('migrations/', '.sql')).flatMap(splitCommands)
  t.ok(commands.length > 100)
  const found = commands.flatMap((command) =>
    faultsOfMigration(command).map((fault) => ({ fault, command: command.slice(0, 60) }))
  )
  const isAllowed = (fault: string) => allowed.some(([name]) => name === fault)
  t.same(
    found.filter(({ fault }) => !isAllowed(fault)),
    []
  )
  for (const [name, times] of allowed) {
    t.equal(found.filter(({ fault }) => fault === name).length, times, name)
  }
})

const refused: ReadonlyArray<readonly [text: string, fault: string]> = [
  ['update a set b = 1; select 1', 'several commands'],
  ['update a set lease = gen_random_uuid()', 'gen_random_uuid()'],
  ['insert into a select $1, $13', 'more than 12 numbered parameters'],
  ['update a set b = case when c > now() then 1 end', 'now in case'],
  ["update a set b = case when c then (d + interval '1 hour') end", 'interval in case'],
  ['update a set b = coalesce(b, now())', 'now in coalesce'],
  ['update a set b = (1) where id = $1 returning id, now() - b', 'now in returning'],
  ['insert into a values ($1) on conflict (id) do update set due = now()', 'now in do update'],
  [
    'insert into a values ($1) on conflict (id) do update set b = (select 1)',
    'a select in do update'
  ],
  [
    'with x as (select pg_advisory_xact_lock(oid) from pg_namespace) insert into a select 1',
    'a lock within a write'
  ],
  ['select pg_advisory_xact_lock($1)', 'a lock of all brands'],
  ['select pg_try_advisory_lock(1)', 'a lock of all brands'],
  ["select pg_notify('told', $1)", 'a notice to all brands'],
  ['select id from public.payment', 'a schema by its name'],
  ['update a set b = clock_timestamp()', 'clock_timestamp in a write'],
  [
    'with x as (delete from a where b in (select b from a where c < clock_timestamp())) select 1',
    'clock_timestamp in a write'
  ],
  ['update a set b = c + make_interval(secs => $1)', 'time of a column in a change'],
  ["update a set b = 1 where c - interval '1 hour' < now()", 'time of a column in a change'],
  [
    "delete from a where coalesce(b, c) + interval '1 hour' < now()",
    'time of a column in a change'
  ],
  [
    'update a set b = now() + make_interval(secs => extract(second from c))',
    'time of a column in a change'
  ],
  ['insert into a (b, c) select d, now() from e where f = $1', 'an insert from a table'],
  [
    'with x as (select 1) insert into a select from x where not exists (select from a)',
    'an insert from a table'
  ],
  [
    'insert into a select b from unnest($1) as x(b) on conflict (b) do update set c = $2',
    'a parameter in do update'
  ],
  [
    'with x as (insert into a select 1 returning b) delete from c where ctid = (select b from x)',
    'ctid beside an insert'
  ],
  [
    'with x as (update a set b = now() returning c) insert into d select coalesce(now(), c) from x',
    'now in coalesce'
  ]
]
for (const [text, fault] of refused) {
  t.test(`refused: ${text}`, async (t) => t.same(faultsOf(text), [fault]))
}

t.test('what works is let through', async (t) => {
  for (const text of [
    'select case when a > now() then 1 end from b where c = coalesce($1, now()) for update',
    'select 1 from a for no key update skip locked',
    "update a set b = now(), note = 'returning; now()' where c < now() - make_interval(secs => $1)",
    'insert into a select now() -- ; case now()',
    'with x as (update a set b = 1 returning id) update c set at = now() from x',
    'insert into a values ($1) on conflict (id) do update set b = excluded.b returning id',
    'update a set b = case when c then 1 end, at = now()',
    "update a set b = (c at time zone 'UTC' + make_interval(secs => d)) at time zone 'UTC'",
    "delete from a where b < now() - make_interval(secs => $1) - interval '1 hour'",
    'with x as (select b + make_interval(secs => 1) as c from a) update d set e = x.c from x',
    'insert into a values ($1) on conflict (b) do update set c = $2',
    'with x as materialized (select b from a) insert into c select b, now() from x',
    'with x as (delete from a where ctid = any(array(select ctid from a limit 1)) returning b), ' +
      'y as (insert into c select b from x) select 1'
  ]) {
    t.same(faultsOf(text), [], text)
  }
})

const refusedMigrations: ReadonlyArray<readonly [command: string, fault: string]> = [
  [
    'create trigger a before update or delete on b execute function c()',
    'a trigger for statements'
  ],
  [
    'create trigger a before delete on b for each statement execute function c()',
    'a trigger for statements'
  ],
  [
    'create function a() returns trigger language plpgsql as $$ begin notify b; end $$',
    'notify in a function'
  ],
  [
    "create function a() returns trigger as $$ perform pg_notify(tg_table_schema, '') $$",
    'notify in a function'
  ],
  [
    'create function a() returns trigger as $$ perform pg_advisory_lock(f(tg_table_schema)) $$',
    'a lock in a function'
  ],
  ['create table a (b text references public.c)', 'a schema by its name'],
  ['alter table a add b text, add c text', 'several subcommands'],
  ['alter table a alter b add generated always as identity', 'a subcommand of no use there'],
  ['alter table a alter b set storage external', 'a subcommand of no use there'],
  ['update a set b = 1', 'a change of data']
]
for (const [command, fault] of refusedMigrations) {
  t.test(`refused: ${command}`, async (t) => t.same(faultsOfMigration(command), [fault]))
}

t.test('a migration may do the rest', async (t) => {
  for (const command of [
    'create trigger a before update or delete on b for each row execute function c()',
    'create trigger a before truncate on b for each statement execute function c()',
    'alter table a add constraint b check (c in (1, 2) and d in (3, 4))',
    'alter table a add constraint b foreign key (c, d) references e (f, g)',
    'create index a on b (c, d)',
    'update a set b = c where id in (select id from a where b is null limit 1000)'
  ]) {
    t.same(faultsOfMigration(command), [], command)
  }
})

t.test('so is what Kysely builds', async (t) => {
  const source = `
    const a = (db: Db) => db.insertInto('a').values({ b: sql\`now()\` })
      .onConflict((one) => one.doUpdateSet({ b: sql\`now()\` }))
      .returning(sql\`now() - b\`.as('c'))`
  t.same(
    readStatements(source)
      .flatMap(({ text }) => faultsOf(text))
      .sort(),
    ['now in do update', 'now in returning']
  )
})

t.test('statements are found wherever they stand, with the fragments in them', async (t) => {
  const source = `
    const recent = sql\`created_at > now()\`
    const columns = sql.raw('id, ' + 'name')
    const graceEnd = (s: number) => sql\`expires_at + \${s}\`
    const findStatement = statement<{ id: string }>(\`select \${columns} from a\`)
    export async function write(db: Db) {
      await sql<R>\`update a set b = \${x} \${isNew ? sql\`, c = 1\` : recent} and \${graceEnd(1)}\`
    }`
  t.same(readStatements(source), [
    { name: 'recent', text: 'created_at > now()' },
    { name: 'columns', text: 'id, name' },
    { name: 'graceEnd', text: 'expires_at + ?' },
    { name: 'findStatement', text: 'select id, name from a' },
    {
      name: 'write',
      text: 'update a set b = ? , c = 1 created_at > now() and expires_at + ?'
    },
    { name: 'write', text: ', c = 1' }
  ])
})
