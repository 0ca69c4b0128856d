/**
 * Paying with a registered card: POST /payments, and POST /payments/details when the customer comes
 * back from 3-D Secure
 * (docs.adyen.com/online-payments/build-your-integration/payment-result-codes).
 */
import type { checkout } from '@adyen/api-library/lib/src/typings/index.js'
import type { Answer, CardPaymentResult, Provider } from '../provider.ts'
import {
  type Adyen,
  as,
  toCapture,
  toOrder,
  toShopper,
  toShopperReference
} from './adyen-request.ts'
import { fromAdyenAmount } from './amount.ts'
import { addressRefused, done, readError, unknown } from './answer.ts'
import { toAuthentication } from './card-face.ts'
import { toFailure } from './refusal.ts'

type CardPayments = Pick<Provider, 'createCardPayment' | 'finishCardPayment'>

export function createCardPayments({ ask, merchantAccount, readAddress }: Adyen): CardPayments {
  return {
    createCardPayment(request, trace) {
      const body: checkout.PaymentRequest = {
        ...toOrder(merchantAccount, request),
        paymentMethod: { type: as<never>('scheme'), storedPaymentMethodId: request.token },
        shopperReference: toShopperReference(request.accountId),
        shopperInteraction: as('ContAuth'),
        recurringProcessingModel: as('CardOnFile'),
        returnUrl: request.returnUrl,
        ...toCapture(request.capture),
        ...toShopper(request.customer)
      }
      const call = () =>
        ask<checkout.PaymentResponse>({
          ...{ kind: 'cardPayments', method: 'POST', path: '/payments' },
          ...{ body, key: request.key, trace }
        })
      return read({ what: 'payment', paymentId: request.paymentId, readAddress }, call)
    },

    /** `result` is the redirectResult as the URL had it, decoded. */
    finishCardPayment({ key, paymentId, result }, deadlineMs) {
      const body: checkout.PaymentDetailsRequest = { details: { redirectResult: result } }
      const call = () =>
        ask<checkout.PaymentDetailsResponse>({
          ...{ kind: 'cardReturns', method: 'POST', path: '/payments/details' },
          ...{ body, key, withinMs: deadlineMs }
        })
      return read({ what: 'details', paymentId, readAddress }, call)
    }
  }
}

type Asked = { what: 'payment' | 'details'; paymentId: string } & Pick<Adyen, 'readAddress'>
type PaymentAnswer = Partial<checkout.PaymentResponse | checkout.PaymentDetailsResponse>

/**
 * The answer, if it is about this payment. Of a new one our own body says so, whose reference Adyen
 * may omit. Of details Adyen must say it: they come from a URL, which may have been another
 * payment's, and then nothing became of this one.
 */
async function read(
  asked: Asked,
  call: () => Promise<PaymentAnswer>
): Promise<Answer<CardPaymentResult>> {
  const { what, paymentId } = asked
  try {
    const answer = await call()
    const { merchantReference: about } = answer
    const isOurs = about === paymentId || (about === undefined && what === 'payment')
    if (isOurs) return readResult(asked, answer)
    const { said = '', reason } = unknown(`an answer about ${about}`)
    return what === 'details' && about ? { outcome: 'rejected', reason, said } : unknown(said)
  } catch (error) {
    return readError(error, 'moves_money')
  }
}

/** Those after which nothing of this attempt was taken. */
const refusals = ['Refused', 'Error', 'Cancelled']
const stillOpen = ['Pending', 'Received']

/** What is not understood is not guessed at. */
function readResult(
  { what, paymentId, readAddress }: Asked,
  answer: PaymentAnswer
): Answer<CardPaymentResult> {
  const { pspReference: authorisation, refusalReason, refusalReasonCode } = answer
  const resultCode = String(answer.resultCode)
  if (stillOpen.includes(resultCode)) return done({ result: 'open' })
  if (resultCode === 'RedirectShopper') {
    // Whoever comes back from a page is not sent to another one.
    const url = what === 'payment' ? readRedirect(answer.action) : undefined
    const session = authorisation ?? paymentId
    if (url === undefined) return unknown('no redirect')
    const address = readAddress(url)
    if (address === undefined) return addressRefused(url)
    return done({ result: 'asked', session, url: address })
  }
  if (!authorisation) return unknown(`${resultCode} without pspReference`)
  if (refusals.includes(resultCode)) {
    const failure = toFailure(refusalReason, refusalReasonCode)
    return done({ result: 'refused', authorisationReference: authorisation, failure })
  }
  if (resultCode !== 'Authorised') return unknown(resultCode)
  const amount = answer.amount && fromAdyenAmount(answer.amount)
  if (!amount) return done({ result: 'open' })
  const authentication = toAuthentication(answer.additionalData)
  const paid = { authorisationReference: authorisation, amount, card: null, authentication }
  return done({ result: 'paid', ...paid })
}

/** Where to send the customer's browser, which only a GET does. */
function readRedirect(action: PaymentAnswer['action']): string | undefined {
  const { type, method, url } = (action ?? {}) as checkout.CheckoutRedirectAction
  return String(type) === 'redirect' && method === 'GET' ? url : undefined
}
