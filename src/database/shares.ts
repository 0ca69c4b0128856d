/**
 * The connections of an instance, in shares: what waits for a lock, or is many, takes none of
 * another share. In all `requests + reads + background + reserved`, and one to listen on.
 */
import { setTimeout } from 'node:timers/promises'
import type pg from 'pg'
import { createPool, type Db, toDb } from './database.ts'
import { DatabaseFault } from './migrate.ts'
import type { Outage } from './outage.ts'
import { isUnavailable, ReadOnlyDatabase, reasonOf } from './unavailable.ts'

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
  destroy(): Promise<void>
}

/** Two store notifications; one asks who calls, one whether the database is there. */
export const reservedConnections = 4

export function connectShares(url: string, sizes: ShareSizes, outage: Outage): Shares {
  const open = (max: number) => createPool(url, { max, outage })
  const requests = open(sizes.requests)
  const reads = open(sizes.reads)
  const reserved = open(reservedConnections)
  const background = open(sizes.background)
  return {
    db: toDb(requests),
    reads: toDb(reads),
    inbox: toDb(reserved),
    background: toDb(background),
    canWrite: () => canWrite(reserved, outage),
    async destroy() {
      await Promise.all([requests, reads, reserved, background].map((pool) => pool.end()))
    }
  }
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
