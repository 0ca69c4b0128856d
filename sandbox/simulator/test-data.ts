import type { Attempt } from './state.ts'

/** https://docs.adyen.com/development-resources/test-cards-and-credentials/test-card-numbers */
export const TEST_CARDS = [
  { number: '4111 1111 1111 1111', name: 'Visa' },
  { number: '5555 5555 5555 4444', name: 'Mastercard' },
  { number: '2222 4000 7000 0005', name: 'Mastercard' },
  { number: '3700 0000 0000 002', name: 'American Express', cvc: '7373' },
  { number: '6703 4444 4444 4449', name: 'Maestro', cvc: 'none' },
  { number: '4212 3456 7891 0006', name: 'Visa, 3-D Secure' },
  { number: '5000 5500 0000 0029', name: 'Maestro, 3-D Secure' }
]

/** Cards whose issuer always asks: https://docs.adyen.com/online-payments/3d-secure/testing */
const CHALLENGED = ['4212345678910006', '5000550000000029']

/** What passes the challenge of a test card; anything else fails. */
export const CHALLENGE_PASSWORD = 'password'

export function isChallenged(digits: string): boolean {
  return CHALLENGED.includes(digits)
}

type ResultCode = Attempt['resultCode']
export type Outcome = Pick<
  Attempt,
  'resultCode' | 'reason' | 'refusalReasonCode' | 'refusalReasonRaw'
>

/**
 * Card-holder names that decide the outcome, with Adyen's code and text for it:
 * https://docs.adyen.com/development-resources/testing/result-code-testing
 */
const REFUSALS: Record<string, [code: string, reason: string]> = {
  DECLINED: ['2', 'Refused'],
  REFERRAL: ['3', 'Referral'],
  BLOCK_CARD: ['5', 'Blocked Card'],
  CARD_EXPIRED: ['6', 'Expired Card'],
  INVALID_AMOUNT: ['7', 'Invalid Amount'],
  INVALID_CARD_NUMBER: ['8', 'Invalid Card Number'],
  ISSUER_UNAVAILABLE: ['9', 'Issuer Unavailable'],
  NOT_SUPPORTED: ['10', 'Not supported'],
  NOT_3D_AUTHENTICATED: ['11', '3D Not Authenticated'],
  NOT_ENOUGH_BALANCE: ['12', 'Not enough balance'],
  ACQUIRER_FRAUD: ['14', 'Acquirer Fraud'],
  CANCELLED: ['15', 'Cancelled'],
  SHOPPER_CANCELLED: ['16', 'Shopper Cancelled'],
  INVALID_PIN: ['17', 'Invalid Pin'],
  PIN_TRIES_EXCEEDED: ['18', 'Pin tries exceeded'],
  PIN_VALIDATION_NOT_POSSIBLE: ['19', 'Pin validation not possible'],
  FRAUD: ['20', 'FRAUD'],
  NOT_SUBMITTED: ['21', 'Not Submitted'],
  TRANSACTION_NOT_PERMITTED: ['23', 'Transaction Not Permitted'],
  CVC_DECLINED: ['24', 'CVC Declined'],
  RESTRICTED_CARD: ['25', 'Restricted Card'],
  REVOCATION_OF_AUTH: ['26', 'Revocation Of Auth'],
  DECLINED_NON_GENERIC: ['27', 'Declined Non Generic'],
  ISSUER_SUSPECTED_FRAUD: ['31', 'Issuer Suspected Fraud'],
  AVS_DECLINED: ['32', 'AVS Declined'],
  PIN_REQUIRED: ['33', 'Card requires online pin'],
  AUTHENTICATION_REQUIRED: ['38', 'Authentication required'],
  RREQ_NOT_RECEIVED: ['39', 'RReq not received from DS'],
  THREED_SECURE_ERROR: ['42', '3DS Authentication Error'],
  ERPS_BLOCK: ['46', 'Transaction blocked by Adyen to prevent excessive retry fees']
}

const APPROVED: [ResultCode, null, string] = ['Authorised', null, '']

/** Triggers whose result code is not Refused; an empty text means that nothing was refused. */
const OTHER_OUTCOMES: Record<string, [ResultCode, code: string | null, reason: string]> = {
  UNKNOWN: ['Error', '0', 'Unknown'],
  ERROR: ['Error', '4', 'Acquirer Error'],
  FRAUD_CANCELLED: ['Cancelled', '22', 'FRAUD-CANCELLED'],
  PENDING: ['Received', null, ''],
  APPROVED
}

/** A few as issuers send them; a tester can type another, `DECLINED : 06 : ERROR`. */
const RAW_REASONS: Record<string, string> = {
  DECLINED: '05 : Do not honor',
  CARD_EXPIRED: '54 : Expired card',
  NOT_ENOUGH_BALANCE: '51 : Insufficient funds'
}

export const REFUSAL_TRIGGERS = Object.keys(REFUSALS)

/** A good payment whose later refund, or capture, fails. */
export const REFUND_FAILS = 'refund failed'
export const CAPTURE_FAILS = 'capture failed'

/** What becomes of a payment whose shopper did not pass the challenge. */
export const NOT_AUTHENTICATED: Outcome = outcomeFor('NOT_3D_AUTHENTICATED')

/** What becomes of a payment with this card-holder name; any other name is approved. */
export function outcomeFor(holderName: string): Outcome {
  const [name = '', ...raw] = holderName.split(':').map((part) => part.trim())
  const trigger = name.toUpperCase()
  const refusal = REFUSALS[trigger]
  const refusalReasonRaw = raw.length > 0 ? raw.join(' : ') : (RAW_REASONS[trigger] ?? null)
  if (refusal !== undefined) {
    const [refusalReasonCode, reason] = refusal
    return { resultCode: 'Refused', reason, refusalReasonCode, refusalReasonRaw }
  }
  const [resultCode, refusalReasonCode, reason] = OTHER_OUTCOMES[trigger] ?? APPROVED
  const isRefusal = refusalReasonCode !== null
  return {
    resultCode,
    reason,
    refusalReasonCode,
    refusalReasonRaw: isRefusal ? refusalReasonRaw : null
  }
}

export function refundFails(holderName: string): boolean {
  return holderName.trim().toLowerCase() === REFUND_FAILS
}

export function captureFails(holderName: string): boolean {
  return holderName.trim().toLowerCase() === CAPTURE_FAILS
}

/** The outcome that RequestedTestAcquirerResponseCode asks for, if it does. */
export function outcomeForCode(code: string | undefined): Outcome | undefined {
  if (code === undefined) return undefined
  const [trigger] =
    Object.entries(REFUSALS).find(([, [number]]) => number === code) ??
    Object.entries(OTHER_OUTCOMES).find(([, [, number]]) => number === code) ??
    []
  return outcomeFor(trigger ?? (code === '13' ? 'PENDING' : ''))
}
