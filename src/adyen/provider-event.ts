/**
 * What an item of Adyen's standard webhooks means for its payment
 * (docs.adyen.com/development-resources/webhooks/webhook-types). Rules read only what is signed; of
 * the unsigned rest `reason` words a failure, `eventDate` orders adjustments, and card,
 * authentication and deadline are for display.
 */
import type { Money } from '../money.ts'
import type { DisputeEvent, ProviderEvent } from '../provider.ts'
import { fromAdyenAmount } from './amount.ts'
import { textOf, toAuthentication, toCardFace } from './card-face.ts'
import type { NotificationItem, StoredNotification } from './notification.ts'
import { toFailure } from './refusal.ts'

/**
 * Codes that say nothing which a payment depends on: stored cards, fraud reviews, orders of several
 * payments, reports, payouts, and what is asked or decided before an authorisation.
 */
const withoutEffect: ReadonlySet<string> = new Set([
  'ACH_NOTIFICATION_OF_CHANGE',
  'AUTHENTICATION',
  'AUTORESCUE',
  'CANCEL_AUTORESCUE',
  'DIRECT_DEBIT_NOTICE_OF_CHANGE_NOTIFICATION',
  'DONATION',
  'HANDLED_EXTERNALLY',
  'MANUAL_REVIEW_ACCEPT',
  'MANUAL_REVIEW_REJECT',
  'ORDER_CLOSED',
  'ORDER_OPENED',
  'PAIDOUT_REVERSED',
  'PAYOUT_DECLINE',
  'PAYOUT_EXPIRE',
  'PAYOUT_THIRDPARTY',
  'PENDING',
  'POSTPONED_REFUND',
  'PROCESS_RETRY',
  'RECURRING_CONTRACT',
  'REPORT_AVAILABLE'
])

/**
 * Why an item says nothing that can be applied to its payment: it has no effect on one; or its code
 * is not known here, or its amount can't be read or expressed, and a person must look.
 */
type NotApplicable = 'ignored' | 'notUnderstood' | 'unreadable'

/**
 * The fact that an item reports, or why there is none. `success` says of some codes whether it went
 * well, of others only that it happened.
 */
export function toProviderEvent(notification: StoredNotification): ProviderEvent | NotApplicable {
  try {
    return toEvent(notification)
  } catch (error) {
    if (error instanceof AmountUnreadable) return 'unreadable'
    throw error
  }
}

function toEvent(notification: StoredNotification): ProviderEvent | NotApplicable {
  const { eventCode, success, pspReference, originalReference } = notification
  const by = { providerReference: pspReference, reference: notification.merchantReference }
  const about = { authorisationReference: originalReference ?? pspReference, by }
  const reason = (textOf(notification.item.reason) ?? eventCode).slice(0, reasonLengthMax)
  const amount = () => amountOf(notification)
  switch (eventCode) {
    case 'AUTHORISATION':
      return success ? authorised(notification) : refused(notification)
    case 'AUTHORISATION_ADJUSTMENT':
      return success
        ? { type: 'amountAdjusted', ...about, amount: amount(), at: timeOf(notification.item) }
        : 'ignored'
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
    case 'NOTIFICATION_OF_FRAUD':
      return {
        type: 'fraudReported',
        authorisationReference: about.authorisationReference,
        reference: pspReference,
        amount: amount(),
        reason: textOf(notification.item.reason)?.slice(0, reasonLengthMax) ?? null
      }
    default:
      if (Object.hasOwn(disputeEventOf, eventCode)) return disputed(notification)
      return withoutEffect.has(eventCode) ? 'ignored' : 'notUnderstood'
  }
}

/** What is not signed is cut: whatever it is, it is not long. */
const reasonLengthMax = 255

/**
 * A capture that failed for a technical reason is taken again, and reported with a reason of its
 * own (docs.adyen.com/online-payments/capture/failure-reasons). What the words are good for is
 * decided by `timesSucceeded` in lifecycle/operation.ts.
 */
const recaptured = /re-?captured/i

/** docs.adyen.com/risk-management/disputes-api/dispute-notifications */
const disputeEventOf: Readonly<Record<string, DisputeEvent>> = {
  REQUEST_FOR_INFORMATION: 'informationRequested',
  NOTIFICATION_OF_CHARGEBACK: 'notified',
  DISPUTE_OPENED_WITH_CHARGEBACK: 'openedWithChargeback',
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
    event: disputeEventOf[eventCode] as DisputeEvent,
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

/** When it happened. Not signed: it orders adjustments, and decides about no money. */
function timeOf({ eventDate }: NotificationItem): Date {
  const time = Date.parse(textOf(eventDate) ?? '')
  return new Date(Number.isNaN(time) ? 0 : time)
}

/** An amount that can't be read, or that our minor units cannot hold, such as half a peso. */
class AmountUnreadable extends Error {}

/** In our minor units. */
function amountOf({ amount }: StoredNotification): Money {
  const ours = amount.currency === '' ? undefined : fromAdyenAmount(amount)
  if (ours === undefined) throw new AmountUnreadable(`${amount.value} ${amount.currency}`)
  return ours
}

function authorised(notification: StoredNotification): ProviderEvent {
  const { pspReference: authorisationReference, item } = notification
  const { paymentMethod, additionalData } = item
  return {
    type: 'authorised',
    authorisationReference,
    amount: amountOf(notification),
    card: toCardFace(paymentMethod, additionalData),
    authentication: toAuthentication(additionalData)
  }
}

function refused(notification: StoredNotification): ProviderEvent {
  const { pspReference, amount, item } = notification
  return {
    type: 'attemptRefused',
    authorisationReference: pspReference,
    // What can't be expressed has not moved.
    amount: fromAdyenAmount(amount) === undefined ? amount : amountOf(notification),
    failure: toFailure(textOf(item.reason))
  }
}
