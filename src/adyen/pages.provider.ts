/**
 * Adyen's hosted page: POST /sessions to pay, or with the amount 0 to register a card alone, and
 * GET /sessions/{id} when the customer comes back.
 */
import type { checkout } from '@adyen/api-library/lib/src/typings/index.js'
import type { PageMethod } from '../provider/page-methods.ts'
import type {
  CardFace,
  HostedPageRequest,
  PageResult,
  Provider,
  RegistrationRequest,
  Trace
} from '../provider.ts'
import {
  type Adyen,
  as,
  toCapture,
  toOrder,
  toShopper,
  toShopperReference,
  toStoreMode
} from './adyen-request.ts'
import { fromAdyenAmount } from './amount.ts'
import { openPage, readError } from './answer.ts'
import { toAuthentication, toCardFace } from './card-face.ts'

type Pages = Pick<Provider, 'createHostedPage' | 'createRegistrationPage' | 'findPageResult'>

export function createPages({ ask, merchantAccount, readAddress }: Adyen): Pages {
  const open = (key: string, trace: Trace | undefined, body: PageBody) =>
    ask<checkout.CreateCheckoutSessionResponse>({
      ...{ kind: 'pages', method: 'POST', path: '/sessions' },
      ...{ body, key, trace }
    })
  return {
    createHostedPage: (request, trace) =>
      openPage(request.paymentId, readAddress, () => {
        const body = {
          ...toPage(request, request.offers),
          ...toOrder(merchantAccount, request),
          shopperInteraction: as<Interaction>(request.byPhone ? 'Moto' : 'Ecommerce'),
          ...toStoreMode(request.saveCard),
          ...toCapture(request.capture)
        }
        return open(request.key, trace, body)
      }),

    // Nothing is taken: a zero-value authorisation, for which the customer opened the page.
    createRegistrationPage: (request, trace) =>
      openPage(request.registrationId, readAddress, () => {
        const body = {
          ...toPage(request, ['scheme']),
          merchantAccount,
          amount: { currency: request.currency, value: 0 },
          reference: request.registrationId,
          shopperInteraction: as<Interaction>('Ecommerce'),
          ...toStoreMode('always')
        }
        return open(request.key, trace, body)
      }),

    /**
     * The result is sent raw: percent-encoded, Adyen answered 500 to it
     * (github.com/Adyen/adyen-node-api-library/issues/1467). A definite no says that there is
     * nothing to know; after any other error it is worth asking again.
     */
    async findPageResult(session, result, paymentId, deadlineMs) {
      if (!isSessionResult(result)) return { outcome: 'open' }
      try {
        const path = `/sessions/${encodeURIComponent(session)}?sessionResult=${result}`
        const answer = await ask<checkout.SessionResultResponse>({
          kind: 'lookups',
          method: 'GET',
          path,
          withinMs: deadlineMs
        })
        return answer.id === session && answer.reference === paymentId
          ? toPageResult(answer)
          : { outcome: 'open' }
      } catch (error) {
        const { outcome, ...note } = readError(error, 'harmless')
        return { ...note, outcome: outcome === 'rejected' ? 'open' : 'unknown' }
      }
    }
  }
}

type PageBody = checkout.CreateCheckoutSessionRequest
type Interaction = checkout.CreateCheckoutSessionRequest.ShopperInteractionEnum

function toPage(
  { returnUrl, expiresAt, accountId, customer }: HostedPageRequest | RegistrationRequest,
  offers: readonly PageMethod[]
) {
  return {
    returnUrl,
    mode: as<checkout.CreateCheckoutSessionRequest.ModeEnum>('hosted'),
    expiresAt,
    allowedPaymentMethods: [...offers],
    shopperReference: toShopperReference(accountId),
    ...toShopper(customer)
  }
}

/** Whether it is what Adyen puts into the return URL; anything else is not sent on. */
function isSessionResult(text: string): boolean {
  return text.length <= 8192 && /^[A-Za-z0-9+/=!_.~-]+$/.test(text)
}

/** Whoever has paid, or is about to, is asked about again until Adyen says with what money. */
function toPageResult(answer: checkout.SessionResultResponse): PageResult {
  const status = String(answer.status)
  if (status === 'canceled') return { outcome: 'cancelled' }
  if (status === 'refused') return { outcome: 'refused' }
  if (status !== 'completed' && status !== 'paymentPending') return { outcome: 'open' }
  const paid = answer.payments?.find((one) => String(one.resultCode) === 'Authorised')
  const amount = paid?.amount && fromAdyenAmount(paid.amount)
  if (status !== 'completed' || !paid?.pspReference || !amount) return { outcome: 'unknown' }
  const { additionalData } = answer
  return {
    outcome: 'paid',
    authorisationReference: paid.pspReference,
    amount,
    card: toWalletFace(paid.paymentMethod),
    authentication: toAuthentication(additionalData)
  }
}

/**
 * Which wallet paid, which not every account is told by its notifications. Of a typed card the
 * result has the brand alone, and the notification all that is shown of it.
 */
function toWalletFace(method: checkout.ResponsePaymentMethod | null | undefined): CardFace | null {
  const face = toCardFace(method?.type, { paymentMethod: method?.brand })
  return face?.wallet === undefined ? null : face
}
