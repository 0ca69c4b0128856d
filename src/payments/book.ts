/**
 * The book of a payment: the payment with what belongs to it, and what is to be written of it. The
 * functions here keep a book; what a fact of the provider does to it stands in apply.ts.
 */
import type { Posting } from '../ledger/ledger.ts'
import type { Money } from '../money.ts'
import type { Failure } from '../provider.ts'
import { isFinished, mayMove, moves, type Payment, type PaymentMove } from './payment.ts'

export type Authorisation = {
  reference: string
  outcome: 'refused' | 'authorised'
  disposition: 'kept' | 'released' | 'reversing' | 'differs' | null
  amount: Money
}

export type Reversal = {
  id: string
  authorisation: string
  amount: Money
  status: 'requested' | 'succeeded' | 'failed'
  failure: Failure | null
  providerKey: string
  /** The provider's reference of what it accepted; null until it has answered. */
  providerReference: string | null
  createdAt: Date
}

export type Discrepancy = {
  id: string
  kind: 'paid_after_end' | 'amount_differs' | 'reversal_failed' | 'outcome_unknown'
  fact: string
  details: Record<string, unknown>
}

export type EventType =
  | 'payment.created'
  | 'payment.attemptRefused'
  | `payment.${PaymentMove}`
  | `reversal.${Reversal['status']}`
  | 'discrepancy.opened'

/** An event to be written, with the payment as it was right after it. */
export type NewEvent = {
  sequence: number
  type: EventType
  data: Record<string, unknown>
  payment: Payment
}

/** A payment with what belongs to it, and what is to be written of it. */
export type Book = {
  payment: Payment
  authorisations: Authorisation[]
  reversals: Reversal[]
  events: NewEvent[]
  postings: Posting[]
  discrepancies: Discrepancy[]
  /** What of `authorisations` and `reversals` is new or changed. */
  touched: Set<Authorisation | Reversal>
}

export type Context = { now: Date; newId: (prefix: 'rev' | 'dis') => string }

export function findReversal(book: Book, authorisation: string): Reversal | undefined {
  return book.reversals.findLast((one) => one.authorisation === authorisation)
}

export function addAuthorisation(
  book: Book,
  event: { authorisation: string; amount: Money }
): Authorisation {
  const added: Authorisation = {
    reference: event.authorisation,
    outcome: 'refused',
    disposition: null,
    amount: event.amount
  }
  book.authorisations.push(added)
  book.touched.add(added)
  return added
}

export function movePayment(
  book: Book,
  move: PaymentMove,
  data: Record<string, unknown>,
  context: Context
): void {
  const { payment } = book
  if (!mayMove(payment.status, move)) throw new Error(`${move} from ${payment.status}`)
  payment.status = moves[move].to
  payment.finishedAt = isFinished(payment.status) ? context.now : null
  record(book, `payment.${move}`, data, context)
}

export function record(
  book: Book,
  type: EventType,
  data: Record<string, unknown>,
  context: Context
): void {
  const { payment } = book
  payment.eventCount += 1
  payment.updatedAt = context.now
  book.events.push({ sequence: payment.eventCount, type, data, payment: { ...payment } })
}

export function recordReversal(book: Book, reversal: Reversal, context: Context): void {
  book.touched.add(reversal)
  const data = { reversal: toReversalView(reversal, book.payment.id) }
  record(book, `reversal.${reversal.status}`, data, context)
}

/** A reversal as its events show it. */
export function toReversalView(reversal: Reversal, paymentId: string): Record<string, unknown> {
  const { id, amount, status, failure, authorisation, createdAt } = reversal
  return { id, paymentId, amount, status, failure, authorisation, createdAt }
}

/** Opens a discrepancy of the payment; `fact` names what it is about. */
export function openDiscrepancy(
  book: Book,
  kind: Discrepancy['kind'],
  fact: string,
  details: Record<string, unknown>,
  context: Context
): void {
  const discrepancy: Discrepancy = { id: context.newId('dis'), kind, fact, details }
  book.discrepancies.push(discrepancy)
  record(
    book,
    'discrepancy.opened',
    { discrepancy: { id: discrepancy.id, kind, details } },
    context
  )
}

export function post(
  book: Book,
  kind: Posting['kind'],
  fact: string,
  amount: Money,
  cause: Posting['cause']
): void {
  const { accountId, id } = book.payment
  book.postings.push({ kind, fact, accountId, amount, cause, paymentId: id })
}
