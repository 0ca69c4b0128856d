import type { Tx } from '../database/database.ts'
import { type OnFault, runBatch } from '../due/run-each.ts'
import { newId } from '../id.ts'
import { openAggregates, saveAggregates } from '../lifecycle/aggregate.store.ts'
import { record } from '../lifecycle/aggregate.ts'
import { toDisputeView } from '../lifecycle/disputes.ts'
import type { Context } from '../service-context.ts'
import { findReminder } from './dispute.ts'
import { findNearDeadlines, insertReminders, type NearDeadline } from './reminder.store.ts'

const remindAtOnce = 100

type ReminderDeps = Pick<Context, 'db' | 'providerName' | 'wake'> & { onFault: OnFault }

/**
 * Writes an event of each dispute that can be defended for 7, and for 2 more days: once each for a
 * deadline, also where several instances look. One round.
 */
export async function remindOfDeadlines(deps: ReminderDeps): Promise<number> {
  const count = await runBatch<NearDeadline>(deps.db, {
    size: remindAtOnce,
    take: findNearDeadlines,
    work: (tx, found) => remind(tx, found, deps.providerName),
    onFault: (one, error) => deps.onFault({ paymentId: one?.paymentId, disputeId: one?.id }, error)
  })
  if (count > 0) deps.wake('announce')
  return count
}

/** Of two who found the same the second waits for the payment, and finds it noted. */
async function remind(tx: Tx, found: readonly NearDeadline[], providerName: string): Promise<void> {
  const ids = new Set(found.map(({ id }) => id))
  const paymentIds = [...new Set(found.map(({ paymentId }) => paymentId))]
  const { aggregates, now } = await openAggregates(tx, paymentIds)
  const due = [...aggregates.values()].flatMap((aggregate) =>
    aggregate.disputes.flatMap((dispute) => {
      const reminder = ids.has(dispute.id) ? findReminder(dispute, now) : undefined
      return reminder === undefined ? [] : [{ aggregate, dispute, ...reminder }]
    })
  )
  const noted = await insertReminders(
    tx,
    due.map(({ dispute: { id: disputeId, defendBy }, days }) => ({ disputeId, days, defendBy }))
  )
  for (const { aggregate, dispute, daysLeft } of due) {
    if (!noted.has(dispute.id)) continue
    const data = { dispute: toDisputeView(dispute, aggregate.payment.id), daysLeft }
    record(aggregate, 'dispute.deadlineApproaching', data, { now, newId })
  }
  await saveAggregates(tx, [...aggregates.values()], providerName)
}
