import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { findProcess } from '../sandbox/processes.ts'

/**
 * The PostgreSQL of one test run, and the migrated database that each test file's is copied from.
 */
export type TestServer = {
  /** What it is, for people. */
  kind: string
  /** Connects to a database that may create others. */
  url: string
  template: string
  /** Each test file gets a brand of its own in the database of `url`, and no copy of a template. */
  givesBrands: boolean
  /** The process that ends the server: see `database-keeper.ts`. */
  keeper: number
}

export type KeeperMessage = { server: TestServer } | { error: string }

/**
 * Where the server of a run is noted. A run is known by the pid of the process that all its
 * processes descend from, so that several runs can share a checkout.
 */
export function noteOf(run: number): URL {
  return new URL(`../.tap/database-${run}.json`, import.meta.url)
}

/** The server of the run `run`, or undefined while it has none. */
export async function findServer(run: number): Promise<TestServer | undefined> {
  const note = await readFile(noteOf(run), 'utf8').catch(() => undefined)
  if (note === undefined) return undefined
  const server: TestServer = JSON.parse(note)
  // A killed keeper leaves its note, and another process may have the pid `run` by now.
  return (await findProcess(server.keeper)) && server
}

/** Starts the server of the run `run`; it lives until `stopServer` or the end of process `run`. */
export async function startServer(run: number): Promise<TestServer> {
  const program = fileURLToPath(new URL('database-keeper.ts', import.meta.url))
  const keeper = fork(program, [String(run)], {
    // It outlives this process, and Ctrl-C must not keep it from cleaning up.
    detached: true,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc']
  })
  const ended = once(keeper, 'exit').then(([code, signal]): [KeeperMessage] => {
    return [{ error: `the keeper of the test database has ended (${signal ?? code})` }]
  })
  const [message] = (await Promise.race([once(keeper, 'message'), ended])) as [KeeperMessage]
  if ('error' in message) throw new Error(message.error)
  keeper.disconnect()
  keeper.unref()
  return message.server
}

/** Ends the server of the run `run` and waits until nothing of it is left. */
export async function stopServer(run: number): Promise<void> {
  const server = await findServer(run)
  if (server === undefined) return
  process.kill(server.keeper, 'SIGTERM')
  const deadline = Date.now() + 20_000
  while ((await findProcess(server.keeper)) !== undefined) {
    if (Date.now() > deadline) throw new Error(`the keeper ${server.keeper} does not end`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** What the service connects as in every test: it may do what `grantTo` says, and no more. */
export function serviceRoleOf(template: string): string {
  return `${template}_service`
}

/** `url` with another database's name. */
export function withDatabase(url: string, name: string): string {
  return url.replace(/^(\w+:\/\/[^/?]*)(\/[^?]*)?/, `$1/${name}`)
}

/** Runs one statement over a connection of its own, and answers its rows. */
export async function ask<Row>(url: string, statement: string, values?: string[]): Promise<Row[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query(statement, values)).rows
  } finally {
    await client.end()
  }
}
