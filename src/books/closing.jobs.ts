import { type Db, readClock, type Tx } from '../database/database.ts'
import { insertClosing, lockClosings } from './closing.store.ts'
import { type Closing, closeDay, dayAfter, hoursOf, mayClose, spanOf } from './closing.ts'
import { planForValues, sumPostings, sumSettled } from './summary.store.ts'
import type { PostingSum, SettledSum } from './summary.ts'

type ClosingDeps = { db: Db; merchantAccount: string; isStopping: () => boolean }

/** Days of one round: the next one follows at once. */
const daysAtOnce = 31

/**
 * Writes the closings of days that are long over, one after the other, each by itself: also those
 * from before there were any. Answers how many.
 */
export async function closeDays({ db, merchantAccount, isStopping }: ClosingDeps): Promise<number> {
  let count = 0
  while (count < daysAtOnce && !isStopping()) {
    const isClosed = await db.transaction().execute((tx) => closeNext(tx, merchantAccount))
    if (!isClosed) break
    count += 1
  }
  return count
}

async function closeNext(tx: Tx, merchantAccount: string): Promise<boolean> {
  const place = await lockClosings(tx)
  if (place === undefined) return false
  const { last, first } = place
  const { day, span } = last === undefined ? spanOf(first ?? '') : dayAfter(last.day)
  if (!mayClose(span, await readClock(tx))) return false
  await planForValues(tx)
  await insertClosing(tx, await addUp(tx, merchantAccount, day, last))
  return true
}

async function addUp(
  tx: Tx,
  merchantAccount: string,
  day: string,
  last: Closing | undefined
): Promise<Closing> {
  const postings: PostingSum[] = []
  const settled: SettledSum[] = []
  for (const hour of hoursOf(spanOf(day).span)) {
    postings.push(...(await sumPostings(tx, hour, hour.from)))
    settled.push(...(await sumSettled(tx, merchantAccount, hour, hour.from)))
  }
  return closeDay(day, last, postings, settled)
}
