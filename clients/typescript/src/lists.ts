import type { Calls } from './calls.ts'
import type { FeedEventPage } from './openapi.ts'
import type { Arguments, ItemOf, ListPath, Operation, Page, PathWith } from './operations.ts'
import { pause } from './pause.ts'

/** Lists that grow at their end: their `nextCursor` is a position to ask again from. */
const growing: readonly PathWith<'get'>[] = ['/v1/events', '/v1/postings']

/** The pages of a list from `cursor` or `after` of its query to its end, none of them empty. */
export async function* pagesOf<P extends ListPath>(
  calls: Calls,
  path: P,
  ...[asked]: Arguments<Operation<'get', P>>
): AsyncGenerator<Page<ItemOf<P>>, void, void> {
  const parameter = growing.includes(path) ? 'after' : 'cursor'
  let query: object = { ...(asked as { query?: object } | undefined)?.query }
  for (;;) {
    const options = [{ ...asked, query }] as unknown as Arguments<Operation<'get', P>>
    const page = (await calls.get(path, ...options)) as unknown as Page<ItemOf<P>>
    if (page.data.length > 0) yield page
    if (page.data.length === 0 || page.nextCursor === null) return
    query = { ...query, [parameter]: page.nextCursor }
  }
}

/** All that is on a list; the next page is asked for when the last one is used up. */
export async function* itemsOf<P extends ListPath>(
  calls: Calls,
  path: P,
  ...asked: Arguments<Operation<'get', P>>
): AsyncGenerator<ItemOf<P>, void, void> {
  for await (const { data } of pagesOf(calls, path, ...asked)) yield* data
}

export type FeedOptions = {
  /** The `nextCursor` of the last page that was worked off; from the oldest event without. */
  after?: string | undefined
  /** Events on a page at most: 100. */
  limit?: number
  /** How long one request waits for the next event, s: 25. With 0 the feed ends at its end. */
  waitS?: number
  /** Ends it: the iteration is rejected with its reason. */
  signal?: AbortSignal
}

/** A service that is about to stop does not wait: not asked again at once, ms. */
const notSoonerMs = 500

/**
 * The events of everything that the client may see, oldest first, as pages that are not empty; it
 * goes on for ever. Keep `nextCursor` once a page is worked off, and begin there the next time.
 */
export async function* followFeed(
  calls: Calls,
  { after, limit = 100, waitS = 25, signal }: FeedOptions = {}
): AsyncGenerator<FeedEventPage, void, void> {
  for (;;) {
    const startedAt = performance.now()
    const page = await calls.get('/v1/events', {
      query: { limit, ...(after !== undefined && { after }) },
      ...(waitS > 0 && { waitS }),
      ...(signal !== undefined && { signal })
    })
    after = page.nextCursor
    if (page.data.length > 0) yield page
    else if (waitS === 0) return
    else await pause(Math.max(0, startedAt + notSoonerMs - performance.now()), signal)
  }
}
