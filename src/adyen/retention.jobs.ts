import type { Db } from '../database/database.ts'
import { purge } from '../due/purge.store.ts'
import { settledNotifications } from './retention.store.ts'

/**
 * Forgets notifications that were settled, and came so many days ago; answers how many. Null keeps
 * them for ever. One that is sent once more afterwards is not applied: see `forgottenBefore`.
 */
export async function forgetNotifications(db: Db, keptForDays: number | null): Promise<number> {
  return keptForDays === null ? 0 : await purge(db, settledNotifications, keptForDays)
}
