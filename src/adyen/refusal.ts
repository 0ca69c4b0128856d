/**
 * Adyen's refusals as our failures. A notification has the reason's text only, in `reason`; the
 * answer to a charge has its code as well (docs.adyen.com/development-resources/refusal-reasons).
 */
import { hideCardNumbers } from '../card-number.ts'
import type { FailureCode } from '../provider/failures.ts'
import type { Failure } from '../provider.ts'

/**
 * Adyen's code of the reason, where one is known; the reason, lower-case and without what is not a
 * letter or digit; what it is to us, and whether to try again.
 */
const refusals: ReadonlyArray<
  readonly [refusalReasonCode: number | null, reason: string, code: FailureCode, again: boolean]
> = [
  [0, 'unknown', 'unknown', true],
  [2, 'refused', 'card_declined', true],
  [3, 'referral', 'card_declined', true],
  [4, 'acquirererror', 'provider_error', true],
  [5, 'blockedcard', 'card_blocked', false],
  [6, 'expiredcard', 'card_expired', false],
  [7, 'invalidamount', 'not_permitted', false],
  [8, 'invalidcardnumber', 'card_invalid', false],
  [9, 'issuerunavailable', 'issuer_unavailable', true],
  [10, 'notsupported', 'not_permitted', false],
  [11, '3dnotauthenticated', 'authentication_failed', true],
  [12, 'notenoughbalance', 'insufficient_funds', true],
  [14, 'acquirerfraud', 'fraud_suspected', false],
  [15, 'cancelled', 'cancelled_by_customer', true],
  [16, 'shoppercancelled', 'cancelled_by_customer', true],
  [17, 'invalidpin', 'authentication_failed', true],
  [18, 'pintriesexceeded', 'card_blocked', false],
  [19, 'pinvalidationnotpossible', 'authentication_failed', true],
  [20, 'fraud', 'fraud_suspected', false],
  [21, 'notsubmitted', 'provider_error', true],
  [22, 'fraudcancelled', 'fraud_suspected', false],
  [23, 'transactionnotpermitted', 'not_permitted', false],
  [24, 'cvcdeclined', 'card_invalid', true],
  [25, 'restrictedcard', 'card_blocked', false],
  [26, 'revocationofauth', 'not_permitted', false],
  [27, 'declinednongeneric', 'card_declined', true],
  [28, 'withdrawalamountexceeded', 'insufficient_funds', true],
  [29, 'withdrawalcountexceeded', 'insufficient_funds', true],
  [31, 'issuersuspectedfraud', 'fraud_suspected', false],
  [32, 'avsdeclined', 'card_declined', true],
  [33, 'cardrequiresonlinepin', 'authentication_required', true],
  [34, 'nocheckingaccount', 'not_permitted', false],
  [35, 'nosavingsaccount', 'not_permitted', false],
  [38, 'authenticationrequired', 'authentication_required', true],
  [39, 'rreqnotreceivedfromds', 'authentication_failed', true],
  [42, '3dsauthenticationerror', 'authentication_failed', true],
  [43, 'onlinepinrequired', 'authentication_required', true],
  [46, 'transactionblockedbyadyentopreventexcessiveretryfees', 'card_blocked', false],
  [50, 'notallowedtype', 'not_permitted', false],
  [null, 'declined', 'card_declined', true],
  [null, 'nocheckingaccountavailableoncard', 'not_permitted', false],
  [null, 'nosavingsaccountavailableoncard', 'not_permitted', false]
]

const failures = refusals.map(([, , code, retryable]) => ({ code, retryable }))
const byCode = new Map(
  refusals.map(([code], place) => [code === null ? null : String(code), failures[place]])
)
const byReason = new Map(refusals.map(([, reason], place) => [reason, failures[place]]))

/** What the table does not know is a decline like any other. */
const otherwise = { code: 'card_declined', retryable: true } as const

/** The reason is not signed: whatever it is, it is not long. */
const messageLengthMax = 255

/**
 * The failure of a refused attempt, by the code where there is one. Adyen asks not to show its
 * reasons to the customer.
 */
export function toFailure(reason: string | undefined, refusalReasonCode?: string): Failure {
  const spelled = (reason ?? '').toLowerCase().replace(/[^a-z0-9]/g, '')
  const { code, retryable } =
    byCode.get(refusalReasonCode ?? '') ?? byReason.get(spelled) ?? otherwise
  const message = hideCardNumbers(reason ?? 'Refused').slice(0, messageLengthMax)
  return { code, message, retryable }
}
