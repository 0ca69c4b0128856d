import type { Db } from '../database.ts'
import { fanOut } from './delivery.store.ts'
import { announceEvents, tellChanged } from './feed.store.ts'

/** As many events as get their place in one transaction. */
export const announceBatchSize = 1_000

/**
 * Gives committed events their places in the feed, makes them due at the webhook endpoints that
 * want them, and tells every instance which payments changed. One round; answers how many.
 */
export async function announce({ db }: { db: Db }): Promise<number> {
  return await db.transaction().execute(async (tx) => {
    const events = await announceEvents(tx, announceBatchSize)
    if (events.length === 0) return 0
    await fanOut(
      tx,
      events.map(({ position }) => position)
    )
    await tellChanged(tx, [...new Set(events.flatMap(({ paymentId }) => paymentId ?? []))])
    return events.length
  })
}
