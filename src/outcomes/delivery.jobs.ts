import type { Db } from '../database.ts'
import {
  webhookAtOnce,
  webhookKeptForDays,
  webhookLateS,
  webhookRetryForS,
  webhookRetryS,
  webhookStopMs
} from '../jobs.ts'
import {
  claimDeliveries,
  type DueDelivery,
  purgeDeliveries,
  recordDelivered,
  recordFailed,
  releaseDelivery
} from './delivery.store.ts'
import { nextTryInS } from './delivery-schedule.ts'
import { findFeedEvents } from './feed.store.ts'
import { toFeedView } from './feed-view.ts'
import { giveUpEndpoint } from './webhook.commands.ts'
import { noteFailing } from './webhook.store.ts'
import { type Send, type Sent, testType } from './webhook.ts'
import { toSignedHeaders } from './webhook-signature.ts'

/** What came of an attempt: taken; answered otherwise; not answered; or not to be tried again. */
export type DeliveryOutcome = 'delivered' | 'answered_badly' | 'unanswered' | 'given_up'

export type DispatcherDeps = {
  db: Db
  providerName: string
  send: Send
  /** There is room again, or more has become due. */
  wake: () => void
  onOutcome: (outcome: DeliveryOutcome) => void
  onEndpointDisabled: (endpointId: string) => void
  onFault: (deliveryId: string, error: unknown) => void
  /** Pauses between tries, s; the last one for ever. */
  retryS?: readonly number[] | undefined
}

export type Dispatcher = {
  /** Begins what is due, without waiting for its end; answers how many. */
  run(): Promise<number>
  /** Begins nothing more, lets what is under way end, and gives the rest back. */
  stop(): Promise<void>
}

/**
 * Sends deliveries, each on its own, so that an endpoint that is slow holds up nothing but what is
 * its own. What a process had under way when it died is due again after its lease.
 */
export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { db, wake } = deps
  const underWay = new Set<Promise<void>>()
  const stopping = new AbortController()
  let stopped = false
  let round: Promise<number> = Promise.resolve(0)

  async function begin(): Promise<number> {
    const room = webhookAtOnce.instance - underWay.size
    if (stopped || room === 0) return 0
    const due = await claimDeliveries(db, room)
    if (due.length === 0) return 0
    const bodies = await readBodies(deps, due)
    for (const delivery of due) {
      const attempt = attemptOne(delivery, bodies.get(delivery.id)).finally(() => {
        underWay.delete(attempt)
        wake()
      })
      underWay.add(attempt)
    }
    return due.length
  }

  async function attemptOne(delivery: DueDelivery, body: string | undefined): Promise<void> {
    try {
      if (body === undefined) throw new Error(`event ${delivery.eventId} is in no feed`)
      await deliver(deps, delivery, body, stopping.signal)
    } catch (error) {
      // Its lease ends, and it is tried again.
      deps.onFault(delivery.id, error)
    }
  }

  return {
    run() {
      round = begin()
      return round
    },
    async stop() {
      stopped = true
      const timer = setTimeout(() => stopping.abort(), webhookStopMs)
      await round.catch(() => {})
      await Promise.all(underWay)
      clearTimeout(timer)
    }
  }
}

/** What is sent, by the id of the delivery: events as the feed shows them. */
async function readBodies(
  { db, providerName }: DispatcherDeps,
  due: readonly DueDelivery[]
): Promise<Map<string, string>> {
  const positions = [...new Set(due.flatMap(({ position }) => position ?? []))]
  const found = positions.length === 0 ? [] : await findFeedEvents(db, positions)
  const views = new Map(
    found.map((event) => [event.position, JSON.stringify(toFeedView(event, providerName))])
  )
  return new Map(
    due.flatMap((delivery) => {
      const { id, position } = delivery
      const body = position === null ? toTestBody(delivery) : views.get(position)
      return body === undefined ? [] : [[id, body] as const]
    })
  )
}

function toTestBody({ eventId, createdAt, endpointId }: DueDelivery): string {
  return JSON.stringify({
    id: eventId,
    type: testType,
    createdAt: createdAt.toISOString(),
    accountId: null,
    paymentId: null,
    sequence: null,
    data: { webhookEndpointId: endpointId }
  })
}

async function deliver(
  deps: DispatcherDeps,
  due: DueDelivery,
  body: string,
  signal: AbortSignal
): Promise<void> {
  const { db } = deps
  const startedAt = new Date()
  const begun = performance.now()
  const headers = toSignedHeaders({ id: due.eventId, body, at: startedAt }, due.secrets)
  const sent = await deps.send({ url: due.url, headers, body, signal })
  if (signal.aborted && sent.httpStatus === null) {
    return await releaseDelivery(db, due.id, due.attempt)
  }
  const { httpStatus, error, response } = sent
  const durationMs = Math.round(performance.now() - begun)
  const attempt = { number: due.attempt, startedAt, durationMs, httpStatus, error, response }
  const tried = { id: due.id, attempt }
  if (isTaken(sent)) {
    await recordDelivered(db, tried)
    deps.onOutcome('delivered')
    if (due.failing) await noteFailing(db, due.endpointId, false)
    return
  }
  await recordFailure(deps, due, tried, sent)
}

function isTaken({ httpStatus }: Sent): boolean {
  return httpStatus !== null && httpStatus >= 200 && httpStatus < 300
}

async function recordFailure(
  deps: DispatcherDeps,
  due: DueDelivery,
  tried: Parameters<typeof recordFailed>[1],
  sent: Sent
): Promise<void> {
  const { db, retryS = webhookRetryS } = deps
  // A test answers a question of this moment.
  const isTest = due.position === null
  const failed = { ...due, retryAfter: sent.retryAfter, now: new Date(), random: Math.random() }
  const nextInS = isTest ? null : nextTryInS(failed, retryS)
  await recordFailed(db, tried, nextInS)
  deps.onOutcome(sent.httpStatus === null ? 'unanswered' : 'answered_badly')
  if (nextInS === null) deps.onOutcome('given_up')
  if (!isTest && !due.failing) await noteFailing(db, due.endpointId, true)
  // Standard Webhooks: whoever answers 410 wants nothing more.
  if (sent.httpStatus === 410) await giveUp(deps, due.endpointId, 'gone', null)
  else if (nextInS === null && !isTest) {
    await giveUp(deps, due.endpointId, 'failing', webhookRetryForS - webhookLateS)
  }
}

async function giveUp(
  { db, onEndpointDisabled }: DispatcherDeps,
  ...given: [endpointId: string, reason: 'failing' | 'gone', failingForS: number | null]
): Promise<void> {
  if (await giveUpEndpoint(db, ...given)) onEndpointDisabled(given[0])
}

/** Forgets what was settled long ago; answers how many. */
export async function purgeWebhooks(db: Db): Promise<number> {
  return await purgeDeliveries(db, webhookKeptForDays)
}
