/** Disputes as they are listed, and when somebody is reminded of their deadlines. Pure. */
import { toDisputeView } from '../lifecycle/disputes.ts'
import type { Dispute, DisputeStage } from '../lifecycle/model.ts'

/** As a list shows it: an event has the account itself. */
export function toListedView(dispute: Dispute & { paymentId: string; accountId: number }) {
  const { id, paymentId, ...rest } = toDisputeView(dispute, dispute.paymentId)
  return { id, paymentId, accountId: String(dispute.accountId), ...rest }
}

/**
 * Whether somebody can still do something until its deadline, where that is known: what was
 * defended is not defended once more, until the bank goes on by pre-arbitration. The deadline is
 * not signed: it is shown and reminded of, and decides nothing.
 */
function awaitsDefence({ status, stage, defendBy, reported }: Dispute): boolean {
  if (status !== 'open' || defendBy === null) return false
  if (stage === 'preArbitration') return !reported.includes('preArbitrationDeclined')
  return awaiting.includes(stage) && !reported.includes('defended')
}
const awaiting: readonly DisputeStage[] = ['informationRequest', 'notification', 'chargeback']

/** Before each deadline somebody is reminded of it so many days ahead, once each. */
export const reminderDays = [2, 7] as const
export type ReminderDays = (typeof reminderDays)[number]

const dayMs = 24 * 60 * 60_000

/** The reminder that `now` is in time for, and how many days are left, begun ones counted. */
export function findReminder(
  dispute: Dispute,
  now: Date
): { days: ReminderDays; daysLeft: number } | undefined {
  if (dispute.defendBy === null || !awaitsDefence(dispute)) return undefined
  const daysLeft = Math.ceil((dispute.defendBy.getTime() - now.getTime()) / dayMs)
  const days = reminderDays.find((one) => daysLeft <= one)
  return days === undefined || daysLeft < 1 ? undefined : { days, daysLeft }
}
