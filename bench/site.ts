/** What a run needs before anything is measured: PostgreSQL, the stub of Adyen, the load client. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres } from '../sandbox/postgres.ts'
import { type Child, type Cleaner, startHelper } from './processes.ts'

export type Site = {
  folder: string
  /** The pid of PostgreSQL's first process: all others are its children. */
  postgresPid: number
  postgresVersion: string
  /** The connection string of a database of that name. */
  url(database: string): string
  stub: Child & { said: { port: number } }
  load: Child
  /** 64 hex digits, with which notifications are signed. */
  hmacKey: string
  cleaner: Cleaner
}

export async function openSite(cleaner: Cleaner): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'payments-bench-'))
  cleaner.add(() => rm(folder, { recursive: true, force: true }))
  const postgres = await startPostgres({ dir: folder })
  cleaner.add(() => postgres.stop())
  const server = await openClient(postgres.url('postgres'), cleaner)
  // It would clean the tables of one server while the other is measured: see `settle`.
  await server.query('alter system set autovacuum = off')
  await server.query('select pg_reload_conf()')
  for (const name of ['floor', 'service']) await server.query(`create database ${name}`)
  const { rows } = await server.query<{ server_version: string }>('show server_version')
  return {
    folder,
    postgresPid: Number.parseInt(await readFile(join(folder, 'data/postmaster.pid'), 'utf8'), 10),
    postgresVersion: rows[0]?.server_version ?? '',
    url: postgres.url,
    stub: await startHelper<{ port: number }>('adyen-stub.ts', {}, cleaner),
    load: await startHelper('load-client.ts', {}, cleaner),
    hmacKey: randomBytes(32).toString('hex'),
    cleaner
  }
}

/** A connection of the bench itself. */
export async function openClient(url: string, cleaner: Cleaner): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  cleaner.add(() => client.end().catch(() => {}))
  return client
}
