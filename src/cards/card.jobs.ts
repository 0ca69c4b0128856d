import { delayAfter, providerRetryS } from '../due/delays.ts'
import { claimDue, postpone } from '../due/due.store.ts'
import { type OnFault, runEach } from '../due/run-each.ts'
import type { Context } from '../service-context.ts'
import { forgetCard } from './card.commands.ts'
import { removals } from './card.store.ts'
import { applyCardList, type DueSync, syncs } from './card-sync.store.ts'

/** Calls at once: few, since payments come first. */
const batchSize = 20

/**
 * Asking for the cards of an account again when there was nothing new: the provider stores a card a
 * while after it reported the payment (docs.adyen.com/online-payments/tokenization).
 */
const lookAgainS = [5, 60] as const

type CardJobDeps = Pick<Context, 'db' | 'provider' | 'leaseS'> & { onFault: OnFault }

/** Asks for the cards of accounts where they may have changed. One round. */
export async function syncCards(deps: CardJobDeps): Promise<number> {
  const { db, leaseS } = deps
  const due = await claimDue(db, syncs, { limit: batchSize, leaseS })
  const onFault = ({ accountId }: DueSync, error: unknown) => deps.onFault({ accountId }, error)
  return await runEach(due, (sync) => syncAccount(deps, sync), { db, queue: syncs, onFault })
}

async function syncAccount({ db, provider }: CardJobDeps, sync: DueSync): Promise<void> {
  const answer = await provider.listStoredCards(sync.accountId)
  if (answer.outcome !== 'done') {
    await postpone(db, syncs, sync, delayAfter(providerRetryS, sync.attempts - 1))
    // As above all where the credential lacks a right: asked again until somebody has mended that.
    if (answer.outcome === 'rejected') throw new Error(answer.reason)
    return
  }
  const againInS = lookAgainS[sync.looks] ?? null
  await db.transaction().execute((tx) => applyCardList(tx, sync, answer.value, againInS))
}

/** Removes cards at the provider that were removed here. One round. */
export async function forgetCards(deps: CardJobDeps): Promise<number> {
  const { db, leaseS } = deps
  const due = await claimDue(db, removals, { limit: batchSize, leaseS })
  return await runEach(due, (removal) => forgetCard(deps, removal), {
    db,
    queue: removals,
    onFault: ({ id: cardId, accountId }, error) => deps.onFault({ cardId, accountId }, error)
  })
}
