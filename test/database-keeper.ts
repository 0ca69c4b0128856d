/**
 * The process that holds the PostgreSQL of a test run. The processes of a run come and go; this one
 * stays until `after.ts` ends it, until the run itself is gone (it may have been killed), or for 20
 * minutes, and then it removes all that it has made.
 *
 * Usage: node database-keeper.ts PID, where PID is the run: the process that starts the test files.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '../sandbox/postgres.ts'
import { findProcess } from '../sandbox/processes.ts'
import { connect } from '../src/database/database.ts'
import { grantTo } from '../src/database/grants.ts'
import { migrate } from '../src/database/migrate.ts'
import {
  ask,
  type KeeperMessage,
  noteOf,
  serviceRoleOf,
  type TestServer,
  withDatabase
} from './database-server.ts'

type Server = { kind: string; url: string; stop: () => Promise<void> }

const run = Number(process.argv[2])
const longestRunMs = 20 * 60_000
const template = `payments_test_${randomUUID().slice(0, 8)}`
/** On Citus, which copies no database: see `ops/citus/README.md`. */
const givesBrands = process.env.TEST_BRANDS === 'true'

/** The server that the environment names, else one in a container, else the embedded one. */
async function startServer(): Promise<Server> {
  const url = process.env.TEST_DATABASE_URL
  if (url) return { kind: 'TEST_DATABASE_URL', url, stop: () => dropDatabases(url) }
  try {
    return await startContainer()
  } catch (error) {
    const [reason] = String(error).split('\n')
    return { ...(await startEmbedded()), kind: `embedded PostgreSQL (no container: ${reason})` }
  }
}

async function startContainer(): Promise<Server> {
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql')
  const container = await new PostgreSqlContainer('postgres:16-alpine')
    .withTmpFs({ '/var/lib/postgresql/data': 'rw' })
    .start()
  return {
    kind: 'postgres:16-alpine by Testcontainers',
    url: container.getConnectionUri(),
    stop: async () => {
      await container.stop()
    }
  }
}

async function startEmbedded(): Promise<Omit<Server, 'kind'>> {
  const dir = await fs.mkdtemp(join(await quickFolder(), 'payments-test-'))
  const server = await startPostgres({ dir, durable: false })
  return {
    url: server.url('postgres'),
    stop: async () => {
      await server.stop()
      await fs.rm(dir, { recursive: true, force: true })
    }
  }
}

/** Memory where there is enough of it: making the 300 files of a database can take a disk 0.2 s. */
async function quickFolder(): Promise<string> {
  const memory = await fs.statfs('/dev/shm').catch(() => undefined)
  return memory && memory.bavail * memory.bsize > 2 ** 31 ? '/dev/shm' : tmpdir()
}

/** A server that others use too keeps nothing of this run, also where test files were killed. */
async function dropDatabases(url: string): Promise<void> {
  const ours = 'select datname as name from pg_database where starts_with(datname, $1)'
  const databases = await ask<{ name: string }>(url, ours, [template])
  for (const { name } of databases) await ask(url, `drop database ${name} with (force)`)
  const brands = 'select nspname as name from pg_namespace where starts_with(nspname, $1)'
  const schemas = await ask<{ name: string }>(url, brands, [template])
  for (const { name } of schemas) await ask(url, `drop schema ${name} cascade`)
  await ask(url, `drop role if exists ${serviceRoleOf(template)}`)
}

async function createRole(url: string): Promise<string> {
  const role = serviceRoleOf(template)
  await ask(url, `create role ${role} login password '${role}'`)
  return role
}

async function createTemplate(url: string): Promise<void> {
  // A server that was set up without a locale would keep text as SQL_ASCII.
  await ask(url, `create database ${template} encoding 'UTF8' template template0`)
  const db = connect(withDatabase(url, template))
  await migrate(db)
  await grantTo(db, await createRole(url))
  await db.destroy()
  // A database can't be copied while somebody is connected to it: from here on nobody can be.
  await ask(url, `alter database ${template} allow_connections false`)
}

async function endOfRun(): Promise<void> {
  const deadline = Date.now() + longestRunMs
  const told = once(process, 'SIGTERM').then(() => true)
  const first = await findProcess(run)
  for (;;) {
    const now = await findProcess(run)
    if (now === undefined || now.startedAt !== first?.startedAt || Date.now() > deadline) return
    if (await Promise.race([told, sleep(500, false)])) return
  }
}

async function keep(): Promise<void> {
  const { kind, url, stop } = await startServer()
  try {
    await (givesBrands ? createRole(url) : createTemplate(url))
    const server: TestServer = { kind, url, template, givesBrands, keeper: process.pid }
    await fs.mkdir(new URL('.', noteOf(run)), { recursive: true })
    await fs.writeFile(noteOf(run), JSON.stringify(server), { mode: 0o600 })
    await tell({ server })
    await endOfRun()
  } finally {
    await fs.rm(noteOf(run), { force: true })
    await stop()
  }
}

/** Nobody may be listening any more. */
function tell(message: KeeperMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, () => resolve())
    else resolve()
  })
}

try {
  await keep()
} catch (error) {
  await tell({
    error: `no database for the tests: ${error instanceof Error ? error.stack : error}`
  })
  process.exitCode = 1
}
// Testcontainers' connections would keep the process.
process.exit()
