import { createHash, createSecretKey, timingSafeEqual } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Db, Tx } from '../database/database.ts'
import { ref } from '../http/common.schema.ts'
import { readCursor, toNextLink, toPage } from '../http/cursor.ts'
import { answerOnce } from '../http/idempotency.commands.ts'
import { claimOf, sendSaved } from '../http/idempotency.plugin.ts'
import type { Reply } from '../http/idempotency.store.ts'
import { Problem } from '../problem.ts'
import {
  ListNotificationsQuery,
  NotificationPage,
  NotificationParams,
  NotificationSchema
} from './notification.schema.ts'
import {
  createInbox,
  type ListedNotification,
  listNotifications,
  lockNotification,
  makeDue
} from './notification.store.ts'
import { isSigned, type NotificationItem } from './notification.ts'
import {
  isSignedBody,
  readTokenNotification,
  type TokenNotification
} from './token-notification.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a signed body: the text, as it came. */
    signedText: string
  }
}

export type NotificationRoutesDeps = {
  db: Db
  merchantAccount: string
  live: boolean
  /** Current keys, of 32 bytes each. */
  hmacKeys: readonly Buffer[]
  /** Those of the token webhooks; without any, none is genuine. */
  tokenHmacKeys: readonly Buffer[]
  basicAuth: { user: string; password: string } | undefined
  /** Told that something is due. */
  wake: () => void
  onReceived: (outcome: 'accepted' | 'refused', items: number) => void
}

/** Adyen's items are small; one request holds one of them, or a few. */
const bodySizeMaxBytes = 1024 * 1024

/** Where Adyen sends its notifications. */
export const notificationPath = '/webhooks/adyen'

export const notificationRoutes: FastifyPluginAsyncTypebox<NotificationRoutesDeps> = async (
  app,
  deps
) => {
  const { db } = deps
  const inbox = createInbox(db)
  const keys = deps.hmacKeys.map((key) => createSecretKey(key))
  const tokenKeys = deps.tokenHmacKeys.map((key) => createSecretKey(key))

  /** Adyen keeps what is refused for 30 days, so that nothing genuine is lost by refusing. */
  function refuse(request: FastifyRequest, items: number): Problem {
    deps.onReceived('refused', items)
    request.log.warn({ items }, 'a notification is not signed by our keys')
    return new Problem('unauthenticated', 'An item is not signed with a current HMAC key.')
  }

  async function storeItems(request: FastifyRequest): Promise<number> {
    const items = readItems(request.body)
    if (items === undefined || !items.every((item) => isSigned(item, keys))) {
      throw refuse(request, items?.length ?? 1)
    }
    const { live: said } = request.body as { live?: unknown }
    const live = said === true || said === 'true'
    const isForeign = (item: NotificationItem) =>
      live !== deps.live || item.merchantAccountCode !== deps.merchantAccount
    await inbox.store(items, live, isForeign)
    return items.length
  }

  async function storeToken(request: FastifyRequest, token: TokenNotification): Promise<number> {
    const text = request.signedText
    if (!isSignedBody(text, request.headers.hmacsignature, tokenKeys)) throw refuse(request, 1)
    const { isLive, merchantAccount } = token
    const isForeign = isLive !== deps.live || merchantAccount !== deps.merchantAccount
    await inbox.storeToken(token, text, isForeign)
    return 1
  }

  app.post(
    notificationPath,
    { bodyLimit: bodySizeMaxBytes, schema: { hide: true }, config: { signedBody: true } },
    async (request, reply) => {
      if (!isAllowed(request.headers.authorization, deps.basicAuth)) {
        deps.onReceived('refused', 1)
        request.log.warn('a notification came with a wrong user or password')
        throw new Problem('unauthenticated', 'Wrong user or password.')
      }
      const token = readTokenNotification(request.body)
      const stored = await (token ? storeToken(request, token) : storeItems(request))
      deps.onReceived('accepted', stored)
      deps.wake()
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
      const { limit, status, eventCode, reference, cursor } = request.query
      const before = readCursor(cursor, 1)?.[0] ?? null
      const filter = { status, eventCode, reference, before, limit: limit + 1 }
      const found = await listNotifications(db, filter)
      const page = toPage(found, limit, toView, ({ id }) => [id])
      if (page.nextCursor !== null) reply.header('link', toNextLink(request.url, page.nextCursor))
      return page
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
        headers: Type.Object({ 'idempotency-key': Type.Optional(Type.String()) }),
        params: NotificationParams,
        response: {
          202: ref(NotificationSchema)
        }
      },
      config: {
        scope: 'reconciliation:write',
        problems: [
          'notification_not_found',
          'notification_not_retryable',
          'idempotency_key_missing',
          'idempotency_key_reused'
        ]
      }
    },
    async (request, reply) => {
      const { id } = request.params
      const answer = await answerOnce(db, claimOf(request), id, (tx) => retryNotification(tx, id))
      deps.wake()
      return sendSaved(reply, answer)
    }
  )
}

/** Compared by their hashes, so that neither length nor content shows in the time it takes. */
function isAllowed(
  header: string | undefined,
  expected: { user: string; password: string } | undefined
): boolean {
  if (expected === undefined) return true
  const hash = (text: string) => createHash('sha256').update(text).digest()
  const text = `${expected.user}:${expected.password}`
  const given = Buffer.from((header ?? '').replace(/^Basic +/i, ''), 'base64').toString('utf8')
  return timingSafeEqual(hash(given), hash(text))
}

/**
 * The items of the standard envelope; undefined where it is another body, or an item lacks what is
 * signed.
 */
function readItems(body: unknown): NotificationItem[] | undefined {
  const { notificationItems } = (body ?? {}) as { notificationItems?: unknown }
  if (!Array.isArray(notificationItems) || notificationItems.length === 0) return undefined
  const items = notificationItems.map((one) => one?.NotificationRequestItem)
  return items.every(isItem) ? items : undefined
}

function isItem(item: unknown): item is NotificationItem {
  if (typeof item !== 'object' || item === null) return false
  const fields = item as Record<string, unknown>
  const amount = fields.amount as Record<string, unknown> | null | undefined
  const texts = [
    'pspReference',
    'merchantAccountCode',
    'merchantReference',
    'eventCode',
    'eventDate'
  ]
  return (
    texts.every((name) => typeof fields[name] === 'string') &&
    (fields.originalReference == null || typeof fields.originalReference === 'string') &&
    typeof amount?.currency === 'string' &&
    ['number', 'string'].includes(typeof amount.value) &&
    [true, false, 'true', 'false'].includes(fields.success as string) &&
    (fields.reason == null || typeof fields.reason !== 'object')
  )
}

async function retryNotification(tx: Tx, id: string): Promise<Reply> {
  const notification = await lockNotification(tx, id)
  if (notification === undefined) {
    throw new Problem('notification_not_found', 'No notification has this id.')
  }
  const { status, fault } = notification
  const mayRetry = status === 'waiting' || status === 'parked' || fault !== null
  if (!mayRetry) {
    throw new Problem('notification_not_retryable', `It is ${notification.status}.`)
  }
  await makeDue(tx, id)
  const now: ListedNotification = { ...notification, status: 'received', fault: null, attempts: 0 }
  return { status: 202, body: JSON.stringify(toView(now)) }
}

function toView(row: ListedNotification) {
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
