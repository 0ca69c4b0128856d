import { recordCardNews } from '../cards/card-news.commands.ts'
import type { CardNews } from '../cards/card-news.ts'
import type { Tx } from '../database/database.ts'
import { openDiscrepancies } from '../discrepancies/open-discrepancies.commands.ts'
import { delayAfter } from '../due/delays.ts'
import { lockDue } from '../due/due.store.ts'
import { type OnFault, runBatch } from '../due/run-each.ts'
import { applyEvents, type EventOfPayment } from '../lifecycle/apply.commands.ts'
import type { Effect } from '../lifecycle/model.ts'
import type { Context } from '../service-context.ts'
import { currentSpan } from '../tracing/span.ts'
import {
  type DueNotification,
  dueNotifications,
  type NotificationResult,
  recordResults
} from './notification.store.ts'
import { isTest } from './notification.ts'
import { toProviderEvent } from './provider-event.ts'
import { toCardNews } from './token-notification.ts'

/** What could not be applied is a fault; it is tried again, and parked at last. */
type NotificationDeps = Pick<Context, 'db' | 'providerName' | 'wake'> & { onFault: OnFault }

/**
 * As many are applied in one transaction: each payment and account is locked once for all, and what
 * a transaction costs beside its items is 3 ms of PostgreSQL, and as much of ours.
 */
export const notificationRounds = { batchSize: 400, gatherMs: 20 } as const

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
    size: notificationRounds.batchSize,
    take: (tx, limit, only) => lockDue(tx, dueNotifications, limit, only),
    work: async (tx, due) => {
      if (await applyAll(tx, deps, due)) isCardHinted = true
    },
    setAside: (tx, due, error) =>
      record(tx, deps, [{ notification: due, result: toFault(due, error) }]),
    onFault: (due, error) => deps.onFault({ notificationId: due?.id }, error)
  })
  if (isCardHinted) deps.wake('sync_cards')
  return count
}

/** What became of a notification. */
type Outcome = { notification: DueNotification; result: NotificationResult }

/** Answers whether cards are to be asked for. */
async function applyAll(tx: Tx, deps: NotificationDeps, due: DueNotification[]): Promise<boolean> {
  const outcomes: Outcome[] = []
  const known: Array<EventOfPayment & { notification: DueNotification }> = []
  const cardNews: CardNews[] = []
  for (const notification of due) {
    if (isTest(notification.pspReference)) {
      outcomes.push({ notification, result: toTest(notification) })
      continue
    }
    const { settled, ...news } = toCardNews(notification)
    cardNews.push(news)
    const event = settled === null ? toProviderEvent(notification) : settled
    const { paymentId } = notification
    if (typeof event === 'string') {
      outcomes.push({ notification, result: toNotApplied(notification, event) })
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
  traceOutcomes(outcomes)
}

/** What became of each, in the trace of its payment. */
function traceOutcomes(outcomes: readonly Outcome[]): void {
  const span = currentSpan()
  if (span === undefined) return
  for (const { notification, result } of outcomes) {
    const { id, eventCode, paymentId } = notification
    const attributes = {
      'notification.id': id,
      'notification.event_code': eventCode,
      'notification.status': result.status
    }
    span.begin('apply notification', { paymentId, attributes }).end()
  }
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

/** One about nothing of ours concerns nobody here, unless it is money that can't be read. */
function toNotApplied(
  notification: DueNotification,
  why: 'applied' | 'ignored' | 'notUnderstood' | 'unreadable'
): NotificationResult {
  const { eventCode, amount, paymentId } = notification
  const { value, currency } = amount
  const sum = `${value} ${currency} (in the provider's minor units)`
  if (why === 'unreadable') {
    const amountFault =
      currency === '' ? 'Its amount can’t be read.' : `${sum} can’t be expressed here.`
    return parked(notification, amountFault)
  }
  if (why !== 'notUnderstood') return ended(notification, why)
  if (paymentId === null) return ended(notification, 'ignored')
  return parked(notification, `It is not known here what ${eventCode} of ${sum} means.`)
}

function toTest({ id }: DueNotification): NotificationResult {
  const fault = 'A test of the endpoint, from the provider’s own site: it is about no payment.'
  return { id, status: 'ignored', fault, retryInS: null }
}

/** Its payment, or the fact that it rests on, is not known yet: it may still come. */
function toWaiting(notification: DueNotification): NotificationResult {
  const { id, attempts } = notification
  if (attempts >= waitingTriesMax) {
    const fault = 'The payment, or the fact that this rests on, never became known here.'
    return parked(notification, fault)
  }
  return { id, status: 'waiting', fault: null, retryInS: delayAfter(notificationRetryS, attempts) }
}

function toFault(notification: DueNotification, error: unknown): NotificationResult {
  const { id, attempts } = notification
  const fault = error instanceof Error ? error.message : String(error)
  return attempts + 1 >= faultyTriesMax
    ? parked(notification, fault)
    : { id, status: 'received', fault, retryInS: delayAfter(notificationRetryS, attempts) }
}
