import {
  CompiledQuery as Compiled,
  type CompiledQuery,
  Kysely,
  PostgresDialect,
  sql,
  type Transaction
} from 'kysely'
import pg from 'pg'
import { driverUrl } from './connection-url.ts'
import { bounds, nameOf, patience, setUpSession } from './session.ts'
import type { Database } from './tables.ts'

export type { Database }

/** Anything that can run a statement; what only reads takes this. */
export type Db = Kysely<Database>
/** What writes takes this: passing a `Db` does not compile, so no write escapes its transaction. */
export type Tx = Transaction<Database>

// Amounts are bigint columns; the contract's largest amount is far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, (text) => {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is not a safe integer`)
  return value
})

/**
 * A client that prepares each statement with parameters once per connection, which node-postgres
 * does only for statements that have a name. Every distinct text is kept, so lists of varying
 * length go in as one array or one JSON parameter.
 */
class PreparingClient extends pg.Client {
  // biome-ignore lint/suspicious/noExplicitAny: the overloads of node-postgres can't be told apart.
  override query(first: any, values?: any, callback?: any): any {
    if (typeof first !== 'string' || !Array.isArray(values) || values.length === 0) {
      return this.#watch(super.query(first, values, callback))
    }
    const isPlannedAnew = first.lastIndexOf(planned, 'select '.length) >= 0
    const name = isPlannedAnew ? undefined : nameOf(first)
    return this.#watch(super.query({ name, text: first, values }, callback))
  }

  /** A connection that gave no answer in time is closed: nobody may be there any more. */
  #watch(result: unknown): unknown {
    if (result instanceof Promise) {
      result.catch((error: Error) => {
        if (error.message === 'Query read timeout') this.connection.stream.destroy()
      })
    }
    return result
  }
}

const planned = '/* planned each time */'
/**
 * Begins a statement, or follows its first word, that is not kept prepared: a search, which has too
 * many forms, and whose best plan depends on its values.
 */
export const plannedEachTime = sql.raw(planned)

type ConnectOptions = {
  /** Connections at most. Two cores are full with 10; more only wait in PostgreSQL. */
  max?: number
  /** Called when an idle connection breaks; the pool replaces it by itself. */
  onError?: (error: Error) => void
  /** For migrations, whose statements take the time that they take. */
  patient?: boolean
}

/** The longest wait for an answer, ms: longer than that of the server for a statement. */
const answerWithinMs = 6_000

/**
 * A pool of connections to `url`. Every wait is bounded: 2 s for a connection, 5 s for a statement,
 * 2 s for a lock, 10 s for an idle transaction. Fails when it is first used, not before.
 */
export function connect(url: string, options: ConnectOptions = {}): Db {
  const pool = new pg.Pool({
    connectionString: driverUrl(url),
    Client: PreparingClient,
    max: options.max ?? 10,
    connectionTimeoutMillis: 2_000,
    idleTimeoutMillis: 30_000,
    maxLifetimeSeconds: 3_600,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...(options.patient ? {} : { query_timeout: answerWithinMs }),
    application_name: 'one-off-payments',
    onConnect: (client) => setUpSession(client, options.patient ? patience : bounds)
  })
  // Without a listener a broken idle connection would end the process.
  pool.on('error', options.onError ?? (() => {}))
  // So would one that breaks in a transaction, between two statements; the next one finds out.
  pool.on('connect', (client) => client.on('error', () => {}))
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
}

/**
 * A statement written as SQL text with $1, $2, …: what is hot is not built anew for each call.
 * `Row` is the shape that the statement returns.
 */
export function statement<Row>(text: string): (...values: unknown[]) => CompiledQuery<Row> {
  return (...values) => Compiled.raw(text, values) as CompiledQuery<Row>
}

const unavailableMessage =
  /Connection terminated|connection timeout|timeout exceeded|Query read timeout|not queryable/i

/** Whether a statement waited too long for a lock or for its turn: others may do better. */
export function isContended(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(55P03|57014|40P01|40001)$/.test(error.code ?? '')
}

/**
 * Whether the database could not be reached or had no time for us, so that asking again later may
 * succeed: connection failures (class 08), shutdown (57P), resources (53), cancelled statements,
 * lock timeouts, and the pool's own timeouts.
 */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) {
    return /^(08|53|57P|57014|55P03|40001|40P01|25P03)/.test(error.code ?? '')
  }
  if (!(error instanceof Error)) return false
  const code = (error as NodeJS.ErrnoException).code ?? ''
  return (
    /^(ECONNREFUSED|ECONNRESET|EPIPE|ENOENT|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/.test(code) ||
    unavailableMessage.test(error.message)
  )
}

/**
 * The database's clock. Read after payments are locked, so that of two events of a payment the
 * later one has the later time, however long its transaction waited.
 */
export async function readClock(tx: Db): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(tx)
  return (rows[0] as { now: Date }).now
}
