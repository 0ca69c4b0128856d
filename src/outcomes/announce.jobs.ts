import type { Db } from '../database.ts'
import { fanOut } from './delivery.store.ts'
import { announceEvents, tellChanged } from './feed.store.ts'

/** As many events as get their place in one transaction. */
export const announceBatchSize = 1_000

export type AnnounceDeps = {
  db: Db
  /** Told that something is due at a webhook endpoint. */
  wakeDelivery: () => void
}

/**
 * Gives committed events their places in the feed, makes them due at the webhook endpoints that
 * want them, and tells every instance which payments changed. One round; answers how many.
 */
export async function announce({ db, wakeDelivery }: AnnounceDeps): Promise<number> {
  const { count, due } = await db.transaction().execute(async (tx) => {
    const events = await announceEvents(tx, announceBatchSize)
    if (events.length === 0) return { count: 0, due: 0 }
    const positions = events.map(({ position }) => position)
    const due = await fanOut(tx, positions)
    await tellChanged(tx, [...new Set(events.flatMap(({ paymentId }) => paymentId ?? []))])
    return { count: events.length, due }
  })
  if (due > 0) wakeDelivery()
  return count
}
