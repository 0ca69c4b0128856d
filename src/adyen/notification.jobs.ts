import { recordCardNews } from '../cards/card-news.commands.ts'
import type { CardNews } from '../cards/card-news.ts'
import { type Db, isContended, isUnavailable, type Tx } from '../database/database.ts'
import { delayAfter, notificationRetryS, notificationTriesMax, waitingTriesMax } from '../jobs.ts'
import { applyEvents, type EventOfPayment } from '../lifecycle/apply.commands.ts'
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
  /** Told of a notification that could not be applied; it is tried again, and parked in the end. */
  onFault: (notificationId: string, error: unknown) => void
  /** Told that the cards of accounts are to be asked for. */
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
    const fault = toFault(deps, claimed, error)
    await deps.db.transaction().execute((tx) => recordResults(tx, [fault]))
    return true
  }
}

/** Answers whether cards are to be asked for. */
async function applyAll(tx: Tx, deps: NotificationDeps, due: DueNotification[]): Promise<boolean> {
  const results: NotificationResult[] = []
  const known: Array<EventOfPayment & { notification: DueNotification }> = []
  const cardNews: CardNews[] = []
  for (const notification of due) {
    const { settled, ...news } = toCardNews(notification)
    cardNews.push(news)
    if (settled !== null) {
      results.push({ id: notification.id, status: settled, fault: null, retryInS: null })
      continue
    }
    try {
      const event = toProviderEvent(notification)
      const { id, paymentId } = notification
      if (event === undefined) results.push({ id, status: 'ignored', fault: null, retryInS: null })
      else if (paymentId === null) results.push(toWaiting(notification))
      else known.push({ notification, paymentId, event })
    } catch (error) {
      results.push(toFault(deps, notification, error))
    }
  }
  const { effects } = await applyEvents(tx, deps.providerName, known)
  for (const [place, { notification }] of known.entries()) {
    const effect = effects[place]
    if (effect === 'contradictory') {
      results.push(toUnsupported(notification))
    } else if (effect === 'applied' || effect === 'ignored') {
      results.push({ id: notification.id, status: effect, fault: null, retryInS: null })
    } else {
      results.push(toWaiting(notification))
    }
  }
  await recordResults(tx, results)
  return await recordCardNews(tx, cardNews)
}

/** Its payment, or the fact that it rests on, is not known yet: it may still come. */
function toWaiting({ id, tries }: DueNotification): NotificationResult {
  if (tries >= waitingTriesMax) {
    const fault = 'The payment, or the fact that this rests on, never became known here.'
    return { id, status: 'parked', fault, retryInS: null }
  }
  return { id, status: 'waiting', fault: null, retryInS: delayAfter(notificationRetryS, tries) }
}

/** Parked at once, for a person: a retry can apply it when its cause is mended. */
function toUnsupported({ id, eventCode }: DueNotification): NotificationResult {
  const fault = `${eventCode} says that money moved in a way that can't be true of this payment.`
  return { id, status: 'parked', fault, retryInS: null }
}

function toFault(
  deps: NotificationDeps,
  { id, tries }: DueNotification,
  error: unknown
): NotificationResult {
  deps.onFault(id, error)
  const fault = error instanceof Error ? error.message : String(error)
  return tries + 1 >= notificationTriesMax
    ? { id, status: 'parked', fault, retryInS: null }
    : { id, status: 'received', fault, retryInS: delayAfter(notificationRetryS, tries) }
}
