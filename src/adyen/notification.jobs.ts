import { recordCardNews } from '../cards/card-news.commands.ts'
import type { CardNews } from '../cards/card-news.ts'
import { type Db, isContended, isUnavailable, type Tx } from '../database/database.ts'
import { delayAfter, notificationRetryS, notificationTriesMax, waitingTriesMax } from '../jobs.ts'
import { applyEvents, type EventOfPayment } from '../lifecycle/apply.commands.ts'
import type { Effect } from '../lifecycle/model.ts'
import { openDiscrepancies } from '../lifecycle/open-discrepancies.commands.ts'
import {
  claimDueNotifications,
  type DueNotification,
  type NotificationResult,
  recordResults
} from './notification.store.ts'
import { toProviderEvent } from './provider-event.ts'
import { toCardNews } from './token-notification.ts'

export type NotificationDeps = {
  db: Db
  providerName: string
  /** Called for a notification that could not be applied; it is tried again, and parked at last. */
  onFault: (notificationId: string, error: unknown) => void
  /** Called when the cards of accounts are to be asked for. */
  wakeSync: () => void
}

/** As many as are applied in one transaction: each payment and account is locked once for all. */
export const notificationBatchSize = 100

/**
 * Applies what is due: one round, which answers how many it took. Where a batch fails, its items
 * are applied one by one, so that a bad one is set aside and the others go on.
 */
export async function applyNotifications(deps: NotificationDeps): Promise<number> {
  try {
    return (await applyDue(deps, notificationBatchSize, () => {})).length
  } catch (error) {
    if (isUnavailable(error) && !isContended(error)) throw error
    deps.onFault('of a batch', error)
  }
  let count = 0
  while (count < notificationBatchSize && (await applyOne(deps))) count += 1
  return count
}

async function applyDue(
  deps: NotificationDeps,
  limit: number,
  onClaimed: (due: DueNotification[]) => void
): Promise<DueNotification[]> {
  let isCardHinted = false
  const due = await deps.db.transaction().execute(async (tx) => {
    const claimed = await claimDueNotifications(tx, limit)
    onClaimed(claimed)
    if (claimed.length > 0) isCardHinted = await applyAll(tx, deps, claimed)
    return claimed
  })
  if (isCardHinted) deps.wakeSync()
  return due
}

/** False where nothing is due. */
async function applyOne(deps: NotificationDeps): Promise<boolean> {
  let claimed: DueNotification | undefined
  try {
    await applyDue(deps, 1, ([first]) => {
      claimed = first
    })
    return claimed !== undefined
  } catch (error) {
    const isLost = isUnavailable(error) && !isContended(error)
    if (claimed === undefined || isLost) throw error
    const failed = claimed
    await deps.db.transaction().execute(async (tx) => {
      await record(tx, deps, [{ notification: failed, result: toFault(deps, failed, error) }])
    })
    return true
  }
}

/** What became of a notification. */
type Outcome = { notification: DueNotification; result: NotificationResult }

/** Answers whether cards are to be asked for. */
async function applyAll(tx: Tx, deps: NotificationDeps, due: DueNotification[]): Promise<boolean> {
  const outcomes: Outcome[] = []
  const known: Array<EventOfPayment & { notification: DueNotification }> = []
  const cardNews: CardNews[] = []
  for (const notification of due) {
    const { settled, ...news } = toCardNews(notification)
    cardNews.push(news)
    const event = settled === null ? toProviderEvent(notification) : settled
    const { paymentId } = notification
    if (typeof event === 'string') {
      const result =
        event === 'notUnderstood' ? toUnknown(notification) : ended(notification, event)
      outcomes.push({ notification, result })
    } else if (paymentId === null) {
      outcomes.push({ notification, result: toWaiting(notification) })
    } else {
      known.push({ notification, paymentId, event })
    }
  }
  const { effects } = await applyEvents(tx, deps.providerName, known)
  for (const [place, { notification }] of known.entries()) {
    outcomes.push({ notification, result: toResult(notification, effects[place] ?? 'unknown') })
  }
  await record(tx, deps, outcomes)
  return await recordCardNews(tx, cardNews)
}

/** Whatever is parked about a payment of ours is shown to a person at once. */
async function record(tx: Tx, deps: NotificationDeps, outcomes: Outcome[]): Promise<void> {
  await recordResults(
    tx,
    outcomes.map(({ result }) => result)
  )
  const findings = outcomes.flatMap(({ notification, result: { status, fault } }) => {
    const { id, paymentId, eventCode, pspReference, originalReference, amount } = notification
    if (status !== 'parked' || paymentId === null) return []
    const about = { eventCode, pspReference, originalReference, amount }
    const details = { notificationId: id, ...about, fault }
    return [{ paymentId, fact: `${eventCode} ${pspReference}`, details }]
  })
  await openDiscrepancies(tx, deps.providerName, 'notification_not_understood', findings)
}

function toResult(notification: DueNotification, effect: Effect | 'unknown'): NotificationResult {
  switch (effect) {
    case 'applied':
    case 'ignored':
      return ended(notification, effect)
    case 'contradictory': {
      const { eventCode } = notification
      const fault = `${eventCode} reports a movement of money that cannot be true of its payment.`
      return parked(notification, fault)
    }
    default:
      return toWaiting(notification)
  }
}

function ended({ id }: DueNotification, status: 'applied' | 'ignored'): NotificationResult {
  return { id, status, fault: null, retryInS: null }
}

/** For a person: a retry can apply it when its cause is mended. */
function parked({ id }: DueNotification, fault: string): NotificationResult {
  return { id, status: 'parked', fault, retryInS: null }
}

/** One that is about nothing of ours concerns nobody here. */
function toUnknown(notification: DueNotification): NotificationResult {
  const { eventCode, amount, paymentId } = notification
  if (paymentId === null) return ended(notification, 'ignored')
  const about = `${amount.value} ${amount.currency} (in the provider's minor units)`
  return parked(notification, `It is not known here what ${eventCode} of ${about} means.`)
}

/** Its payment, or the fact that it rests on, is not known yet: it may still come. */
function toWaiting(notification: DueNotification): NotificationResult {
  const { id, tries } = notification
  if (tries >= waitingTriesMax) {
    const fault = 'The payment, or the fact that this rests on, never became known here.'
    return parked(notification, fault)
  }
  return { id, status: 'waiting', fault: null, retryInS: delayAfter(notificationRetryS, tries) }
}

function toFault(
  deps: NotificationDeps,
  notification: DueNotification,
  error: unknown
): NotificationResult {
  const { id, tries } = notification
  deps.onFault(id, error)
  const fault = error instanceof Error ? error.message : String(error)
  return tries + 1 >= notificationTriesMax
    ? parked(notification, fault)
    : { id, status: 'received', fault, retryInS: delayAfter(notificationRetryS, tries) }
}
