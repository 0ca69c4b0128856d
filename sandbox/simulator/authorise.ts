import type { Context } from './context.ts'
import { newAuthCode, newPspReference, referenceOf } from './identifiers.ts'
import { automaticCapture, rejectionOfAutomaticCapture } from './modification-events.ts'
import { authorisation } from './notifications.ts'
import { notify } from './notify.ts'
import type { Attempt, Card, Payment, Purchase } from './state.ts'
import { captureFails, type Outcome, outcomeFor, refundFails } from './test-data.ts'

const HOUR = 3_600_000

/** From a capture or refund to the news that the scheme rejected it, in milliseconds. */
export const SCHEME_REJECTS_AFTER_MS = 100
/** From an authorisation to the CAPTURE of an automatic capture, where that is sent. */
const CAPTURED_AFTER_MS = 50

export function attemptWith(
  context: Context,
  card: Card,
  outcome: Outcome = outcomeFor(card.holderName)
): Attempt {
  return {
    pspReference: referenceOf(context),
    at: new Date().toISOString(),
    ...outcome,
    authCode: newAuthCode(),
    card,
    storedCardId: null,
    tokenOperation: null
  }
}

/** Whether money is reserved, or will be: an asynchronous outcome of the simulator is good. */
export function isAccepted({ resultCode }: Attempt): boolean {
  return resultCode === 'Authorised' || resultCode === 'Received'
}

export function announceRefusal(context: Context, purchase: Purchase, attempt: Attempt): void {
  announce(context, purchase, attempt, false)
}

/**
 * One AUTHORISATION true, unless a fault asks for a sequence that real shops have met. Answers the
 * second attempt, if the fault is to have one.
 */
export function announceSuccess(
  context: Context,
  purchase: Purchase,
  attempt: Attempt
): Attempt | null {
  const { faults } = context
  const falseThenTrue = faults.take('page', 'falseThenTrue')
  const trueThenFalse = faults.take('page', 'trueThenFalse')
  const second = faults.take('page', 'secondSuccess')
  if (falseThenTrue !== null) announce(context, purchase, attempt, false)
  announce(context, purchase, attempt, true, pauseOf(falseThenTrue))
  if (trueThenFalse !== null) announce(context, purchase, attempt, false, pauseOf(trueThenFalse))
  if (second === null) return null
  const again = { ...attemptWith(context, attempt.card), storedCardId: attempt.storedCardId }
  recordPayment(context, purchase, again)
  announce(context, purchase, again, true, pauseOf(second))
  return again
}

/** Makes the payment known to later modifications. */
export function recordPayment(context: Context, purchase: Purchase, attempt: Attempt): void {
  const { courier, state } = context
  const { holderName } = attempt.card
  const delay = purchase.captureDelayHours * HOUR
  const capturedAt = new Date(Date.parse(attempt.at) + delay).toISOString()
  const payment: Payment = {
    id: attempt.pspReference,
    createdAt: attempt.at,
    reference: purchase.reference,
    amount: purchase.amount,
    brand: attempt.card.brand,
    ...(attempt.card.wallet === undefined ? {} : { wallet: attempt.card.wallet }),
    capturedAt: purchase.isCapturedManually ? null : capturedAt,
    captureReference: newPspReference(),
    captureFailedAt: null,
    captureFails: captureFails(holderName),
    refundFails: refundFails(holderName),
    expiredAt: null,
    disputePspReference: null,
    disputed: [],
    modifications: []
  }
  const isCapturedAtOnce = payment.capturedAt !== null && delay === 0
  if (isCapturedAtOnce && context.automaticCaptureNotifications) {
    const afterMs = courier.delayMs + CAPTURED_AFTER_MS
    notify(context, automaticCapture(context, payment), { afterMs })
  }
  if (isCapturedAtOnce && payment.captureFails) {
    const afterMs = courier.delayMs + SCHEME_REJECTS_AFTER_MS
    payment.captureFailedAt = new Date(Date.now() + afterMs).toISOString()
    const item = rejectionOfAutomaticCapture(context, payment, payment.captureReference)
    notify(context, item, { afterMs })
  }
  state.payments.put(payment)
}

function announce(
  context: Context,
  purchase: Purchase,
  attempt: Attempt,
  success: boolean,
  laterMs = 0
): void {
  const { courier, faults, additionalData } = context
  const wait = faults.take('page', 'authorisationAfterMs')?.ms ?? courier.delayMs
  const item = authorisation(purchase, attempt, success, additionalData)
  notify(context, item, { afterMs: wait + laterMs })
}

/** Long enough, by default, for the first of the two to arrive first. */
function pauseOf(settings: { ms?: number } | null): number {
  return settings === null ? 0 : (settings.ms ?? 100)
}
