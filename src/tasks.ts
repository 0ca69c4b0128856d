/** All background work of an instance: what runs, and how often. */
import { applyNotifications, notificationBatchSize } from './adyen/notification.jobs.ts'
import { fetchReport } from './adyen/report.transport.ts'
import { fetchReports } from './adyen/report-download.jobs.ts'
import { readReportFile } from './adyen/report-file.reader.ts'
import { placeNewPostings, postingBatchSize } from './billing/posting.jobs.ts'
import { forgetCards, syncCards } from './cards/card.jobs.ts'
import {
  askForCardPayments,
  askForPages,
  endPages,
  finishCreates,
  pollLinks,
  showForgottenReservations
} from './checkout/checkout.jobs.ts'
import { purgeLatestPayments } from './checkout/intent.store.ts'
import type { Db } from './database/database.ts'
import { reopenDiscrepancies } from './discrepancies/reopening.jobs.ts'
import { countOpenItems } from './due/open-items.store.ts'
import type { Task } from './due/worker.ts'
import { purgeKeys } from './http/idempotency.store.ts'
import {
  countEveryMs,
  fetchEveryMs,
  missingEveryMs,
  purgeEveryMs,
  rematchEveryMs,
  reopenEveryMs,
  reservationsEveryMs,
  settleEveryMs,
  webhookAtOnce
} from './jobs.ts'
import type { Metrics } from './metrics.ts'
import { sendOperations } from './operations/operation.jobs.ts'
import type { Context } from './service-context.ts'
import { openMissing } from './settlement/missing.commands.ts'
import { rematchLines } from './settlement/rematch.commands.ts'
import { readReports } from './settlement/report.jobs.ts'
import { purgeUploads } from './settlement/report.store.ts'
import { announce, announceBatchSize } from './webhooks/announce.jobs.ts'
import { type Dispatcher, purgeWebhooks, settleWebhooks } from './webhooks/delivery.jobs.ts'

/** What follows all else that was done. */
export const announcing = 'announce'
export const delivering = 'deliver_webhooks'

/** The background work, and how often each rests. */
export function tasksOf(context: Context, dispatcher: Dispatcher): Task[] {
  const { db, metrics, log, wake } = context
  const onNotificationFault = (notificationId: string, error: unknown) => {
    metrics.notificationFaults.inc()
    log.error({ err: error, notificationId }, 'a notification could not be applied')
  }
  const onPaymentFault = (paymentId: string, error: unknown) =>
    log.error({ err: error, paymentId }, 'background work on a payment failed')
  const jobs = { ...context, onFault: onPaymentFault }
  const onCardFault = (accountId: number, error: unknown) =>
    log.error({ err: error, accountId }, "background work on an account's cards failed")
  const cardJobs = { ...context, onFault: onCardFault }
  const notifications = {
    ...context,
    onFault: onNotificationFault,
    wakeSync: () => wake('sync_cards')
  }
  const announced = { db, wakeDelivery: () => wake(delivering) }
  return [
    {
      name: 'apply_notifications',
      run: () => applyNotifications(notifications),
      batchSize: notificationBatchSize
    },
    { name: announcing, run: () => announce(announced), batchSize: announceBatchSize },
    { name: delivering, run: dispatcher.run, batchSize: webhookAtOnce.instance },
    { name: 'finish_creates', run: () => finishCreates(jobs) },
    { name: 'end_pages', run: () => endPages(jobs) },
    { name: 'poll_links', run: () => pollLinks(jobs) },
    { name: 'ask_for_charges', run: () => askForCardPayments(jobs) },
    { name: 'ask_for_pages', run: () => askForPages(jobs) },
    {
      name: 'show_forgotten_reservations',
      run: () => showForgottenReservations(jobs),
      everyMs: reservationsEveryMs
    },
    { name: 'send_operations', run: () => sendOperations(jobs) },
    { name: 'place_postings', run: () => placeNewPostings({ db }), batchSize: postingBatchSize },
    {
      name: 'reopen_discrepancies',
      run: () => reopenDiscrepancies(context),
      everyMs: reopenEveryMs
    },
    { name: 'sync_cards', run: () => syncCards(cardJobs) },
    { name: 'forget_cards', run: () => forgetCards(cardJobs) },
    { name: 'purge_keys', run: () => purgeKeys(db), everyMs: purgeEveryMs },
    {
      name: 'purge_latest_payments',
      run: () => purgeLatestPayments(db, context.duplicateWindowS),
      everyMs: purgeEveryMs
    },
    { name: 'settle_webhooks', run: () => settleWebhooks(db), everyMs: settleEveryMs },
    { name: 'purge_webhooks', run: () => purgeWebhooks(db), everyMs: purgeEveryMs },
    { name: 'count_open_items', run: () => count(db, metrics), everyMs: countEveryMs },
    ...reportTasksOf(context)
  ]
}

/** Fetching settlement reports, reading them, and finding what they lack. */
function reportTasksOf(context: Context): Task[] {
  const { adyen, log } = context
  const { apiKey, reportUser: name, reportPassword: password } = adyen
  const user = name === undefined || password === undefined ? undefined : { name, password }
  const jobs = {
    ...context,
    ...{ environment: adyen.environment, checkoutUrl: adyen.checkoutUrl },
    fetchReport: (address: string) => fetchReport(address, { apiKey, user }),
    readReport: readReportFile,
    onFault: (reportId: string, error: unknown) =>
      log.error({ err: error, reportId }, 'background work on a settlement report failed'),
    onProgress: (reportId: string, progress: object) =>
      log.info({ reportId, ...progress }, 'a settlement report is being read')
  }
  return [
    { name: 'fetch_reports', run: () => fetchReports(jobs), everyMs: fetchEveryMs },
    { name: 'read_reports', run: () => readReports(jobs) },
    { name: 'find_missing', run: () => openMissing(jobs), everyMs: missingEveryMs },
    { name: 'rematch_lines', run: () => rematchLines(jobs), everyMs: rematchEveryMs },
    { name: 'purge_uploads', run: () => purgeUploads(context.db), everyMs: purgeEveryMs }
  ]
}

async function count(db: Db, metrics: Metrics): Promise<number> {
  for (const { kind, count } of await countOpenItems(db)) metrics.open.set({ kind }, count)
  return 0
}
