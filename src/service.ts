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
import { createKeyCache } from './clients/client-cache.commands.ts'
import type { AdyenConfig, CommonConfig } from './config.ts'
import type { Db } from './database/database.ts'
import { listen } from './database/listener.ts'
import { createOutage } from './database/outage.ts'
import { connectShares, type Shares, untilAvailable } from './database/shares.ts'
import { isUnavailable, reasonOf, unavailabilityOf } from './database/unavailable.ts'
import { leaseMarginS } from './due/delays.ts'
import { startWorker, type Task, type Worker, type WorkerEvents } from './due/worker.ts'
import { createFeedSignal } from './feed/feed-signal.ts'
import { createMetrics, createMetricsServer, type Metrics } from './metrics/metrics.ts'
import { createVerify } from './oauth/access-token.verifier.ts'
import { createIssuerTransport } from './oauth/issuer.transport.ts'
import { createIssuerKeys } from './oauth/issuer-keys.verifier.ts'
import { createTokenCache } from './oauth/token-cache.commands.ts'
import { changedChannel } from './payments/changed.store.ts'
import { createWaiters } from './payments/waiters.commands.ts'
import { callKinds } from './provider.ts'
import type { Context } from './service-context.ts'
import { type TaskName, tasksOf } from './tasks.ts'
import { createNotifier } from './tmf-payments/hub.commands.ts'
import { traceCalls } from './tracing/provider-calls.ts'
import { currentSpan, type Tracer } from './tracing/span.ts'
import { createDispatcher } from './webhooks/delivery.jobs.ts'
import { webhookDeadlineMs } from './webhooks/delivery-schedule.ts'
import { toCloudEvents, toStandard } from './webhooks/envelope.ts'
import { createSealing } from './webhooks/sealing.ts'
import { createWebhookTransport } from './webhooks/webhook.transport.ts'
import { createCheckUrl, createResolve } from './webhooks/webhook-address.transport.ts'

export type ServiceOptions = Omit<CommonConfig, 'logLevel' | 'metricsPort' | 'oauth' | 'tracing'> &
  Partial<Pick<CommonConfig, 'oauth' | 'tracing'>> & {
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
  const tracer = await startTracing(options)
  const app = await buildApp(context, tracer)
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
    await context.issuer?.stop()
    await shares.destroy()
    await tracer?.stop()
  }

  try {
    context.issuer?.start()
    const url = await app.listen({ host: options.host, port: options.port })
    await serveMetrics(metricsServer, options)
    await untilAvailable(async () => {
      await shares.canWrite()
      await options.check?.(shares.background)
    }, options.databaseWaitS)
    const tasks = tracedTasks(tasksOf(background, deliveries.dispatcher), tracer)
    worker = startWorker(tasks, eventsOf(context))
    const listenUrl = options.databaseDirectUrl ?? options.databaseUrl
    listener = await subscribe(listenUrl, context, worker)
    phase = 'running'
    return { url, app, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Nothing of OpenTelemetry is loaded where no traces are asked for. */
async function startTracing({ tracing, log }: ServiceOptions): Promise<Tracer | undefined> {
  if (!tracing) return undefined
  const { startTracer } = await import('./tracing/open-telemetry.ts')
  const onExport = (reason: string | undefined) => {
    if (reason === undefined) log.info('the collector takes traces again')
    else log.warn({ reason }, 'the collector takes no traces')
  }
  return startTracer({ ...tracing, onExport })
}

function tracedTasks(tasks: readonly Task<TaskName>[], tracer: Tracer | undefined) {
  if (tracer === undefined) return tasks
  return tasks.map((task) => ({ ...task, run: () => tracer.runRound(task.name, task.run) }))
}

/** Rounds in a row that waited too long for the database, before a line of log says so. */
const busyRounds = 3

/** What is told of the background work; that the database is away is told once, for all tasks. */
function eventsOf({ metrics, log, wake }: Context): WorkerEvents<TaskName> {
  return {
    onRound: (task, isRunning) =>
      void metrics.rounds.set(task, isRunning ? performance.now() : Number.NaN),
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
): Context & { provider: AdyenProvider; shares: Shares; issuer: Issuer | null } {
  const { adyen, log } = options
  const metrics = createMetrics({ pools: () => shares.states() })
  const shares = connectShares(
    ...([options.databaseUrl, options.connections, createOutage(log)] as const),
    (share, ms, isInVain) => {
      const labels = { db_client_connection_pool_name: share }
      if (isInVain) metrics.connectionTimeouts.inc(labels)
      else metrics.connectionWaits.observe(labels, ms / 1000)
    }
  )
  const issuer = createIssuer(options, metrics, shares.inbox)
  const { db, reads, inbox, canWrite } = shares
  const provider = createProvider(options, metrics, () => wake('pull_forward'))
  const waiters = createWaiters(reads, (error) => {
    if (isUnavailable(error)) return
    log.warn({ err: error }, 'payments that callers wait for could not be read')
  })
  return {
    shares,
    issuer,
    oauth: issuer?.oauth ?? null,
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
    paymentMethods: options.paymentMethods,
    duplicateWindowS: options.duplicateWindowS,
    refundApprovalAbove: options.refundApprovalAbove,
    settlementMissingDays: options.settlementMissingDays,
    retention: options.retention,
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
    clients: createKeyCache(inbox, (error) => {
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

type Issuer = NonNullable<ReturnType<typeof createIssuer>>

/** Who comes with access tokens of the issuer; null where there is none. */
function createIssuer({ oauth, log }: ServiceOptions, metrics: Metrics, db: Db) {
  if (!oauth) return null
  const transport = createIssuerTransport(oauth.issuer)
  let wasAway = false
  const keys = createIssuerKeys({
    fetchKeys: transport.fetchKeys,
    onFetched(fault) {
      metrics.issuerFetches.inc({ outcome: fault === undefined ? 'ok' : 'failed' })
      const isAway = fault !== undefined
      if (isAway && !wasAway) {
        const cause = fault.cause && reasonOf(fault.cause)
        log.warn(
          { reason: fault.message, cause },
          'the issuer of tokens cannot be asked for its keys'
        )
      } else if (wasAway && !isAway) log.info('the issuer of tokens shows its keys again')
      wasAway = isAway
    }
  })
  return {
    oauth: {
      issuer: oauth.issuer,
      clients: createTokenCache(db, createVerify(oauth, keys)),
      findFault: keys.findFault
    },
    start: keys.start,
    async stop() {
      keys.stop()
      await transport.close()
    }
  }
}

/** Listens for what any instance has changed, and wakes those who wait for it on this one. */
async function subscribe(
  databaseUrl: string,
  { clients, oauth, waiters, feedSignal }: Context,
  worker: Worker<TaskName>
) {
  const dropClients = () => {
    clients.drop()
    oauth?.clients.drop()
  }
  const channels = {
    client_changed: dropClients,
    [changedChannel]: (ids: string) => {
      waiters.changed(ids.split(','))
      feedSignal.announced()
    }
  }
  return await listen(databaseUrl, channels, () => {
    // Changes may have been missed while the connection was down.
    dropClients()
    waiters.changedAny()
    feedSignal.announced()
    worker.wakeAll()
  })
}

/** What sends events to the webhook endpoints of clients. */
function createDeliveries(options: ServiceOptions, context: Context) {
  const { db, providerName, publicUrl, metrics, log, wake, sealing } = context
  const policy = addressPolicyOf(options)
  const transport = createWebhookTransport({ ...policy, deadlineMs: webhookDeadlineMs })
  const dispatcher = createDispatcher({
    db,
    providerName,
    envelopes: {
      standard: toStandard,
      cloudevents: toCloudEvents(publicUrl),
      tmf676: createNotifier(context)
    },
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
  { adyen, adyenTimeoutMs, tracing, log }: ServiceOptions,
  metrics: Metrics,
  onRecovered: () => void
): AdyenProvider {
  const logCall = createCallLog(log)
  for (const kind of callKinds) metrics.gates.set({ kind }, 0)
  const provider = createAdyenProvider({
    ...adyen,
    timeoutMs: adyenTimeoutMs,
    onCall(call) {
      const { operation, outcome } = call
      currentSpan()?.set({ 'provider.operation': operation, 'provider.outcome': outcome })
      metrics.providerCalls.observe({ operation, outcome }, call.ms / 1000)
      if (call.trouble !== undefined) metrics.troubles.inc({ trouble: call.trouble })
      logCall(call)
    },
    onChange(kind, isAnswering) {
      metrics.gates.set({ kind }, isAnswering ? 0 : 1)
      log.warn({ kind }, isAnswering ? 'Adyen answers again' : 'Adyen is not answering')
    },
    onRecovered
  })
  return tracing ? traceCalls(provider) : provider
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
