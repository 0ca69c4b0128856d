/**
 * Adyen's refusal reasons as our failures. A notification has the text only, in `reason`
 * (docs.adyen.com/development-resources/refusal-reasons).
 */
import type { Failure, FailureCode } from '../provider.ts'

/** The reason, lower-case and without what is not a letter or digit; and whether to try again. */
const failures: Readonly<Record<string, { code: FailureCode; retryable: boolean }>> = {
  unknown: { code: 'unknown', retryable: true },
  refused: { code: 'card_declined', retryable: true },
  declined: { code: 'card_declined', retryable: true },
  referral: { code: 'card_declined', retryable: true },
  acquirererror: { code: 'provider_error', retryable: true },
  blockedcard: { code: 'card_blocked', retryable: false },
  expiredcard: { code: 'card_expired', retryable: false },
  invalidamount: { code: 'not_permitted', retryable: false },
  invalidcardnumber: { code: 'card_invalid', retryable: false },
  issuerunavailable: { code: 'issuer_unavailable', retryable: true },
  notsupported: { code: 'not_permitted', retryable: false },
  '3dnotauthenticated': { code: 'authentication_failed', retryable: true },
  notenoughbalance: { code: 'insufficient_funds', retryable: true },
  acquirerfraud: { code: 'fraud_suspected', retryable: false },
  cancelled: { code: 'cancelled_by_customer', retryable: true },
  shoppercancelled: { code: 'cancelled_by_customer', retryable: true },
  invalidpin: { code: 'authentication_failed', retryable: true },
  pintriesexceeded: { code: 'card_blocked', retryable: false },
  pinvalidationnotpossible: { code: 'authentication_failed', retryable: true },
  fraud: { code: 'fraud_suspected', retryable: false },
  notsubmitted: { code: 'provider_error', retryable: true },
  fraudcancelled: { code: 'fraud_suspected', retryable: false },
  transactionnotpermitted: { code: 'not_permitted', retryable: false },
  cvcdeclined: { code: 'card_invalid', retryable: true },
  restrictedcard: { code: 'card_blocked', retryable: false },
  revocationofauth: { code: 'not_permitted', retryable: false },
  declinednongeneric: { code: 'card_declined', retryable: true },
  withdrawalamountexceeded: { code: 'insufficient_funds', retryable: true },
  withdrawalcountexceeded: { code: 'insufficient_funds', retryable: true },
  issuersuspectedfraud: { code: 'fraud_suspected', retryable: false },
  avsdeclined: { code: 'card_declined', retryable: true },
  cardrequiresonlinepin: { code: 'authentication_required', retryable: true },
  nocheckingaccount: { code: 'not_permitted', retryable: false },
  nosavingsaccount: { code: 'not_permitted', retryable: false },
  nocheckingaccountavailableoncard: { code: 'not_permitted', retryable: false },
  nosavingsaccountavailableoncard: { code: 'not_permitted', retryable: false },
  authenticationrequired: { code: 'authentication_required', retryable: true },
  rreqnotreceivedfromds: { code: 'authentication_failed', retryable: true },
  '3dsauthenticationerror': { code: 'authentication_failed', retryable: true },
  onlinepinrequired: { code: 'authentication_required', retryable: true },
  transactionblockedbyadyentopreventexcessiveretryfees: { code: 'card_blocked', retryable: false },
  notallowedtype: { code: 'not_permitted', retryable: false }
}

/** What the table does not know is a decline like any other. */
const otherwise = { code: 'card_declined', retryable: true } as const

/** The reason is not signed: whatever it is, it is not long. */
const messageLengthMax = 255

/** The failure of a refused attempt. Adyen asks not to show its reasons to the customer. */
export function toFailure(reason: string | undefined): Failure {
  const key = (reason ?? '').toLowerCase().replace(/[^a-z0-9]/g, '')
  const known = Object.hasOwn(failures, key) ? failures[key] : undefined
  const { code, retryable } = known ?? otherwise
  return { code, message: (reason ?? 'Refused').slice(0, messageLengthMax), retryable }
}
