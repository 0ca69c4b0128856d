import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { type AdyenProvider, createAdyenProvider } from './adyen/adyen.provider.ts'
import { buildApp } from './app.ts'
import type { CardDeps } from './cards/card.commands.ts'
import type { AdyenConfig, CommonConfig } from './config.ts'
import { connect, type Db } from './database.ts'
import { type ClientCache, createClientCache } from './http/auth.plugin.ts'
import { leaseMarginS } from './jobs.ts'
import { listen } from './listener.ts'
import { createMetrics, createMetricsServer, type Metrics } from './metrics.ts'
import { createBell } from './outcomes/bell.ts'
import { changedChannel } from './outcomes/feed.store.ts'
import { createWaitingRoom } from './payments/waiting.commands.ts'
import { announcing, tasksOf } from './tasks.ts'
import { startWorker } from './worker.ts'

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
  const payments = { db, provider, publicUrl, sandbox, moto: adyen.moto, ...limits }
  const cards: CardDeps = { ...payments, wakeSync: () => worker.wake('sync_cards') }
  const clients = createClientCache(db)
  const ears = createEars(db, clients, log)
  const worker = startWorker(tasksOf(payments, cards, metrics, log), {
    onDone: (task, count) => {
      metrics.work.inc({ task }, count)
      if (task !== announcing) worker.wake(announcing)
    },
    onFault: (task, error) => {
      metrics.workFaults.inc({ task })
      log.error({ err: error, task }, 'a round of background work failed')
    }
  })
  let draining = false
  const app = await buildApp({
    payments,
    waitingRoom: ears.waitingRoom,
    feed: { providerName: provider.name, untilAnnounced: ears.bell.next },
    modifications: {
      db,
      providerName: provider.name,
      multiplePartialCaptures: adyen.multiplePartialCaptures,
      refundApprovalAbove: options.refundApprovalAbove,
      wake: () => worker.wake('send_modifications')
    },
    records: { db, providerName: provider.name, duplicateWindowS },
    cards,
    notifications: {
      ...toSender(adyen),
      wake: () => worker.wake('apply_notifications'),
      onReceived: (outcome, items) => metrics.notifications.inc({ outcome }, items)
    },
    clients,
    findFault: () => (draining ? Promise.resolve('stopping') : findDatabaseFault(db)),
    onAnswer: (route, method, status, ms) => {
      metrics.requests.observe({ route, method, status }, ms / 1000)
      // Whatever it wrote is announced at once, and not when the next poll finds it.
      if (mayWrite(method, route)) worker.wake(announcing)
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
    const stopped = worker.stop()
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
  const bell = createBell()
  const waitingRoom = createWaitingRoom(db, (error) =>
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

/** Whether a request may have made events: a browser that returns may have brought an outcome. */
function mayWrite(method: string, route: string): boolean {
  return (method !== 'GET' && method !== 'HEAD') || route.startsWith('/return')
}

/** For how long one finisher has a payment to itself, seconds. */
function leaseOf({ adyenTimeoutMs }: ServiceOptions): number {
  return adyenTimeoutMs / 1000 + leaseMarginS
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
