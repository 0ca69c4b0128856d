import { type Db, isContended, isUnavailable, type Tx } from '../database.ts'
import { delayAfter, notificationRetryS, notificationTriesMax, waitingTriesMax } from '../jobs.ts'
import { applyEvents, type EventOfPayment } from '../payments/apply.commands.ts'
import {
  claimDueNotifications,
  type DueNotification,
  type NotificationResult,
  recordResults
} from './notification.store.ts'
import { isNotBookable, toProviderEvent } from './notification.ts'

export type NotificationDeps = {
  db: Db
  providerName: string
  /** Told of a notification that could not be applied; it is tried again, and parked in the end. */
  onFault: (notificationId: string, error: unknown) => void
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
  return await deps.db.transaction().execute(async (tx) => {
    const due = await claimDueNotifications(tx, limit)
    onClaimed(due)
    if (due.length > 0) await applyAll(tx, deps, due)
    return due
  })
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

async function applyAll(tx: Tx, deps: NotificationDeps, due: DueNotification[]): Promise<void> {
  const results: NotificationResult[] = []
  const known: Array<EventOfPayment & { notification: DueNotification }> = []
  for (const notification of due) {
    try {
      const event = toProviderEvent(notification)
      const { id, paymentId } = notification
      const hasEffect = event !== undefined || isNotBookable(notification)
      if (!hasEffect) results.push({ id, status: 'ignored', fault: null, retryInS: null })
      else if (paymentId === null) results.push(toWaiting(notification))
      else if (event === undefined) results.push(toUnsupported(notification))
      else known.push({ notification, paymentId, event })
    } catch (error) {
      results.push(toFault(deps, notification, error))
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
}

/** Its payment, or the authorisation that it is about, is not known yet: it may still come. */
function toWaiting({ id, tries }: DueNotification): NotificationResult {
  if (tries >= waitingTriesMax) {
    const fault = 'No payment or authorisation has this reference.'
    return { id, status: 'parked', fault, retryInS: null }
  }
  return { id, status: 'waiting', fault: null, retryInS: delayAfter(notificationRetryS, tries) }
}

/** Parked at once: a retry after an upgrade can apply it. */
function toUnsupported({ id, eventCode }: DueNotification): NotificationResult {
  const fault = `${eventCode} moved money in a way that this version does not book.`
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
