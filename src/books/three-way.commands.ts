import type { Db, Tx } from '../database/database.ts'
import type { Span } from './closing.ts'
import { findComparisons, findMark } from './comparison.store.ts'
import { addUpParts, splitPeriod, wholeDays } from './comparison.ts'
import { planForValues } from './summary.store.ts'
import { findChangedDays, stepsOf, sumUp } from './three-way.store.ts'
import type { SummedUp } from './three-way.ts'

/** More than this was not looked at by the task in time: reading it here would take too long. */
const stepsMost = 100

/** Of a step, and steps at most. */
type Limits = { rows?: number; steps?: number }

/**
 * The three sides of a period, all of one moment. Days that were compared before, and of which
 * nothing was said since, are added up; the rest is compared now.
 */
export async function compareThreeWays(
  db: Db,
  period: Span,
  merchantAccount: string,
  limits: Limits = {}
): Promise<SummedUp[]> {
  const transaction = db.transaction().setIsolationLevel('repeatable read')
  return await transaction
    .setAccessMode('read only')
    .execute((tx) => addUpDays(tx, period, merchantAccount, limits))
}

async function addUpDays(
  tx: Tx,
  period: Span,
  merchantAccount: string,
  limits: Limits
): Promise<SummedUp[]> {
  await planForValues(tx)
  const { first, last } = wholeDays(period)
  const known = first <= last ? await findComparisons(tx, first, last) : []
  const changed = known.length === 0 ? undefined : await findChanged(tx, limits)
  const { days, left } =
    changed === undefined ? { days: [], left: [period] } : splitPeriod(period, known, changed)
  const parts = days.map(({ sums }) => sums)
  for (const span of left) parts.push(await sumUp(tx, span, merchantAccount))
  return addUpParts(parts)
}

/** The days that changed since the mark; undefined where too much was written since to say it. */
async function findChanged(
  tx: Tx,
  { rows, steps: most = stepsMost }: Limits
): Promise<Set<string> | undefined> {
  const from = await findMark(tx)
  if (from === undefined) return undefined
  const steps: Span[] = []
  for await (const step of stepsOf(tx, { from }, rows)) {
    if (steps.push(step) > most) return undefined
  }
  const days = new Set<string>()
  for (const step of steps) for (const day of await findChangedDays(tx, step)) days.add(day)
  return days
}
