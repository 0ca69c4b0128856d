/** What makes the schema: the files of `migrations/`, each once, in the order of their names. */
import { readdir, readFile } from 'node:fs/promises'
import { CompiledQuery, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type { Db } from './database.ts'

const folder = new URL('../../migrations/', import.meta.url)

/** The database is not as this version needs it; the message says so to people. */
export class DatabaseFault extends Error {}

const needsAnother = 'It cannot be upgraded: set DATABASE_URL to a new database.'

const needsOwner = 'This role may not change the schema: set DATABASE_URL to that of its owner.'

/** insufficient_privilege: postgresql.org/docs/current/errcodes-appendix.html */
const isForbidden = (error: unknown) => (error as { code?: unknown }).code === '42501'

/**
 * Applies what is missing, a transaction for each file, and answers the names of what it applied.
 * Throws `DatabaseFault` where another version has made the schema; `cure`: what to do about one
 * that was made before the first release.
 */
export async function migrate(db: Db, cure = needsAnother): Promise<string[]> {
  const migrations = await readMigrations()
  await refuseOtherVersions(db, Object.keys(migrations), cure)
  const migrator = migratorOf(db, migrations)
  const applied: string[] = []
  for (;;) {
    const { error, results = [] } = await migrator.migrateUp()
    if (error !== undefined) throw isForbidden(error) ? new DatabaseFault(needsOwner) : error
    if (results.length === 0) return applied
    applied.push(...results.map(({ migrationName }) => migrationName))
  }
}

/**
 * The migrations that this version of the service has and the database has not. Throws
 * `DatabaseFault` where the schema was made before the first release; a newer version may have
 * migrated it, so that an old instance can start while new ones take over.
 */
export async function findPendingMigrations(db: Db): Promise<string[]> {
  const migrations = await readMigrations()
  const names = Object.keys(migrations)
  const { older } = await findUnknown(db, names)
  if (older.length > 0) throw tooOld(needsAnother)
  const all = await migratorOf(db, migrations).getMigrations()
  return all.filter((one) => one.executedAt === undefined).map((one) => one.name)
}

/** Without down: Kysely never takes a migration back. */
function migratorOf(db: Db, migrations: Record<string, Migration>): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => migrations } })
}

async function refuseOtherVersions(db: Db, names: readonly string[], cure: string) {
  const { older, newer } = await findUnknown(db, names)
  if (older.length > 0) throw tooOld(cure)
  if (newer.length > 0) {
    const last = newer.at(-1)
    throw new DatabaseFault(`A newer version has migrated the database, up to ${last}.`)
  }
}

const tooOld = (cure: string) =>
  new DatabaseFault(`The database was made by a version before the first release. ${cure}`)

/** What was applied to the database and is not here: a later name is of a newer version. */
async function findUnknown(db: Db, names: readonly string[]) {
  const { rows: tables } = await sql`select to_regclass('kysely_migration') as name`.execute(db)
  const isEmpty = (tables[0] as { name: string | null }).name === null
  const applied = isEmpty
    ? []
    : (await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db))
        .rows
  const unknown = applied.map(({ name }) => name).filter((name) => !names.includes(name))
  const last = names.at(-1) ?? ''
  return {
    older: unknown.filter((name) => name <= last),
    newer: unknown.filter((name) => name > last)
  }
}

async function readMigrations(): Promise<Record<string, Migration>> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  const migrations: Record<string, Migration> = {}
  for (const file of files) {
    const commands = splitCommands(await readFile(new URL(file, folder), 'utf8'))
    migrations[file.replace(/\.sql$/, '')] = {
      up: async (db) => {
        for (const command of commands) await db.executeQuery(CompiledQuery.raw(command))
      }
    }
  }
  return migrations
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
