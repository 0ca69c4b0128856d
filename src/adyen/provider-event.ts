/**
 * What an item of Adyen's standard webhooks means for its payment
 * (docs.adyen.com/development-resources/webhooks/webhook-types). Rules read only what is signed; of
 * the unsigned rest `reason` words a failure, and card and deadline are for display.
 */
import type { Money } from '../money.ts'
import type { CardFace, DisputeEvent, ProviderEvent } from '../provider.ts'
import { fromAdyenAmount } from './amount.ts'
import type { NotificationItem, StoredNotification } from './notification.ts'
import { toFailure } from './refusal.ts'

/**
 * The fact that an item tells; undefined where it has no effect on a payment. `success` says of
 * some codes whether it went well, of others only that it happened.
 */
export function toProviderEvent(notification: StoredNotification): ProviderEvent | undefined {
  const { eventCode, success, pspReference, originalReference } = notification
  const by = { providerReference: pspReference, reference: notification.item.merchantReference }
  const about = { authorisationReference: originalReference ?? pspReference, by }
  const reason = (textOf(notification.item.reason) ?? eventCode).slice(0, reasonLengthMax)
  const amount = () => amountOf(notification)
  switch (eventCode) {
    case 'AUTHORISATION':
      return success ? authorised(notification) : refused(notification)
    case 'CAPTURE':
      return success
        ? { type: 'captured', ...about, amount: amount(), again: recaptured.test(reason) }
        : { type: 'captureRefused', by, reason }
    case 'CAPTURE_FAILED':
      return { type: 'captureFailed', ...about, amount: amount(), reason }
    case 'CANCELLATION':
      return success ? { type: 'cancelled', ...about } : { type: 'cancellationRefused', by, reason }
    case 'TECHNICAL_CANCEL':
      return success
        ? { type: 'cancelled', authorisationReference: originalReference, by }
        : { type: 'cancellationRefused', by, reason }
    case 'CANCEL_OR_REFUND':
      return success
        ? { type: 'reversed', ...about, amount: amount(), action: actionOf(notification.item) }
        : { type: 'reversalRefused', ...about, reason }
    case 'REFUND':
      return success
        ? { type: 'refunded', ...about, amount: amount() }
        : { type: 'refundRefused', by, reason }
    case 'REFUND_FAILED':
    case 'REFUNDED_REVERSED':
      return { type: 'refundFailed', ...about, amount: amount(), reason }
    case 'OFFER_CLOSED':
      return { type: 'pageClosed', by: 'time' }
    case 'EXPIRE':
      return { type: 'authorisationExpired', authorisationReference: about.authorisationReference }
    default:
      return Object.hasOwn(newsByCode, eventCode) ? disputed(notification) : undefined
  }
}

/** What is not signed: whatever it is, it is not long. */
const reasonLengthMax = 255

/**
 * A capture that failed for a technical reason is taken again, and told with a reason of its own
 * (docs.adyen.com/online-payments/capture/failure-reasons). The reason only tells such news from
 * the same news in other words, where the failure itself has not been told yet.
 */
const recaptured = /re-?captured/i

/** docs.adyen.com/risk-management/disputes-api/dispute-notifications */
const newsByCode: Readonly<Record<string, DisputeEvent>> = {
  REQUEST_FOR_INFORMATION: 'informationRequested',
  NOTIFICATION_OF_CHARGEBACK: 'notified',
  INFORMATION_SUPPLIED: 'defended',
  CHARGEBACK: 'chargedBack',
  CHARGEBACK_REVERSED: 'reversed',
  SECOND_CHARGEBACK: 'chargedBackAgain',
  DISPUTE_DEFENSE_PERIOD_ENDED: 'defencePeriodEnded',
  ISSUER_RESPONSE_TIMEFRAME_EXPIRED: 'issuerTimeEnded',
  ISSUER_COMMENTS: 'issuerCommented',
  PREARBITRATION_OPEN: 'preArbitrationOpened',
  PREARBITRATION_ACCEPTED: 'preArbitrationAccepted',
  PREARBITRATION_DECLINED: 'preArbitrationDeclined',
  PREARBITRATION_ISSUER_WITHDRAWN: 'preArbitrationWithdrawn',
  PREARBITRATION_WON: 'preArbitrationWon',
  PREARBITRATION_LOST: 'preArbitrationLost',
  SCHEME_ARBITRATION: 'arbitrationOpened',
  SCHEME_ARBITRATION_WON: 'arbitrationWon',
  SCHEME_ARBITRATION_LOST: 'arbitrationLost'
}

function disputed(notification: StoredNotification): ProviderEvent {
  const { eventCode, pspReference, originalReference, item } = notification
  const data = item.additionalData ?? {}
  const code = textOf(data.chargebackReasonCode) ?? textOf(data.rfiReasonCode)
  const defendBy = Date.parse(textOf(data.defensePeriodEndsAt) ?? '')
  return {
    type: 'disputed',
    event: newsByCode[eventCode] as DisputeEvent,
    dispute: pspReference,
    authorisationReference: originalReference,
    amount: amountOf(notification),
    reason: textOf(item.reason)?.slice(0, reasonLengthMax) ?? null,
    // The example of Adyen's specification begins with a space.
    reasonCode: code?.trim().slice(0, reasonLengthMax) ?? null,
    defendBy: Number.isNaN(defendBy) ? null : new Date(defendBy)
  }
}

/** Which of the two a reversal was: not signed, and off unless the merchant has switched it on. */
function actionOf({ additionalData }: NotificationItem): 'cancel' | 'refund' | null {
  const action = additionalData?.['modification.action']
  return action === 'cancel' || action === 'refund' ? action : null
}

/** In our minor units; an amount that has none is for a person to look at. */
function amountOf({ amount }: StoredNotification): Money {
  const ours = fromAdyenAmount(amount)
  if (ours === undefined) throw new Error(`${amount.value} ${amount.currency} has no minor units`)
  return ours
}

function authorised(notification: StoredNotification): ProviderEvent {
  const { pspReference, item } = notification
  const amount = amountOf(notification)
  return {
    type: 'authorised',
    authorisationReference: pspReference,
    amount,
    card: toCardFace(item)
  }
}

function refused({ pspReference, amount, item }: StoredNotification): ProviderEvent {
  return {
    type: 'attemptRefused',
    authorisationReference: pspReference,
    amount: fromAdyenAmount(amount) ?? amount,
    failure: toFailure(textOf(item.reason))
  }
}

/** From the unsigned additional data, most of which a merchant must switch on at Adyen. */
function toCardFace(item: NotificationItem): CardFace | null {
  const data = item.additionalData ?? {}
  const [, month, year] = /^(\d{1,2})\/(\d{4})$/.exec(textOf(data.expiryDate) ?? '') ?? []
  const lastFour = textOf(data.cardSummary)
  const brand = textOf((item as { paymentMethod?: unknown }).paymentMethod)
  if (brand === undefined && lastFour === undefined) return null
  return {
    brand: brand ?? null,
    lastFour: lastFour !== undefined && /^\d{4}$/.test(lastFour) ? lastFour : null,
    expiryMonth: month === undefined ? null : Number(month),
    expiryYear: year === undefined ? null : Number(year),
    funding: textOf(data.fundingSource)?.toLowerCase() ?? null,
    registeredCardId: null
  }
}

/** Adyen's examples have the four letters `null` where they mean nothing. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value !== 'null' ? value : undefined
}
