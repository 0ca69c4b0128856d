import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { connect, type Db } from '../src/database/database.ts'
import { grantTo } from '../src/database/grants.ts'
import { migrate } from '../src/database/migrate.ts'
import {
  ask,
  findServer,
  serviceRoleOf,
  startServer,
  type TestServer,
  withDatabase
} from './database-server.ts'

/**
 * A new, migrated and empty database for one test file; dropped when `t` ends. A file that is run
 * without tap gets a server of its own, which ends with it.
 *
 * `url` and `db` are its owner's; `serviceUrl` that of the role that the service has.
 */
export async function testDatabase(t: Test): Promise<{ url: string; serviceUrl: string; db: Db }> {
  const server = (await findServer(process.ppid)) ?? (await startOwnServer())
  const url = await (server.givesBrands ? makeBrand : copyTemplate)(t, server)
  const db = connect(url)
  // Before what it is connected to: tap ends in the opposite order.
  t.teardown(() => db.destroy())
  const service = new URL(url)
  service.username = serviceRoleOf(server.template)
  service.password = service.username
  return { url, serviceUrl: service.href, db }
}

const newName = ({ template }: TestServer) => `${template}_${randomUUID().slice(0, 8)}`

async function copyTemplate(t: Test, server: TestServer): Promise<string> {
  const name = newName(server)
  await ask(server.url, `create database ${name} template ${server.template} strategy file_copy`)
  // Tests need no commit to survive a power cut; and compiling their large queries, each run once,
  // takes longer than running them.
  await ask(server.url, `alter database ${name} set synchronous_commit = off`)
  await ask(server.url, `alter database ${name} set jit = off`)
  t.teardown(() => ask(server.url, `drop database ${name} with (force)`))
  return withDatabase(server.url, name)
}

async function makeBrand(t: Test, server: TestServer): Promise<string> {
  const name = newName(server)
  const url = `${server.url}?options=-c%20search_path%3D${name}`
  const db = connect(url, { patient: true })
  await migrate(db, { finish: (own) => grantTo(own, serviceRoleOf(server.template)) })
  await db.destroy()
  t.teardown(() => ask(server.url, `drop schema ${name} cascade`))
  return url
}

/** Clients with these ids, for what is written below the API: they may do nothing. */
export async function insertClients(db: Db, ...ids: string[]): Promise<void> {
  const values = ids.map((id) => ({ id, name: id, scopes: [] }))
  await db.insertInto('client').values(values).execute()
}

let ownServer: Promise<TestServer> | undefined

function startOwnServer(): Promise<TestServer> {
  ownServer ??= startServer(process.pid)
  return ownServer
}
