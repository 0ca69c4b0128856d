import { type Answer, adyenError } from './adyen-error.ts'
import { SCHEME_REJECTS_AFTER_MS } from './authorise.ts'
import type { Context } from './context.ts'
import { newPspReference, referenceOf } from './identifiers.ts'
import { isSettled } from './journal.ts'
import { type Books, booksOf, modificationsOf } from './modification-books.ts'
import { nothingToCancel, outcomeOf, rejection } from './modification-events.ts'
import { type ModificationRequest, refuseModification } from './modification-request.ts'
import type { Amount } from './money.ts'
import { notify } from './notify.ts'
import type { Body } from './request-checks.ts'
import type { Modification, ModificationKind, Payment } from './state.ts'

const TOO_MUCH = 'Insufficient balance on payment'
const NOT_CAPTURED = "Transaction hasn't been captured, refund not possible"

/**
 * POST /payments/{psp}/amountUpdates, captures, cancels, refunds and reversals: the answer only
 * says that the request was received; the outcome comes as a webhook.
 * https://docs.adyen.com/api-explorer/Checkout/72/post/payments/_paymentPspReference_/captures
 */
export function modifyPayment(
  context: Context,
  kind: Exclude<ModificationKind, 'technicalCancel'>,
  paymentPspReference: string,
  body: Body
): Answer {
  const refusal = refuseModification(kind, body, context.merchantAccount)
  if (refusal !== null) return refusal
  const payment = context.state.payments.get(paymentPspReference)
  if (payment === undefined) {
    return adyenError(422, '167', 'Original pspReference required for this operation')
  }
  const request = body as ModificationRequest
  if (request.amount && request.amount.currency !== payment.amount.currency) {
    return adyenError(422, '138', 'Unsupported currency specified')
  }
  const { id } = modify(context, kind, payment, request)
  return received(body, { paymentPspReference, pspReference: id })
}

/**
 * POST /cancels, for a payment whose pspReference never arrived:
 * https://docs.adyen.com/online-payments/cancel#cancel-using-your-reference
 */
export function cancelByReference(context: Context, body: Body): Answer {
  const refusal = refuseModification('technicalCancel', body, context.merchantAccount)
  if (refusal !== null) return refusal
  const request = body as ModificationRequest
  const reference = request.paymentReference ?? ''
  const payment = newestOf(context, reference)
  const { id } =
    payment === undefined
      ? cancelNothing(context, reference, request)
      : modify(context, 'technicalCancel', payment, request)
  return received(body, { pspReference: id })
}

/** The answer repeats the request, but for what is only for Adyen. */
function received(body: Body, references: object): Answer {
  const { adjustAuthType, applicationInfo, enhancedSchemeData, mpiData, ...echo } = body
  return { status: 201, body: { ...echo, ...references, status: 'received' } }
}

/** What a modification is to be; all but the first two only by hand. */
export type Change = Pick<ModificationRequest, 'amount' | 'reference'> & {
  /** A cancel or reversal undoes captures that are not settled yet. */
  undoCapture?: boolean
  /** It fails for this reason, whatever is possible. */
  refusal?: string
}

/** Changes a payment, or finds that it cannot be changed, and says so by webhook. */
export function modify(
  context: Context,
  kind: ModificationKind,
  payment: Payment,
  change: Change
): Modification {
  const { courier, state } = context
  const { refusal, reference, undoCapture = false } = change
  const books = booksNow(context, payment)
  const { reason: usual, ...plan } = undoCapture
    ? planUndoing(context, kind, payment, books)
    : planOf(kind, payment, books, change.amount)
  const reason = refusal ?? usual
  const success = reason === ''
  const afterMs = courier.delayMs + SCHEME_REJECTS_AFTER_MS
  const failsLater = success && isRejectedLater(payment, kind, plan.action)
  const modification: Modification = {
    id: referenceOf(context),
    createdAt: new Date().toISOString(),
    kind,
    paymentPspReference: payment.id,
    reference: reference ?? null,
    ...plan,
    success,
    reason,
    failedAt: failsLater ? new Date(Date.now() + afterMs).toISOString() : null
  }
  state.modifications.put(modification)
  if (success && undoCapture) endCaptures(context, payment)
  // An automatic capture that is still to come is called off; one that is past is the balance.
  const isCallOff = success && kind !== 'amountUpdate' && (books.captured === 0 || undoCapture)
  state.payments.put({
    ...payment,
    capturedAt: isCallOff ? null : payment.capturedAt,
    modifications: [...payment.modifications, modification.id]
  })
  notify(context, outcomeOf(context, payment, modification))
  if (failsLater) notify(context, rejection(context, payment, modification), { afterMs })
  return modification
}

type Plan = Pick<Modification, 'action' | 'amount' | 'reason'>

/** What a request amounts to, and why it cannot be; an empty reason says that it can. */
function planOf(
  kind: ModificationKind,
  { amount: { currency } }: Payment,
  books: Books,
  asked: Amount | undefined
): Plan {
  const { authorised, captured, capturable, refundable, refunded } = books
  const isGone = books.cancelled || books.expired
  const amount = asked ?? { currency, value: authorised }
  if (kind === 'capture') {
    const fits = amount.value <= capturable
    return { action: null, amount, reason: fits ? '' : TOO_MUCH }
  }
  if (kind === 'refund') {
    const reason = captured === 0 ? NOT_CAPTURED : amount.value <= refundable ? '' : TOO_MUCH
    return { action: null, amount, reason }
  }
  if (kind === 'reversal') {
    const isRefund = captured > 0
    const fits = isRefund ? refunded === 0 : !isGone
    return {
      action: isRefund ? 'refund' : 'cancel',
      amount: isRefund ? { currency, value: captured } : amount,
      reason: fits ? '' : TOO_MUCH
    }
  }
  const reason = captured > 0 ? 'Transaction already captured' : goneReason(books)
  return { action: null, amount, reason }
}

/** A cancel or reversal of what is captured, as if it were not. */
function planUndoing(
  context: Context,
  kind: ModificationKind,
  payment: Payment,
  books: Books
): Plan {
  const plan = planOf(kind, payment, { ...books, captured: 0 }, undefined)
  if (isSettled(context, payment)) return { ...plan, reason: 'Transaction already settled' }
  return books.refunded > 0 ? { ...plan, reason: TOO_MUCH } : plan
}

function endCaptures(context: Context, payment: Payment): void {
  const failedAt = new Date().toISOString()
  for (const one of modificationsOf(context, payment)) {
    if (one.kind === 'capture') context.state.modifications.put({ ...one, failedAt })
  }
}

function booksNow(context: Context, payment: Payment): Books {
  return booksOf(payment, modificationsOf(context, payment), context.multiplePartialCaptures)
}

function goneReason({ cancelled, expired }: Books): string {
  if (cancelled) return 'Transaction already cancelled'
  return expired ? 'Transaction has expired' : ''
}

function isRejectedLater(
  payment: Payment,
  kind: ModificationKind,
  action: Modification['action']
): boolean {
  if (kind === 'capture') return payment.captureFails
  return payment.refundFails && (kind === 'refund' || action === 'refund')
}

/** Of several payments under one reference: the newest that can be cancelled, else the newest. */
function newestOf(context: Context, reference: string): Payment | undefined {
  const payments = context.state.payments.all().filter((one) => one.reference === reference)
  const open = payments.filter((one) => {
    const books = booksNow(context, one)
    return books.captured === 0 && goneReason(books) === ''
  })
  return open.at(-1) ?? payments.at(-1)
}

function cancelNothing(
  context: Context,
  paymentReference: string,
  { reference }: ModificationRequest
): Modification {
  const modification: Modification = {
    id: newPspReference(),
    createdAt: new Date().toISOString(),
    kind: 'technicalCancel',
    paymentPspReference: null,
    reference: reference ?? null,
    amount: { currency: 'EUR', value: 0 },
    success: false,
    reason: 'No payment found for this reference',
    action: null,
    failedAt: null
  }
  context.state.modifications.put(modification)
  notify(context, nothingToCancel(context, modification, paymentReference))
  return modification
}
