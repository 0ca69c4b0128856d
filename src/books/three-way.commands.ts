import type { Db, Tx } from '../database/database.ts'
import type { Span } from './closing.ts'
import { findComparisons, findMark } from './comparison.store.ts'
import { addUpParts, splitPeriod, wholeDays } from './comparison.ts'
import { planForValues } from './summary.store.ts'
import { findChangedDays, sumUp } from './three-way.store.ts'
import type { SummedUp } from './three-way.ts'

/**
 * The three sides of a period, all of one moment. Days that were compared before, and of which
 * nothing was said since, are added up; the rest is compared now.
 */
export async function compareThreeWays(
  db: Db,
  period: Span,
  merchantAccount: string
): Promise<SummedUp[]> {
  const transaction = db.transaction().setIsolationLevel('repeatable read')
  return await transaction
    .setAccessMode('read only')
    .execute((tx) => addUpDays(tx, period, merchantAccount))
}

async function addUpDays(tx: Tx, period: Span, merchantAccount: string): Promise<SummedUp[]> {
  await planForValues(tx)
  const { first, last } = wholeDays(period)
  const known = first <= last ? await findComparisons(tx, first, last) : []
  const mark = known.length === 0 ? undefined : await findMark(tx)
  const changed = mark === undefined ? [] : await findChangedDays(tx, mark)
  const usable = mark === undefined ? [] : known
  const { days, left } = splitPeriod(period, usable, new Set(changed))
  const parts = days.map(({ sums }) => sums)
  for (const span of left) parts.push(await sumUp(tx, span, merchantAccount))
  return addUpParts(parts)
}
