/**
 * The connections of an instance, in shares: what waits for a lock, or is many, takes none of
 * another share. In all `requests + reads + background + reserved`, and one to listen on.
 */
import { setTimeout } from 'node:timers/promises'
import type pg from 'pg'
import { createPool, type Db, toDb } from './database.ts'
import { DatabaseFault } from './fault.ts'
import type { Outage } from './outage.ts'
import { isUnavailable, ReadOnlyDatabase, reasonOf, unavailabilityOf } from './unavailable.ts'

/** How many connections each share has at most. */
export type ShareSizes = { requests: number; reads: number; background: number }

export type Shares = {
  /** For what requests write. */
  db: Db
  /** For what they only read. */
  reads: Db
  /** For notifications as they come in, and for who it is that calls. */
  inbox: Db
  /** For the tasks. */
  background: Db
  /** Whether the database takes writes; throws where it does not answer. */
  canWrite(): Promise<boolean>
  /** Where the pool of each share stands. */
  states(): Record<ShareName, { used: number; idle: number; max: number; waiting: number }>
  destroy(): Promise<void>
}

export type ShareName = 'requests' | 'reads' | 'inbox' | 'background'

/**
 * Called with a wait for a connection where none was idle, ms; and whether it was in vain, but not
 * where the database is away.
 */
export type OnWait = (share: ShareName, ms: number, isInVain: boolean) => void

/** Two store notifications; one asks who calls, one whether the database is there. */
export const reservedConnections = 4

export function connectShares(
  url: string,
  sizes: ShareSizes,
  outage: Outage,
  onWait: OnWait = () => {}
): Shares {
  const pools = {} as Record<ShareName, pg.Pool>
  const open = (share: ShareName, max: number) => {
    pools[share] = createPool(url, { max, outage })
    timeWaits(pools[share], (ms, isInVain) => onWait(share, ms, isInVain))
    return pools[share]
  }
  const requests = open('requests', sizes.requests)
  const reads = open('reads', sizes.reads)
  const reserved = open('inbox', reservedConnections)
  const background = open('background', sizes.background)
  return {
    db: toDb(requests),
    reads: toDb(reads),
    inbox: toDb(reserved),
    background: toDb(background),
    canWrite: () => canWrite(reserved, outage),
    states: () => ({
      requests: stateOf(requests),
      reads: stateOf(reads),
      inbox: stateOf(reserved),
      background: stateOf(background)
    }),
    async destroy() {
      await Promise.all(Object.values(pools).map((pool) => pool.end()))
    }
  }
}

function stateOf(pool: pg.Pool) {
  const { totalCount, idleCount, waitingCount, options } = pool
  return { used: totalCount - idleCount, idle: idleCount, max: options.max, waiting: waitingCount }
}

/** Only where no connection is idle: who is given one at once is not slowed. */
function timeWaits(pool: pg.Pool, onWait: (ms: number, isInVain: boolean) => void): void {
  const connect: () => Promise<pg.PoolClient> = pool.connect.bind(pool)
  async function connectTimed(): Promise<pg.PoolClient> {
    const since = performance.now()
    try {
      const client = await connect()
      onWait(performance.now() - since, false)
      return client
    } catch (error) {
      if (unavailabilityOf(error) === 'busy') onWait(performance.now() - since, true)
      throw error
    }
  }
  // Statements outside of a transaction go by kysely too, which asks for promises alone.
  pool.connect = ((callback?: never) => {
    if (callback !== undefined) return pool.constructor.prototype.connect.call(pool, callback)
    return pool.idleCount > 0 ? connect() : connectTimed()
  }) as pg.Pool['connect']
}

async function canWrite(pool: pg.Pool, outage: Outage): Promise<boolean> {
  const client = await pool.connect()
  let writable = false
  try {
    const { rows } = await client.query<{ writable: boolean }>(
      `select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off'
       as writable`
    )
    writable = rows[0]?.writable === true
    if (writable) outage.worked(true)
    else outage.failed(new ReadOnlyDatabase())
    return writable
  } finally {
    // The next one goes where new connections go: to another server, perhaps.
    client.release(!writable)
  }
}

/** Between two looks at a database that does not answer, ms. */
const lookEveryMs = 500

/** Does `work`, again and again while the database is away; after `waitS` s `DatabaseFault`. */
export async function untilAvailable(work: () => Promise<void>, waitS: number): Promise<void> {
  const giveUpAt = performance.now() + waitS * 1_000
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!isUnavailable(error)) throw error
      if (performance.now() + lookEveryMs > giveUpAt) {
        throw new DatabaseFault(`The database does not answer: ${reasonOf(error)}`)
      }
    }
    await setTimeout(lookEveryMs)
  }
}
