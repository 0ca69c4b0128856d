/** All background work of an instance: what runs, and how often. */
import type { RawBuilder } from 'kysely'
import { applyNotifications, notificationRounds } from './adyen/notification.jobs.ts'
import { forgetNotifications } from './adyen/retention.jobs.ts'
import { fetchReport } from './adyen-reports/report.transport.ts'
import { fetchEveryMs, fetchReports } from './adyen-reports/report-download.jobs.ts'
import { readReportFile } from './adyen-reports/report-file.reader.ts'
import { placeNewPostings, postingBatchSize } from './billing/posting.jobs.ts'
import { closeDays } from './books/closing.jobs.ts'
import { compareDays } from './books/comparison.jobs.ts'
import { createLedgerCheck } from './books/ledger-check.jobs.ts'
import { forgetCards, syncCards } from './cards/card.jobs.ts'
import { removals } from './cards/card.store.ts'
import { syncs } from './cards/card-sync.store.ts'
import {
  askForCardPayments,
  askForPageResults,
  endPages,
  finishCreates,
  pollLinks,
  showForgottenReservations
} from './checkout/checkout.jobs.ts'
import {
  cardPayments,
  creates,
  createsBy,
  isAskedBy,
  pageReturns
} from './checkout/checkout.store.ts'
import { purgeLatestPayments } from './checkout/intent.store.ts'
import type { Db } from './database/database.ts'
import { discrepancyKinds } from './discrepancies/discrepancy.ts'
import { reopenDiscrepancies } from './discrepancies/reopening.jobs.ts'
import { remindOfDeadlines } from './disputes/reminder.jobs.ts'
import { pullForward, type Queue } from './due/due.store.ts'
import { countDiscrepancies, measureOldest } from './due/oldest-items.store.ts'
import { countOpenItems } from './due/open-items.store.ts'
import type { OnFault } from './due/run-each.ts'
import { defineTask } from './due/worker.ts'
import { purgeKeys } from './http/idempotency.store.ts'
import type { Metrics } from './metrics/metrics.ts'
import { countEvents } from './metrics/payment-counts.ts'
import { dueOperations, notTaken, sentKinds } from './operations/due-operation.store.ts'
import { sendOperations } from './operations/operation.jobs.ts'
import type { CallKind } from './provider.ts'
import type { Context } from './service-context.ts'
import { openMissing } from './settlement/missing.commands.ts'
import { rematchLines } from './settlement/rematch.commands.ts'
import { readReports } from './settlement/report.jobs.ts'
import { purgeUploads } from './settlement/report.store.ts'
import { traceEvents } from './tracing/payment-events.ts'
import { announce, announceRounds } from './webhooks/announce.jobs.ts'
import type { Announced } from './webhooks/announce.store.ts'
import { type Dispatcher, purgeWebhooks, settleWebhooks } from './webhooks/delivery.jobs.ts'
import { webhookAtOnce } from './webhooks/delivery-schedule.ts'
import { sealSecrets } from './webhooks/sealing.jobs.ts'

const hourly = { everyMs: 60 * 60_000 } as const
const eachMinute = { everyMs: 60_000 } as const
const often = { everyMs: 5_000 } as const

/** A task by its name, as whoever wakes it says it. */
export type TaskName = ReturnType<typeof tasksOf>[number]['name']

/** The background work, and how often each rests. */
export function tasksOf(context: Context, dispatcher: Dispatcher) {
  const { db, duplicateWindowS, metrics, log, retention } = context
  const reports = { ...context, ...reportSourceOf(context), readReport: readReportFile }
  const onProgress = (reportId: string, progress: object) =>
    log.info({ reportId, ...progress }, 'a settlement report is being read')

  const task = definer(context)

  return [
    task(
      'apply_notifications',
      (onFault) => applyNotifications({ ...context, onFault }),
      notificationRounds
    ),
    task(
      'announce',
      (onFault) =>
        announce({ ...context, onFault, onAnnounced: (all) => tellEvents(metrics, all) }),
      announceRounds
    ),
    task('deliver_webhooks', dispatcher.run, { batchSize: webhookAtOnce.instance }),
    task('finish_creates', (onFault) => finishCreates({ ...context, onFault })),
    task('end_pages', (onFault) => endPages({ ...context, onFault })),
    task('poll_links', (onFault) => pollLinks({ ...context, onFault })),
    task('ask_for_card_payments', (onFault) => askForCardPayments({ ...context, onFault })),
    task('ask_for_page_results', (onFault) => askForPageResults({ ...context, onFault })),
    task(
      'show_forgotten_reservations',
      (onFault) => showForgottenReservations({ ...context, onFault }),
      hourly
    ),
    ...sentKinds.map((kind) =>
      task(`send_${kind}`, (onFault) => sendOperations({ ...context, onFault }, kind))
    ),
    task('pull_forward', () => pullAllForward(context)),
    task('place_postings', (onFault) => placeNewPostings({ db, onFault }), {
      batchSize: postingBatchSize
    }),
    task('sync_cards', (onFault) => syncCards({ ...context, onFault })),
    task('forget_cards', (onFault) => forgetCards({ ...context, onFault })),
    task('fetch_reports', (onFault) => fetchReports({ ...reports, onFault }), {
      everyMs: fetchEveryMs
    }),
    task('read_reports', (onFault) => readReports({ ...reports, onFault, onProgress })),
    task('find_missing', () => openMissing(context), hourly),
    task('rematch_lines', (onFault) => rematchLines({ ...context, onFault }), eachMinute),
    task(
      'reopen_discrepancies',
      (onFault) => reopenDiscrepancies({ ...context, onFault }),
      eachMinute
    ),
    task('remind_of_deadlines', (onFault) => remindOfDeadlines({ ...context, onFault }), often),
    task('close_days', () => closeDays(context), hourly),
    task('compare_days', (onFault) => compareDays({ ...context, onFault }), hourly),
    task('purge_uploads', () => purgeUploads(db), hourly),
    task('purge_keys', () => purgeKeys(db, retention.keysDays), hourly),
    task('purge_latest_payments', () => purgeLatestPayments(db, duplicateWindowS), hourly),
    task('settle_webhooks', () => settleWebhooks(db), often),
    task('purge_webhooks', () => purgeWebhooks(db, retention.deliveriesDays), hourly),
    task('purge_notifications', () => forgetNotifications(db, retention.notificationsDays), hourly),
    task('seal_secrets', (onFault) => sealSecrets(context, onFault), hourly),
    ...measuringTasks(context)
  ]
}

/** To those who watch: each event once, by the instance that announces it. */
function tellEvents(metrics: Metrics, events: Iterable<Announced>): void {
  const all = [...events]
  countEvents(metrics, all)
  traceEvents(all)
}

/** How tasks of an instance are made: the faults of their items are counted and told. */
function definer({ metrics, log }: Context) {
  /** `run` is handed what to call with the fault of one item, which is for a person to look at. */
  return <const Name extends string>(
    name: Name,
    run: (onFault: OnFault) => Promise<number>,
    options: { everyMs?: number; batchSize?: number; gatherMs?: number } = {}
  ) => {
    const onFault: OnFault = (about, error) => {
      metrics.itemFaults.inc({ task: name })
      if (name === 'apply_notifications') metrics.notificationFaults.inc()
      log.error({ err: error, task: name, ...about }, 'an item of background work failed')
    }
    return defineTask({ name, run: () => run(onFault), ...options })
  }
}

/** What only looks, for those who watch over it all. */
function measuringTasks(context: Context) {
  const { db, metrics, log } = context
  const task = definer(context)
  const checkLedger = createLedgerCheck((paymentIds) =>
    log.error({ paymentIds }, 'the ledger does not say what payments say')
  )
  const check = async () => {
    metrics.ledgerFaults.set(await checkLedger(db))
    return 0
  }
  return [
    task('count_open_items', () => count(db, metrics), { everyMs: 15_000 }),
    task('check_ledger', check, eachMinute)
  ]
}

/** What waits for a provider that answers again is tried within so long, s; not all at once. */
const pulledForwardWithinS = 2

/** What waits, by the calls that the provider answers again. */
const waitingFor: Readonly<Record<CallKind, readonly Waiting[]>> = {
  pages: [{ queue: creates, only: createsBy('hostedPage') }],
  links: [{ queue: creates, only: createsBy('paymentLink') }],
  cardPayments: [{ queue: cardPayments, only: isAskedBy('cardPayments') }],
  cardReturns: [{ queue: cardPayments, only: isAskedBy('cardReturns') }],
  captures: [{ queue: dueOperations, only: notTaken('captures') }],
  refunds: [{ queue: dueOperations, only: notTaken('refunds') }],
  cancellations: [{ queue: dueOperations, only: notTaken('cancellations') }],
  lookups: [{ queue: pageReturns }],
  cards: [{ queue: syncs }, { queue: removals }]
}
type Waiting = { queue: Queue<unknown>; only?: RawBuilder<unknown> }

/** After an outage, what it has put off is tried soon. Answers how much that is. */
async function pullAllForward({ db, provider }: Context): Promise<number> {
  let count = 0
  for (const { queue, only } of provider.takeRecovered().flatMap((kind) => waitingFor[kind])) {
    count += await pullForward(db, queue, pulledForwardWithinS, only)
  }
  return count
}

/** Where settlement reports are fetched, and by whom. */
function reportSourceOf({ adyen }: Context) {
  const { environment, checkoutUrl, apiKey, reportUser: name, reportPassword: password } = adyen
  const user = name === undefined || password === undefined ? undefined : { name, password }
  const fetch = (address: string) => fetchReport(address, { apiKey, user })
  return { environment, checkoutUrl, fetchReport: fetch }
}

async function count(db: Db, metrics: Metrics): Promise<number> {
  for (const { kind, count } of await countOpenItems(db)) metrics.open.set({ kind }, count)
  for (const { kind, ageS } of await measureOldest(db)) metrics.oldest.set({ kind }, ageS)
  const open = new Map((await countDiscrepancies(db)).map(({ kind, count }) => [kind, count]))
  for (const kind of discrepancyKinds) metrics.discrepancies.set({ kind }, open.get(kind) ?? 0)
  metrics.counted.setToCurrentTime()
  return 0
}
