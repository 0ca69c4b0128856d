import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { type AdyenProvider, createAdyenProvider } from './adyen/adyen.provider.ts'
import { applyNotifications, notificationBatchSize } from './adyen/notification.jobs.ts'
import { buildApp } from './app.ts'
import type { AdyenConfig, CommonConfig } from './config.ts'
import { connect, type Db } from './database.ts'
import { createClientCache } from './http/auth.plugin.ts'
import { purgeKeys } from './http/idempotency.store.ts'
import { leaseMarginS, purgeEveryMs } from './jobs.ts'
import { listen } from './listener.ts'
import { createMetrics, createMetricsServer, type Metrics } from './metrics.ts'
import { countOpenItems } from './operations/open-items.store.ts'
import type { PaymentDeps } from './payments/create-payment.commands.ts'
import { endPages, finishPages, sendReversals } from './payments/payment.jobs.ts'
import { startWorker, type Task } from './worker.ts'

export type ServiceOptions = Omit<CommonConfig, 'logLevel' | 'metricsPort'> & {
  databaseUrl: string
  publicUrl: string
  adyen: AdyenConfig
  /** Whether browsers may also return to http on loopback. */
  sandbox: boolean
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

const countEveryMs = 15_000

/** Everything that one instance runs: the API, the background work, metrics. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { log, adyen } = options
  const metrics = createMetrics()
  const db = connect(options.databaseUrl, {
    onError: (error) => log.warn({ err: error }, 'an idle database connection broke')
  })
  const provider = createProvider(options, metrics)
  const payments: PaymentDeps = {
    db,
    provider,
    publicUrl: options.publicUrl,
    paymentMaxValue: options.paymentMaxValue,
    sandbox: options.sandbox,
    leaseS: options.adyenTimeoutMs / 1000 + leaseMarginS
  }
  const clients = createClientCache(db)
  const worker = startWorker(tasksOf(payments, metrics, log), {
    onDone: (task, count) => metrics.work.inc({ task }, count),
    onFault: (task, error) => {
      metrics.workFaults.inc({ task })
      log.error({ err: error, task }, 'a round of background work failed')
    }
  })
  let draining = false
  const app = await buildApp({
    payments,
    notifications: {
      merchantAccount: adyen.merchantAccount,
      live: adyen.environment === 'LIVE',
      hmacKeys: adyen.hmacKeys,
      basicAuth:
        adyen.webhookUser === undefined || adyen.webhookPassword === undefined
          ? undefined
          : { user: adyen.webhookUser, password: adyen.webhookPassword },
      wake: () => worker.wake('apply_notifications'),
      onReceived: (outcome, items) => metrics.notifications.inc({ outcome }, items)
    },
    clients,
    findFault: () => (draining ? Promise.resolve('stopping') : findDatabaseFault(db)),
    onAnswer: (route, method, status, ms) =>
      metrics.requests.observe({ route, method, status }, ms / 1000),
    log
  })
  const listener = await listen(options.databaseUrl, { client_changed: clients.drop }, () => {
    clients.drop()
    worker.wake()
  })
  const metricsServer = await serveMetrics(metrics, options)

  async function close(): Promise<void> {
    draining = true
    await setTimeout(options.drainMs ?? 0)
    const stopped = worker.stop()
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

/** All background work of an instance. */
function tasksOf(payments: PaymentDeps, metrics: Metrics, log: Logger): Task[] {
  const { db, provider } = payments
  const onNotificationFault = (notificationId: string, error: unknown) => {
    metrics.notificationFaults.inc()
    log.error({ err: error, notificationId }, 'a notification could not be applied')
  }
  const onPaymentFault = (paymentId: string, error: unknown) =>
    log.error({ err: error, paymentId }, 'background work on a payment failed')
  const jobs = { ...payments, onFault: onPaymentFault }
  const notifications = { db, providerName: provider.name, onFault: onNotificationFault }
  return [
    {
      name: 'apply_notifications',
      run: () => applyNotifications(notifications),
      batchSize: notificationBatchSize
    },
    { name: 'finish_pages', run: () => finishPages(jobs) },
    { name: 'end_pages', run: () => endPages(jobs) },
    { name: 'send_reversals', run: () => sendReversals(jobs) },
    { name: 'purge_keys', run: () => purgeKeys(db), everyMs: purgeEveryMs },
    { name: 'count_open_items', run: () => count(db, metrics), everyMs: countEveryMs }
  ]
}

async function count(db: Db, metrics: Metrics): Promise<number> {
  for (const { kind, count } of await countOpenItems(db)) metrics.open.set({ kind }, count)
  return 0
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
