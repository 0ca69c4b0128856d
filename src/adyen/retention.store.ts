import { sql } from 'kysely'
import type { Purgeable } from '../due/purge.store.ts'

/** What waits or is parked stays, and so does what announced a report that is still there. */
export const settledNotifications: Purgeable = {
  table: 'notification',
  madeAt: 'received_at',
  remove: () => sql`
    delete from notification old using oldest
    where old.id = oldest.id and is_old and old.status in ('applied', 'ignored', 'foreign')
      and not exists (select from settlement_report where notification_id = old.id)`
}
