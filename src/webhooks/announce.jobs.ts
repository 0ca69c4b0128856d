import { delayAfter, providerRetryS } from '../due/delays.ts'
import { type OnFault, runBatch } from '../due/run-each.ts'
import { placeEvents, setEventAside, takeUnplaced, type UnplacedEvent } from '../feed/feed.store.ts'
import { notifyChanged } from '../payments/changed.store.ts'
import type { Context } from '../service-context.ts'
import { countEnabled, fanOut } from './delivery.store.ts'

/** As many events as get their place in one transaction. */
export const announceBatchSize = 1_000
/** As many deliveries as one transaction makes, and one statement: half a second, and a tenth. */
const fanOutMax = { transaction: 20_000, statement: 4_000 } as const

type AnnounceDeps = Pick<Context, 'db' | 'wake'> & { onFault: OnFault }

/**
 * Gives committed events their places in the feed, makes them due at the webhook endpoints that
 * want them, and notifies every instance which payments changed. One round; answers how many.
 */
export async function announce({ db, wake, onFault }: AnnounceDeps): Promise<number> {
  let due = 0
  let endpoints = 1
  const atOnce = (deliveries: number) => Math.max(Math.floor(deliveries / endpoints), 1)
  const count = await runBatch<UnplacedEvent>(db, {
    size: announceBatchSize,
    take: async (tx, limit, only) => {
      endpoints = Math.max(await countEnabled(tx), 1)
      return await takeUnplaced(tx, Math.min(atOnce(fanOutMax.transaction), limit), only)
    },
    work: async (tx, unplaced) => {
      const events = await placeEvents(tx, unplaced)
      const positions = events.map(({ position }) => position)
      const step = atOnce(fanOutMax.statement)
      for (let start = 0; start < positions.length; start += step) {
        due += await fanOut(tx, positions.slice(start, start + step))
      }
      await notifyChanged(tx, [...new Set(events.flatMap(({ paymentId }) => paymentId ?? []))])
    },
    setAside: (tx, event) => setEventAside(tx, event, delayAfter(providerRetryS, event.attempts)),
    onFault: (event, error) => onFault({ ...event }, error)
  })
  if (due > 0) wake('deliver_webhooks')
  return count
}
