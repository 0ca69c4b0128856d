/** What a run needs before anything is measured: PostgreSQL, the stub of Adyen, the load client. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres } from '../sandbox/postgres.ts'
import type { LoadMessage } from './load-client.ts'
import { type Child, type Cleaner, hear, startHelper } from './processes.ts'

export type Site = {
  folder: string
  /** The pid of PostgreSQL's first process: all others are its children. */
  postgresPid: number
  postgresVersion: string
  /** For what is the whole server's: counts of statements, the log of writes. */
  server: pg.Client
  /** The connection string of a database of that name. */
  url(database: string): string
  /** In Adyen's place. */
  stub: Child & { said: { port: number } }
  load: Child
  /** 64 hex digits, with which notifications are signed. */
  hmacKey: string
  cleaner: Cleaner
}

export async function openSite(cleaner: Cleaner): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'payments-bench-'))
  cleaner.add(() => rm(folder, { recursive: true, force: true }))
  await configure(folder, cleaner)
  const postgres = await startPostgres({ dir: folder })
  cleaner.add(() => postgres.stop())
  const server = await openClient(postgres.url('postgres'), cleaner)
  await server.query('create extension pg_stat_statements')
  await server.query('create extension pg_walinspect')
  for (const name of ['floor', 'service', 'against']) await server.query(`create database ${name}`)
  const { rows } = await server.query<{ server_version: string }>('show server_version')
  return {
    folder,
    postgresPid: Number.parseInt(await readFile(join(folder, 'data/postmaster.pid'), 'utf8'), 10),
    postgresVersion: rows[0]?.server_version ?? '',
    url: postgres.url,
    server,
    stub: await startHelper<{ port: number }>('adyen-stub.ts', {}, cleaner),
    load: await startHelper('load-client.ts', {}, cleaner),
    hmacKey: randomBytes(32).toString('hex'),
    cleaner
  }
}

/** Tells a load client something, and answers what it says then. */
export async function tellLoad<T>(load: Child, message: LoadMessage): Promise<T> {
  load.process.send(message)
  return await hear<T>(load.process)
}

const settings = {
  // It would clean the tables of one server while the other is measured: see `settle`.
  autovacuum: 'off',
  // A statement costs some 1 µs more for being counted, a commit 10 bytes for its time.
  shared_preload_libraries: 'pg_stat_statements',
  track_commit_timestamp: 'on',
  // What a round has written is read when it is over.
  wal_keep_size: '1GB'
}

/** Most of these hold from the next start on. */
async function configure(folder: string, cleaner: Cleaner): Promise<void> {
  const postgres = await startPostgres({ dir: folder })
  cleaner.add(() => postgres.stop())
  const client = new pg.Client({ connectionString: postgres.url('postgres') })
  await client.connect()
  for (const [name, value] of Object.entries(settings)) {
    await client.query(`alter system set ${name} = '${value}'`)
  }
  await client.end()
  await postgres.stop()
}

/** A connection of the bench itself, whose statements are not counted. */
export async function openClient(url: string, cleaner: Cleaner): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  await client.query('set pg_stat_statements.track = none')
  cleaner.add(() => client.end().catch(() => {}))
  return client
}
