import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { type AdyenProvider, createAdyenProvider } from './adyen/adyen.provider.ts'
import { notificationPath } from './adyen/notification.routes.ts'
import { fetchReport } from './adyen/report.transport.ts'
import { readReportFile } from './adyen/report-file.reader.ts'
import { buildApp } from './app.ts'
import type { CheckoutDeps } from './checkout/outcome.commands.ts'
import type { AdyenConfig, CommonConfig } from './config.ts'
import { connect, type Db } from './database/database.ts'
import { listen } from './database/listener.ts'
import { startWorker } from './due/worker.ts'
import { changedChannel } from './feed/feed.store.ts'
import { createFeedSignal } from './feed/feed-signal.ts'
import { type ClientCache, createClientCache } from './http/auth.plugin.ts'
import { leaseMarginS, webhookDeadlineMs } from './jobs.ts'
import { createMetrics, createMetricsServer, type Metrics } from './metrics.ts'
import { createWaiters } from './payments/waiters.commands.ts'
import { announcing, delivering, readingReports, reportTasksOf, tasksOf } from './tasks.ts'
import { createDispatcher } from './webhooks/delivery.jobs.ts'
import { createWebhookTransport } from './webhooks/webhook.transport.ts'
import { createCheckUrl, createResolve } from './webhooks/webhook-address.transport.ts'

export type ServiceOptions = Omit<CommonConfig, 'logLevel' | 'metricsPort'> & {
  databaseUrl: string
  publicUrl: string
  adyen: AdyenConfig
  /** Whether browsers may also return to http on loopback. */
  sandbox: boolean
  /** Whether webhooks may go to this machine; in the sandbox they may. */
  webhooksAllowLoopback?: boolean
  /** Pauses between the tries of a webhook, s, where they are not the usual ones: for tests. */
  webhookRetryS?: readonly number[]
  /** How long it says that it is not ready, and still accepts, before it closes; ms. */
  drainMs?: number
  /** Undefined: no metrics are served. */
  metricsPort: number | undefined
  log: Logger
}

export type Service = {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  url: string
  app: FastifyInstance
  /** Finishes what is in flight, refuses what comes, and lets go of everything. */
  close(): Promise<void>
}

/** Everything that one instance runs: the API, the background work, metrics. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { log, adyen } = options
  const metrics = createMetrics()
  const db = connect(options.databaseUrl, {
    onError: (error) => log.warn({ err: error }, 'an idle database connection broke')
  })
  const provider = createProvider(options, metrics)
  const { publicUrl, paymentMaxValue, duplicateWindowS, sandbox } = options
  const limits = { paymentMaxValue, duplicateWindowS, leaseS: leaseOf(options) }
  const wakeSync = () => worker.wake('sync_cards')
  const payments = { db, provider, publicUrl, sandbox, moto: adyen.moto, ...limits, wakeSync }
  const clients = createClientCache(db)
  const ears = createEars(db, clients, log)
  const webhooks = createWebhooks(options, payments, metrics, () => worker.wake(delivering))
  let draining = false
  const reports = createReports(options, db, provider.name, () => draining)
  const wakeReports = () => worker.wake(readingReports)
  const tasks = tasksOf(payments, webhooks, metrics, log)
  tasks.push(...reportTasksOf({ ...reports, wake: wakeReports }, log))
  const worker = startWorker(tasks, {
    onDone: (task, count) => {
      metrics.work.inc({ task }, count)
      if (task !== announcing && task !== delivering) worker.wake(announcing)
    },
    onFault: (task, error) => {
      metrics.workFaults.inc({ task })
      log.error({ err: error, task }, 'a round of background work failed')
    }
  })
  const app = await buildApp({
    payments,
    waiters: ears.waitingRoom,
    feed: { providerName: provider.name, untilAnnounced: ears.bell.next },
    webhooks,
    operations: {
      db,
      providerName: provider.name,
      canExpress: provider.canExpress,
      multiplePartialCaptures: adyen.multiplePartialCaptures,
      refundApprovalAbove: options.refundApprovalAbove,
      wake: () => worker.wake('send_operations')
    },
    records: { db, providerName: provider.name, duplicateWindowS },
    cards: payments,
    notifications: toInbox(adyen, metrics, () => worker.wake('apply_notifications')),
    wakeReports,
    clients,
    findFault: () => (draining ? Promise.resolve('stopping') : findDatabaseFault(db)),
    onAnswer: (route, method, status, ms) => {
      metrics.requests.observe({ route, method, status }, ms / 1000)
      // Whatever it wrote is announced at once, and not when the next poll finds it.
      if (mayMakeEvents(method, route)) worker.wake(announcing)
    },
    log
  })
  const listener = await listen(options.databaseUrl, ears.channels, () => {
    ears.onSilence()
    worker.wake()
  })
  const metricsServer = await serveMetrics(metrics, options)

  async function close(): Promise<void> {
    draining = true
    await setTimeout(options.drainMs ?? 0)
    const stopped = Promise.all([worker.stop(), webhooks.close()])
    ears.close()
    await app.close()
    await stopped
    metricsServer?.close()
    await listener.close()
    provider.close()
    await db.destroy()
  }

  try {
    const url = await app.listen({ host: options.host, port: options.port })
    return { url, app, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Who listens to what other instances, or this one, have changed. */
function createEars(db: Db, clients: ClientCache, log: Logger) {
  const bell = createFeedSignal()
  const waitingRoom = createWaiters(db, (error) =>
    log.warn({ err: error }, 'payments that callers wait for could not be read')
  )
  return {
    bell,
    waitingRoom,
    channels: {
      client_changed: clients.drop,
      [changedChannel]: (ids: string) => {
        waitingRoom.changed(ids.split(','))
        bell.ring()
      }
    },
    /** Anything may have been said while nobody listened. */
    onSilence: () => {
      clients.drop()
      waitingRoom.changedAny()
      bell.ring()
    },
    close: () => {
      waitingRoom.close()
      bell.close()
    }
  }
}

/** Who tells the endpoints of clients, and which URLs may be one. */
function createWebhooks(
  options: ServiceOptions,
  { db, provider }: CheckoutDeps,
  metrics: Metrics,
  wake: () => void
) {
  const { log, sandbox, webhooksAllowLoopback = sandbox, webhookRetryS: retryS } = options
  const policy = { allowLoopback: webhooksAllowLoopback, resolve: createResolve() }
  const transport = createWebhookTransport({ ...policy, deadlineMs: webhookDeadlineMs })
  const dispatcher = createDispatcher({
    db,
    providerName: provider.name,
    send: transport.send,
    wake,
    onOutcome: (outcome) => metrics.webhooks.inc({ outcome }),
    onEndpointDisabled: (webhookEndpointId) =>
      log.warn({ webhookEndpointId }, 'a webhook endpoint was disabled'),
    onFault: (deliveryId, error) =>
      log.error({ err: error, deliveryId }, 'an attempt to deliver could not be made or recorded'),
    retryS
  })
  return {
    dispatcher,
    wake,
    checkUrl: createCheckUrl(policy),
    async close() {
      await dispatcher.stop()
      transport.close()
    }
  }
}

/**
 * Whether a request may have made events when it is answered: a browser that returns may have
 * brought an outcome. What a notification makes is made later, by the task that applies it.
 */
function mayMakeEvents(method: string, route: string): boolean {
  if (route === notificationPath) return false
  return (method !== 'GET' && method !== 'HEAD') || route.startsWith('/return')
}

/** For how long one finisher has a payment to itself, seconds. */
function leaseOf({ adyenTimeoutMs }: ServiceOptions): number {
  return adyenTimeoutMs / 1000 + leaseMarginS
}

/** How settlement reports come, and what they are compared with. */
function createReports(
  { adyen, settlementMissingDays }: ServiceOptions,
  db: Db,
  providerName: string,
  isStopping: () => boolean
) {
  const { environment, apiKey, merchantAccount, checkoutUrl } = adyen
  const { reportUser: name, reportPassword: password } = adyen
  const user = name === undefined || password === undefined ? undefined : { name, password }
  const fetch = (address: string) => fetchReport(address, { apiKey, user })
  const site = { environment, checkoutUrl, merchantAccount, fetchReport: fetch }
  return {
    db,
    providerName,
    isStopping,
    settlementMissingDays,
    readReport: readReportFile,
    ...site
  }
}

/** How notifications come in. */
function toInbox(adyen: AdyenConfig, metrics: Metrics, wake: () => void) {
  return {
    ...toSender(adyen),
    wake,
    onReceived: (outcome: 'accepted' | 'refused', items: number) =>
      metrics.notifications.inc({ outcome }, items)
  }
}

/** Who may send notifications, and for whom they are. */
function toSender({ webhookUser: user, webhookPassword: password, ...adyen }: AdyenConfig) {
  return {
    merchantAccount: adyen.merchantAccount,
    live: adyen.environment === 'LIVE',
    hmacKeys: adyen.hmacKeys,
    tokenHmacKeys: adyen.tokenHmacKeys,
    basicAuth: user === undefined || password === undefined ? undefined : { user, password }
  }
}

function createProvider(options: ServiceOptions, metrics: Metrics): AdyenProvider {
  const { environment, apiKey, merchantAccount, liveUrlPrefix, checkoutUrl } = options.adyen
  return createAdyenProvider({
    environment,
    apiKey,
    merchantAccount,
    liveUrlPrefix,
    checkoutUrl,
    timeoutMs: options.adyenTimeoutMs,
    onCall: ({ operation, outcome, ms }) =>
      metrics.providerCalls.observe({ operation, outcome }, ms / 1000)
  })
}

async function findDatabaseFault(db: Db): Promise<string | undefined> {
  try {
    await db.selectNoFrom((e) => e.lit(1).as('one')).execute()
    return undefined
  } catch {
    return 'the database does not answer'
  }
}

async function serveMetrics(metrics: Metrics, { metricsPort, host }: ServiceOptions) {
  if (metricsPort === undefined) return undefined
  const server = createMetricsServer(metrics)
  server.listen(metricsPort, host)
  await once(server, 'listening')
  return server
}
