/** What the provider answered to our own request, or never answered. */

import { type Book, type Context, failModification, openDiscrepancy } from './aggregate.ts'
import { refuseRefund } from './apply-refunds.ts'
import { failReversal } from './apply-reversals.ts'
import { type Effect, refused } from './effect.ts'

/** A definite no: nothing happened and nothing will. */
export function onModificationRejected(
  book: Book,
  id: string,
  reason: string,
  context: Context
): Effect {
  const modification = book.modifications.find((one) => one.id === id)
  if (modification?.status !== 'requested') return 'ignored'
  const failure = refused(reason)
  if (modification.kind === 'refund') refuseRefund(book, modification, reason, context)
  else if (modification.kind === 'reversal') failReversal(book, modification, failure, id, context)
  else failModification(book, modification, failure, context)
  return 'applied'
}

export function onModificationUnknown(book: Book, id: string, context: Context): Effect {
  const modification = book.modifications.find((one) => one.id === id)
  if (modification?.status !== 'requested') return 'ignored'
  const { kind, authorisation } = modification
  const details = { [`${kind}Id`]: id, authorisation }
  openDiscrepancy(book, 'outcome_unknown', id, details, context)
  return 'applied'
}
