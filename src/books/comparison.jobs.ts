import { type Db, readClock, type Tx } from '../database/database.ts'
import { lockDays } from './closing.store.ts'
import { dayMs, hoursOf, spanOf } from './closing.ts'
import {
  findMark,
  findNotCompared,
  forgetComparisons,
  insertComparison
} from './comparison.store.ts'
import { addUpParts } from './comparison.ts'
import { planForValues } from './summary.store.ts'
import { findChangedDays, sumUp } from './three-way.store.ts'
import type { SummedUp } from './three-way.ts'

type ComparisonDeps = { db: Db; merchantAccount: string; isStopping: () => boolean }

/** Days of one round: the next one follows at once. */
const daysAtOnce = 31

/** No transaction lives as long: its waits, statements and idleness are bounded. */
const longestTransactionMs = 60 * 60_000

/**
 * Compares the days that are over and were not, or of which something else was said since; newest
 * first. Answers how many.
 */
export async function compareDays(deps: ComparisonDeps): Promise<number> {
  const { db, merchantAccount, isStopping } = deps
  const now = await forgetChanged(db)
  const yesterday = new Date(now.getTime() - dayMs).toISOString().slice(0, 10)
  const days = await findNotCompared(db, yesterday, daysAtOnce)
  let count = 0
  for (const day of days) {
    if (isStopping()) break
    await db.transaction().execute((tx) => compare(tx, merchantAccount, day))
    count += 1
  }
  return count
}

/** Answers the time at which it looked. What is committed later is looked at the next time. */
async function forgetChanged(db: Db): Promise<Date> {
  return await db.transaction().execute(async (tx) => {
    const now = await readClock(tx)
    await planForValues(tx)
    const since = await findMark(tx)
    const days = since === undefined ? [] : await findChangedDays(tx, since)
    await forgetComparisons(tx, days, new Date(now.getTime() - longestTransactionMs))
    return now
  })
}

/**
 * An hour at a time, so that no statement takes long. What is said in between is found as changed.
 */
async function compare(tx: Tx, merchantAccount: string, day: string): Promise<void> {
  await lockDays(tx)
  await planForValues(tx)
  const parts: SummedUp[][] = []
  for (const hour of hoursOf(spanOf(day).span)) parts.push(await sumUp(tx, hour, merchantAccount))
  await insertComparison(tx, { day, sums: addUpParts(parts) })
}
