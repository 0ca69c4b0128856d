/** A reservation is let go: it expired, or was cancelled, by us or by somebody at the provider. */
import type { RequestReference } from '../provider.ts'
import {
  type Authorisation,
  addModification,
  type Book,
  type Context,
  findAuthorisation,
  movePayment,
  recordModification
} from './aggregate.ts'
import type { Effect } from './effect.ts'
import type { Modification } from './operation.ts'

/** A reservation that was never captured is gone. */
export function release(
  book: Book,
  reference: string,
  move: 'expired' | 'cancelled',
  context: Context
): Effect {
  const { payment } = book
  const kept = findAuthorisation(book, reference)
  if (kept?.outcome !== 'authorised') return 'early'
  if (kept.disposition === 'released') return 'applied'
  if (kept.disposition !== 'kept' || payment.status !== 'authorised') return 'ignored'
  kept.disposition = 'released'
  book.touched.add(kept)
  if (move === 'cancelled') {
    payment.cancelledBy = 'client'
  } else {
    payment.failure = {
      code: 'expired',
      message: 'The reservation expired before it was captured.',
      retryable: true
    }
  }
  movePayment(book, move, { authorisation: reference }, context)
  return 'applied'
}

/** Writes down that a cancellation succeeded; one that we did not ask for is the provider's. */
export function settleCancellation(
  book: Book,
  asked: Modification | undefined,
  { reference, amount, disposition }: Authorisation,
  by: RequestReference,
  context: Context
): void {
  if (asked?.status === 'succeeded' || (asked === undefined && disposition === 'released')) return
  const cancellation =
    asked ??
    addModification(
      book,
      {
        kind: 'cancellation',
        authorisation: reference,
        amount,
        origin: 'provider',
        providerReference: by.providerReference
      },
      context
    )
  cancellation.status = 'succeeded'
  cancellation.failure = null
  recordModification(book, cancellation, context)
}
