/** D2: what migrates holds up nobody, and what was interrupted goes on. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { connect, type Db } from '../../src/database/database.ts'
import { DatabaseFault } from '../../src/database/fault.ts'
import { migrate } from '../../src/database/migrate.ts'
import { testDatabase } from '../test-database.ts'

/** A migrated database with a table of some rows, and what there is to be migrated. */
async function setUp(t: Test, files: Record<string, string>) {
  const { db, url } = await testDatabase(t)
  await sql`create table thing (id integer primary key, kind text, twin integer)`.execute(db)
  await sql`insert into thing select n, null, n / 2 from generate_series(1, 2500) n`.execute(db)
  const dir = await mkdtemp(join(tmpdir(), 'migrations-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  await cp(new URL('../../migrations/', import.meta.url), dir, { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, `${name}.sql`), text)
  const folder = pathToFileURL(`${dir}/`)
  const owner = connect(url, { max: 1, patient: true })
  t.teardown(() => owner.destroy())
  return { db, url, owner, folder }
}

/** A transaction that has read or locked the table, until it is told to end. */
async function startReader(
  db: Db,
  first = sql`select from thing limit 1`
): Promise<() => Promise<void>> {
  const { promise: told, resolve: end } = Promise.withResolvers<void>()
  const { promise: reading, resolve: begun } = Promise.withResolvers<void>()
  const over = db.transaction().execute(async (tx) => {
    await first.execute(tx)
    begun()
    await told
  })
  await reading
  return async () => {
    end()
    await over
  }
}

/** Waits until `isTrue`, for a busy machine. */
async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 20_000
  while (!(await isTrue())) {
    if (Date.now() > giveUpAt) throw new Error('not in time')
    await setTimeout(20)
  }
}

const validity = async (db: Db, index: string) =>
  (
    await sql<{ valid: boolean }>`
      select indisvalid as valid from pg_index
      where indexrelid = to_regclass(${index})`.execute(db)
  ).rows[0]?.valid

t.test('behind a long reader, writers never wait for long', async (t) => {
  const { db, owner, folder } = await setUp(t, {
    '9001_note': 'alter table thing add column note text;'
  })
  const endReader = await startReader(db)
  const told: string[] = []
  const migrating = migrate(owner, { folder, tell: (line) => void told.push(line) })
  let longestMs = 0
  let written = 0
  let over = false
  const writing = (async () => {
    while (!over) {
      const from = performance.now()
      await sql`insert into thing (id) values (${10_000 + written})`.execute(db)
      longestMs = Math.max(longestMs, performance.now() - from)
      written += 1
    }
  })()
  await until(() => told.length > 0)
  await setTimeout(2_500) // Some more tries.
  t.match(told[0], /^9001_note waits for a lock, try 1\. Process \d+ \(one-off-payments\) is in a/)
  await endReader()
  t.same(await migrating, ['9001_note'])
  over = true
  await writing
  t.ok(written > 10)
  t.ok(longestMs < 1_500, `${longestMs} ms`)
})

t.test('a lock that is not to be had: a sentence, and nothing is done', async (t) => {
  const { db, owner, folder } = await setUp(t, {
    '9001_table': 'create table other (id text); alter table thing add column note text;'
  })
  const endReader = await startReader(db)
  const fault = await migrate(owner, { folder, patienceMs: 0 }).catch((error) => error)
  t.ok(fault instanceof DatabaseFault)
  t.match(fault.message, /^9001_table is not applied: 1 tries did not get its lock\. Process \d+/)
  t.match(await sql`select to_regclass('other') as name`.execute(db), { rows: [{ name: null }] })
  await endReader()
  t.same(await migrate(owner, { folder }), ['9001_table'])
})

t.test('an index that could not be made is not left behind, and is made later', async (t) => {
  const { db, owner, folder } = await setUp(t, {
    '9001_twin': 'create unique index concurrently if not exists thing_twin on thing (twin);'
  })
  await t.rejects(migrate(owner, { folder }), { code: '23505' })
  t.equal(await validity(db, 'thing_twin'), undefined)
  await sql`update thing set twin = id`.execute(db)
  t.same(await migrate(owner, { folder }), ['9001_twin'])
  t.equal(await validity(db, 'thing_twin'), true)
  const { rows } = await sql`show lock_timeout`.execute(owner)
  t.same(rows, [{ lock_timeout: '0' }], 'the session is as before')
})

t.test('killed while it makes an index: the next one clears up and goes on', async (t) => {
  const { db, url, owner, folder } = await setUp(t, {
    '9001_kind': 'create index concurrently if not exists thing_kind on thing (kind);'
  })
  const endReader = await startReader(db, sql`lock table thing in row exclusive mode`)
  const program = `
    import { connect } from '${new URL('../../src/database/database.ts', import.meta.url)}'
    import { migrate } from '${new URL('../../src/database/migrate.ts', import.meta.url)}'
    await migrate(connect(process.env.URL, { max: 1, patient: true }), {
      folder: new URL('${folder}')
    })`
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program]
  const child = spawn(process.execPath, args, { env: { URL: url }, stdio: 'inherit' })
  await until(async () => (await validity(db, 'thing_kind')) === false)
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited

  const told: string[] = []
  const migrating = migrate(owner, { folder, tell: (line) => void told.push(line) })
  await until(() => told.length > 0)
  t.match(told[0], /another process is migrating/, 'PostgreSQL knows of no death yet')
  const working = sql<{ pid: number }>`
    select pid from pg_stat_activity where datname = current_database() and state = 'active'
      and query like 'create index concurrently%' and pid <> pg_backend_pid()`
  const [first] = (await working.execute(db)).rows
  await until(async () => (await working.execute(db)).rows[0]?.pid !== first?.pid)
  t.equal(await validity(db, 'thing_kind'), false, 'it is there, and is not finished')
  await endReader()
  t.same(await migrating, ['9001_kind'])
  t.equal(await validity(db, 'thing_kind'), true)
})

t.test('rows are filled up in batches, and a rule is held for old rows later', async (t) => {
  const { db, owner, folder } = await setUp(t, {
    '9001_rule':
      'alter table thing add constraint kind_is_known check (kind is not null) not valid;',
    '9002_fill': `
      update thing set kind = 'old' where id in (
        select id from thing where kind is null limit 1000
      );
      alter table thing validate constraint kind_is_known;`
  })
  const told: string[] = []
  t.same(await migrate(owner, { folder, tell: (line) => void told.push(line) }), [
    '9001_rule',
    '9002_fill'
  ])
  t.ok(told.includes('9002_fill: 2500 rows are filled up'), told.join())
  const { rows } = await sql`select xmin from thing group by xmin`.execute(db)
  t.equal(rows.length, 3, 'each batch is a transaction of its own')
  const { rows: rules } = await sql`
    select convalidated from pg_constraint where conname = 'kind_is_known'`.execute(db)
  t.same(rules, [{ convalidated: true }])
})
