import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { visibleTo } from '../clients/client.ts'
import type { Db } from '../database/database.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { readCursor, toCursor } from '../http/cursor.ts'
import { readWait } from '../http/prefer.ts'
import { FeedPage, FeedQuery, PreferHeader } from './feed.schema.ts'
import { type FeedEvent, listFeed } from './feed.store.ts'
import { toFeedView } from './feed-view.ts'

export type FeedDeps = {
  db: Db
  providerName: string
  /**
   * When events were announced after this call, within `ms` and before `signal`: the how many-th
   * time it was; undefined where none were.
   */
  untilAnnounced: (ms: number, signal: AbortSignal) => Promise<number | undefined>
}

export const feedRoutes: FastifyPluginAsyncTypebox<FeedDeps> = async (app, deps) => {
  const { db, providerName } = deps
  const reads = new Map<string, Promise<FeedEvent[]>>()

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
        headers: PreferHeader,
        querystring: FeedQuery,
        response: { 200: FeedPage }
      },
      config: { scope: 'payments:read', problems: [] }
    },
    async (request, reply) => {
      const { after: cursor, limit = 20 } = request.query
      const after = Number(readCursor(cursor, 1, /^\d{1,15}$/, 'after')?.[0] ?? 0)
      const filter = { clientId: visibleTo(clientOf(request)), after, limit }
      const waitS = readWait(request.headers.prefer)
      if (waitS !== undefined) reply.header('preference-applied', `wait=${waitS}`)
      const found = await readOrWait(deps, request, filter, waitS ?? 0)
      const last = found.at(-1)?.position ?? after
      return {
        data: found.map((event) => toFeedView(event, providerName)),
        nextCursor: toCursor(String(last))
      }
    }
  )

  async function readOrWait(
    { untilAnnounced }: FeedDeps,
    request: FastifyRequest,
    filter: Filter,
    waitS: number
  ): Promise<FeedEvent[]> {
    const until = performance.now() + waitS * 1000
    const { signal } = request
    let read = listFeed
    for (;;) {
      const left = until - performance.now()
      // Listening comes before reading: what is announced in between is heard.
      const heard = left > 0 ? untilAnnounced(left, signal) : undefined
      const found = await read(db, filter)
      if (found.length > 0 || heard === undefined) return found
      const ring = await heard
      if (ring === undefined) return found
      read = (_, again) => readTogether(ring, again)
    }
  }

  /** Callers who were woken by the same ring and ask for the same are answered by one read. */
  function readTogether(ring: number, filter: Filter): Promise<FeedEvent[]> {
    const key = JSON.stringify([ring, filter])
    const known = reads.get(key)
    if (known !== undefined) return known
    const read = listFeed(db, filter).finally(() => reads.delete(key))
    reads.set(key, read)
    return read
  }
}

type Filter = Parameters<typeof listFeed>[1]
