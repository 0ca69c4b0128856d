import type { Db } from '../database/database.ts'
import { readTime } from '../database-clock.ts'
import { release } from '../due/due.store.ts'
import { purge } from '../due/purge.store.ts'
import type { OnFault } from '../due/run-each.ts'
import { findFeedEvents } from '../feed/feed.store.ts'
import { toFeedView } from '../feed/feed-view.ts'
import { testType } from '../payments/event.ts'
import { traced } from '../tracing/span.ts'
import {
  claimDeliveries,
  type DueDelivery,
  deliveries,
  forgetStopped,
  forgetUnwanted,
  recordDelivered,
  recordFailed,
  settledDeliveries,
  settleStopped
} from './delivery.store.ts'
import { nextTryInS, webhookAtOnce, webhookRetryForS } from './delivery-schedule.ts'
import type { Envelope, Envelopes, SentEvent } from './envelope.ts'
import type { Sealing } from './sealing.ts'
import { giveUpEndpoint } from './webhook.commands.ts'
import { disableRevoked, noteFailing } from './webhook.store.ts'
import type { Send, Sent } from './webhook.ts'
import { toSignedHeaders } from './webhook-signature.ts'

/** What the first attempt may come late, where it is counted how long nothing worked; seconds. */
const lateS = 3_600
/** How much is settled at a time of what was pending at endpoints that were disabled. */
const settleBatchSize = 2_000
/** Attempts under way have this long to end when the service stops. */
const stopMs = 2_000

/** What came of an attempt: taken; answered otherwise; not answered; or not to be tried again. */
type DeliveryOutcome = 'delivered' | 'answered_badly' | 'unanswered' | 'given_up'

type DispatcherDeps = {
  db: Db
  providerName: string
  /** How each format writes an event. */
  envelopes: Envelopes
  send: Send
  /** Opens the secrets of endpoints. */
  sealing: Sealing
  /** There is room again, or more has become due. */
  wake: () => void
  onOutcome: (outcome: DeliveryOutcome) => void
  onEndpointDisabled: (endpointId: string) => void
  onFault: OnFault
}

export type Dispatcher = ReturnType<typeof createDispatcher>

/**
 * Sends deliveries, each on its own, so that an endpoint that is slow holds up nothing but what is
 * its own. What a process had under way when it died is due again after its lease.
 */
export function createDispatcher(deps: DispatcherDeps) {
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
    const readEvent = await readEvents(deps, due)
    for (const delivery of due) {
      const attempt = attemptOne(delivery, readEvent).finally(() => {
        underWay.delete(attempt)
        wake()
      })
      underWay.add(attempt)
    }
    return due.length
  }

  async function attemptOne(delivery: DueDelivery, readEvent: ReadEvent): Promise<void> {
    try {
      if (!delivery.isSeen) return await recordUnseen(deps, delivery)
      const envelope = await readEvent(delivery)
        .then((event) => deps.envelopes[delivery.format](event, delivery))
        .catch(async (error) => {
          deps.onFault({ deliveryId: delivery.id }, error)
          await recordUnshown(deps, delivery)
        })
      if (envelope === null) await forgetUnwanted(db, delivery)
      else if (envelope !== undefined) await deliver(deps, delivery, envelope, stopping.signal)
    } catch (error) {
      // Its lease ends, and it is tried again.
      deps.onFault({ deliveryId: delivery.id }, error)
    }
  }

  return {
    /** Begins what is due, without waiting for its end; answers how many. */
    run(): Promise<number> {
      round = begin()
      return round
    },
    /** Begins nothing more, lets what is under way end, and gives the rest back. */
    async stop(): Promise<void> {
      stopped = true
      const timer = setTimeout(() => stopping.abort(), stopMs)
      await round.catch(() => {})
      await Promise.all(underWay)
      clearTimeout(timer)
    }
  }
}

/** The event as the feed shows it. Throws where it can't be shown. */
type ReadEvent = (delivery: DueDelivery) => Promise<SentEvent>

/** Reads all that is due at once; where that fails, each by itself, so that it fails alone. */
async function readEvents(
  { db, providerName }: DispatcherDeps,
  due: readonly DueDelivery[]
): Promise<ReadEvent> {
  const positions = [...new Set(due.flatMap(({ position }) => position ?? []))]
  const all = positions.length === 0 ? [] : await findFeedEvents(db, positions).catch(() => null)
  const known = new Map(all?.map((event) => [event.position, event]))
  return async (delivery) => {
    const { position, eventId } = delivery
    if (position === null) return toTestEvent(delivery)
    const event = all === null ? (await findFeedEvents(db, [position]))[0] : known.get(position)
    if (event === undefined) throw new Error(`event ${eventId} is in no feed`)
    return toFeedView(event, providerName)
  }
}

/** A fault of ours: it is tried again, and says nothing of the endpoint. */
async function recordUnshown(deps: DispatcherDeps, due: DueDelivery): Promise<void> {
  const failed = { ...due, retryAfter: null, now: readTime(), random: Math.random() }
  await recordUnsent(deps, due, 'The event could not be shown.', nextTryInS(failed))
}

/** What its client may see was narrowed since it became due, or before it was asked for again. */
async function recordUnseen(deps: DispatcherDeps, due: DueDelivery): Promise<void> {
  await recordUnsent(deps, due, 'The client may not see the event any more.', null)
}

async function recordUnsent(
  { db, onOutcome }: DispatcherDeps,
  due: DueDelivery,
  error: string,
  nextInS: number | null
): Promise<void> {
  const made = { startedAt: readTime(), durationMs: 0, httpStatus: null, response: null }
  await recordFailed(db, { ...due, attempt: { ...made, number: due.attempt, error } }, nextInS)
  if (nextInS === null) onOutcome('given_up')
}

function toTestEvent({ eventId, createdAt, endpointId }: DueDelivery): SentEvent {
  return {
    id: eventId,
    type: testType,
    createdAt: createdAt.toISOString(),
    accountId: null,
    paymentId: null,
    sequence: null,
    data: { webhookEndpointId: endpointId }
  }
}

async function deliver(
  deps: DispatcherDeps,
  due: DueDelivery,
  envelope: Envelope,
  signal: AbortSignal
): Promise<void> {
  const { db } = deps
  const startedAt = readTime()
  const begun = performance.now()
  const secrets = due.secrets.map((kept) => deps.sealing.open(kept, due.endpointId))
  const message = { id: due.eventId, ...envelope, at: startedAt }
  const headers = toSignedHeaders(message, secrets)
  const sent = await traced('deliver webhook', toTraced(due), () =>
    deps.send({ url: due.url, headers, body: envelope.body, signal })
  )
  if (signal.aborted && sent.httpStatus === null) {
    return void (await release(db, deliveries, due))
  }
  const { httpStatus, error, response } = sent
  const durationMs = Math.round(performance.now() - begun)
  const attempt = { number: due.attempt, startedAt, durationMs, httpStatus, error, response }
  const tried = { ...due, attempt }
  if (isTaken(sent)) {
    const { wasFailing } = await recordDelivered(db, tried)
    deps.onOutcome('delivered')
    if (wasFailing) await noteFailing(db, due.endpointId, false)
    return
  }
  await recordFailure(deps, due, tried, sent)
}

/** The id of an event of a payment begins with that of the payment. */
function toTraced({ id, endpointId, eventId, attempt }: DueDelivery) {
  const attributes = {
    'webhook.endpoint.id': endpointId,
    'webhook.delivery.id': id,
    'webhook.attempt': attempt
  }
  const paymentId = eventId.startsWith('pay_') ? eventId.split('.')[0] : undefined
  return { paymentId, attributes }
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
  const { db } = deps
  // A test answers a question of this moment.
  const isTest = due.position === null
  const failed = { ...due, retryAfter: sent.retryAfter, now: readTime(), random: Math.random() }
  const nextInS = isTest ? null : nextTryInS(failed)
  await recordFailed(db, tried, nextInS)
  deps.onOutcome(sent.httpStatus === null ? 'unanswered' : 'answered_badly')
  if (nextInS === null) deps.onOutcome('given_up')
  if (!isTest) await noteFailing(db, due.endpointId, true)
  // Standard Webhooks: whoever answers 410 wants nothing more.
  if (sent.httpStatus === 410) await giveUp(deps, due.endpointId, 'gone', null)
  else if (nextInS === null && !isTest) {
    await giveUp(deps, due.endpointId, 'failing', webhookRetryForS - lateS)
  }
}

async function giveUp(
  { db, onEndpointDisabled }: DispatcherDeps,
  ...given: [endpointId: string, reason: 'failing' | 'gone', failingForS: number | null]
): Promise<void> {
  if (await giveUpEndpoint(db, ...given)) onEndpointDisabled(given[0])
}

/**
 * Disables the endpoints of revoked clients, and settles what was pending at those that were
 * disabled; answers how many.
 */
export async function settleWebhooks(db: Db): Promise<number> {
  await disableRevoked(db)
  const count = await settleStopped(db, settleBatchSize)
  if (count === 0) await forgetStopped(db)
  return count
}

/** Forgets what was settled so many days ago; answers how many. */
export async function purgeWebhooks(db: Db, keptForDays: number): Promise<number> {
  return await purge(db, settledDeliveries, keptForDays)
}
