/** What makes the schema: the files of `migrations/`, each once, in the order of their names. */
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { sql } from 'kysely'
import { isSchemaName } from './connection-url.ts'
import type { Db } from './database.ts'
import { DatabaseFault } from './fault.ts'
import { applyMigration, type Migration, type Tell } from './migration.ts'

const ownFolder = new URL('../../migrations/', import.meta.url)

const needsAnother = 'It cannot be upgraded: set DATABASE_URL to a new database.'
const noSchema = 'There is no schema that search_path names.'
const needsOwner = 'This role may not change the schema: set DATABASE_URL to that of its owner.'

type MigrateOptions = {
  /** What to do about a database that was made before the first release. */
  cure?: string
  /** Takes a line of progress: what is applied, what is waited for. */
  tell?: Tell
  /** How long it tries to get a lock that others hold, and its turn, ms. */
  patienceMs?: number
  /** Where the files are; the name ends with a slash. */
  folder?: URL
  /** What is done under the same lock, after the last file. */
  finish?: (db: Db) => Promise<void>
}

/**
 * Applies what is missing and answers the names of what it applied. Others go on working: a file is
 * one transaction that never waits long for a lock, or commands that hold none that others need,
 * each by itself (see `migration.ts`). Ended at any moment, it goes on where it was when it is run
 * again; a second one waits for the first. The schema that `search_path` names is made where it is
 * not there.
 *
 * Throws `DatabaseFault` where another version has made the schema, where the role may not change
 * it, or where a lock is not to be had.
 */
export async function migrate(db: Db, options: MigrateOptions = {}): Promise<string[]> {
  const { cure = needsAnother, tell = () => {}, folder = ownFolder } = options
  const patienceMs = options.patienceMs ?? 10 * 60_000
  const migrations = await readMigrations(folder)
  return await db.connection().execute(async (own) => {
    await makeSchema(own).catch((error) => {
      throw toFault(error)
    })
    await takeTurn(own, tell, patienceMs)
    try {
      await refuseOtherVersions(own, migrations, cure)
      await makeTable(own)
      const done = await readApplied(own)
      const missing = migrations.filter(({ name }) => !done.includes(name))
      for (const one of missing) {
        const fault = await applyMigration(own, one, tell, patienceMs)
        if (fault !== undefined) throw new DatabaseFault(fault)
      }
      await options.finish?.(own)
      return missing.map(({ name }) => name)
    } catch (error) {
      throw toFault(error)
    } finally {
      await sql`select pg_advisory_unlock(${turn})`.execute(own).catch(() => {})
    }
  })
}

/** Their names: postgresql.org/docs/current/errcodes-appendix.html */
function toFault(error: unknown): unknown {
  const { code } = error as { code?: unknown }
  if (code === '42501') return new DatabaseFault(needsOwner)
  if (code === '3F000') return new DatabaseFault(noSchema)
  return error
}

/**
 * The lock that Kysely's migrator takes, with which the first release migrated; of each other
 * schema its own, as `brand.ts` has it.
 */
const turn = sql`3853314791062309107 # (
  select case nspname when 'public' then 0 else oid::bigint << 32 end
  from pg_namespace where nspname = current_schema())`
const askAgainMs = 500

/** Where one schema is named and not there: of several nobody can tell which is meant. */
async function makeSchema(db: Db): Promise<void> {
  const { rows } = await sql<{ here: string | null; path: string }>`
    select current_schema() as here, current_setting('search_path') as path`.execute(db)
  const { here = null, path = '' } = rows[0] ?? {}
  if (here !== null) return
  if (!isSchemaName(path)) throw new DatabaseFault(noSchema)
  try {
    await sql`create schema if not exists ${sql.id(path)}`.execute(db)
  } catch (error) {
    // unique_violation: another one has made it at this moment.
    if ((error as { code?: unknown }).code !== '23505') throw error
  }
}

/** By asking again and again: whoever waits in the database holds up indexes made concurrently. */
async function takeTurn(db: Db, tell: Tell, patienceMs: number): Promise<void> {
  const giveUpAt = Date.now() + patienceMs
  for (let asked = 0; ; asked++) {
    const { rows } = await sql<{ taken: boolean }>`
      select pg_try_advisory_lock(${turn}) as taken`.execute(db)
    if (rows[0]?.taken) return
    if (asked === 0) tell('another process is migrating: waiting for it')
    if (Date.now() > giveUpAt) throw new DatabaseFault('Another process is still migrating.')
    await setTimeout(askAgainMs)
  }
}

/** Named as Kysely's migrator has it: the first release reads it. Only an owner may do this. */
async function makeTable(db: Db): Promise<void> {
  await sql`
    create table if not exists kysely_migration (
      name varchar(255) primary key,
      timestamp varchar(255) not null
    )`.execute(db)
}

async function readApplied(db: Db): Promise<string[]> {
  const { rows: tables } = await sql<{ name: string | null }>`
    select to_regclass('kysely_migration') as name`.execute(db)
  if (tables[0]?.name === null) return []
  const { rows } = await sql<{ name: string }>`
    select name from kysely_migration order by name`.execute(db)
  return rows.map(({ name }) => name)
}

/**
 * The migrations that this version of the service has and the database has not. Throws
 * `DatabaseFault` where the schema was made before the first release; a newer version may have
 * migrated it, so that an old instance can start while new ones take over.
 */
export async function findPendingMigrations(db: Db): Promise<string[]> {
  const names = (await readMigrations(ownFolder)).map(({ name }) => name)
  const applied = await readApplied(db)
  if (findUnknown(applied, names).older.length > 0) throw tooOld(needsAnother)
  return names.filter((name) => !applied.includes(name))
}

async function refuseOtherVersions(db: Db, migrations: readonly Migration[], cure: string) {
  const names = migrations.map(({ name }) => name)
  const { older, newer } = findUnknown(await readApplied(db), names)
  if (older.length > 0) throw tooOld(cure)
  if (newer.length > 0) {
    const last = newer.at(-1)
    throw new DatabaseFault(`A newer version has migrated the database, up to ${last}.`)
  }
}

const tooOld = (cure: string) =>
  new DatabaseFault(`The database was made by a version before the first release. ${cure}`)

/** What was applied to the database and is not here: a later name is of a newer version. */
function findUnknown(applied: readonly string[], names: readonly string[]) {
  const unknown = applied.filter((name) => !names.includes(name))
  const last = names.at(-1) ?? ''
  return {
    older: unknown.filter((name) => name <= last),
    newer: unknown.filter((name) => name > last)
  }
}

async function readMigrations(folder: URL): Promise<Migration[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  return await Promise.all(
    files.map(async (file) => ({
      name: file.replace(/\.sql$/, ''),
      commands: splitCommands(await readFile(new URL(file, folder), 'utf8'))
    }))
  )
}

/** Comments, texts, names and bodies of functions, in which a semicolon ends nothing. */
const tokens = /--[^\n]*|'(?:[^']|'')*'|"[^"]*"|(\$\w*\$)[\s\S]*?\1|;/g

/**
 * The commands of a file, without the comments between them. Each is sent as a statement of its
 * own: Citus refuses a function beside other commands.
 */
export function splitCommands(text: string): string[] {
  const commands: string[] = []
  let from = 0
  for (const { 0: token, index } of text.matchAll(tokens)) {
    if (token !== ';') continue
    commands.push(text.slice(from, index))
    from = index + 1
  }
  return [...commands, text.slice(from)]
    .map((command) => command.replace(/^(\s|--[^\n]*\n?)+/, '').trim())
    .filter((command) => command !== '')
}
