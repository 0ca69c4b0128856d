import { delayAfter, providerRetryS } from '../due/delays.ts'
import { postpone } from '../due/due.store.ts'
import { Problem } from '../problem.ts'
import type { Context } from '../service-context.ts'
import { type DueRemoval, recordRemoved, removals, removeCard } from './card.store.ts'

/**
 * Removes a card: here at once, then at the provider. What keeps that from being done is shown to
 * `onFault` and changes nothing: the background does it later.
 */
export async function deleteCard(
  deps: Context,
  accountId: number,
  cardId: string,
  onFault: (error: unknown) => void
): Promise<void> {
  const removal = await deps.db
    .transaction()
    .execute((tx) => removeCard(tx, accountId, cardId, deps.leaseS))
  if (removal === undefined) throw new Problem('card_not_found', 'The account has no such card.')
  await forgetCard(deps, removal).catch(onFault)
}

/** Asks the provider to remove the card. The caller has its lease. */
export async function forgetCard(
  { db, provider }: Pick<Context, 'db' | 'provider'>,
  removal: DueRemoval
): Promise<void> {
  const { accountId, token, attempts } = removal
  const answer = await provider.forgetCard(accountId, token)
  if (answer.outcome === 'done') {
    await db.transaction().execute((tx) => recordRemoved(tx, removal))
    return
  }
  await postpone(db, removals, removal, delayAfter(providerRetryS, attempts - 1))
  // Most often the credential lacks a right: it is asked again until somebody has mended that.
  if (answer.outcome === 'rejected') throw new Error(answer.reason)
}
