/** How Adyen spells cards, wallets and 3-D Secure, and what is shown of it. */
import t from 'tap'
import { toAuthentication, toCardFace } from '../../src/adyen/card-face.ts'

type Spelled = [
  method: unknown,
  data: Record<string, unknown> | null,
  brand: unknown,
  wallet?: string
]

/**
 * `X_applepay` and `X_googlepay` in notifications and reports; the plain brand with the wallet in
 * the variant (github.com/Adyen/adyen-commercetools/issues/896, Adyen/adyen-magento2/pull/1212);
 * the wallet alone, by its name of any year.
 */
const spellings: readonly Spelled[] = [
  ['visa', null, 'visa'],
  ['mc', { paymentMethodVariant: 'mcstandardcredit' }, 'mc'],
  ['cartebancaire', {}, 'cartebancaire'],
  ['eftpos_australia', {}, 'eftpos_australia'],
  ['visa_applepay', {}, 'visa', 'applepay'],
  ['mc_applepay', {}, 'mc', 'applepay'],
  ['amex_applepay', {}, 'amex', 'applepay'],
  ['cartebancaire_applepay', {}, 'cartebancaire', 'applepay'],
  ['eftpos_australia_applepay', {}, 'eftpos_australia', 'applepay'],
  ['visa_googlepay', {}, 'visa', 'googlepay'],
  ['maestro_usa_googlepay', {}, 'maestro_usa', 'googlepay'],
  ['mc_paywithgoogle', {}, 'mc', 'googlepay'],
  ['visa_androidpay', {}, 'visa', 'googlepay'],
  ['visa', { paymentMethodVariant: 'visa_applepay' }, 'visa', 'applepay'],
  ['mc', { tokenTxVariant: 'mc_googlepay' }, 'mc', 'googlepay'],
  ['visa', { paymentMethod: 'visa_googlepay' }, 'visa', 'googlepay'],
  // The network that it went over is what Adyen calls it, in a wallet too.
  ['pulse', { paymentMethodVariant: 'visa_applepay' }, 'pulse', 'applepay'],
  ['applepay', { paymentMethodVariant: 'amex_applepay' }, 'amex', 'applepay'],
  ['paywithgoogle', { cardPaymentMethod: 'visa' }, 'visa', 'googlepay'],
  ['googlewallet', { paymentMethod: 'mc' }, 'mc', 'googlepay'],
  ['googlepay', { paymentMethodVariant: 'visastandarddebit' }, null, 'googlepay'],
  ['applepay', null, null, 'applepay'],
  // Of other wallets we know nothing: shown as it came.
  ['visa_samsungpay', {}, 'visa_samsungpay'],
  ['_applepay', {}, '_applepay'],
  ['constructor', {}, 'constructor'],
  ['null', { cardSummary: '1111' }, null],
  [{ toString: null }, { cardSummary: '1111', paymentMethodVariant: 7 }, null],
  ['v'.repeat(70), {}, 'v'.repeat(64)]
]

t.test('the brand is that of the card, whatever the wallet is called', async (t) => {
  for (const [method, data, brand, wallet] of spellings) {
    const face = toCardFace(method, data)
    t.match(face, { brand }, JSON.stringify([method, data]))
    t.equal(face?.wallet, wallet, JSON.stringify([method, data]))
  }
  t.notOk('wallet' in (toCardFace('visa', {}) ?? {}), 'what is not there is not kept')
  t.equal(toCardFace(undefined, { paymentMethodVariant: 'visastandardcredit' }), null)
})

const nothing = { threeDSecure: null, liabilityShift: null, exemptionRequested: null }

const said: ReadonlyArray<[data: Record<string, unknown> | null, shown: object | null]> = [
  [null, null],
  [{}, null],
  [{ threeDOffered: 'N/A', liabilityShift: '', scaExemptionRequested: 'null' }, null],
  [{ threeDOffered: Object.create(null), liabilityShift: [], scaExemptionRequested: 1 }, null],
  [{ threeDOffered: 'true', threeDAuthenticated: 'true' }, { threeDSecure: 'authenticated' }],
  [{ threeDAuthenticated: 'true' }, { threeDSecure: 'authenticated' }],
  [{ threeDOffered: 'true', threeDAuthenticated: 'false' }, { threeDSecure: 'attempted' }],
  [{ threeDOffered: 'false', threeDAuthenticated: 'false' }, { threeDSecure: 'none' }],
  // That nobody was authenticated does not say whether it was tried.
  [{ threeDAuthenticated: 'false' }, null],
  [{ liabilityShift: 'true' }, { liabilityShift: true }],
  [{ liabilityShift: 'False' }, { liabilityShift: false }],
  [{ liabilityShift: true }, { liabilityShift: true }],
  [{ scaExemptionRequested: 'lowValue' }, { exemptionRequested: 'lowValue' }],
  [{ scaExemptionRequested: 'x'.repeat(70) }, { exemptionRequested: 'x'.repeat(64) }]
]

t.test('3-D Secure, who bears a fraud, and an exemption: each as far as it is said', async (t) => {
  for (const [data, shown] of said) {
    t.strictSame(toAuthentication(data), shown && { ...nothing, ...shown }, JSON.stringify(data))
  }
})
