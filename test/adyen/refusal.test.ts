import t from 'tap'
import { toFailure } from '../../src/adyen/refusal.ts'
import { type FailureCode, failureCodes } from '../../src/provider/failures.ts'

/** Adyen's refusal reasons, as docs.adyen.com/development-resources/refusal-reasons spells them. */
const reasons: Record<string, FailureCode> = {
  Unknown: 'unknown',
  Refused: 'card_declined',
  Referral: 'card_declined',
  'Acquirer Error': 'provider_error',
  'Blocked Card': 'card_blocked',
  'Expired Card': 'card_expired',
  'Invalid Amount': 'not_permitted',
  'Invalid Card Number': 'card_invalid',
  'Issuer Unavailable': 'issuer_unavailable',
  'Not supported': 'not_permitted',
  '3D Not Authenticated': 'authentication_failed',
  'Not enough balance': 'insufficient_funds',
  'Acquirer Fraud': 'fraud_suspected',
  Cancelled: 'cancelled_by_customer',
  'Shopper Cancelled': 'cancelled_by_customer',
  'Invalid Pin': 'authentication_failed',
  'Pin tries exceeded': 'card_blocked',
  'Pin validation not possible': 'authentication_failed',
  FRAUD: 'fraud_suspected',
  'Not Submitted': 'provider_error',
  'FRAUD-CANCELLED': 'fraud_suspected',
  'Transaction Not Permitted': 'not_permitted',
  'CVC Declined': 'card_invalid',
  'Restricted Card': 'card_blocked',
  'Revocation Of Auth': 'not_permitted',
  'Declined Non Generic': 'card_declined',
  'Withdrawal amount exceeded': 'insufficient_funds',
  'Withdrawal count exceeded': 'insufficient_funds',
  'Issuer Suspected Fraud': 'fraud_suspected',
  'AVS Declined': 'card_declined',
  'Card requires online pin': 'authentication_required',
  'No checking account available on Card': 'not_permitted',
  'No savings account available on Card': 'not_permitted',
  'Authentication required': 'authentication_required',
  'RReq not received from DS': 'authentication_failed',
  '3DS Authentication Error': 'authentication_failed',
  'Online PIN required': 'authentication_required',
  'Transaction blocked by Adyen to prevent excessive retry fees': 'card_blocked',
  'Not allowed type': 'not_permitted'
}

t.test('each refusal reason of Adyen has its failure code', async (t) => {
  for (const [reason, code] of Object.entries(reasons)) {
    t.match(toFailure(reason), { code, message: reason }, reason)
  }
})

t.test('capitals, spaces and punctuation of a reason do not matter', async (t) => {
  for (const reason of ['NOT_ENOUGH_BALANCE', 'not enough balance', 'Not-Enough  Balance.']) {
    t.equal(toFailure(reason).code, 'insufficient_funds', reason)
  }
})

t.test('what the table does not know is a decline that may be tried again', async (t) => {
  for (const reason of [
    'Mobile PIN required',
    'Current AID is in Penalty Box',
    'Chip downgrade mode',
    'a reason of next year',
    '日本',
    'constructor',
    '__proto__',
    'hasOwnProperty',
    'toString'
  ]) {
    t.same(toFailure(reason), { code: 'card_declined', message: reason, retryable: true }, reason)
  }
})

t.test('without a reason it is a decline, with words of our own', async (t) => {
  t.same(toFailure(undefined), { code: 'card_declined', message: 'Refused', retryable: true })
})

t.test('a card that will never work is not to be tried again', async (t) => {
  const lost = [
    'Blocked Card',
    'Expired Card',
    'Invalid Card Number',
    'Pin tries exceeded',
    'FRAUD'
  ]
  t.notOk(lost.some((reason) => toFailure(reason).retryable))
  const passing = ['Refused', 'Issuer Unavailable', 'Not enough balance', 'Acquirer Error']
  t.ok(passing.every((reason) => toFailure(reason).retryable))
})

t.test('every code is of the closed list', async (t) => {
  t.ok(Object.keys(reasons).every((reason) => failureCodes.includes(toFailure(reason).code)))
})

t.test(
  'the code of a reason counts more than its text, which may be in any language',
  async (t) => {
    const codes: Record<string, FailureCode> = {
      2: 'card_declined',
      4: 'provider_error',
      5: 'card_blocked',
      6: 'card_expired',
      8: 'card_invalid',
      9: 'issuer_unavailable',
      11: 'authentication_failed',
      12: 'insufficient_funds',
      15: 'cancelled_by_customer',
      20: 'fraud_suspected',
      23: 'not_permitted',
      28: 'insufficient_funds',
      38: 'authentication_required',
      46: 'card_blocked',
      50: 'not_permitted'
    }
    for (const [refusalReasonCode, code] of Object.entries(codes)) {
      t.equal(toFailure('Geweigerd', refusalReasonCode).code, code, refusalReasonCode)
    }
    t.equal(toFailure('Not enough balance', '99').code, 'insufficient_funds', 'else the text')
    t.equal(toFailure('Not enough balance', 'null').code, 'insufficient_funds')
    t.same(toFailure(undefined, '13'), {
      code: 'card_declined',
      message: 'Refused',
      retryable: true
    })
  }
)
