import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { openDatabase } from '../../sandbox/database.ts'
import { startPostgres } from '../../sandbox/postgres.ts'
import { connect, type Db } from '../../src/database/database.ts'
import { DatabaseFault } from '../../src/database/fault.ts'
import { findPendingMigrations, migrate, splitCommands } from '../../src/database/migrate.ts'
import { testDatabase } from '../test-database.ts'

/** Forgets the schema, as if the database were new. */
async function empty(db: Db): Promise<void> {
  await sql`drop schema public cascade`.execute(db)
  await sql`create schema public`.execute(db)
}

t.test('a new database gets all migrations, each in a transaction of its own', async (t) => {
  const { url, db } = await testDatabase(t)
  await empty(db)
  const patient = connect(url, { max: 1, patient: true })
  t.teardown(() => patient.destroy())
  const files = await readdir(new URL('../../migrations/', import.meta.url))
  const names = files.map((file) => file.replace(/\.sql$/, '')).sort()
  t.ok(names.length > 5)
  t.same(await findPendingMigrations(patient), names)

  const applied = await migrate(patient)
  t.same(applied, names)
  const { rows } = await sql`select distinct xmin::text from kysely_migration`.execute(db)
  t.equal(rows.length, applied.length)

  t.same(await findPendingMigrations(patient), [])
  t.same(await migrate(patient), [], 'and nothing the second time')
})

t.test('D11: without a schema to be in, there is a sentence', async (t) => {
  const { db } = await testDatabase(t)
  await sql`drop schema public cascade`.execute(db)
  await t.rejects(migrate(db), new DatabaseFault('There is no schema that search_path names.'))
})

t.test('two who migrate at the same moment apply each file once', async (t) => {
  const { url, db } = await testDatabase(t)
  await empty(db)
  const others = [1, 2].map(() => connect(url, { max: 1, patient: true }))
  t.teardown(() => Promise.all(others.map((one) => one.destroy())))
  const applied = (await Promise.all(others.map((one) => migrate(one)))).flat()
  t.equal(applied.length, new Set(applied).size)
  t.same(await findPendingMigrations(db), [])
})

/** As a database is that the first versions of the service made. */
async function makeOld(db: Db): Promise<void> {
  await empty(db)
  await sql`create table kysely_migration (name text primary key, timestamp text)`.execute(db)
  await sql`insert into kysely_migration values ('0001_clients'), ('0003_payments')`.execute(db)
}

t.test('a database from before the first release is refused with a sentence', async (t) => {
  const { url, db } = await testDatabase(t)
  await makeOld(db)
  const sentence = new DatabaseFault(
    'The database was made by a version before the first release. It cannot be upgraded: set ' +
      'DATABASE_URL to a new database.'
  )
  await t.rejects(migrate(db), sentence)
  await t.rejects(findPendingMigrations(db), sentence)
  const { rows } = await sql`select from pg_tables where tablename = 'client'`.execute(db)
  t.equal(rows.length, 0, 'nothing was done')

  const ended = await run(t, ['migrate'], { DATABASE_URL: url })
  t.equal(ended.code, 1)
  t.equal(ended.stderr, `${sentence.message}\n`, 'and no stack')
})

t.test(
  'a newer version may have migrated a running one, which then migrates nothing',
  async (t) => {
    const { db } = await testDatabase(t)
    await sql`insert into kysely_migration values ('9999_later', 'now')`.execute(db)
    t.same(await findPendingMigrations(db), [])
    await t.rejects(
      migrate(db),
      new DatabaseFault('A newer version has migrated the database, up to 9999_later.')
    )
  }
)

t.test('a sandbox from before the first release says how to start afresh', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'payments-sandbox-'))
  const dir = join(parent, "it's old")
  t.teardown(() => rm(parent, { recursive: true, force: true }))
  const postgres = await startPostgres({ dir: join(dir, 'postgres'), durable: false })
  const db = await openDatabase(postgres.url('postgres'), postgres.url('payments'), 'payments')
  await makeOld(db)
  await db.destroy()
  await postgres.stop()

  const ended = await run(t, [], {
    SANDBOX_DIR: dir,
    PORT: '0',
    SIMULATOR_PORT: '0',
    SHOP_PORT: '0'
  })
  t.equal(ended.code, 1)
  t.equal(ended.stdout, '')
  const command = `rm -rf '${parent}/it'\\''s old' && npm start`
  t.equal(
    ended.stderr,
    `The database was made by a version before the first release. Start afresh: ${command}\n`
  )
})

async function run(t: Test, args: string[], env: Record<string, string>) {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
  const quiet = '--disable-warning=ExperimentalWarning'
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, [quiet, main, ...args], { env: { PATH, ...env } })
  t.teardown(() => child.kill('SIGKILL'))
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'exit'),
    text(child.stdout),
    text(child.stderr)
  ])
  return { code, stdout, stderr }
}

t.test('a file is split into its commands', async (t) => {
  t.same(
    splitCommands(`-- It begins; so to say.
create table a (b text default ';'); -- and goes on;
create function f() returns trigger language plpgsql as $$
begin
  return null; -- here too
end
$$;
create function g() returns text language sql as $of_g$ select '$$;' $of_g$;

-- The end.
`),
    [
      "create table a (b text default ';')",
      'create function f() returns trigger language plpgsql as $$\n' +
        'begin\n  return null; -- here too\nend\n$$',
      "create function g() returns text language sql as $of_g$ select '$$;' $of_g$"
    ]
  )
})
