import { adyenTime } from './clock.ts'
import type { Context } from './context.ts'
import { laterEvent } from './modification-events.ts'
import type { Amount } from './money.ts'
import type { NotificationItem } from './notifications.ts'
import type { Payment } from './state.ts'
import { variantOf } from './wallets.ts'

export type Dispute = {
  eventCode: string
  amount?: Amount
  defensePeriodEndsAt?: string
  disputeStatus?: string
  /** By default one for each payment. */
  disputePspReference?: string
  reason?: string
}

/** Examples of Adyen's webhooks file carry no originalReference with these. */
const WITHOUT_ORIGINAL = [
  'CHARGEBACK_REVERSED',
  'PREARBITRATION_LOST',
  'PREARBITRATION_WON',
  'SECOND_CHARGEBACK'
]

/** Event codes of disputes, and the status that their examples have. */
const STATUS_OF: Record<string, string | null> = {
  NOTIFICATION_OF_FRAUD: null,
  REQUEST_FOR_INFORMATION: null,
  NOTIFICATION_OF_CHARGEBACK: 'Unresponded',
  INFORMATION_SUPPLIED: 'Pending',
  DISPUTE_OPENED_WITH_CHARGEBACK: 'Unresponded',
  CHARGEBACK: null,
  CHARGEBACK_REVERSED: null,
  SECOND_CHARGEBACK: null,
  DISPUTE_DEFENSE_PERIOD_ENDED: 'Lost',
  ISSUER_RESPONSE_TIMEFRAME_EXPIRED: 'Won',
  ISSUER_COMMENTS: null,
  PREARBITRATION_OPEN: null,
  PREARBITRATION_ACCEPTED: null,
  PREARBITRATION_DECLINED: null,
  PREARBITRATION_ISSUER_WITHDRAWN: null,
  PREARBITRATION_WON: null,
  PREARBITRATION_LOST: null,
  SCHEME_ARBITRATION: null,
  SCHEME_ARBITRATION_WON: null,
  SCHEME_ARBITRATION_LOST: null
}

export const DISPUTE_EVENTS = Object.keys(STATUS_OF)

const DEFENDABLE = ['CHARGEBACK', 'DISPUTE_OPENED_WITH_CHARGEBACK', 'NOTIFICATION_OF_CHARGEBACK']
const DAY = 24 * 3_600_000
const DEFENCE_DAYS = 18
const REASON = 'Other Fraud-Card Absent Environment'

/** https://docs.adyen.com/risk-management/disputes-api/dispute-notifications */
export function disputeEvent(
  context: Context,
  payment: Payment,
  dispute: Dispute,
  pspReference: string
): NotificationItem {
  const { amount, eventCode } = dispute
  const isFraudReport = eventCode === 'NOTIFICATION_OF_FRAUD'
  const { reason = isFraudReport ? 'Fraudulent Use of Account Number' : REASON } = dispute
  return laterEvent(context, payment, {
    eventCode,
    pspReference,
    reason,
    ...(amount === undefined ? {} : { amount }),
    withoutOriginal: WITHOUT_ORIGINAL.includes(eventCode),
    additionalData: context.additionalData ? disputeData(payment, dispute) : {}
  })
}

/** Adyen sends Mastercard's reason codes with a space in front. */
function disputeData(payment: Payment, dispute: Dispute): Record<string, string> {
  const { eventCode } = dispute
  const { brand } = payment
  const base = { paymentMethodVariant: variantOf(payment) }
  if (eventCode === 'NOTIFICATION_OF_FRAUD') {
    return { ...base, nofReasonCode: '6', nofSchemeCode: brand }
  }
  if (eventCode === 'REQUEST_FOR_INFORMATION') {
    return { ...base, rfiReasonCode: '30', rfiSchemeCode: brand }
  }
  const status = dispute.disputeStatus ?? STATUS_OF[eventCode] ?? null
  const amount = dispute.amount ?? payment.amount
  return {
    ...base,
    chargebackReasonCode: brand === 'mc' ? ' 4853' : '10.4',
    chargebackSchemeCode: brand,
    grossCurrency: amount.currency,
    grossValue: String(amount.value),
    ...(status === null ? {} : { disputeStatus: status }),
    ...defenceOf(dispute),
    ...(eventCode === 'ISSUER_COMMENTS' ? { 'issuerComments.note': 'The cardholder says no' } : {})
  }
}

/** Only while there is something to defend. */
function defenceOf({ eventCode, defensePeriodEndsAt }: Dispute): Record<string, string> {
  const usual = adyenTime(new Date(Date.now() + DEFENCE_DAYS * DAY))
  const isOpen = DEFENDABLE.includes(eventCode)
  if (!isOpen && defensePeriodEndsAt === undefined) return {}
  return { defendable: 'true', defensePeriodEndsAt: defensePeriodEndsAt ?? usual }
}
