import type { Attempt } from './state.ts'

/** https://docs.adyen.com/development-resources/test-cards-and-credentials/test-card-numbers */
export const TEST_CARDS = [
  { number: '4111 1111 1111 1111', name: 'Visa' },
  { number: '5555 5555 5555 4444', name: 'Mastercard' },
  { number: '2222 4000 7000 0005', name: 'Mastercard' },
  { number: '3700 0000 0000 002', name: 'American Express', cvc: '7373' },
  { number: '6703 4444 4444 4449', name: 'Maestro', cvc: 'none' }
]

type ResultCode = Attempt['resultCode']
export type Outcome = { resultCode: ResultCode; reason: string; refusalReasonRaw: string | null }

/**
 * Card-holder names that decide the outcome, with Adyen's text for it:
 * https://docs.adyen.com/development-resources/testing/result-code-testing
 */
const REFUSALS: Record<string, string> = {
  DECLINED: 'Refused',
  REFERRAL: 'Referral',
  BLOCK_CARD: 'Blocked Card',
  CARD_EXPIRED: 'Expired Card',
  INVALID_AMOUNT: 'Invalid Amount',
  INVALID_CARD_NUMBER: 'Invalid Card Number',
  ISSUER_UNAVAILABLE: 'Issuer Unavailable',
  NOT_SUPPORTED: 'Not supported',
  NOT_3D_AUTHENTICATED: '3D Not Authenticated',
  NOT_ENOUGH_BALANCE: 'Not enough balance',
  ACQUIRER_FRAUD: 'Acquirer Fraud',
  CANCELLED: 'Cancelled',
  SHOPPER_CANCELLED: 'Shopper Cancelled',
  INVALID_PIN: 'Invalid Pin',
  PIN_TRIES_EXCEEDED: 'Pin tries exceeded',
  PIN_VALIDATION_NOT_POSSIBLE: 'Pin validation not possible',
  FRAUD: 'FRAUD',
  NOT_SUBMITTED: 'Not Submitted',
  TRANSACTION_NOT_PERMITTED: 'Transaction Not Permitted',
  CVC_DECLINED: 'CVC Declined',
  RESTRICTED_CARD: 'Restricted Card',
  REVOCATION_OF_AUTH: 'Revocation Of Auth',
  DECLINED_NON_GENERIC: 'Declined Non Generic',
  ISSUER_SUSPECTED_FRAUD: 'Issuer Suspected Fraud',
  AVS_DECLINED: 'AVS Declined',
  PIN_REQUIRED: 'Card requires online pin',
  AUTHENTICATION_REQUIRED: 'Authentication required',
  RREQ_NOT_RECEIVED: 'RReq not received from DS',
  THREED_SECURE_ERROR: '3DS Authentication Error',
  ERPS_BLOCK: 'Transaction blocked by Adyen to prevent excessive retry fees'
}

/** Triggers whose result code is not Refused; an empty text means that nothing was refused. */
const OTHER_OUTCOMES: Record<string, { resultCode: ResultCode; reason: string }> = {
  UNKNOWN: { resultCode: 'Error', reason: 'Unknown' },
  ERROR: { resultCode: 'Error', reason: 'Acquirer Error' },
  FRAUD_CANCELLED: { resultCode: 'Cancelled', reason: 'FRAUD-CANCELLED' },
  PENDING: { resultCode: 'Received', reason: '' },
  APPROVED: { resultCode: 'Authorised', reason: '' }
}

/** A few as issuers send them; a tester can type another, `DECLINED : 06 : ERROR`. */
const RAW_REASONS: Record<string, string> = {
  DECLINED: '05 : Do not honor',
  CARD_EXPIRED: '54 : Expired card',
  NOT_ENOUGH_BALANCE: '51 : Insufficient funds'
}

export const REFUSAL_TRIGGERS = Object.keys(REFUSALS)

/** A good payment whose later refund fails. */
export const REFUND_FAILS = 'refund failed'

/** What becomes of a payment with this card-holder name; any other name is approved. */
export function outcomeFor(holderName: string): Outcome {
  const [name = '', ...raw] = holderName.split(':').map((part) => part.trim())
  const trigger = name.toUpperCase()
  const reason = REFUSALS[trigger]
  const refusalReasonRaw = raw.length > 0 ? raw.join(' : ') : (RAW_REASONS[trigger] ?? null)
  if (reason !== undefined) return { resultCode: 'Refused', reason, refusalReasonRaw }
  const other = OTHER_OUTCOMES[trigger] ?? { resultCode: 'Authorised', reason: '' }
  return { ...other, refusalReasonRaw: other.reason === '' ? null : refusalReasonRaw }
}

export function refundFails(holderName: string): boolean {
  return holderName.trim().toLowerCase() === REFUND_FAILS
}
