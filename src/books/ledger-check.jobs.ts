import type { Db } from '../database/database.ts'
import { findWrongAfter, findWrongLately } from './ledger-check.store.ts'

/**
 * Looks at the payments that money has moved for last, and at the next ones of all that there are,
 * over and over: what a payment says and what the ledger says must be one. Each look is bounded and
 * reads one moment. Each instance has its own place, which it begins anew with.
 */
export function createLedgerCheck(onWrong: (paymentIds: readonly string[]) => void) {
  let after = ''
  /** Found since the rounds began to repeat: shown until a whole lap has not found it again. */
  let before = new Set<string>()
  let lap = new Set<string>()

  /** Answers how many payments are known to be wrong: it must be 0. */
  return async function check(db: Db): Promise<number> {
    const lately = await findWrongLately(db)
    const { wrong, last } = await findWrongAfter(db, after)
    const known = new Set([...before, ...lap])
    const fresh = [...new Set([...lately, ...wrong])].filter((id) => !known.has(id))
    if (fresh.length > 0) onWrong(fresh)
    for (const id of [...lately, ...wrong]) lap.add(id)
    const count = new Set([...before, ...lap]).size
    after = last ?? ''
    if (last === null) [before, lap] = [lap, new Set()]
    return count
  }
}
