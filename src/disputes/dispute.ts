/** Disputes as they are listed, and when somebody is reminded of their deadlines. Pure. */
import { toDisputeView } from '../lifecycle/disputes.ts'
import type { Dispute, DisputeStage } from '../lifecycle/model.ts'
import type { DisputeEvent } from '../provider.ts'

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
function awaitsDefence(dispute: Dispute): boolean {
  const { status, stage, defendBy, reported } = dispute
  if (status !== 'open' || defendBy === null) return false
  if (stage === 'preArbitration') return !reported.includes('preArbitrationDeclined')
  return awaiting.includes(stage) && !isDefended(dispute)
}
const awaiting: readonly DisputeStage[] = ['informationRequest', 'notification', 'chargeback']

/**
 * What was said while the bank only asked is no defence of the chargeback that comes all the same.
 * A defence of that is not told from it, being reported by the same word: one reminder too many
 * costs less than money that nobody defended.
 */
function isDefended({ stage, reported }: Dispute): boolean {
  const at = reported.indexOf('defended')
  const hadQuestion = stage !== 'informationRequest' && reported.includes('informationRequested')
  return at >= 0 && (!hadQuestion || reported.slice(0, at).some((one) => goesOn.includes(one)))
}
const goesOn: readonly DisputeEvent[] = ['notified', 'openedWithChargeback', 'chargedBack']

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
