/**
 * The book of a payment: the payment with what belongs to it, and what is to be written of it. The
 * functions here keep a book; what a fact of the provider does to it stands in apply.ts, and what a
 * client may ask for in request.ts.
 */
import type { Posting } from '../ledger/ledger.ts'
import type { Money } from '../money.ts'
import type { EventType } from '../payments/event.ts'
import { isFinished, mayMove, moves, type Payment, type PaymentMove } from '../payments/payment.ts'
import type { Failure } from '../provider.ts'
import { type Dispute, toDisputeView } from './dispute.ts'
import {
  type Modification,
  type ModificationKind,
  type ModificationPrefix,
  type ModificationStatus,
  newModification,
  toModificationView
} from './operation.ts'

export type Authorisation = {
  reference: string
  outcome: 'refused' | 'authorised'
  /** `applied`, `writtenOff`: it was held, and a person has decided what becomes of it. */
  disposition: 'kept' | 'released' | 'reversing' | 'differs' | 'applied' | 'writtenOff' | null
  amount: Money
}

export type Discrepancy = {
  id: string
  kind:
    | 'paid_after_end'
    | 'amount_differs'
    | 'reversal_failed'
    | 'outcome_unknown'
    | 'success_without_reference'
    | 'refund_and_chargeback'
    | 'possible_duplicate'
    | 'billing_rejected'
    | 'settlement_missing'
    | 'settlement_unmatched'
    | 'settlement_doubled'
    | 'settlement_amount'
  fact: string
  details: Record<string, unknown>
}

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
  modifications: Modification[]
  disputes: Dispute[]
  events: NewEvent[]
  postings: Posting[]
  discrepancies: Discrepancy[]
  /** What of the lists above is new or changed. */
  touched: Set<Authorisation | Modification | Dispute>
}

export type Context = {
  now: Date
  newId: (prefix: ModificationPrefix | 'dsp' | 'dis') => string
}

export function findAuthorisation(book: Book, reference: string | null): Authorisation | undefined {
  return book.authorisations.find((one) => one.reference === reference)
}

/** Oldest first. */
export function modificationsOf(book: Book, kind: ModificationKind): Modification[] {
  return book.modifications.filter((one) => one.kind === kind)
}

export function findReversal(book: Book, authorisation: string): Modification | undefined {
  return modificationsOf(book, 'reversal').findLast((one) => one.authorisation === authorisation)
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

export function addModification(
  book: Book,
  given: Parameters<typeof newModification>[0],
  context: Context
): Modification {
  const added = newModification(given, context)
  book.modifications.push(added)
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
  record(book, `payment.${payment.status}` as EventType, data, context)
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

/** Records what a modification has come to; by default its status says it. */
export function recordModification(
  book: Book,
  modification: Modification,
  context: Context,
  what: ModificationStatus | 'approved' = modification.status
): void {
  const { kind } = modification
  book.touched.add(modification)
  const data = { [kind]: toModificationView(modification, book.payment) }
  record(book, `${kind}.${what}` as EventType, data, context)
}

/** Ends a modification that came to nothing. */
export function failModification(
  book: Book,
  modification: Modification,
  failure: Failure,
  context: Context
): void {
  modification.status = 'failed'
  modification.failure = failure
  recordModification(book, modification, context)
}

export function recordDispute(
  book: Book,
  dispute: Dispute,
  what: 'opened' | 'updated' | 'closed',
  context: Context
): void {
  dispute.updatedAt = context.now
  book.touched.add(dispute)
  record(book, `dispute.${what}`, { dispute: toDisputeView(dispute, book.payment.id) }, context)
}

/**
 * Opens a discrepancy of the payment; `fact` names what it is about. `told`: what of the details
 * the payment's client may know, who reads the event.
 */
export function openDiscrepancy(
  book: Book,
  kind: Discrepancy['kind'],
  fact: string,
  details: Record<string, unknown>,
  context: Context,
  told = details
): void {
  const discrepancy: Discrepancy = { id: context.newId('dis'), kind, fact, details }
  book.discrepancies.push(discrepancy)
  record(
    book,
    'discrepancy.opened',
    { discrepancy: { id: discrepancy.id, kind, details: told } },
    context
  )
}

export function post(
  book: Book,
  kind: Posting['kind'],
  fact: string,
  amount: Money,
  cause: Posting['cause'],
  allocations?: Posting['allocations']
): void {
  const { accountId, id } = book.payment
  book.postings.push({
    kind,
    fact,
    accountId,
    amount,
    cause,
    paymentId: id,
    ...(allocations && allocations.length > 0 && { allocations })
  })
}
