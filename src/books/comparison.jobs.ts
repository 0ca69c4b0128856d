import { type Db, readClock, type Tx } from '../database/database.ts'
import { isTooLong, isUnavailable } from '../database/unavailable.ts'
import type { OnFault } from '../due/run-each.ts'
import { lockDays } from './closing.store.ts'
import { dayMs, type Span, spanOf } from './closing.ts'
import {
  findMark,
  findNotCompared,
  forgetComparisons,
  insertComparison
} from './comparison.store.ts'
import { addUpParts } from './comparison.ts'
import { planForValues } from './summary.store.ts'
import { findChangedDays, stepsOf, sumUp } from './three-way.store.ts'
import type { SummedUp } from './three-way.ts'

type ComparisonDeps = {
  db: Db
  merchantAccount: string
  isStopping: () => boolean
  onFault: OnFault
  /** Of a step. */
  rowsAtOnce?: number
}

/** Days of one round: the next one follows at once. */
const daysAtOnce = 31

/** No transaction lives as long: its waits, statements and idleness are bounded. */
const longestTransactionMs = 60 * 60_000

/**
 * Compares the days that are over and were not, or of which something else was said since; newest
 * first. A day that can't be compared is left for the next round. Answers how many.
 */
export async function compareDays(deps: ComparisonDeps): Promise<number> {
  const { db, isStopping, onFault } = deps
  const now = await forgetChanged(deps)
  const yesterday = new Date(now.getTime() - dayMs).toISOString().slice(0, 10)
  const days = await findNotCompared(db, yesterday, daysAtOnce)
  let count = 0
  for (const day of days) {
    if (isStopping()) break
    try {
      await db.transaction().execute((tx) => compare(tx, deps, day))
      count += 1
    } catch (error) {
      // Another instance that compares days is no fault of this one.
      if (isUnavailable(error) && !isTooLong(error)) throw error
      onFault({ day }, error)
    }
  }
  return count
}

/**
 * Looks at what was written since the mark, a step at a time, each of which moves it: however much
 * that is, the next round goes on where this one ended. Answers the time at which it looked. What
 * is committed later is looked at the next time.
 */
async function forgetChanged({ db, isStopping, rowsAtOnce }: ComparisonDeps): Promise<Date> {
  const now = await readClock(db)
  const settled = new Date(now.getTime() - longestTransactionMs)
  const from = (await findMark(db)) ?? settled
  for await (const step of stepsOf(db, { from }, rowsAtOnce)) {
    if (isStopping()) break
    await db.transaction().execute((tx) => forgetStep(tx, step, settled))
  }
  return now
}

async function forgetStep(tx: Tx, step: Span, settled: Date): Promise<void> {
  await planForValues(tx)
  const until = step.to < settled ? step.to : settled
  await forgetComparisons(tx, await findChangedDays(tx, step), until)
}

/**
 * A step at a time, so that no statement takes long. What is said in between is found as changed.
 */
async function compare(
  tx: Tx,
  { merchantAccount, rowsAtOnce }: ComparisonDeps,
  day: string
): Promise<void> {
  await lockDays(tx)
  await planForValues(tx)
  const parts: SummedUp[][] = []
  for await (const step of stepsOf(tx, spanOf(day).span, rowsAtOnce)) {
    parts.push(await sumUp(tx, step, merchantAccount))
  }
  await insertComparison(tx, { day, sums: addUpParts(parts) })
}
