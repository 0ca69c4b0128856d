/** Whether what the connection strings lead to keeps what the service relies on. */
import { sql } from 'kysely'
import { connect, type Db } from './database.ts'
import { DatabaseFault } from './fault.ts'
import { bounds, planning, reliedOn } from './session.ts'

const oldestVersion = 15

/**
 * Throws a `DatabaseFault` where the database, or a pooler on the way to it, would break a promise
 * in silence: too old, another encoding, settings that do not hold, notices that nobody hears.
 * `directUrl`: where it listens, if not by `url`. Lets errors of the connection through.
 */
export async function checkConnections(url: string, directUrl: string | undefined): Promise<void> {
  let place = ''
  const faults = await withPair(url, async (one, other) => {
    // A pooler may refuse that: it lends a connection for a statement.
    await one.transaction().execute((tx) => sql`select 1`.execute(tx))
    const server = await faultsOfServer(one)
    if (server.length > 0) return server
    place = await findPlace(one)
    if (!(await isShared(one, other))) return await faultsOfSession(one)
    return [
      ...(directUrl === undefined
        ? [
            'DATABASE_URL leads to a pooler that lends a connection for a transaction, so that ' +
              'nobody can listen there: set DATABASE_DIRECT_URL to one that leads to the database.'
          ]
        : []),
      ...(await faultsOfPooled(one, other))
    ]
  })
  if (directUrl !== undefined) {
    faults.push(...(await faultsOfDirect(directUrl)))
    if (place !== '' && (await withPair(directUrl, findPlace)) !== place) {
      faults.push('DATABASE_DIRECT_URL leads to other tables than DATABASE_URL.')
    }
  }
  if (faults.length > 0) throw new DatabaseFault(faults.join('\n'))
}

/**
 * Throws a `DatabaseFault` where this connection string does not give a session of its own, or
 * leads to a database that the service would refuse, before anything is made in it.
 */
export async function checkDirect(url: string): Promise<void> {
  const faults = [...(await withPair(url, faultsOfServer)), ...(await faultsOfDirect(url))]
  if (faults.length > 0) throw new DatabaseFault(faults.join('\n'))
}

async function faultsOfDirect(url: string): Promise<string[]> {
  return await withPair(url, async (one, other) =>
    (await isShared(one, other))
      ? [
          'The pooler lends a connection for a transaction only: to listen, and to migrate, set ' +
            'DATABASE_DIRECT_URL to one that leads to the database itself.'
        ]
      : []
  )
}

/** Which tables are found there, of which brand in which database. */
async function findPlace(db: Db): Promise<string> {
  const { rows } = await sql<{ place: string }>`
    select current_database() || ' ' || coalesce(to_regclass('payment')::oid, 0) as place`.execute(
    db
  )
  return rows[0]?.place ?? ''
}

/** Two connections at the same time, which are closed afterwards. */
async function withPair<T>(url: string, use: (one: Db, other: Db) => Promise<T>): Promise<T> {
  const db = connect(url, { max: 2 })
  try {
    return await db
      .connection()
      .execute((one) => db.connection().execute((other) => use(one, other)))
  } catch (error) {
    throw isRefusal(error)
      ? new DatabaseFault(`The database cannot be used: ${error.message}.`)
      : error
  } finally {
    await db.destroy()
  }
}

/** A pooler that wants less, a right that is missing, no trust in its certificate: lasting. */
function isRefusal(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  const { code = '' } = error as NodeJS.ErrnoException
  return (
    /^(08P01|42501)$/.test(code) ||
    /CERT|TLS|SSL|SIGNATURE/.test(code) ||
    /\bSSL\b/.test(error.message)
  )
}

const rounds = 3

/** Whether two connections were served by one process of the server, or one of them by two. */
async function isShared(one: Db, other: Db): Promise<boolean> {
  const pids: number[][] = [[], []]
  for (let round = 0; round < rounds; round++) {
    for (const [place, db] of [one, other].entries()) {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
      pids[place]?.push(rows[0]?.pid ?? 0)
    }
  }
  return new Set(pids.flat()).size !== 2 || pids.some((own) => new Set(own).size !== 1)
}

async function faultsOfServer(db: Db): Promise<string[]> {
  const { rows } = await sql<{ version: number; encoding: string }>`
    select current_setting('server_version_num')::integer / 10000 as version,
      current_setting('server_encoding') as encoding`.execute(db)
  const { version = 0, encoding = '' } = rows[0] ?? {}
  return [
    ...(version < oldestVersion
      ? [`PostgreSQL ${version} is too old: ${oldestVersion} or later is needed.`]
      : []),
    ...(encoding !== 'UTF8' ? [`The database keeps text as ${encoding}: UTF8 is needed.`] : [])
  ]
}

type Setting = { name: string; now: string; atStart: string }

const wanted: Readonly<Record<string, string>> = { ...reliedOn, ...bounds, ...planning }

/** What is not as it should be, now or at the start of a session before it was set. */
async function readWrong(db: Db, column: 'now' | 'atStart'): Promise<Setting[]> {
  // Without parameters: a statement that is prepared may not work here.
  const names = sql.join(Object.keys(wanted).map((name) => sql.lit(name)))
  const { rows } = await sql<Setting>`
    select name, setting as now, reset_val as "atStart" from pg_settings
    where name in (${names})`.execute(db)
  return rows.filter((row) => row[column] !== wanted[row.name])
}

async function faultsOfSession(db: Db): Promise<string[]> {
  const wrong = await readWrong(db, 'now')
  return wrong.map(({ name, now }) => `${name} stays ${now} on the connections to the database.`)
}

/** What each session must begin with: what is set later holds for anybody's transaction. */
async function faultsOfPooled(one: Db, other: Db): Promise<string[]> {
  const faults: string[] = []
  try {
    for (const db of [one, other, one]) await sql`select ${1}::integer`.execute(db)
  } catch (error) {
    if (!/^(42P05|26000)$/.test((error as { code?: string }).code ?? '')) throw error
    faults.push(
      'The pooler does not follow prepared statements: give it max_prepared_statements ' +
        '(PgBouncer 1.21 or later), or let it lend connections for a session.'
    )
  }
  // Followed by poolers for each of their clients, as PostgreSQL reports them.
  const followed = ['client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings']
  const wrong = (await readWrong(one, 'atStart')).filter(({ name }) => !followed.includes(name))
  if (wrong.length === 0) return faults
  const { rows } = await sql<{ role: string }>`select current_user as role`.execute(one)
  const commands = wrong.map(
    ({ name }) => `alter role "${rows[0]?.role}" set ${name} = '${wanted[name]}';`
  )
  return [
    ...faults,
    'Behind the pooler each session must begin with these settings, as a superuser sets them:\n' +
      commands.join('\n')
  ]
}
