import { type Answer, adyenError } from './adyen-error.ts'
import type { Context } from './context.ts'
import { send } from './delivery.ts'
import { newPspReference } from './identifiers.ts'
import { cancelOrRefund, refundFailed, signed } from './notifications.ts'
import { refuseReversal } from './session-request.ts'

/** From the outcome of a refund to the news that the scheme rejected it, in milliseconds. */
const REFUND_FAILED_AFTER_MS = 100

/**
 * POST /payments/{psp}/reversals: https://docs.adyen.com/online-payments/reversal. The answer only
 * says that the request was received; the outcome comes as CANCEL_OR_REFUND.
 */
export function reversePayment(
  context: Context,
  paymentPspReference: string,
  body: Record<string, unknown>
): Answer {
  const { courier, hmacKey, merchantAccount, state } = context
  const refusal = refuseReversal(body, merchantAccount)
  if (refusal !== null) return refusal
  const payment = state.payments.get(paymentPspReference)
  if (payment === undefined) {
    return adyenError(422, '167', 'Original pspReference required for this operation')
  }

  const pspReference = newPspReference()
  const reference = body.reference as string | undefined
  const modification = {
    pspReference,
    merchantAccount,
    reference: reference ?? payment.reference
  }
  const isCaptured = payment.capturedAt !== null && Date.parse(payment.capturedAt) <= Date.now()
  const action = isCaptured ? 'refund' : 'cancel'
  const failure = payment.reversed ? 'Insufficient balance on payment' : null
  send(courier, [signed(cancelOrRefund(modification, payment, { action, failure }), hmacKey)])
  if (action === 'refund' && failure === null && payment.refundFails) {
    const afterMs = courier.delayMs + REFUND_FAILED_AFTER_MS
    send(courier, [signed(refundFailed(modification, payment), hmacKey)], { afterMs })
  }
  state.payments.put({ ...payment, reversed: true })

  const answer = { merchantAccount, paymentPspReference, pspReference, status: 'received' }
  return { status: 201, body: reference === undefined ? answer : { ...answer, reference } }
}
