/** One reader of the feed for all who look at the desk. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, FeedEventPage } from '../../clients/typescript/src/index.ts'
import type { Reply, Visit } from '../web.ts'

type Listener = (about: readonly (string | null)[]) => void
export type Feed = Awaited<ReturnType<typeof openFeed>>

/**
 * Reads to the feed's end, then follows it. The beginning may be far: whoever keeps what was read
 * also keeps `nextCursor`, and goes on there.
 */
export async function openFeed(api: Client) {
  const listeners = new Set<Listener>()
  const awaiting = new Set<string>()
  const closing = new AbortController()
  let after: string | undefined

  function take({ data, nextCursor }: FeedEventPage): void {
    after = nextCursor
    for (const event of data) {
      if (event.type === 'refund.awaitingApproval') awaiting.add(event.data.refund.id)
      else if ('refund' in event.data) awaiting.delete(event.data.refund.id)
    }
    const about = data.flatMap(({ paymentId, accountId }) => [paymentId, accountId])
    for (const tell of listeners) tell(about)
  }

  async function follow(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        for await (const page of api.feed({ after, signal: closing.signal })) take(page)
      } catch {
        // The service is away: what happens meanwhile will still be in the feed.
        await sleep(1_000, undefined, { signal: closing.signal }).catch(() => {})
      }
    }
  }
  for await (const page of api.feed({ waitS: 0 })) take(page)
  const following = follow()

  return {
    /** The refunds that wait for somebody's approval, the oldest first. */
    awaiting: (most: number): string[] => [...awaiting].slice(0, most),
    /** Server-sent events, for as long as the browser is there; they say only that it changed. */
    listen({ url, response, signal }: Visit): Reply {
      const asked = url.searchParams.get('about')
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      response.write(': here\n\n')
      const tell: Listener = (about) => {
        if (asked === '*' || about.includes(asked)) response.write('data: changed\n\n')
      }
      listeners.add(tell)
      signal.addEventListener('abort', () => listeners.delete(tell))
      return 'answered'
    },
    async close(): Promise<void> {
      closing.abort()
      await following
    }
  }
}
