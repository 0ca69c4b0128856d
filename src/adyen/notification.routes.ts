import { createHash, createSecretKey, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import type { Tx } from '../database/database.ts'
import { readTime } from '../database-clock.ts'
import { IdParams, ref } from '../http/common.schema.ts'
import { byId, sendPage } from '../http/cursor.ts'
import { answerOnce } from '../http/idempotency.commands.ts'
import { claimOf, sendSaved } from '../http/idempotency.plugin.ts'
import type { Reply } from '../http/idempotency.store.ts'
import { found, Problem } from '../problem.ts'
import type { Context, Routes } from '../service-context.ts'
import { currentSpan } from '../tracing/span.ts'
import {
  DismissNotification,
  ListNotificationsQuery,
  NotificationPage,
  NotificationSchema
} from './notification.schema.ts'
import {
  dismiss,
  insertItems,
  insertToken,
  type ListedNotification,
  listNotifications,
  lockNotification,
  makeDue
} from './notification.store.ts'
import { forgottenBefore, isSignature, isSigned, type NotificationItem } from './notification.ts'
import { readTokenNotification, type TokenNotification } from './token-notification.ts'

/** Adyen's items are small; one request holds one of them, or a few. */
const bodySizeMaxBytes = 1024 * 1024

/** Where Adyen sends its notifications. */
export const notificationPath = '/webhooks/adyen'

export const notificationRoutes: Routes<
  'db' | 'reads' | 'inbox' | 'adyen' | 'wake' | 'metrics' | 'retention'
> = async (app, deps) => {
  const { db, reads, adyen, metrics, retention, wake } = deps
  const isLive = adyen.environment === 'LIVE'
  const { inbox } = deps
  const keys = adyen.hmacKeys.map((key) => createSecretKey(key))
  const tokenKeys = adyen.tokenHmacKeys.map((key) => createSecretKey(key))

  /** Adyen keeps what is refused for 30 days, so that nothing genuine is lost by refusing. */
  function refuse(request: FastifyRequest, items: number): Problem {
    metrics.notifications.inc({ outcome: 'refused' }, items)
    request.log.warn({ items }, 'a notification is not signed by our keys')
    const detail = 'An item is not signed with a current HMAC key.'
    return new Problem('unauthenticated', detail, { challenge: challengeOf(adyen) })
  }

  async function storeItems(request: FastifyRequest): Promise<number> {
    const isWhole = (read: NotificationItem[]) => read.every((item) => isSigned(item, keys))
    let items = readItems(request.body)
    // A number that was not kept to its last digit was signed as it came.
    if (items !== undefined && !isWhole(items)) items = readItems(parseExactly(request.signedBytes))
    if (items === undefined || !isWhole(items)) throw refuse(request, items?.length ?? 1)
    const { live: said } = request.body as { live?: unknown }
    const live = said === true || said === 'true'
    // One that names no account is ours to park.
    const isForeign = ({ merchantAccountCode: account }: NotificationItem) =>
      live !== isLive || (Boolean(account) && account !== adyen.merchantAccount)
    const oldest = forgottenBefore(retention.notificationsDays, readTime())
    await insertItems(inbox, items, live, isForeign, oldest)
    for (const item of items) currentSpan()?.about(String(item.merchantReference))
    return items.length
  }

  async function storeToken(request: FastifyRequest, token: TokenNotification): Promise<number> {
    const bytes = request.signedBytes as Buffer
    // To the byte: all of the body is signed as it came.
    if (!isSignature(request.headers.hmacsignature, bytes, tokenKeys)) throw refuse(request, 1)
    const { merchantAccount: account } = token
    const isForeign =
      token.isLive !== isLive || (account !== '' && account !== adyen.merchantAccount)
    await insertToken(inbox, token, bytes, isForeign)
    return 1
  }

  app.post(
    notificationPath,
    {
      bodyLimit: bodySizeMaxBytes,
      schema: { hide: true },
      config: { signedBody: true, unlimited: true, lane: 'outcomes' }
    },
    async (request, reply) => {
      if (!isAllowed(request.headers.authorization, adyen)) {
        metrics.notifications.inc({ outcome: 'refused' })
        request.log.warn('a notification came with a wrong user or password')
        const detail = 'Wrong user or password.'
        throw new Problem('unauthenticated', detail, { challenge: challengeOf(adyen) })
      }
      const token = readTokenNotification(request.body)
      const stored = await (token ? storeToken(request, token) : storeItems(request))
      metrics.notifications.inc({ outcome: 'accepted' }, stored)
      wake('apply_notifications')
      return reply.code(202).type('text/plain').send('[accepted]')
    }
  )

  app.get(
    '/v1/notifications',
    {
      schema: {
        operationId: 'listNotifications',
        summary: 'List what the payment provider sent',
        description: 'Every signed item, newest first, with what became of it.',
        tags: ['Reconciliation'],
        querystring: ListNotificationsQuery,
        response: { 200: NotificationPage }
      },
      config: { scope: 'reconciliation:read', problems: [] }
    },
    async (request, reply) => {
      const { status, eventCode, reference } = request.query
      const find = (before: string | null, limit: number) =>
        listNotifications(reads, { status, eventCode, reference, before, limit })
      return await sendPage(request, reply, find, toNotificationView, byId)
    }
  )

  app.post(
    '/v1/notifications/:id/retry',
    {
      schema: {
        operationId: 'retryNotification',
        summary: 'Try a notification again',
        description: 'For one that waits or is parked: it is due at once, its tries counted anew.',
        tags: ['Reconciliation'],
        params: IdParams,
        response: { 202: ref(NotificationSchema) }
      },
      config: {
        scope: 'reconciliation:write',
        idempotent: true,
        problems: ['notification_not_found', 'notification_not_retryable']
      }
    },
    async (request, reply) => {
      const { id } = request.params
      const answer = await answerOnce(db, claimOf(request), id, (tx) => retryNotification(tx, id))
      wake('apply_notifications')
      return sendSaved(reply, answer)
    }
  )

  app.post(
    '/v1/notifications/:id/dismissal',
    {
      schema: {
        operationId: 'dismissNotification',
        summary: 'End a notification that cannot be applied',
        description:
          'For one that waits or is parked, once somebody has looked into it: it is `ignored` ' +
          'from then on, and its `fault` says who decided it and why. Nothing else moves, and ' +
          'it is not tried again.',
        tags: ['Reconciliation'],
        params: IdParams,
        body: DismissNotification,
        response: { 200: ref(NotificationSchema) }
      },
      config: {
        scope: 'reconciliation:write',
        idempotent: true,
        problems: ['notification_not_found', 'notification_not_dismissable']
      }
    },
    async (request, reply) => {
      const { params, body } = request
      const answer = await answerOnce(db, claimOf(request), params.id, (tx) =>
        dismissNotification(tx, params.id, body)
      )
      return sendSaved(reply, answer)
    }
  )
}

/**
 * How to authenticate: RFC 7617 where a user is asked for. A signature has no scheme of its own in
 * HTTP, and a 401 must name one.
 */
function challengeOf({ webhookUser }: Context['adyen']): string {
  const scheme = webhookUser === undefined ? 'HMAC' : 'Basic'
  return `${scheme} realm="notifications"`
}

/** Compared by their hashes, so that neither length nor content shows in the time it takes. */
function isAllowed(
  header: string | undefined,
  { webhookUser: user, webhookPassword: password }: Context['adyen']
): boolean {
  if (user === undefined || password === undefined) return true
  const hash = (text: string) => createHash('sha256').update(text).digest()
  const text = `${user}:${password}`
  const given = Buffer.from((header ?? '').replace(/^Basic +/i, ''), 'base64').toString('utf8')
  return timingSafeEqual(hash(given), hash(text))
}

/** The items of the standard envelope; undefined where it is another body. */
function readItems(body: unknown): NotificationItem[] | undefined {
  const { notificationItems } = (body ?? {}) as { notificationItems?: unknown }
  if (!Array.isArray(notificationItems) || notificationItems.length === 0) return undefined
  const items: unknown[] = notificationItems.map((one) => one?.NotificationRequestItem)
  return items.every((item) => typeof item === 'object' && item !== null) ? items : undefined
}

/** Numbers that JavaScript would write otherwise become the text that they came as. */
function parseExactly(bytes: Buffer | null): unknown {
  const keep = (_: string, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === 'number' && String(value) !== source ? source : value
  try {
    return JSON.parse(String(bytes), keep)
  } catch {
    // Nested more deeply than numbers can be looked for.
    return undefined
  }
}

async function retryNotification(tx: Tx, id: string): Promise<Reply> {
  const notification = await lockKnown(tx, id)
  const { status, fault } = notification
  const mayRetry =
    status === 'waiting' || status === 'parked' || (status === 'received' && fault !== null)
  if (!mayRetry) {
    throw new Problem('notification_not_retryable', `It is ${notification.status}.`)
  }
  await makeDue(tx, id)
  const now: ListedNotification = { ...notification, status: 'received', fault: null, attempts: 0 }
  return { status: 202, body: JSON.stringify(toNotificationView(now)) }
}

async function dismissNotification(
  tx: Tx,
  id: string,
  { reason, operator }: Static<typeof DismissNotification>
): Promise<Reply> {
  const notification = await lockKnown(tx, id)
  const { status, fault: before } = notification
  if (status !== 'waiting' && status !== 'parked') {
    throw new Problem('notification_not_dismissable', `It is ${status}.`)
  }
  const decided = `Dismissed by ${operator.id}: ${reason}`
  const fault = before === null ? decided : `${before} ${decided}`
  await dismiss(tx, id, fault)
  const now: ListedNotification = { ...notification, status: 'ignored', fault }
  return { status: 200, body: JSON.stringify(toNotificationView(now)) }
}

async function lockKnown(tx: Tx, id: string): Promise<ListedNotification> {
  const known = await lockNotification(tx, id)
  return found(known, 'notification_not_found', 'No notification has this id.')
}

/** As the API shows it, and the item as it came, but for its signature. */
export function toNotificationView(row: ListedNotification) {
  const { additionalData, ...item } = row.item
  const { hmacSignature: _, ...shown } = additionalData ?? {}
  return {
    id: row.id,
    eventCode: row.event_code,
    success: row.success,
    pspReference: row.psp_reference,
    originalReference: row.original_reference,
    reference: row.merchant_reference,
    merchantAccount: row.merchant_account,
    live: row.live,
    status: row.status,
    fault: row.fault,
    tries: row.attempts,
    receivedAt: row.received_at.toISOString(),
    appliedAt: row.applied_at?.toISOString() ?? null,
    item: additionalData ? { ...item, additionalData: shown } : item
  }
}
