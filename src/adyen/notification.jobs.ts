import { recordCardNews } from '../cards/card-news.commands.ts'
import type { CardNews } from '../cards/card-news.ts'
import type { Db, Tx } from '../database/database.ts'
import { delayAfter } from '../due/delays.ts'
import { lockDue } from '../due/due.store.ts'
import { type OnFault, runBatch } from '../due/run-each.ts'
import { applyEvents, type EventOfPayment } from '../lifecycle/apply.commands.ts'
import {
  type DueNotification,
  dueNotifications,
  type NotificationResult,
  recordResults
} from './notification.store.ts'
import { toProviderEvent } from './provider-event.ts'
import { toCardNews } from './token-notification.ts'

export type NotificationDeps = {
  db: Db
  providerName: string
  /** Told of a notification that could not be applied; it is tried again, and parked in the end. */
  onFault: OnFault
  /** Told that the cards of accounts are to be asked for. */
  wakeSync: () => void
}

/** As many as are applied in one transaction: each payment and account is locked once for all. */
export const notificationBatchSize = 100

/** Trying a notification again whose payment is unknown, or which could not be applied; seconds. */
const notificationRetryS = [1, 5, 15, 60, 300, 1_800, 7_200, 21_600] as const
/** A notification that could not be applied this often is parked for a person. */
const faultyTriesMax = 6
/** One whose payment never appeared is parked after about a week. */
const waitingTriesMax = 36

/** Applies what is due: one round, which answers how many it took. */
export async function applyNotifications(deps: NotificationDeps): Promise<number> {
  let isCardHinted = false
  const count = await runBatch<DueNotification>(deps.db, {
    size: notificationBatchSize,
    take: (tx, limit, only) => lockDue(tx, dueNotifications, limit, only),
    work: async (tx, due) => {
      if (await applyAll(tx, deps, due)) isCardHinted = true
    },
    setAside: (tx, due, error) => recordResults(tx, [toFault(due, error)]),
    onFault: (due, error) => deps.onFault({ notificationId: due?.id }, error)
  })
  if (isCardHinted) deps.wakeSync()
  return count
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
      deps.onFault({ notificationId: notification.id }, error)
      results.push(toFault(notification, error))
    }
  }
  const { effects } = await applyEvents(tx, deps.providerName, known)
  for (const [place, { notification }] of known.entries()) {
    const effect = effects[place]
    if (effect === 'unsupported') {
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
function toWaiting({ id, attempts }: DueNotification): NotificationResult {
  if (attempts >= waitingTriesMax) {
    const fault = 'The payment, or the fact that this rests on, never became known here.'
    return { id, status: 'parked', fault, retryInS: null }
  }
  return { id, status: 'waiting', fault: null, retryInS: delayAfter(notificationRetryS, attempts) }
}

/** Parked at once, for a person: a retry can apply it when its cause is mended. */
function toUnsupported({ id, eventCode }: DueNotification): NotificationResult {
  const fault = `${eventCode} says that money moved in a way that can't be true of this payment.`
  return { id, status: 'parked', fault, retryInS: null }
}

function toFault({ id, attempts }: DueNotification, error: unknown): NotificationResult {
  const fault = error instanceof Error ? error.message : String(error)
  return attempts + 1 >= faultyTriesMax
    ? { id, status: 'parked', fault, retryInS: null }
    : { id, status: 'received', fault, retryInS: delayAfter(notificationRetryS, attempts) }
}
