import type { Context } from './context.ts'
import { send } from './delivery.ts'
import { newAuthCode, newPspReference } from './identifiers.ts'
import { aboutAutomaticCapture } from './modification-events.ts'
import { authorisation, signed } from './notifications.ts'
import type { Attempt, Card, Payment, Purchase } from './state.ts'
import { captureFails, type Outcome, outcomeFor, refundFails } from './test-data.ts'

const HOUR = 3_600_000

/** From a capture or refund to the news that the scheme rejected it, in milliseconds. */
export const SCHEME_REJECTS_AFTER_MS = 100

export function attemptWith(card: Card, outcome: Outcome = outcomeFor(card.holderName)): Attempt {
  return {
    pspReference: newPspReference(),
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
  const again = { ...attemptWith(attempt.card), storedCardId: attempt.storedCardId }
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
    capturedAt: purchase.isCapturedManually ? null : capturedAt,
    captureFailedAt: null,
    captureFailedReference: null,
    captureFails: captureFails(holderName),
    refundFails: refundFails(holderName),
    expiredAt: null,
    disputePspReference: null,
    disputed: [],
    modifications: []
  }
  const failsSoon = payment.captureFails && payment.capturedAt !== null && delay === 0
  if (failsSoon) {
    const afterMs = courier.delayMs + SCHEME_REJECTS_AFTER_MS
    payment.captureFailedAt = new Date(Date.now() + afterMs).toISOString()
    payment.captureFailedReference = newPspReference()
    const item = aboutAutomaticCapture(context, payment, payment.captureFailedReference)
    send(courier, [signed(item, context.hmacKey)], { afterMs })
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
  const { courier, faults, hmacKey, additionalData } = context
  const wait = faults.take('page', 'authorisationAfterMs')?.ms ?? courier.delayMs
  const item = authorisation(purchase, attempt, success, additionalData)
  send(courier, [signed(item, hmacKey)], { afterMs: wait + laterMs })
}

/** Long enough, by default, for the first of the two to arrive first. */
function pauseOf(settings: { ms?: number } | null): number {
  return settings === null ? 0 : (settings.ms ?? 100)
}
