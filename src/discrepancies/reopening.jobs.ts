import { type Db, readClock } from '../database/database.ts'
import type { OnFault } from '../due/run-each.ts'
import { newId } from '../id.ts'
import { lockAggregates, saveAggregates } from '../lifecycle/aggregate.store.ts'
import { lockDiscrepancy } from './discrepancy.store.ts'
import { reopen } from './discrepancy.ts'
import { findToReopen, saveReopened, type ToReopen } from './resolution.store.ts'

type ReopeningDeps = { db: Db; providerName: string; onFault: OnFault }

const reopenedAtOnce = 100

/**
 * Opens discrepancies again that were resolved by a refund which was rejected or failed since. One
 * round, which answers how many.
 */
export async function reopenDiscrepancies(deps: ReopeningDeps): Promise<number> {
  const found = await findToReopen(deps.db, reopenedAtOnce)
  for (const one of found) {
    await reopenOne(deps, one).catch((error) => deps.onFault({ discrepancyId: one.id }, error))
  }
  return found.length
}

async function reopenOne({ db, providerName }: ReopeningDeps, { id, paymentId }: ToReopen) {
  await db.transaction().execute(async (tx) => {
    const aggregate = (await lockAggregates(tx, [paymentId])).get(paymentId)
    const found = await lockDiscrepancy(tx, id)
    if (aggregate === undefined || found === undefined) return
    const reopening = reopen(aggregate, found, { now: await readClock(tx), newId })
    if (reopening === undefined) return
    await saveReopened(tx, id, reopening)
    await saveAggregates(tx, [aggregate], providerName)
  })
}
