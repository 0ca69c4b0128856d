import http from 'node:http'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type Metrics = ReturnType<typeof createMetrics>

/** Where a pool of connections stands. */
export type PoolState = { used: number; idle: number; max: number; waiting: number }

/** What is asked when somebody scrapes. */
type Sources = {
  /** By the name of its share. */
  pools?: () => Readonly<Record<string, PoolState>>
}

/** The only names of labels that stand for a pool, as OpenTelemetry has them. */
const pool = 'db_client_connection_pool_name'
const state = 'db_client_connection_state'

/**
 * What is measured, by Prometheus' names; amounts of time are seconds. HTTP and the database have
 * the names of OpenTelemetry's semantic conventions.
 */
export function createMetrics({ pools = () => ({}) }: Sources = {}) {
  const registers = [new Registry()]
  collectDefaultMetrics({ register: registers[0] as Registry })
  return {
    registry: registers[0] as Registry,
    ...createCallMetrics(registers),
    ...createPaymentMetrics(registers),
    ...createWorkMetrics(registers),
    ...createPoolMetrics(registers, pools)
  }
}

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Prometheus sees an increase only where there was a 0 before. */
function zeroed<Label extends string>(
  counter: Counter<Label>,
  series: ReadonlyArray<Partial<Record<Label, string>>>
): Counter<Label> {
  for (const labels of series) counter.inc(labels, 0)
  return counter
}

/** What comes in and goes out. */
function createCallMetrics(registers: Registry[]) {
  return {
    requests: new Histogram({
      name: 'http_server_request_duration_seconds',
      help: 'Requests answered, by route, method and status',
      labelNames: ['http_route', 'http_request_method', 'http_response_status_code'],
      buckets,
      registers
    }),
    providerCalls: new Histogram({
      name: 'provider_call_duration_seconds',
      help: 'Calls to the payment provider, by operation and outcome',
      labelNames: ['operation', 'outcome'],
      buckets,
      registers
    }),
    troubles: zeroed(
      new Counter({
        name: 'provider_troubles_total',
        help: 'Calls by what is wrong: our key, the address of a stranger, or held back',
        labelNames: ['trouble'],
        registers
      }),
      [{ trouble: 'key_refused' }, { trouble: 'address_refused' }, { trouble: 'not_asked' }]
    ),
    gates: new Gauge({
      name: 'provider_gate_open',
      help: 'Whether calls of a kind are held back, since nobody answers them: 1, else 0',
      labelNames: ['kind'],
      registers
    }),
    notifications: zeroed(
      new Counter({
        name: 'provider_notifications_total',
        help: 'Items that came to the webhook: accepted, or refused as not signed by our keys',
        labelNames: ['outcome'],
        registers
      }),
      [{ outcome: 'accepted' }, { outcome: 'refused' }]
    ),
    notificationFaults: new Counter({
      name: 'provider_notification_faults_total',
      help: 'Tries to apply a notification that failed',
      registers
    }),
    webhooks: new Counter({
      name: 'webhook_deliveries_total',
      help: 'Attempts to deliver an event to a webhook endpoint, and deliveries that were given up',
      labelNames: ['outcome'],
      registers
    }),
    issuerFetches: new Counter({
      name: 'oauth_key_fetches_total',
      help: 'Fetches of the keys that access tokens are signed with, by outcome: ok or failed',
      labelNames: ['outcome'],
      registers
    })
  }
}

/** What becomes of payments: each change is counted once, by the instance that announces it. */
function createPaymentMetrics(registers: Registry[]) {
  return {
    payments: new Counter({
      name: 'payments_total',
      help: 'Payments that came to a status; `failure_code` is none where it has none',
      labelNames: ['status', 'method', 'channel', 'failure_code'],
      registers
    }),
    attempts: new Counter({
      name: 'payment_attempts_total',
      help: 'Attempts to pay, by outcome: authorised or refused. Their ratio is the rate',
      labelNames: ['outcome', 'method', 'channel', 'failure_code'],
      registers
    }),
    outcomes: new Histogram({
      name: 'payment_outcome_duration_seconds',
      help: 'From the creation of a payment until it came to a status',
      labelNames: ['status', 'method'],
      buckets: [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3_600, 86_400],
      registers
    }),
    operations: zeroed(
      new Counter({
        name: 'payment_operations_total',
        help: 'Captures, cancellations, refunds and reversals that came to a status',
        labelNames: ['kind', 'status'],
        registers
      }),
      ['capture', 'cancellation', 'refund', 'reversal'].map((kind) => ({ kind, status: 'failed' }))
    )
  }
}

/** What runs beside the requests, and what waits. */
function createWorkMetrics(registers: Registry[]) {
  const rounds = new Map<string, number>()
  return {
    /** When the round of a task began that is under way, ms of `performance.now()`. */
    rounds,
    running: new Gauge({
      name: 'background_round_running_seconds',
      help: 'How long the round of a task has been under way; 0 while it rests',
      labelNames: ['task'],
      registers,
      collect() {
        for (const [task, since] of rounds) {
          this.set({ task }, Number.isNaN(since) ? 0 : (performance.now() - since) / 1_000)
        }
      }
    }),
    work: new Counter({
      name: 'background_work_total',
      help: 'Units of background work done, by task',
      labelNames: ['task'],
      registers
    }),
    itemFaults: new Counter({
      name: 'background_item_faults_total',
      help: 'Items of background work that failed while the others went on, by task',
      labelNames: ['task'],
      registers
    }),
    workFaults: new Counter({
      name: 'background_work_faults_total',
      help: 'Rounds of background work that failed, by task',
      labelNames: ['task'],
      registers
    }),
    open: new Gauge({
      name: 'open_items',
      help: 'Rows that wait for somebody, by kind, as last counted',
      labelNames: ['kind'],
      registers
    }),
    oldest: new Gauge({
      name: 'oldest_item_age_seconds',
      help: 'How long the oldest that waits has waited, by kind; 0 where none does',
      labelNames: ['kind'],
      registers
    }),
    discrepancies: new Gauge({
      name: 'discrepancies_open',
      help: 'Discrepancies that nobody has decided, by kind',
      labelNames: ['kind'],
      registers
    }),
    counted: new Gauge({
      name: 'open_items_counted_timestamp_seconds',
      help: 'When this instance last counted what waits',
      registers
    }),
    ledgerFaults: new Gauge({
      name: 'ledger_faults',
      help: 'Payments whose amounts are not what the ledger says, as far as checked: must be 0',
      registers
    })
  }
}

/** The connections of this instance to its database, by share. */
function createPoolMetrics(registers: Registry[], pools: NonNullable<Sources['pools']>) {
  const gauge = (name: string, help: string, value: (pool: PoolState) => number) =>
    new Gauge({
      ...{ name, help, registers, labelNames: [pool] },
      collect() {
        for (const [share, one] of Object.entries(pools())) this.set({ [pool]: share }, value(one))
      }
    })
  gauge('db_client_connection_max', 'Connections at most', ({ max }) => max)
  gauge(
    'db_client_connection_pending_requests',
    'Who waits for a connection',
    ({ waiting }) => waiting
  )
  new Gauge({
    name: 'db_client_connection_count',
    help: 'Connections by what they do: used or idle',
    labelNames: [pool, state],
    registers,
    collect() {
      for (const [share, { used, idle }] of Object.entries(pools())) {
        this.set({ [pool]: share, [state]: 'used' }, used)
        this.set({ [pool]: share, [state]: 'idle' }, idle)
      }
    }
  })
  return {
    connectionWaits: new Histogram({
      name: 'db_client_connection_wait_time_seconds',
      help: 'Waits for a connection, of those who found none idle',
      labelNames: [pool],
      buckets,
      registers
    }),
    connectionTimeouts: new Counter({
      name: 'db_client_connection_timeouts_total',
      help: 'Who was given no connection in time',
      labelNames: [pool],
      registers,
      collect() {
        for (const share of Object.keys(pools())) this.inc({ [pool]: share }, 0)
      }
    })
  }
}

/** An answer of the API, which took `ms`. */
export function observeRequest(
  { requests }: Pick<Metrics, 'requests'>,
  ...[route, method, status, ms]: [route: string, method: string, status: number, ms: number]
): void {
  requests.observe(
    { http_route: route, http_request_method: method, http_response_status_code: status },
    ms / 1000
  )
}

/** Prometheus scrapes a port of its own, which is never public. */
export function createMetricsServer({ registry }: Metrics): http.Server {
  return http.createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end()
    )
  })
}
