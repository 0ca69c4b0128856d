/** Where histories happen: a PostgreSQL of its own, with a new database for each group of them. */
import { mkdtemp, readFile, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { Cleaner } from '../bench/processes.ts'
import { type EmbeddedPostgres, startPostgres } from '../sandbox/postgres.ts'
import { connect } from '../src/database/database.ts'
import { grantTo } from '../src/database/grants.ts'
import { migrate } from '../src/database/migrate.ts'

const template = 'template_service'
const role = 'service'

export type Stage = {
  /** Where instances keep their compiled code. */
  cacheFolder: string
  /** Makes a database as a migrated one is; answers how its owner and the service connect. */
  addDatabase(name: string): Promise<{ ownerUrl: string; serviceUrl: string }>
  dropDatabase(name: string): Promise<void>
  /** Breaks all connections of a database. */
  cutConnections(name: string): Promise<void>
  /** As a power cut that the disks survive. What was committed is there again after it. */
  restartDatabase(): Promise<void>
}

export async function openStage(cleaner: Cleaner): Promise<Stage> {
  const folder = await mkdtemp(join(await quickFolder(), 'payments-simulate-'))
  cleaner.add(() => rm(folder, { recursive: true, force: true }))
  let postgres = await startPostgres({ dir: folder, durable: false })
  cleaner.add(() => postgres.stop())
  const ask = async (statement: string) => {
    const client = new pg.Client({ connectionString: postgres.url('postgres') })
    client.on('error', () => {})
    await client.connect()
    try {
      await client.query(statement)
    } finally {
      await client.end().catch(() => {})
    }
  }
  await makeTemplate(postgres, ask)
  return {
    cacheFolder: join(folder, 'compiled'),
    async addDatabase(name) {
      await ask(`create database ${name} template ${template} strategy file_copy`)
      await ask(`alter database ${name} set synchronous_commit = on`)
      await ask(`alter database ${name} set jit = off`)
      const service = new URL(postgres.url(name))
      service.username = role
      return { ownerUrl: postgres.url(name), serviceUrl: service.href }
    },
    dropDatabase: (name) => ask(`drop database if exists ${name} with (force)`),
    cutConnections: (name) =>
      ask(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = '${name}' and usename = '${role}'`),
    async restartDatabase() {
      const pid = Number.parseInt(await readFile(join(folder, 'data/postmaster.pid'), 'utf8'), 10)
      process.kill(pid, 'SIGQUIT')
      await postgres.stop()
      postgres = await startPostgres({ dir: folder, durable: false })
    }
  }
}

/** Memory where there is enough of it: what is committed outlives the server, and needs no more. */
async function quickFolder(): Promise<string> {
  const memory = await statfs('/dev/shm').catch(() => undefined)
  return memory && memory.bavail * memory.bsize > 2 ** 31 ? '/dev/shm' : tmpdir()
}

async function makeTemplate(postgres: EmbeddedPostgres, ask: (statement: string) => Promise<void>) {
  await ask(`create database ${template}`)
  await ask(`create role ${role} login`)
  const db = connect(postgres.url(template))
  await migrate(db)
  await grantTo(db, role)
  await db.destroy()
}
