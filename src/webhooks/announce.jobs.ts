import type { Db } from '../database/database.ts'
import { announceEvents, tellChanged } from '../feed/feed.store.ts'
import { countEnabled, fanOut } from './delivery.store.ts'

/** As many events as get their place in one transaction. */
export const announceBatchSize = 1_000
/** As many deliveries as one transaction makes, and one statement: half a second, and a tenth. */
const fanOutMax = { transaction: 20_000, statement: 4_000 } as const

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
    const endpoints = Math.max(await countEnabled(tx), 1)
    const atOnce = (deliveries: number) => Math.max(Math.floor(deliveries / endpoints), 1)
    const limit = Math.min(atOnce(fanOutMax.transaction), announceBatchSize)
    const events = await announceEvents(tx, limit)
    if (events.length === 0) return { count: 0, due: 0 }
    const positions = events.map(({ position }) => position)
    const step = atOnce(fanOutMax.statement)
    let due = 0
    for (let start = 0; start < positions.length; start += step) {
      due += await fanOut(tx, positions.slice(start, start + step))
    }
    await tellChanged(tx, [...new Set(events.flatMap(({ paymentId }) => paymentId ?? []))])
    return { count: events.length, due }
  })
  if (due > 0) wakeDelivery()
  return count
}
