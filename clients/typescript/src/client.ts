import { type ClientOptions, createCalls } from './calls.ts'
import { type FeedOptions, followFeed, itemsOf, pagesOf } from './lists.ts'
import type { Arguments, ListPath, Operation } from './operations.ts'
import { type WaitOptions, waitForPayment } from './waiting.ts'

export type Client = ReturnType<typeof createClient>

/** A client of the service: any of its operations by path, and what takes several of them. */
export function createClient(options: ClientOptions) {
  const calls = createCalls(options)
  return {
    ...calls,
    /**
     * The payment once it has finished or is as `until` says, and when time is up as it is then:
     * look at its `finished` and `status`. It is told of a change within milliseconds.
     */
    waitUntilFinished: (paymentId: string, options?: WaitOptions) =>
      waitForPayment(calls, paymentId, options),
    /** All that is on a list; the next page is asked for when the last one is used up. */
    list: <P extends ListPath>(path: P, ...asked: Arguments<Operation<'get', P>>) =>
      itemsOf(calls, path, ...asked),
    /** The pages of a list from `cursor` or `after` of its query to its end, none of them empty. */
    pages: <P extends ListPath>(path: P, ...asked: Arguments<Operation<'get', P>>) =>
      pagesOf(calls, path, ...asked),
    /**
     * The events of everything that the client may see, oldest first, as pages that are not empty;
     * it goes on for ever. Keep `nextCursor` once a page is worked off, and begin there next time.
     */
    feed: (options?: FeedOptions) => followFeed(calls, options)
  }
}
