import { finished } from 'node:stream/promises'
import {
  CompiledQuery as Compiled,
  type CompiledQuery,
  Kysely,
  PostgresDialect,
  sql,
  type Transaction
} from 'kysely'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { beginStatement } from '../tracing/statement.ts'
import { driverUrl } from './connection-url.ts'
import type { Outage } from './outage.ts'
import { bounds, nameOf, patience, planning, setUpSession } from './session.ts'
import type { Database } from './tables.ts'
import { unavailabilityOf } from './unavailable.ts'

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
  readonly #outage: Outage | undefined

  constructor(config?: ClientConfig) {
    super(config)
    this.#outage = config?.outage
  }

  // biome-ignore lint/suspicious/noExplicitAny: the overloads of node-postgres can't be told apart.
  override connect(callback?: any): any {
    return super.connect((error: Error | null) => {
      if (error) this.#outage?.failed(error)
      callback?.(error)
    })
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above.
  override query(first: any, values?: any, callback?: any): any {
    if (typeof first !== 'string' || !Array.isArray(values) || values.length === 0) {
      return this.#watch(first, super.query(first, values, callback))
    }
    if (first.startsWith('copy ')) return this.#watch(first, this.#copy(first, values[0]))
    const isPlannedAnew = first.lastIndexOf(planned, 'select '.length) >= 0
    const name = isPlannedAnew ? undefined : nameOf(first)
    return this.#watch(first, super.query({ name, text: first, values }, callback))
  }

  /** COPY from what is handed over as its only value, in the text format. */
  async #copy(
    text: string,
    rows: string
  ): Promise<{ command: string; rows: []; rowCount: number }> {
    const copying = super.query(copyFrom(text))
    copying.end(rows)
    await finished(copying)
    return { command: 'COPY', rows: [], rowCount: copying.rowCount }
  }

  #watch(text: unknown, result: unknown): unknown {
    if (result instanceof Promise) {
      const span = beginStatement(text)
      result.then(
        ({ command }: Pick<pg.QueryResult, 'command'>) => {
          span?.end()
          this.#outage?.worked(writes.has(command))
        },
        (error: Error) => {
          span?.end(error)
          this.#failed(error)
        }
      )
    }
    return result
  }

  /**
   * A connection that gave no answer in time, or to a database that takes no writes, is closed: it
   * has ended before its pool looks at it again, so that nobody else is given it.
   */
  #failed(error: Error): void {
    if (unavailabilityOf(error) !== 'away') return
    this.#outage?.failed(error)
    void this.end()
    this.connection.stream.destroy()
  }
}

const planned = '/* planned each time */'
/**
 * Begins a statement, or follows its first word, that is not kept prepared: a search, which has too
 * many forms, and whose best plan depends on its values.
 */
export const plannedEachTime = sql.raw(planned)

/** Commands that succeed only where the database takes writes. */
const writes = new Set(['INSERT', 'UPDATE', 'DELETE'])

type ClientConfig = pg.ClientConfig & { outage?: Outage }

type ConnectOptions = {
  /** Connections at most. Two cores are full with 10; more only wait in PostgreSQL. */
  max?: number
  /** Is told of each failure, and of what works again. */
  outage?: Outage
  /** For migrations, whose statements take the time that they take. */
  patient?: boolean
}

/** The longest wait for an answer, ms: longer than that of the server for a statement. */
const answerWithinMs = 6_000

/**
 * A pool of connections to `url`. Every wait is bounded: 2 s for a connection, 5 s for a statement,
 * 2 s for a lock, 10 s for an idle transaction. Fails when it is first used, not before.
 */
export function createPool(url: string, options: ConnectOptions = {}): pg.Pool {
  const { max = 10, outage, patient } = options
  const config: pg.PoolConfig & ClientConfig = {
    connectionString: driverUrl(url),
    Client: PreparingClient,
    max,
    connectionTimeoutMillis: 2_000,
    idleTimeoutMillis: 30_000,
    maxLifetimeSeconds: 3_600,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...(patient ? {} : { query_timeout: answerWithinMs }),
    ...(outage && { outage }),
    application_name: 'one-off-payments',
    onConnect: (client) =>
      setUpSession(client, patient ? patience : { ...bounds, ...planning }, url)
  }
  const pool = new pg.Pool(config)
  // Without a listener a broken idle connection would end the process; the pool replaces it.
  pool.on('error', (error) => outage?.failed(error))
  const madeAt = new WeakMap<pg.PoolClient, number>()
  pool.on('connect', (client) => {
    madeAt.set(client, performance.now())
    // So would one that breaks in a transaction, between two statements; the next one finds out.
    client.on('error', () => {})
  })
  // Before the pool looks at it again: one that has ended is not kept.
  pool.on('release', (_, client) => {
    if (outage?.isStale(madeAt.get(client) ?? 0)) void client.end()
  })
  return pool
}

/** What statements are run on, over a pool of its own: see `createPool`. */
export const connect = (url: string, options?: ConnectOptions): Db => toDb(createPool(url, options))

export const toDb = (pool: pg.Pool): Db =>
  new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })

/**
 * A statement written as SQL text with $1, $2, …: what is hot is not built anew for each call.
 * `Row` is the shape that the statement returns.
 */
export function statement<Row>(text: string): (...values: unknown[]) => CompiledQuery<Row> {
  return (...values) => Compiled.raw(text, values) as CompiledQuery<Row>
}

/**
 * The database's clock. Read after payments are locked, so that of two events of a payment the
 * later one has the later time, however long its transaction waited.
 */
export async function readClock(tx: Db): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(tx)
  return (rows[0] as { now: Date }).now
}
