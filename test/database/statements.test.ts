/**
 * What is asked of the database may be asked of Citus and through PgBouncer too: a rule that only a
 * cluster would show is held here, by the text of every statement.
 */
import { readdir, readFile } from 'node:fs/promises'
import t from 'tap'
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
    readStatements(source, new Map([...fragments, ...readFragments(source)]))
  )
  t.ok(statements.length > 150, `${statements.length} are read`)
  const found = statements.flatMap(({ name, text }) =>
    faultsOf(text).map((fault) => `${name}: ${fault}`)
  )
  t.same(found, [])
})

t.test('so is every command of a migration', async (t) => {
  const commands = (await filesOf('migrations/', '.sql')).flatMap(splitCommands)
  t.ok(commands.length > 100)
  for (const command of commands) t.same(faultsOfMigration(command), [], command.slice(0, 60))
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
    'with x as (select pg_advisory_xact_lock(1)) insert into a select 1 from x',
    'a lock within a write'
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
    'update a set b = case when c then 1 end, at = now()'
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
    "create function a() returns trigger as $$ perform pg_notify('b', '') $$",
    'notify in a function'
  ],
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
