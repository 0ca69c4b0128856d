import { adyenTime } from './clock.ts'
import type { Context } from './context.ts'
import { booksOf, modificationsOf } from './modification-books.ts'
import type { Amount } from './money.ts'
import type { NotificationItem } from './notifications.ts'
import type { Modification, ModificationKind, Payment } from './state.ts'
import { spelled } from './wallets.ts'

const EVENT_CODES: Record<ModificationKind, string> = {
  amountUpdate: 'AUTHORISATION_ADJUSTMENT',
  cancel: 'CANCELLATION',
  capture: 'CAPTURE',
  refund: 'REFUND',
  reversal: 'CANCEL_OR_REFUND',
  technicalCancel: 'TECHNICAL_CANCEL'
}

export type Event = {
  eventCode: string
  pspReference: string
  success?: boolean
  reason?: string
  amount?: Amount
  /** Instead of the payment's own. */
  merchantReference?: string | null
  /** Some events carry the payment's reference nowhere. */
  withoutOriginal?: boolean
  additionalData?: Record<string, string>
}

/** Whatever happens to a payment after it was authorised; `success` often says only that it did. */
export function laterEvent(context: Context, payment: Payment, event: Event): NotificationItem {
  const { eventCode, pspReference, success = true, reason = '', additionalData } = event
  return {
    eventCode,
    success: String(success),
    eventDate: adyenTime(new Date()),
    merchantAccountCode: context.merchantAccount,
    pspReference,
    ...(event.withoutOriginal ? {} : { originalReference: payment.id }),
    merchantReference: event.merchantReference ?? payment.reference,
    amount: event.amount ?? payment.amount,
    paymentMethod: spelled(payment),
    reason,
    ...(additionalData === undefined ? {} : { additionalData })
  }
}

/**
 * What came of a request to change a payment. Examples of Adyen's webhooks file: the modification's
 * own pspReference and amount, the payment's in originalReference.
 */
export function outcomeOf(
  context: Context,
  payment: Payment,
  modification: Modification
): NotificationItem {
  const { action, amount, id, kind, reason, reference, success } = modification
  return laterEvent(context, payment, {
    eventCode: EVENT_CODES[kind],
    pspReference: id,
    success,
    reason,
    amount,
    merchantReference: reference,
    ...(action === null ? {} : { additionalData: { 'modification.action': action } })
  })
}

/** A technical cancel of a reference under which nothing was authorised. */
export function nothingToCancel(
  context: Context,
  modification: Modification,
  paymentReference: string
): NotificationItem {
  return {
    eventCode: EVENT_CODES.technicalCancel,
    success: 'false',
    eventDate: adyenTime(new Date()),
    merchantAccountCode: context.merchantAccount,
    pspReference: modification.id,
    merchantReference: modification.reference ?? paymentReference,
    amount: modification.amount,
    reason: modification.reason
  }
}

/** The scheme rejects what was accepted before, under the modification's reference. */
export function rejection(
  context: Context,
  payment: Payment,
  modification: Modification
): NotificationItem {
  const isCapture = modification.kind === 'capture'
  return laterEvent(context, payment, {
    eventCode: isCapture ? 'CAPTURE_FAILED' : 'REFUND_FAILED',
    pspReference: modification.id,
    reason: isCapture ? 'Capture Failed' : 'Refund Failed',
    amount: modification.amount,
    merchantReference: modification.reference
  })
}

/** Sent only if the account has it: by default Adyen says nothing of automatic captures. */
export function automaticCapture(context: Context, payment: Payment): NotificationItem {
  return laterEvent(context, payment, {
    eventCode: 'CAPTURE',
    pspReference: payment.captureReference
  })
}

export function rejectionOfAutomaticCapture(
  context: Context,
  payment: Payment,
  pspReference: string
): NotificationItem {
  const { authorised } = booksOf(payment, modificationsOf(context, payment), false)
  return laterEvent(context, payment, {
    eventCode: 'CAPTURE_FAILED',
    pspReference,
    reason: 'Capture Failed',
    amount: { currency: payment.amount.currency, value: authorised }
  })
}
