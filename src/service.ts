import { once } from 'node:events'
import type { Server } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import {
  type AdyenProvider,
  createAdyenProvider,
  type ProviderCall
} from './adyen/adyen.provider.ts'
import { buildApp } from './app.ts'
import type { AdyenConfig, CommonConfig } from './config.ts'
import type { Db } from './database/database.ts'
import { listen } from './database/listener.ts'
import { createOutage } from './database/outage.ts'
import { connectShares, type Shares, untilAvailable } from './database/shares.ts'
import { isUnavailable, reasonOf, unavailabilityOf } from './database/unavailable.ts'
import { leaseMarginS } from './due/delays.ts'
import { startWorker, type Worker, type WorkerEvents } from './due/worker.ts'
import { createFeedSignal } from './feed/feed-signal.ts'
import { createClientCache } from './http/auth.plugin.ts'
import { createMetrics, createMetricsServer, type Metrics } from './metrics.ts'
import { changedChannel } from './payments/changed.store.ts'
import { createWaiters } from './payments/waiters.commands.ts'
import type { Context } from './service-context.ts'
import { type TaskName, tasksOf } from './tasks.ts'
import { createDispatcher } from './webhooks/delivery.jobs.ts'
import { webhookDeadlineMs } from './webhooks/delivery-schedule.ts'
import { createSealing } from './webhooks/sealing.ts'
import { createWebhookTransport } from './webhooks/webhook.transport.ts'
import { createCheckUrl, createResolve } from './webhooks/webhook-address.transport.ts'

export type ServiceOptions = Omit<CommonConfig, 'logLevel' | 'metricsPort'> & {
  databaseUrl: string
  /** Where it listens; by `databaseUrl` unless given. */
  databaseDirectUrl?: string | undefined
  publicUrl: string
  adyen: AdyenConfig
  /** Whether browsers may also return to http on loopback. */
  sandbox: boolean
  /** Whether webhooks may go to this machine; in the sandbox they may. */
  webhooksAllowLoopback?: boolean
  /** Ports that webhooks may go to; by default 443, and in the sandbox any. */
  webhookPorts?: readonly number[] | undefined
  /** 32 bytes each: the first seals the secrets of webhook endpoints, all of them open. */
  sealingKeys?: readonly Buffer[]
  /** Undefined: no metrics are served. */
  metricsPort: number | undefined
  log: Logger
  /** Called once the database answers, before any work begins: by throwing it refuses that. */
  check?: (db: Db) => Promise<void>
}

export type Service = {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  url: string
  app: FastifyInstance
  /** Finishes what is in flight, refuses what comes, and lets go of everything. */
  close(): Promise<void>
}

/**
 * Everything that one instance runs: the API, the background work, metrics. It listens first and
 * says that it is not ready until the database answers; then the work begins. Throws
 * `DatabaseFault` where that takes too long.
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  let phase: 'starting' | 'running' | 'stopping' = 'starting'
  let worker: Worker<TaskName> | undefined
  let listener: Awaited<ReturnType<typeof listen>> | undefined
  const context = createContext(
    options,
    (task) => worker?.wake(task),
    () => phase
  )
  const { shares, metrics, provider, waiters, feedSignal } = context
  const background = { ...context, db: shares.background, reads: shares.background }
  const deliveries = createDeliveries(options, background)
  const app = await buildApp(context)
  const metricsServer = createMetricsServer(metrics)

  let closing: Promise<void> | undefined
  const close = () => (closing ??= stop())

  async function stop(): Promise<void> {
    const drains = phase === 'running'
    phase = 'stopping'
    if (drains) await setTimeout(options.drainS * 1_000)
    const stopped = Promise.all([worker?.stop(), deliveries.close()])
    waiters.close()
    feedSignal.close()
    await app.close()
    await stopped
    metricsServer.close()
    await listener?.close()
    provider.close()
    await shares.destroy()
  }

  try {
    const url = await app.listen({ host: options.host, port: options.port })
    await serveMetrics(metricsServer, options)
    await untilAvailable(async () => {
      await shares.canWrite()
      await options.check?.(shares.background)
    }, options.databaseWaitS)
    worker = startWorker(tasksOf(background, deliveries.dispatcher), eventsOf(context))
    const listenUrl = options.databaseDirectUrl ?? options.databaseUrl
    listener = await subscribe(listenUrl, context, worker)
    phase = 'running'
    return { url, app, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Rounds in a row that waited too long for the database, before a line of log says so. */
const busyRounds = 3

/** What is told of the background work; that the database is away is told once, for all tasks. */
function eventsOf({ metrics, log, wake }: Context): WorkerEvents<TaskName> {
  return {
    onDone: (task, count) => {
      metrics.work.inc({ task }, count)
      if (task !== 'announce' && task !== 'deliver_webhooks') wake('announce')
    },
    onFault: (task, error, inARow) => {
      metrics.workFaults.inc({ task })
      const kind = unavailabilityOf(error)
      if (kind === undefined) {
        log.error({ err: error, task }, 'a round of background work failed')
      } else if (kind === 'busy' && inARow === busyRounds) {
        log.warn({ task, reason: reasonOf(error) }, 'background work waits for the database')
      }
    }
  }
}

/** What routes and tasks work with. It connects to nothing by itself. */
export function createContext(
  options: ServiceOptions,
  wake: Context['wake'] = () => {},
  phase: () => 'starting' | 'running' | 'stopping' = () => 'running'
): Context & { provider: AdyenProvider; shares: Shares } {
  const { adyen, log } = options
  const metrics = createMetrics()
  const shares = connectShares(options.databaseUrl, options.connections, createOutage(log))
  const { db, reads, inbox, canWrite } = shares
  const provider = createProvider(options, metrics, () => wake('pull_forward'))
  const waiters = createWaiters(reads, (error) => {
    if (isUnavailable(error)) return
    log.warn({ err: error }, 'payments that callers wait for could not be read')
  })
  return {
    shares,
    db,
    reads,
    inbox,
    canWrite,
    provider,
    providerName: provider.name,
    publicUrl: options.publicUrl,
    sandbox: options.sandbox,
    leaseS: options.adyenTimeoutMs / 1000 + leaseMarginS,
    paymentMaxValue: options.paymentMaxValue,
    duplicateWindowS: options.duplicateWindowS,
    refundApprovalAbove: options.refundApprovalAbove,
    settlementMissingDays: options.settlementMissingDays,
    rateLimit: options.rateLimit,
    trustProxy: options.trustProxy,
    merchantName: options.merchantName,
    merchantAccount: adyen.merchantAccount,
    moto: adyen.moto,
    multiplePartialCaptures: adyen.multiplePartialCaptures,
    adyen,
    wake,
    isStarting: () => phase() === 'starting',
    isStopping: () => phase() === 'stopping',
    clients: createClientCache(inbox, (error) => {
      if (isUnavailable(error)) return
      log.warn({ err: error }, 'the use of a key could not be written down')
    }),
    waiters,
    feedSignal: createFeedSignal(),
    checkUrl: createCheckUrl(addressPolicyOf(options)),
    sealing: createSealing(options.sealingKeys ?? []),
    metrics,
    log
  }
}

/** Listens for what any instance has changed, and wakes those who wait for it on this one. */
async function subscribe(
  databaseUrl: string,
  { clients, waiters, feedSignal }: Context,
  worker: Worker<TaskName>
) {
  const channels = {
    client_changed: clients.drop,
    [changedChannel]: (ids: string) => {
      waiters.changed(ids.split(','))
      feedSignal.announced()
    }
  }
  return await listen(databaseUrl, channels, () => {
    // Changes may have been missed while the connection was down.
    clients.drop()
    waiters.changedAny()
    feedSignal.announced()
    worker.wakeAll()
  })
}

/** What sends events to the webhook endpoints of clients. */
function createDeliveries(options: ServiceOptions, context: Context) {
  const { db, providerName, metrics, log, wake, sealing } = context
  const policy = addressPolicyOf(options)
  const transport = createWebhookTransport({ ...policy, deadlineMs: webhookDeadlineMs })
  const dispatcher = createDispatcher({
    db,
    providerName,
    send: transport.send,
    sealing,
    wake: () => wake('deliver_webhooks'),
    onOutcome: (outcome) => metrics.webhooks.inc({ outcome }),
    onEndpointDisabled: (webhookEndpointId) =>
      log.warn({ webhookEndpointId }, 'a webhook endpoint was disabled'),
    onFault: (about, error) => {
      if (isUnavailable(error)) return
      log.error({ err: error, ...about }, 'an attempt to deliver could not be made or recorded')
    }
  })
  return {
    dispatcher,
    async close() {
      await dispatcher.stop()
      transport.close()
    }
  }
}

/** Where webhooks may go. */
function addressPolicyOf(options: ServiceOptions) {
  const { sandbox, webhooksAllowLoopback = sandbox, webhookPorts = [443] } = options
  const ports = sandbox ? undefined : webhookPorts
  return { allowLoopback: webhooksAllowLoopback, ports, resolve: createResolve() }
}

function createProvider(
  { adyen, adyenTimeoutMs, log }: ServiceOptions,
  metrics: Metrics,
  onRecovered: () => void
): AdyenProvider {
  const logCall = createCallLog(log)
  return createAdyenProvider({
    ...adyen,
    timeoutMs: adyenTimeoutMs,
    onCall(call) {
      metrics.providerCalls.observe(
        { operation: call.operation, outcome: call.outcome },
        call.ms / 1000
      )
      logCall(call)
    },
    onChange: (kind, isAnswering) =>
      log.warn({ kind }, isAnswering ? 'Adyen answers again' : 'Adyen is not answering'),
    onRecovered
  })
}

/** What the operator must know of is repeated in the log no more often than this, ms. */
const troubleEveryMs = 60_000

/** Writes down what is wrong with the provider's answers, in its own words. */
function createCallLog(log: Logger) {
  let refusedAt = Number.NEGATIVE_INFINITY
  return ({ operation, outcome, said, trouble }: ProviderCall) => {
    if (trouble === 'address_refused') {
      log.error({ operation, said }, 'Adyen answered with an address that is none of its own')
    } else if (trouble === 'key_refused') {
      if (performance.now() - refusedAt < troubleEveryMs) return
      refusedAt = performance.now()
      log.error({ operation, said }, 'Adyen refuses our key')
    } else if (trouble === undefined && said !== undefined) {
      log.warn({ operation, outcome, said }, 'Adyen did not do what it was asked')
    }
  }
}

async function serveMetrics(server: Server, { metricsPort, host }: ServiceOptions) {
  if (metricsPort === undefined) return
  server.listen(metricsPort, host)
  await once(server, 'listening')
}
