import { readClock, type Tx } from '../database/database.ts'
import { newId } from '../id.ts'
import { lockAggregates, saveAggregates } from '../lifecycle/aggregate.store.ts'
import { openDiscrepancy } from '../lifecycle/aggregate.ts'
import { findOpened } from './discrepancy.store.ts'
import type { DiscrepancyKind } from './discrepancy.ts'

/** What was found of a payment; `fact` names what it is about, once among its kind. */
type Finding = { paymentId: string; fact: string; details: Record<string, unknown> }

/**
 * Shows what was found to a person, through the aggregates of its payments, so that each has it
 * as an event. What was shown before is not shown again.
 */
export async function openDiscrepancies(
  tx: Tx,
  providerName: string,
  kind: DiscrepancyKind,
  findings: readonly Finding[]
): Promise<void> {
  if (findings.length === 0) return
  const aggregates = await lockAggregates(tx, [
    ...new Set(findings.map(({ paymentId }) => paymentId))
  ])
  // Read once the aggregates are locked: whoever else has shown it is done by now.
  const opened = await findOpened(
    tx,
    kind,
    findings.map(({ fact }) => fact)
  )
  const context = { now: await readClock(tx), newId }
  for (const { paymentId, fact, details } of findings) {
    const aggregate = aggregates.get(paymentId)
    if (aggregate !== undefined && !opened.has(fact))
      openDiscrepancy(aggregate, kind, fact, details, context)
  }
  await saveAggregates(tx, [...aggregates.values()], providerName)
}
