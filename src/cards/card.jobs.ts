import { isUnavailable } from '../database/database.ts'
import { delayAfter, lookAgainS, providerRetryS } from '../jobs.ts'
import type { Context } from '../service-context.ts'
import { forgetCard } from './card.commands.ts'
import { claimDueRemovals } from './card.store.ts'
import { applyCardList, claimDueSyncs, type DueSync, postponeSync } from './card-sync.store.ts'

/** Calls at once: few, since payments come first. */
const batchSize = 20

export type CardJobDeps = Pick<Context, 'db' | 'provider' | 'leaseS'> & {
  onFault: (accountId: number, error: unknown) => void
}

/** Asks for the cards of accounts where they may have changed. One round. */
export async function syncCards(deps: CardJobDeps): Promise<number> {
  const due = await claimDueSyncs(deps.db, deps.leaseS, batchSize)
  await Promise.all(due.map((sync) => attempt(deps, sync.accountId, () => syncAccount(deps, sync))))
  return due.length
}

async function syncAccount({ db, provider }: CardJobDeps, sync: DueSync): Promise<void> {
  const answer = await provider.listStoredCards(sync.accountId)
  if (answer.outcome !== 'done') {
    await postponeSync(db, sync, delayAfter(providerRetryS, sync.tries))
    // As above all where the credential lacks a right: asked again until somebody has mended that.
    if (answer.outcome === 'rejected') throw new Error(answer.reason)
    return
  }
  const againInS = lookAgainS[sync.looks] ?? null
  await db.transaction().execute((tx) => applyCardList(tx, sync, answer.value, againInS))
}

/** Removes cards at the provider that were removed here. One round. */
export async function forgetCards(deps: CardJobDeps): Promise<number> {
  const due = await claimDueRemovals(deps.db, deps.leaseS, batchSize)
  await Promise.all(due.map((one) => attempt(deps, one.accountId, () => forgetCard(deps, one))))
  return due.length
}

/** One account's fault holds up no other's: it is due again when its lease ends. */
async function attempt(
  { onFault }: CardJobDeps,
  accountId: number,
  work: () => Promise<void>
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isUnavailable(error)) onFault(accountId, error)
  }
}
