/** All background work of an instance: what runs, and how often. */
import type { Logger } from 'pino'
import { applyNotifications, notificationBatchSize } from './adyen/notification.jobs.ts'
import type { CardDeps } from './cards/card.commands.ts'
import { forgetCards, syncCards } from './cards/card.jobs.ts'
import type { Db } from './database.ts'
import { purgeKeys } from './http/idempotency.store.ts'
import { countEveryMs, purgeEveryMs } from './jobs.ts'
import type { Metrics } from './metrics.ts'
import { countOpenItems } from './operations/open-items.store.ts'
import { announce, announceBatchSize } from './outcomes/announce.jobs.ts'
import type { PaymentDeps } from './payments/create-payment.commands.ts'
import { purgeLatestPayments } from './payments/intent.store.ts'
import { sendModifications } from './payments/modification.jobs.ts'
import { askForCharges, endPages, finishCreates, pollLinks } from './payments/payment.jobs.ts'
import type { Task } from './worker.ts'

/** What follows all else that was done. */
export const announcing = 'announce'

/** The background work, and how often each rests. */
export function tasksOf(
  payments: PaymentDeps,
  cards: CardDeps,
  metrics: Metrics,
  log: Logger
): Task[] {
  const { db, provider } = payments
  const onNotificationFault = (notificationId: string, error: unknown) => {
    metrics.notificationFaults.inc()
    log.error({ err: error, notificationId }, 'a notification could not be applied')
  }
  const onPaymentFault = (paymentId: string, error: unknown) =>
    log.error({ err: error, paymentId }, 'background work on a payment failed')
  const jobs = { ...payments, onFault: onPaymentFault }
  const onCardFault = (accountId: number, error: unknown) =>
    log.error({ err: error, accountId }, "background work on an account's cards failed")
  const cardJobs = { ...cards, onFault: onCardFault }
  const notifications = {
    db,
    providerName: provider.name,
    onFault: onNotificationFault,
    wakeSync: cards.wakeSync
  }
  return [
    {
      name: 'apply_notifications',
      run: () => applyNotifications(notifications),
      batchSize: notificationBatchSize
    },
    { name: announcing, run: () => announce({ db }), batchSize: announceBatchSize },
    { name: 'finish_creates', run: () => finishCreates(jobs) },
    { name: 'end_pages', run: () => endPages(jobs) },
    { name: 'poll_links', run: () => pollLinks(jobs) },
    { name: 'ask_for_charges', run: () => askForCharges(jobs) },
    { name: 'send_modifications', run: () => sendModifications(jobs) },
    { name: 'sync_cards', run: () => syncCards(cardJobs) },
    { name: 'forget_cards', run: () => forgetCards(cardJobs) },
    { name: 'purge_keys', run: () => purgeKeys(db), everyMs: purgeEveryMs },
    {
      name: 'purge_latest_payments',
      run: () => purgeLatestPayments(db, payments.duplicateWindowS),
      everyMs: purgeEveryMs
    },
    { name: 'count_open_items', run: () => count(db, metrics), everyMs: countEveryMs }
  ]
}

async function count(db: Db, metrics: Metrics): Promise<number> {
  for (const { kind, count } of await countOpenItems(db)) metrics.open.set({ kind }, count)
  return 0
}
