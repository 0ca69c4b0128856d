/** What becomes of work when one item of it fails: the others go on. */
import { type Db, isContended, isUnavailable, type Tx } from '../database/database.ts'
import { Problem } from '../problem.ts'
import { delayAfter, providerRetryS } from './delays.ts'
import { type Claimed, postpone, type Queue } from './due.store.ts'

/**
 * Runs `work` for every claimed row at once; answers how many. A fault of one is told to `onFault`,
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
        await work(row)
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

export type RunEachOptions<Row> = {
  db: Db
  queue: Queue<unknown>
  onFault: (row: Row, error: unknown) => void
}

/** Work that is done for many rows in one transaction. */
export type Batch<Row> = {
  /** Rows of one transaction at most. */
  size: number
  /** Takes up to `limit` rows, in order, for the length of `tx`. */
  take: (tx: Tx, limit: number) => Promise<Row[]>
  work: (tx: Tx, rows: Row[]) => Promise<unknown>
  /** Puts off a row that fails alone, so that it is not taken next, or gives it to a person. */
  setAside: (tx: Tx, row: Row, error: unknown) => Promise<unknown>
  /** The row is undefined where it was one of a batch, which is now run one by one. */
  onFault: (row: Row | undefined, error: unknown) => void
  /** Errors that say nothing of a row, and end the round. */
  isOver?: (error: unknown) => boolean
}

/**
 * One round of work that is one transaction; answers how many rows it took. A batch that fails is
 * run one by one, and a row that fails alone is set aside, so that the others go on.
 */
export async function runBatch<Row>(db: Db, batch: Batch<Row>): Promise<number> {
  const { size, isOver = isLost } = batch
  const taken: Row[] = []
  try {
    return await runOnce(db, batch, size, taken)
  } catch (error) {
    if (isOver(error) || taken.length === 0) throw error
    if (taken.length > 1) batch.onFault(undefined, error)
  }
  for (let count = 0; count < size; count += 1) {
    if (!(await runAlone(db, batch, isOver))) return count
  }
  return size
}

/** A statement that waited too long for one row may do better for the others. */
const isLost = (error: unknown) => isUnavailable(error) && !isContended(error)

async function runOnce<Row>(
  db: Db,
  { take, work }: Batch<Row>,
  limit: number,
  taken: Row[]
): Promise<number> {
  return await db.transaction().execute(async (tx) => {
    const rows = await take(tx, limit)
    taken.push(...rows)
    if (rows.length > 0) await work(tx, rows)
    return rows.length
  })
}

/** False where nothing is left. */
async function runAlone<Row>(
  db: Db,
  batch: Batch<Row>,
  isOver: (error: unknown) => boolean
): Promise<boolean> {
  const taken: Row[] = []
  try {
    return (await runOnce(db, batch, 1, taken)) > 0
  } catch (error) {
    const [row] = taken
    if (row === undefined || isOver(error)) throw error
    batch.onFault(row, error)
    await db.transaction().execute((tx) => batch.setAside(tx, row, error))
    return true
  }
}
