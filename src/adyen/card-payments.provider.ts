/**
 * Paying with a registered card: POST /payments, and POST /payments/details when the customer comes
 * back from 3-D Secure
 * (docs.adyen.com/online-payments/build-your-integration/payment-result-codes).
 */
import { PaymentsApi } from '@adyen/api-library/lib/src/services/checkout/paymentsApi.js'
import type { checkout } from '@adyen/api-library/lib/src/typings/index.js'
import type { Answer, CardPaymentResult, Provider } from '../provider.ts'
import {
  type Adyen,
  as,
  callOptions,
  toCapture,
  toOrder,
  toShopper,
  toShopperReference
} from './adyen-request.ts'
import { fromAdyenAmount } from './amount.ts'
import { addressRefused, done, readError, unknown } from './answer.ts'
import { toFailure } from './refusal.ts'

type CardPayments = Pick<Provider, 'createCardPayment' | 'finishCardPayment'>

export function createCardPayments({ client, merchantAccount, readAddress }: Adyen): CardPayments {
  const api = new PaymentsApi(client)
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
      const call = () => api.payments(body, callOptions(request.key, trace))
      return ask('payment', request.paymentId, readAddress, call)
    },

    /** `result` is the redirectResult as the URL had it, decoded. */
    finishCardPayment({ key, paymentId, result }, deadlineMs) {
      const body = { details: { redirectResult: result } }
      const options = { ...callOptions(key), timeout: deadlineMs }
      const call = () => api.paymentsDetails(body, options)
      return ask('details', paymentId, readAddress, call)
    }
  }
}

type PaymentAnswer = checkout.PaymentResponse | checkout.PaymentDetailsResponse

/**
 * The answer, if it is about this payment. Of a new one our own body says so, whose reference Adyen
 * may omit. Of details Adyen must say it: they come from a URL, which may have been another
 * payment's, and then nothing became of this one.
 */
async function ask(
  what: 'payment' | 'details',
  paymentId: string,
  readAddress: Adyen['readAddress'],
  call: () => Promise<PaymentAnswer>
): Promise<Answer<CardPaymentResult>> {
  try {
    const answer = await call()
    const { merchantReference: about } = answer
    const isOurs = about === paymentId || (about === undefined && what === 'payment')
    if (isOurs) return readResult(paymentId, readAddress, answer)
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
  paymentId: string,
  readAddress: Adyen['readAddress'],
  answer: PaymentAnswer
): Answer<CardPaymentResult> {
  const { pspReference: authorisation, refusalReason, refusalReasonCode } = answer
  const resultCode = String(answer.resultCode)
  if (stillOpen.includes(resultCode)) return done({ result: 'open' })
  if (resultCode === 'RedirectShopper') {
    const url = readRedirect(answer.action)
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
  return done(
    amount
      ? { result: 'paid', authorisationReference: authorisation, amount, card: null }
      : { result: 'open' }
  )
}

/** Where to send the customer's browser, which only a GET does. */
function readRedirect(action: PaymentAnswer['action']): string | undefined {
  const { type, method, url } = (action ?? {}) as checkout.CheckoutRedirectAction
  return String(type) === 'redirect' && method === 'GET' ? url : undefined
}
