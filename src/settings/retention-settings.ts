import type { Reader } from './reader.ts'

/** How long what has served its purpose is kept, days. */
export type Retention = {
  /** Answered keys with their answers. */
  keysDays: number
  /** Deliveries of webhooks that are settled, with their attempts. */
  deliveriesDays: number
  /** Notifications that are applied or of no effect, as they came; null for ever. */
  notificationsDays: number | null
}

/** A week of keys is promised; what the provider was not answered it sends again for 30 days. */
const shortest = { keys: 7, deliveries: 1, notifications: 60 } as const
const most = 3_650

export function readRetention(reader: Reader): Retention {
  const { keys, deliveries, notifications } = shortest
  return {
    keysDays: reader.integer('RETENTION_KEYS_DAYS', 30, keys, most),
    deliveriesDays: reader.integer('RETENTION_DELIVERIES_DAYS', 30, deliveries, most),
    notificationsDays: reader.integer('RETENTION_NOTIFICATIONS_DAYS', null, notifications, most)
  }
}
