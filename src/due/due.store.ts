/**
 * Work that is due stands in the row that it concerns, in the same four columns of every table:
 * `next_attempt_at` (null: nothing is due), `attempts`, and while somebody is at it `lease` and
 * `leased_until`. A claim moves `next_attempt_at` to the end of its lease, so that one index finds
 * all that is due, and also what a holder that died has left.
 */
import { randomUUID } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'
import type { Database, Db, Tx } from '../database/database.ts'

/** What is due in a table, and what whoever does it needs to know. */
export type Queue<Row> = {
  table: keyof Database & string
  /** The columns of its primary key. */
  key: readonly string[]
  /** What else is true of a row of this queue. */
  where?: RawBuilder<unknown>
  /** When there is something to do in a row, due or not; by default where it has a due time. */
  open?: RawBuilder<unknown>
  /** What a claim sets beside the lease. */
  set?: RawBuilder<unknown>
  /** What is read: columns, `from claimed`, which has all columns of the table, and joins. */
  read: RawBuilder<Row>
}

type Key = ReadonlyArray<string | number>
/** Whose the row is: nobody else's until it ends. */
export type Lease = { key: Key; id: string }
export type Held = { lease: Lease }
/** `attempts`: this one included. */
export type Claimed<Row> = Row & Held & { attempts: number }
/** A row that is locked until the end of a transaction; `attempts` were made before. */
export type Locked<Row> = Row & { key: Key; attempts: number }

export type ClaimOptions = {
  limit: number
  /** For how long the rows are the claimer's, seconds. */
  leaseS: number
  /** Only of these rows. */
  only?: RawBuilder<unknown>
}

/** Attempts are counted so far: no schedule asks for more, and no column overflows. */
export const attemptsMax = 1_000

export const newLease = (...key: Key): Lease => ({ key, id: randomUUID() })

/** What a claim sets: the row is the holder's for `leaseS` seconds, and then it is due again. */
export function leaseTo(id: string, leaseS: number) {
  const end = leaseEnd(leaseS)
  return sql`lease = ${id}, leased_until = ${end}, next_attempt_at = ${end},
    attempts = least(attempts + 1, ${attemptsMax}::integer)`
}

/** Sets that nobody has the row any more. */
export const noLease = sql.raw('lease = null, leased_until = null')

/** Takes rows that are due, for `leaseS` seconds, and counts the attempt. */
export async function claimDue<Row>(
  db: Db,
  queue: Queue<Row>,
  { limit, leaseS, only }: ClaimOptions
): Promise<Claimed<Row>[]> {
  const isDue = sql`next_attempt_at <= now() ${and(queue.where)} ${and(only)}`
  return await claim(db, queue, isDue, limit, leaseTo(randomUUID(), leaseS))
}

/** Takes one row before its time, unless somebody has it or nothing is due in it. */
export async function claimIdle<Row>(
  db: Db,
  queue: Queue<Row>,
  key: Key,
  leaseS: number
): Promise<Claimed<Row> | undefined> {
  const { where, open = sql`next_attempt_at is not null` } = queue
  const isIdle = sql`${open} and ${isNobodys} and ${isRow(queue, key)} ${and(where)}`
  const [row] = await claim(db, queue, isIdle, 1, leaseTo(randomUUID(), leaseS))
  return row
}

/** For how long a row is still somebody's, s; 0 where it is nobody's. */
export async function leaseLeftS(db: Db, queue: Queue<unknown>, key: Key): Promise<number> {
  const { rows } = await sql<{ left: number | null }>`
    select extract(epoch from leased_until - now())::double precision as left
    from ${sql.table(queue.table)} where ${isRow(queue, key)}`.execute(db)
  return Math.max(0, rows[0]?.left ?? 0)
}

/** What is due later than so waits for something else than to be tried again. */
const retriedWithin = sql`next_attempt_at <= now() + interval '1 hour'`

/**
 * Takes the rows that are due soonest, before their time too: to see whether what they wait for
 * can be done again.
 */
export async function claimSoonest<Row>(
  db: Db,
  queue: Queue<Row>,
  { limit, leaseS, only }: ClaimOptions
): Promise<Claimed<Row>[]> {
  const isIdle = sql`${retriedWithin} and ${isNobodys} ${and(queue.where)} ${and(only)}`
  return await claim(db, queue, isIdle, limit, leaseTo(randomUUID(), leaseS))
}

const isNobodys = sql`(leased_until is null or leased_until <= now())`

/**
 * What waits for longer than `withinS` is due within that, spread over it by chance; but for what
 * somebody has. Answers how many rows those are.
 */
export async function pullForward(
  db: Db,
  queue: Queue<unknown>,
  withinS: number,
  only?: RawBuilder<unknown>
): Promise<number> {
  const isSame = queue.key.map(
    (name) => sql`${sql.ref(`${queue.table}.${name}`)} = ${sql.ref(`later.${name}`)}`
  )
  const result = await sql`
    with later as (
      -- The part of a second at which it is due is as good as a die.
      select ${keyOf(queue)}, now() + make_interval(secs =>
        ${withinS} * (extract(microseconds from next_attempt_at)::integer % 1000000) / 1000000.0
      ) as at
      from ${sql.table(queue.table)}
      where next_attempt_at > now() + make_interval(secs => ${withinS}) and ${retriedWithin}
        and lease is null ${and(queue.where)} ${and(only)}
      for no key update skip locked
    )
    update ${sql.table(queue.table)} set next_attempt_at = later.at
    from later where ${sql.join(isSame, sql` and `)}`.execute(db)
  return Number(result.numAffectedRows ?? 0n)
}

async function claim<Row>(
  db: Db,
  queue: Queue<Row>,
  which: RawBuilder<unknown>,
  limit: number,
  lease: RawBuilder<unknown>
): Promise<Claimed<Row>[]> {
  const table = sql.table(queue.table)
  const isSame = queue.key.map(
    (name) => sql`${sql.ref(`${queue.table}.${name}`)} =
    ${sql.ref(`due.${name}`)}`
  )
  const { rows } = await sql<Claimed<Row>>`
    with due as (
      select ${keyOf(queue)} from ${table} where ${which}
      order by next_attempt_at, ${keyOf(queue)} limit ${limit} for no key update skip locked
    ), claimed as (
      update ${table} set ${lease} ${queue.set === undefined ? sql`` : sql`, ${queue.set}`}
      from due where ${sql.join(isSame, sql` and `)} returning ${table}.*
    )
    select json_build_object('id', claimed.lease,
        'key', json_build_array(${keyOf(queue, 'claimed')})) as lease,
      claimed.attempts, ${queue.read}`.execute(db)
  return rows
}

/**
 * Locks rows that are due until the end of `tx`, oldest first: for work that is one transaction,
 * which needs no lease. `only`: this one, where it is still due.
 */
export async function lockDue<Row>(
  tx: Tx,
  queue: Queue<Row>,
  limit: number,
  only?: { key: Key }
): Promise<Locked<Row>[]> {
  const { rows } = await sql<Locked<Row>>`
    with claimed as (
      select * from ${sql.table(queue.table)} where next_attempt_at <= now() ${and(queue.where)}
        ${and(only && isRow(queue, only.key))}
      order by next_attempt_at, ${keyOf(queue)} limit ${limit} for no key update skip locked
    )
    select json_build_array(${keyOf(queue, 'claimed')}) as key, claimed.attempts, ${queue.read}
    order by claimed.next_attempt_at, ${keyOf(queue, 'claimed')}`.execute(tx)
  return rows
}

/** The holder lets go of it: it is due again in `delayS`. `set`: what else is true of it now. */
export async function postpone(
  db: Db,
  queue: Queue<unknown>,
  row: Held,
  delayS: number,
  set?: RawBuilder<unknown>
): Promise<boolean> {
  return await change(db, queue, row, dueIn(delayS), set)
}

/** The holder has not tried it: it is due at once, and the attempt was none. */
export async function release(db: Db, queue: Queue<unknown>, row: Held): Promise<boolean> {
  return await change(db, queue, row, dueIn(0), sql`attempts = greatest(attempts - 1, 0)`)
}

/** The holder keeps it for another `leaseS` seconds. */
export async function renew(
  db: Db,
  queue: Queue<unknown>,
  row: Held,
  leaseS: number,
  set?: RawBuilder<unknown>
): Promise<boolean> {
  const end = leaseEnd(leaseS)
  return await change(db, queue, row, sql`leased_until = ${end}, next_attempt_at = ${end}`, set)
}

/** Nothing is due in the row any more. */
export async function done(
  db: Db,
  queue: Queue<unknown>,
  row: Held,
  set?: RawBuilder<unknown>
): Promise<boolean> {
  return await change(db, queue, row, sql`next_attempt_at = null, ${noLease}`, set)
}

/**
 * It is not tried again, and a person is shown that: by what `show` writes, in the same transaction
 * and only while the row is the holder's.
 */
export async function giveUp(
  db: Db,
  queue: Queue<unknown>,
  row: Held,
  show: (tx: Tx) => Promise<unknown>
): Promise<boolean> {
  const lost = Symbol('the lease is gone')
  try {
    await db.transaction().execute(async (tx) => {
      // First, since it locks payments, as everybody does before what hangs on them.
      await show(tx)
      if (!(await done(tx, queue, row))) throw lost
    })
    return true
  } catch (error) {
    if (error === lost) return false
    throw error
  }
}

/** A row that failed in its transaction is due again in `delayS`, unless it has moved on since. */
export async function setAside(
  tx: Tx,
  queue: Queue<unknown>,
  { key, attempts }: Locked<unknown>,
  delayS: number
): Promise<boolean> {
  const result = await sql`
    update ${sql.table(queue.table)} set attempts = least(attempts + 1, ${attemptsMax}::integer),
      next_attempt_at = now() + make_interval(secs => ${delayS})
    where ${isRow(queue, key)} and attempts = ${attempts} and next_attempt_at <= now()`.execute(tx)
  return result.numAffectedRows === 1n
}

/** Whether the row is the holder's still: for statements that change more than these here. */
export function isHeld(queue: Queue<unknown>, { lease }: Held): RawBuilder<boolean> {
  return sql<boolean>`${isRow(queue, lease.key)} and lease = ${lease.id}`
}

async function change(
  db: Db,
  queue: Queue<unknown>,
  row: Held,
  ...sets: Array<RawBuilder<unknown> | undefined>
): Promise<boolean> {
  const all = sets.filter((one) => one !== undefined)
  const result = await sql`
    update ${sql.table(queue.table)} set ${sql.join(all)} where ${isHeld(queue, row)}`.execute(db)
  return result.numAffectedRows === 1n
}

const leaseEnd = (leaseS: number) => sql`now() + make_interval(secs => ${leaseS})`

const dueIn = (delayS: number) =>
  sql`next_attempt_at = now() + make_interval(secs => ${delayS}), ${noLease}`

const and = (condition: RawBuilder<unknown> | undefined) =>
  condition === undefined ? sql`` : sql`and (${condition})`

const keyOf = ({ key }: Queue<unknown>, of?: string) =>
  sql.join(key.map((name) => sql.ref(of === undefined ? name : `${of}.${name}`)))

const isRow = (queue: Queue<unknown>, key: Key) =>
  sql.join(
    queue.key.map((name, place) => sql`${sql.ref(name)} = ${key[place]}`),
    sql` and `
  )
