import { type Answer, adyenError, notValid } from './adyen-error.ts'
import {
  announceRefusal,
  announceSuccess,
  attemptWith,
  isAccepted,
  recordPayment
} from './authorise.ts'
import { challengePath, openChallenge } from './challenges.ts'
import { type PaymentRequest, refuseDetails, refusePayment } from './checkout-payment-request.ts'
import type { Context } from './context.ts'
import { newPspReference } from './identifiers.ts'
import { authenticationData, cardData, tokenData } from './notifications.ts'
import type { Body } from './request-checks.ts'
import type { Attempt, Card, Purchase } from './state.ts'
import { findStoredCard, unknownStoredCard } from './stored-cards.ts'
import { NOT_AUTHENTICATED, type Outcome, outcomeForCode } from './test-data.ts'

/** POST /payments: https://docs.adyen.com/api-explorer/Checkout/72/post/payments */
export function payWithStoredCard(context: Context, body: Body): Answer {
  const refusal = refusePayment(body, context.merchantAccount)
  if (refusal !== null) return refusal
  const request = body as unknown as PaymentRequest
  const { storedPaymentMethodId } = request.paymentMethod
  const stored = findStoredCard(context, storedPaymentMethodId, request.shopperReference)
  if (stored === undefined) return unknownStoredCard()
  const { additionalData = {}, returnUrl } = request
  const error = requestedError(additionalData.RequestedTestErrorResponseCode)
  if (error !== null) return error

  const { card, id: storedCardId } = stored
  const purchase = purchaseFrom(request)
  if (card.challenge) {
    const question = { card, storedCardId, purchase, page: null, returnUrl }
    const path = challengePath(openChallenge(context, question))
    return redirectShopper(purchase, `${context.origin}${path}`)
  }
  const outcome = outcomeForCode(additionalData.RequestedTestAcquirerResponseCode)
  return authorise(context, purchase, card, storedCardId, outcome)
}

/**
 * POST /payments/details: https://docs.adyen.com/api-explorer/Checkout/72/post/payments/details.
 * The card is authorised only now, so a shopper who never comes back has not paid.
 */
export function completePayment(context: Context, body: Body): Answer {
  const refusal = refuseDetails(body)
  if (refusal !== null) return refusal
  const { redirectResult } = body.details as { redirectResult: string }
  const challenge = context.state.challenges
    .all()
    .find((one) => one.page === null && one.redirectResult === redirectResult)
  if (challenge === undefined || challenge.state === 'open') {
    return notValid('details.redirectResult')
  }
  if (challenge.state === 'authorised') {
    return adyenError(422, '704', 'request already processed or in progress')
  }
  const outcome = challenge.state === 'passed' ? undefined : NOT_AUTHENTICATED
  const { purchase, card, storedCardId } = challenge
  context.state.challenges.put({ ...challenge, state: 'authorised' })
  return authorise(context, purchase, card, storedCardId, outcome)
}

function authorise(
  context: Context,
  purchase: Purchase,
  card: Card,
  storedCardId: string | null,
  outcome: Outcome | undefined
): Answer {
  const attempt = { ...attemptWith(context, card, outcome), storedCardId }
  if (isAccepted(attempt)) {
    recordPayment(context, purchase, attempt)
    announceSuccess(context, purchase, attempt)
  } else {
    announceRefusal(context, purchase, attempt)
  }
  return { status: 200, body: describe(purchase, attempt) }
}

function describe(purchase: Purchase, attempt: Attempt): object {
  const { card, pspReference, reason, refusalReasonCode, resultCode } = attempt
  const isAuthorised = resultCode === 'Authorised'
  return {
    pspReference,
    resultCode,
    ...(refusalReasonCode === null ? {} : { refusalReason: reason, refusalReasonCode }),
    merchantReference: purchase.reference,
    amount: purchase.amount,
    paymentMethod: { type: 'scheme', brand: card.brand },
    additionalData: {
      ...cardData(card),
      ...authenticationData(card, purchase.amount, isAuthorised),
      paymentMethod: card.brand,
      ...(isAuthorised ? { authCode: attempt.authCode, ...tokenData(purchase, attempt) } : {}),
      ...(refusalReasonCode !== null && attempt.refusalReasonRaw !== null
        ? { refusalReasonRaw: attempt.refusalReasonRaw }
        : {})
    }
  }
}

/** This pspReference is not the payment's, which is not authorised before the shopper is back. */
function redirectShopper(purchase: Purchase, url: string): Answer {
  const body = {
    pspReference: newPspReference(),
    resultCode: 'RedirectShopper',
    merchantReference: purchase.reference,
    amount: purchase.amount,
    action: { type: 'redirect', method: 'GET', url, paymentMethodType: 'scheme' }
  }
  return { status: 200, body }
}

function purchaseFrom(request: PaymentRequest): Purchase {
  return {
    merchantAccount: request.merchantAccount,
    reference: request.reference,
    amount: request.amount,
    isCapturedManually: request.additionalData?.manualCapture === 'true',
    captureDelayHours: request.captureDelayHours ?? 0,
    metadata: request.metadata ?? {},
    shopperReference: request.shopperReference,
    recurringProcessingModel: request.recurringProcessingModel ?? null,
    sessionId: null,
    linkId: null
  }
}

/** Test errors of the description of `additionalData` in PaymentRequest; nothing is authorised. */
function requestedError(code: string | undefined): Answer | null {
  const error = adyenError(500, '703', 'Server could not process request', 'internal')
  if (code === 'NO_CONNECTION_AVAILABLE') return { ...error, transient: true }
  return code === 'IOEXCEPTION_RECEIVED' ? error : null
}
