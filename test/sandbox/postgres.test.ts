import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import t, { type Test } from 'tap'
import {
  type EmbeddedPostgres,
  type PostgresOptions,
  startPostgres
} from '../../sandbox/postgres.ts'
import { findBinaries } from '../../sandbox/postgres-binaries.ts'
import { findProcess } from '../../sandbox/processes.ts'

async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url)
  client.on('error', () => {}) // The server is killed under it.
  await client.connect()
  const { rows } = await client.query(statement)
  await client.end()
  return rows
}

/** Not `t.testdir()`, which is removed before what is torn down. */
async function makeFolder(t: Test): Promise<string> {
  const folder = await fs.mkdtemp(join(tmpdir(), 'payments-test-'))
  // The server of a killed owner may still be ending.
  t.teardown(() => fs.rm(folder, { recursive: true, maxRetries: 20 }))
  return folder
}

async function start(t: Test, options: PostgresOptions): Promise<EmbeddedPostgres> {
  const server = await startPostgres(options)
  t.teardown(() => server.stop())
  return server
}

async function serverPid(dir: string): Promise<number> {
  return Number.parseInt(await fs.readFile(join(dir, 'data', 'postmaster.pid'), 'utf8'), 10)
}

function startOwner(t: Test, dir: string): ChildProcess {
  const program = fileURLToPath(new URL('postgres-owner.ts', import.meta.url))
  const owner = spawn(process.execPath, [program, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => owner.kill('SIGKILL'))
  return owner
}

const untilReady = (owner: ChildProcess) => once(owner.stdout as NodeJS.ReadableStream, 'data')

t.test('data survives a restart', async (t) => {
  const dir = await makeFolder(t)
  const first = await start(t, { dir })
  await query(first.url('postgres'), "create table kept as select 'ü' as word")
  await first.stop()
  const second = await start(t, { dir })
  t.equal(second.url('postgres'), first.url('postgres'), 'at the same address')
  t.same(await query(second.url('postgres'), 'select word from kept'), [{ word: 'ü' }])
})

t.test('a killed server says so, and its acknowledged rows are there after a start', async (t) => {
  const dir = await makeFolder(t)
  const reasons: string[] = []
  const killed = Promise.withResolvers<void>()
  const onExit = (reason: string) => {
    reasons.push(reason)
    killed.resolve()
  }
  const first = await start(t, { dir, onExit })
  await query(first.url('postgres'), 'create table kept (i int)')
  await query(first.url('postgres'), 'insert into kept select generate_series(1, 1000)')
  process.kill(await serverPid(dir), 'SIGKILL')
  // A signal takes a moment, in which its owner, this process, still needs it.
  await killed.promise
  const second = await start(t, { dir })
  t.same(await query(second.url('postgres'), 'select count(*)::int from kept'), [{ count: 1000 }])
  t.same(reasons, ['PostgreSQL has ended (SIGKILL)'])
})

t.test('an owner that is killed leaves nothing that stops the next start', async (t) => {
  const dir = await makeFolder(t)
  const owner = startOwner(t, dir)
  await untilReady(owner)
  const before = await serverPid(dir)
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  await start(t, { dir })
  t.not(await serverPid(dir), before)
  t.equal(await findProcess(before), undefined)
})

t.test('an owner that is killed during the first start leaves nothing half made', async (t) => {
  const dir = await makeFolder(t)
  const owner = startOwner(t, dir)
  while (!(await fs.readdir(dir)).some((name) => name.startsWith('data.new-'))) await sleep(10)
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  const server = await start(t, { dir })
  t.same(await query(server.url('postgres'), 'select 1 as one'), [{ one: 1 }])
})

t.test('a second start is refused while the first one lives, and does it no harm', async (t) => {
  const dir = await makeFolder(t)
  const owner = startOwner(t, dir)
  const [url] = await untilReady(owner)
  await t.rejects(startPostgres({ dir }), {
    message: new RegExp(`data is in use by process ${owner.pid} .*postgres-owner.*: stop it`)
  })
  t.same(await query(String(url).trim(), 'select 1 as one'), [{ one: 1 }])
  owner.kill('SIGTERM')
  await once(owner, 'exit')
})

t.test('of several first starts at once one succeeds, and the others are told why', async (t) => {
  const dir = await makeFolder(t)
  const starts = await Promise.allSettled([1, 2, 3].map(() => start(t, { dir, durable: false })))
  const refused = starts.filter((start) => start.status === 'rejected')
  t.equal(refused.length, 2)
  for (const { reason } of refused) t.match(reason, { message: /in use by process/ })
  t.same(await fs.readdir(dir), ['data'])
})

t.test('a lock file whose pid belongs to another program by now does no harm', async (t) => {
  const dir = await makeFolder(t)
  const first = await start(t, { dir, durable: false })
  const folder = new URL(first.url('postgres')).searchParams.get('host') as string
  const files = [join(dir, 'data', 'postmaster.pid'), join(folder, '.s.PGSQL.5432.lock')]
  const pid = await serverPid(dir)
  process.kill(pid, 'SIGKILL')
  for (const file of files) {
    const text = await fs.readFile(file, 'utf8')
    await fs.writeFile(file, text.replace(String(pid), String(process.pid)))
  }
  const second = await start(t, { dir, durable: false })
  t.same(await query(second.url('postgres'), 'select 1 as one'), [{ one: 1 }])
})

t.test('a folder whose path is longer than a socket may have works', async (t) => {
  const dir = join(await makeFolder(t), 'a folder with a "long" name, and spaces '.repeat(5))
  const server = await start(t, { dir, durable: false })
  t.same(await query(server.url('postgres'), 'select 1 as one'), [{ one: 1 }])
})

t.test('the server is open to its owner only, and durable unless told otherwise', async (t) => {
  const read =
    "select setting from pg_settings where name in ('fsync', 'listen_addresses') order by name"
  const dir = await makeFolder(t)
  const safe = await start(t, { dir })
  t.same(await query(safe.url('postgres'), read), [{ setting: 'on' }, { setting: '' }])
  const folder = new URL(safe.url('postgres')).searchParams.get('host') as string
  t.equal((await fs.stat(folder)).mode & 0o777, 0o700)
  const quick = await start(t, { dir: join(dir, 'quick'), durable: false })
  t.same(await query(quick.url('postgres'), read), [{ setting: 'off' }, { setting: '' }])
})

t.test('links that no install script has made are made', async (t) => {
  const folder = await makeFolder(t)
  await fs.chmod(folder, 0o755)
  const binaries = await copyWithoutLinks(folder)
  const server = await start(t, { dir: join(folder, 'pg'), durable: false, binaries })
  t.same(await query(server.url('postgres'), 'select 1 as one'), [{ one: 1 }])
  t.ok(existsSync(join(binaries, 'lib', 'libpq.so.5')))
})

t.test('binaries that can be neither used nor mended where they are are copied', async (t) => {
  const folder = await makeFolder(t)
  const binaries = await copyWithoutLinks(folder)
  await fs.chmod(join(binaries, 'lib'), 0o555)
  t.teardown(() => fs.chmod(join(binaries, 'lib'), 0o755))
  // Root can write there all the same, but its folder (0700) is closed to the server's user.
  const dir = join(folder, 'pg')
  const server = await start(t, { dir, durable: false, binaries })
  t.same(await query(server.url('postgres'), 'select 1 as one'), [{ one: 1 }])
  const [program] = (await fs.readFile(join(dir, 'data', 'postmaster.opts'), 'utf8')).split(' ')
  const copy = dirname(dirname(program as string))
  t.not(copy, binaries)
  await server.stop()
  await fs.rm(dirname(copy), { recursive: true })
})

/** A copy of the platform's package as `npm ci --ignore-scripts` leaves it. */
async function copyWithoutLinks(folder: string): Promise<string> {
  const native = findBinaries()
  const copy = join(folder, 'package', 'native')
  await fs.cp(native, copy, {
    recursive: true,
    filter: async (path) => !(await fs.lstat(path)).isSymbolicLink()
  })
  await fs.copyFile(join(native, '..', 'package.json'), join(copy, '..', 'package.json'))
  return copy
}
