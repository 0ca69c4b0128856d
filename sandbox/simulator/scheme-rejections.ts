import type { Context } from './context.ts'
import { newPspReference } from './identifiers.ts'
import { booksOf, isCapturedAutomatically, modificationsOf } from './modification-books.ts'
import { laterEvent, rejection, rejectionOfAutomaticCapture } from './modification-events.ts'
import type { NotificationItem } from './notifications.ts'
import type { Modification, ModificationKind, Payment } from './state.ts'

export type Rejection = {
  /** Which of several; by default the last. */
  modificationPspReference?: string
  /** Another pspReference than the modification's: a new one, or this one. */
  newReference?: boolean | string
}
export type Refusal = { error: string; status?: 400 | 409 }

/** The scheme rejects a capture: the one named, the last one, or the automatic one. */
export function failCapture(
  context: Context,
  payment: Payment,
  { modificationPspReference, newReference }: Rejection
): NotificationItem | Refusal {
  const capture = pick(context, payment, ['capture'], false, modificationPspReference)
  if (capture !== undefined) {
    end(context, capture)
    const pspReference = referenceFor(capture.id, newReference)
    return rejection(context, payment, { ...capture, id: pspReference })
  }
  if (!isCapturedAutomatically(payment)) return { error: 'There is no such capture' }
  context.state.payments.put({ ...payment, captureFailedAt: new Date().toISOString() })
  const pspReference = referenceFor(payment.captureReference, newReference)
  return rejectionOfAutomaticCapture(context, payment, pspReference)
}

/**
 * Adyen captures again by itself after a technical failure:
 * https://docs.adyen.com/online-payments/capture/failure-reasons. Under a new reference it is
 * another capture, also in reports.
 */
export function recapture(
  context: Context,
  payment: Payment,
  { modificationPspReference, newReference }: Rejection
): NotificationItem | Refusal {
  const { modifications, payments } = context.state
  const capture = pick(context, payment, ['capture'], true, modificationPspReference)
  if (capture === undefined && payment.captureFailedAt === null) {
    return { error: 'No capture has failed' }
  }
  const pspReference = referenceFor(capture?.id ?? payment.captureReference, newReference)
  if (capture === undefined) {
    payments.put({ ...payment, captureFailedAt: null, captureReference: pspReference })
  } else {
    modifications.put({ ...capture, id: pspReference, failedAt: null })
    if (pspReference !== capture.id) {
      payments.put({ ...payment, modifications: [...payment.modifications, pspReference] })
    }
  }
  const { authorised } = booksOf(payment, modificationsOf(context, payment), false)
  const { currency } = payment.amount
  return laterEvent(context, payment, {
    eventCode: 'CAPTURE',
    pspReference,
    reason: 'Transaction Recaptured',
    amount: capture?.amount ?? { currency, value: authorised },
    merchantReference: capture?.reference ?? null
  })
}

export function failRefund(
  context: Context,
  payment: Payment,
  input: Rejection
): NotificationItem | Refusal {
  const refund = endRefund(context, payment, input)
  return refund === undefined
    ? { error: 'There is no such refund' }
    : rejection(context, payment, refund)
}

/** The refunded money came back to the merchant. */
export function reverseRefund(
  context: Context,
  payment: Payment,
  input: Rejection
): NotificationItem | Refusal {
  const refund = endRefund(context, payment, input)
  if (refund === undefined) return { error: 'There is no such refund' }
  return laterEvent(context, payment, {
    eventCode: 'REFUNDED_REVERSED',
    pspReference: refund.id,
    amount: refund.amount,
    merchantReference: refund.reference
  })
}

/** The refund as its end is notified: under its own pspReference or another. */
function endRefund(
  context: Context,
  payment: Payment,
  { modificationPspReference, newReference }: Rejection
): Modification | undefined {
  const refund = pick(context, payment, ['refund', 'reversal'], false, modificationPspReference)
  if (refund === undefined) return undefined
  end(context, refund)
  return { ...refund, id: referenceFor(refund.id, newReference) }
}

/** The successful modification named, or else the last one, that has failed since or has not. */
function pick(
  context: Context,
  payment: Payment,
  kinds: ModificationKind[],
  hasFailed: boolean,
  id: string | undefined
): Modification | undefined {
  return modificationsOf(context, payment)
    .filter(({ kind, action, success }) => success && kinds.includes(kind) && action !== 'cancel')
    .filter(({ failedAt }) => (failedAt !== null) === hasFailed)
    .findLast((one) => id === undefined || one.id === id)
}

function end({ state }: Context, modification: Modification): void {
  state.modifications.put({ ...modification, failedAt: new Date().toISOString() })
}

function referenceFor(own: string, newReference: boolean | string = false): string {
  if (typeof newReference === 'string') return newReference
  return newReference ? newPspReference() : own
}
