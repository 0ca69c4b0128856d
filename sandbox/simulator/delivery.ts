import { randomUUID } from 'node:crypto'
import type { Faults } from './faults.ts'
import { type Companion, companionsOf, type Letter, tokenCompanionsOf } from './forgery.ts'
import { envelope, type NotificationItem } from './notifications.ts'
import type { Poster } from './poster.ts'
import type { State, Webhook } from './state.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * https://docs.adyen.com/development-resources/webhooks/handle-webhook-events: the pauses before
 * each retry in milliseconds. The first three are quick retries, the others are the retry queue.
 * The last one repeats until the webhook is 30 days old.
 */
export const ADYEN_RETRY_DELAYS_MS = [
  ...[9, 18, 27].map((seconds) => seconds * SECOND),
  ...[2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 4, 8].map((hours) => hours * HOUR)
]
const QUICK_RETRIES = 3
const GIVE_UP_AFTER_MS = 30 * 24 * HOUR

/**
 * Delivers webhooks to the one endpoint. Any 2xx within 10 s accepts. The first try and three quick
 * retries of a webhook wait for nobody; after them it stands in the endpoint's queue, oldest first.
 * While the queue is not empty new webhooks join it untried: the head blocks them all, until one of
 * its retries succeeds.
 */
export type Courier = {
  poster: Poster
  state: State
  faults: Faults
  retryDelaysMs: number[]
  /** From the event to the first try, in milliseconds. */
  delayMs: number
  /** By webhook id; `queue` is the timer of the queue's head. */
  timers: Map<string, NodeJS.Timeout>
  running: Map<string, Promise<void>>
  queue: Webhook[]
  held: Webhook[]
  stopped: boolean
}

type Setup = Pick<Courier, 'poster' | 'state' | 'faults' | 'retryDelaysMs' | 'delayMs'>

export function createCourier(setup: Setup): Courier {
  const idle = { timers: new Map(), running: new Map(), queue: [], held: [], stopped: false }
  return { ...setup, ...idle }
}

export type Timing = { afterMs?: number; live?: string }

/** Queues one POST with these items, signed or not, as they are. */
export function send(
  courier: Courier,
  items: Partial<NotificationItem>[],
  { afterMs, live = 'false' }: Timing = {}
): Webhook {
  const eventCodes = items.map(({ eventCode = '' }) => eventCode)
  const letter = { eventCodes, body: envelope(items, live), headers: {} }
  return dispatch(courier, letter, afterMs, (eventCode) =>
    companionsOf(items, live, eventCode, courier.faults)
  )
}

/** Queues one POST that is signed in its headers; its event code for faults is its `type`. */
export function sendLetter(courier: Courier, letter: Letter): Webhook {
  return dispatch(courier, letter, undefined, (eventCode) =>
    tokenCompanionsOf(letter, eventCode, courier.faults)
  )
}

function dispatch(
  courier: Courier,
  letter: Letter,
  afterMs: number | undefined,
  companionsFor: (eventCode: string) => { together: Companion[]; inTurn: Companion[] }
): Webhook {
  const { faults } = courier
  const eventCode = letter.eventCodes[0] ?? ''
  const faultMs = faults.take('webhooks', 'delayMs', eventCode)?.ms ?? 0
  const delayMs = (afterMs ?? courier.delayMs) + faultMs
  const webhook = newWebhook('genuine', letter, delayMs)
  if (faults.take('webhooks', 'drop', eventCode)) {
    return update(courier, webhook, { status: 'dropped' })
  }
  const reorder = faults.take('webhooks', 'reorder', eventCode)
  if (reorder !== null) {
    courier.held.push(update(courier, webhook, { status: 'held' }))
    if (courier.held.length >= (reorder.hold ?? 2)) releaseHeld(courier, reorder.order)
    return webhook
  }

  const { together, inTurn } = companionsFor(eventCode)
  const create = ({ kind, letter }: Companion) =>
    update(courier, newWebhook(kind, letter, delayMs), {})
  const train = [update(courier, webhook, {}), ...inTurn.map(create)]
  arm(courier, webhook.id, webhook.dueAt, () => sendInTurn(courier, train))
  for (const companion of together.map(create)) {
    arm(courier, companion.id, companion.dueAt, () => tryOnce(courier, companion))
  }
  return webhook
}

/** Takes up what an earlier run left undelivered. */
export function resume(courier: Courier): void {
  for (const webhook of undelivered(courier)) {
    if (webhook.status === 'queued') joinQueue(courier, webhook)
    else arm(courier, webhook.id, webhook.dueAt, () => tryOnce(courier, webhook))
  }
}

/** Sends what the fault `reorder` holds back. */
export function releaseHeld(courier: Courier, order: 'reverse' | 'shuffle' = 'reverse'): void {
  const webhooks = courier.held.splice(0)
  if (order === 'reverse') webhooks.reverse()
  else webhooks.sort(() => Math.random() - 0.5)
  for (const webhook of webhooks) update(courier, webhook, { status: 'waiting' })
  void sendInTurn(courier, webhooks)
}

/** Tries everything undelivered once, now, oldest first. */
export async function flush(courier: Courier): Promise<Webhook[]> {
  courier.held = []
  return await tryAll(courier, undelivered(courier))
}

/**
 * Sends genuine webhooks once more, the delivered ones too: all, or those that `rewrite` answers
 * another text for, which is sent once with the signature as it was.
 */
export async function redeliver(
  courier: Courier,
  rewrite?: (letter: Letter) => Letter | null
): Promise<Webhook[]> {
  const webhooks = courier.state.webhooks.all()
  const sent = webhooks.filter(({ kind, status }) => kind === 'genuine' && status !== 'dropped')
  if (rewrite === undefined) return await tryAll(courier, sent)
  const letters = sent.map(rewrite).filter((letter) => letter !== null)
  const copies = letters.map((letter) => update(courier, newWebhook('duplicate', letter, 0), {}))
  return await tryAll(courier, copies)
}

/** Forgets all that waits, without sending it. */
export function forgetAll(courier: Courier): void {
  for (const timer of courier.timers.values()) clearTimeout(timer)
  courier.queue = []
  courier.held = []
}

export function stop(courier: Courier): void {
  forgetAll(courier)
  courier.stopped = true
  courier.poster.close()
}

function undelivered({ state }: Courier): Webhook[] {
  return state.webhooks.all().filter(({ status }) => ['waiting', 'queued', 'held'].includes(status))
}

function update(courier: Courier, webhook: Webhook, changes: Partial<Webhook>): Webhook {
  courier.state.webhooks.put(Object.assign(webhook, changes))
  return webhook
}

function arm(courier: Courier, id: string, dueAt: string, action: () => unknown): void {
  clearTimeout(courier.timers.get(id))
  if (courier.stopped) return
  const wait = Math.max(0, Date.parse(dueAt) - Date.now())
  const timer = setTimeout(() => {
    courier.timers.delete(id)
    action()
  }, wait)
  courier.timers.set(id, timer)
}

async function sendInTurn(courier: Courier, webhooks: Webhook[]): Promise<void> {
  for (const webhook of webhooks) {
    const mustQueue = courier.queue.length > 0 && webhook.kind === 'genuine'
    if (mustQueue) joinQueue(courier, webhook)
    else await tryOnce(courier, webhook)
  }
}

async function tryAll(courier: Courier, webhooks: Webhook[]): Promise<Webhook[]> {
  for (const webhook of webhooks) await tryOnce(courier, webhook)
  return webhooks
}

/** One try; callers at the same time share it. */
function tryOnce(courier: Courier, webhook: Webhook): Promise<void> {
  clearTimeout(courier.timers.get(webhook.id))
  const current = courier.running.get(webhook.id)
  if (current !== undefined) return current
  if (courier.stopped) return Promise.resolve()
  const attempt = courier.poster.post(webhook.body, webhook.headers).then((result) => {
    courier.running.delete(webhook.id)
    if (courier.state.webhooks.get(webhook.id) !== webhook) return
    webhook.attempts.push(result)
    settle(courier, webhook, result.status)
  })
  courier.running.set(webhook.id, attempt)
  return attempt
}

function settle(courier: Courier, webhook: Webhook, answer: number | null): void {
  const accepted = answer !== null && answer >= 200 && answer < 300
  if (webhook.kind !== 'genuine') update(courier, webhook, { status: 'sent' })
  else if (accepted) leaveQueue(courier, webhook, 'delivered')
  else if (['waiting', 'queued', 'held'].includes(webhook.status)) planRetry(courier, webhook)
  else update(courier, webhook, {})
}

function planRetry(courier: Courier, webhook: Webhook): void {
  const { retryDelaysMs } = courier
  const tries = webhook.attempts.length
  const pause = retryDelaysMs[Math.min(tries, retryDelaysMs.length) - 1] ?? GIVE_UP_AFTER_MS
  const dueAt = Date.now() + pause
  if (dueAt >= Date.parse(webhook.createdAt) + GIVE_UP_AFTER_MS) {
    leaveQueue(courier, webhook, 'abandoned')
    return
  }
  const isQueued = webhook.status === 'queued' || tries > QUICK_RETRIES
  update(courier, webhook, {
    dueAt: new Date(dueAt).toISOString(),
    status: isQueued ? 'queued' : 'waiting'
  })
  if (isQueued) joinQueue(courier, webhook)
  else arm(courier, webhook.id, webhook.dueAt, () => tryOnce(courier, webhook))
}

function joinQueue(courier: Courier, webhook: Webhook): void {
  const { queue } = courier
  if (webhook.status !== 'queued') update(courier, webhook, { status: 'queued' })
  if (!queue.includes(webhook)) queue.push(webhook)
  queue.sort((a, b) => a.createdAt.localeCompare(b.createdAt))
  armHead(courier)
}

function leaveQueue(courier: Courier, webhook: Webhook, status: 'delivered' | 'abandoned'): void {
  update(courier, webhook, { status })
  if (!courier.queue.includes(webhook)) return
  courier.queue = courier.queue.filter((other) => other !== webhook)
  armHead(courier, new Date().toISOString())
}

function armHead(courier: Courier, dueAt = courier.queue[0]?.dueAt): void {
  const [head] = courier.queue
  clearTimeout(courier.timers.get('queue'))
  if (head !== undefined && dueAt !== undefined) {
    arm(courier, 'queue', dueAt, () => tryOnce(courier, head))
  }
}

function newWebhook(kind: Webhook['kind'], letter: Letter, afterMs: number): Webhook {
  const now = Date.now()
  return {
    id: randomUUID(),
    createdAt: new Date(now).toISOString(),
    kind,
    ...letter,
    status: 'waiting',
    dueAt: new Date(now + afterMs).toISOString(),
    attempts: []
  }
}
