import type { Db } from '../database/database.ts'
import { openDiscrepancies } from '../discrepancies/open-discrepancies.commands.ts'
import { lockAggregates } from '../lifecycle/aggregate.store.ts'
import { findSettledRecords } from './line.store.ts'
import { findMissing, type Missing } from './missing.store.ts'

export type MissingDeps = {
  db: Db
  providerName: string
  /** How long after its capture a report must have a payment, days. */
  settlementMissingDays: number
}

const missingAtOnce = 200

/** Opens a discrepancy for all money that no report has; answers how many. */
export async function openMissing(deps: MissingDeps): Promise<number> {
  for (let count = 0; ; ) {
    const missing = await findMissing(deps.db, deps.settlementMissingDays, missingAtOnce)
    const opened = missing.length === 0 ? 0 : await open(deps, missing)
    count += opened
    // What a report has by now is not opened, and not found again either.
    if (opened === 0 || missing.length < missingAtOnce) return count
  }
}

async function open(
  { db, providerName }: MissingDeps,
  missing: readonly Missing[]
): Promise<number> {
  const ids = [...new Set(missing.map(({ paymentId }) => paymentId))]
  return await db.transaction().execute(async (tx) => {
    // Once the payments are locked, a report that is read meanwhile has saved what it matched.
    await lockAggregates(tx, ids)
    const settled = await findSettledRecords(tx, ids)
    const findings = missing
      .filter(({ id }) => !settled.has(id))
      .map(({ paymentId, type, id, currency, amount, at }) => {
        const ours = { type, id, amount: { currency, value: amount }, at: at.toISOString() }
        return { paymentId, fact: id, details: { ours, theirs: null } }
      })
    await openDiscrepancies(tx, providerName, 'settlement_missing', findings)
    return findings.length
  })
}
