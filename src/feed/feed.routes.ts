import type { FastifyRequest } from 'fastify'
import { visibleTo } from '../clients/client.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { IdParams, PageQuery, WaitHeaders } from '../http/common.schema.ts'
import { pageSize, readAfter, sendPage, toGrowingPage } from '../http/cursor.ts'
import { readWait } from '../http/prefer.ts'
import { findPayment, listEvents } from '../payments/payment.store.ts'
import { type StoredEvent, toEventView } from '../payments/payment-view.ts'
import { found } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { EventPage, FeedPage, FeedQuery } from './event.schema.ts'
import { type FeedEvent, type FeedFilter, listFeed } from './feed.store.ts'
import { toFeedView } from './feed-view.ts'

export const feedRoutes: Routes<'reads' | 'providerName' | 'feedSignal'> = async (app, deps) => {
  const { reads, providerName, feedSignal } = deps
  const underWay = new Map<string, Promise<FeedEvent[]>>()

  app.get(
    '/v1/events',
    {
      schema: {
        operationId: 'listEvents',
        summary: 'List the events of everything that a client may see',
        description:
          'Oldest first, in one order that never changes: an event that is not shown yet comes ' +
          'after those that are. Ask again with `after`; `Prefer: wait=N` waits for the next one.',
        tags: ['Outcomes'],
        headers: WaitHeaders,
        querystring: FeedQuery,
        response: { 200: FeedPage }
      },
      config: { scope: 'payments:read', problems: [], waits: true }
    },
    async (request, reply) => {
      const { limit = pageSize } = request.query
      const after = readAfter(request.query.after)
      const filter = { clientId: visibleTo(clientOf(request)), after, limit }
      const waitS = readWait(request.headers.prefer)
      if (waitS !== undefined) reply.header('preference-applied', `wait=${waitS}`)
      const found = await readOrWait(request, filter, waitS ?? 0)
      return toGrowingPage(found, after, (event) => toFeedView(event, providerName))
    }
  )

  app.get(
    '/v1/payments/:id/events',
    {
      schema: {
        operationId: 'listPaymentEvents',
        summary: 'List the events of a payment',
        description: 'All that happened to it, oldest first, numbered without holes.',
        tags: ['Payments'],
        params: IdParams,
        querystring: PageQuery,
        response: { 200: EventPage }
      },
      config: { scope: 'payments:read', problems: ['payment_not_found'] }
    },
    async (request, reply) => {
      const known = await findPayment(reads, request.params.id, visibleTo(clientOf(request)))
      const payment = found(known, 'payment_not_found', 'No payment has this id.')
      const find = (after: string | null, limit: number) =>
        listEvents(reads, payment.id, Number(after ?? 0), limit)
      return await sendPage(request, reply, find, toEventView(payment, providerName), bySequence)
    }
  )

  async function readOrWait(
    request: FastifyRequest,
    filter: FeedFilter,
    waitS: number
  ): Promise<FeedEvent[]> {
    const until = performance.now() + waitS * 1000
    const { signal } = request
    let read = listFeed
    for (;;) {
      const left = until - performance.now()
      // Waiting begins before reading, so that nothing announced in between is missed.
      const next = left > 0 ? feedSignal.next(left, signal) : undefined
      const found = await read(reads, filter)
      if (found.length > 0 || next === undefined) return found
      const announcement = await next
      // A last look: an announcement may have been missed.
      if (announcement === undefined) return signal.aborted ? found : await read(reads, filter)
      read = (_, again) => readTogether(announcement, again)
    }
  }

  /** Callers who ask for the same after the same announcement are answered by one read. */
  function readTogether(announcement: number, filter: FeedFilter): Promise<FeedEvent[]> {
    const key = JSON.stringify([announcement, filter])
    const known = underWay.get(key)
    if (known !== undefined) return known
    const read = listFeed(reads, filter).finally(() => underWay.delete(key))
    underWay.set(key, read)
    return read
  }
}

const bySequence = {
  positionOf: ({ sequence }: StoredEvent) => String(sequence),
  pattern: /^\d{1,9}$/
}
