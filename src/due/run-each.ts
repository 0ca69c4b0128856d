/** What becomes of work when one item of it fails: the others go on. */
import type { Db, Tx } from '../database/database.ts'
import { isContended, isUnavailable } from '../database/unavailable.ts'
import { Problem } from '../problem.ts'
import { isPaymentId } from '../tracing/payment-trace.ts'
import { currentSpan, traced } from '../tracing/span.ts'
import { delayAfter, providerRetryS } from './delays.ts'
import { type Claimed, postpone, type Queue } from './due.store.ts'

/** Called with a fault, and what it is about: ids for the log. A person is to look at it. */
export type OnFault = (about: About, error: unknown) => void

type About = Readonly<Record<string, string | number | null | undefined>>

/**
 * Runs `work` for every claimed row at once; answers how many. A fault of one goes to `onFault`,
 * and it is tried again, each time later. A `Problem` (what became of it is not known still) is no
 * fault, and neither is a database that is away: the row is due again, at the end of its lease at
 * the latest.
 */
export async function runEach<Row extends Claimed<object>>(
  claimed: readonly Row[],
  work: (row: Row) => Promise<unknown>,
  { db, queue, onFault }: RunEachOptions<Row>
): Promise<number> {
  await Promise.all(
    claimed.map(async (row) => {
      try {
        await traced(currentSpan()?.name ?? '', { paymentId: paymentOf(row) }, () => work(row))
      } catch (error) {
        if (error instanceof Problem || isUnavailable(error)) return
        onFault(row, error)
        const delayS = delayAfter(providerRetryS, row.attempts - 1)
        // Where even that fails, it is due again when its lease ends.
        await postpone(db, queue, row, delayS).catch((fault) => onFault(row, fault))
      }
    })
  )
  return claimed.length
}

/** Which payment a row is about, whatever its queue. */
function paymentOf(row: object): string | undefined {
  type MayTell = { id?: unknown; paymentId?: string; payment?: { id: string } }
  const { id, paymentId, payment } = row as MayTell
  return paymentId ?? payment?.id ?? (isPaymentId(String(id)) ? String(id) : undefined)
}

type RunEachOptions<Row> = {
  db: Db
  queue: Queue<unknown>
  onFault: (row: Row, error: unknown) => void
}

/** Work that is done for many rows in one transaction. */
export type Batch<Row> = {
  /** Rows of one transaction at most. */
  size: number
  /** Takes rows, in order, for the length of `tx`; or `only` this one, if it is still to be had. */
  take: (tx: Tx, limit: number, only?: Row) => Promise<Row[]>
  work: (tx: Tx, rows: Row[]) => Promise<unknown>
  /** Where taking them is a part of the work: those that are tried one by one when that fails. */
  find?: (db: Db, limit: number) => Promise<Row[]>
  /** Puts off a row that failed alone, so that it does not come first again, where it can be. */
  setAside?: (tx: Tx, row: Row, error: unknown) => Promise<unknown>
  /** Then shows it to a person, where its log is not enough. */
  show?: (tx: Tx, row: Row, error: unknown) => Promise<unknown>
  /** The row is undefined where it was one of a batch, which is now run one by one. */
  onFault: (row: Row | undefined, error: unknown) => void
  /** Errors that say nothing of a row, and end the round. */
  isOver?: (error: unknown) => boolean
}

/**
 * One round of work that is one transaction; answers how many rows it is done with. A batch that
 * fails is run one by one, and a row that fails alone is set aside, so that the others go on.
 */
export async function runBatch<Row>(db: Db, batch: Batch<Row>): Promise<number> {
  const { size, isOver = isLost, onFault } = batch
  let taken: Row[] = []
  try {
    return await runOnce(db, batch, size, undefined, (rows) => {
      taken = rows
    })
  } catch (error) {
    if (isOver(error)) throw error
    if (taken.length === 0) taken = (await batch.find?.(db, size)) ?? []
    if (taken.length === 0) throw error
    if (taken.length > 1) onFault(undefined, error)
  }
  let count = 0
  for (const row of taken) {
    try {
      count += await runAlone(db, batch, row, isOver)
    } catch (error) {
      if (isOver(error)) throw error
      // It could not even be set aside: it comes first again, and the others after it.
      onFault(row, error)
    }
  }
  return count
}

/** One transaction of it all, without a fallback: undefined where it fails by a row of it. */
export async function runWhole<Row>(db: Db, batch: Batch<Row>): Promise<number | undefined> {
  try {
    return await runOnce(db, batch, batch.size)
  } catch (error) {
    if ((batch.isOver ?? isLost)(error)) throw error
    return undefined
  }
}

/** A statement that waited too long for one row may do better for the others. */
export const isLost = (error: unknown) => isUnavailable(error) && !isContended(error)

async function runOnce<Row>(
  db: Db,
  { take, work }: Batch<Row>,
  limit: number,
  only?: Row,
  onTaken: (rows: Row[]) => void = () => {}
): Promise<number> {
  return await db.transaction().execute(async (tx) => {
    const rows = await take(tx, limit, only)
    onTaken(rows)
    if (rows.length > 0) await work(tx, rows)
    return rows.length
  })
}

async function runAlone<Row>(
  db: Db,
  batch: Batch<Row>,
  row: Row,
  isOver: (error: unknown) => boolean
): Promise<number> {
  const { setAside, show, onFault } = batch
  try {
    return await runOnce(db, batch, 1, row)
  } catch (error) {
    if (isOver(error)) throw error
    onFault(row, error)
    if (setAside === undefined) return 0
    await db.transaction().execute((tx) => setAside(tx, row, error))
    if (show !== undefined) await db.transaction().execute((tx) => show(tx, row, error))
    return 1
  }
}
