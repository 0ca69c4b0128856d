/** Adyen's hosted page: POST /sessions, and GET /sessions/{id} when the customer comes back. */
import { PaymentsApi } from '@adyen/api-library/lib/src/services/checkout/paymentsApi.js'
import type { checkout } from '@adyen/api-library/lib/src/typings/index.js'
import type { Answer, HostedPage, HostedPageRequest, PageResult, Trace } from '../provider.ts'
import type { AdyenTransport } from './adyen.transport.ts'
import {
  type Adyen,
  as,
  callOptions,
  toCapture,
  toOrder,
  toShopper,
  toShopperReference,
  toStoreMode
} from './adyen-request.ts'
import { fromAdyenAmount } from './amount.ts'
import { readError } from './answer.ts'

export function createSessions({ client, transport, merchantAccount }: Adyen) {
  const payments = new PaymentsApi(client)
  const { baseUrl } = payments as unknown as { baseUrl: string }
  return {
    create: (request: HostedPageRequest, trace: Trace | undefined) =>
      createSession(payments, merchantAccount, request, trace),
    findResult: (request: ResultRequest) => findResult(transport, baseUrl, request)
  }
}

async function createSession(
  payments: PaymentsApi,
  merchantAccount: string,
  request: HostedPageRequest,
  trace: Trace | undefined
): Promise<Answer<HostedPage>> {
  try {
    const body = toSessionRequest(merchantAccount, request)
    const answer = await payments.sessions(body, callOptions(request.key, trace))
    const { id, url, reference } = answer
    if (typeof id === 'string' && typeof url === 'string' && reference === request.paymentId) {
      return { outcome: 'done', value: { session: id, url } }
    }
    return { outcome: 'unknown', reason: 'a session without id or url', retry: 'same_key' }
  } catch (error) {
    return readError(error, 'harmless')
  }
}

function toSessionRequest(
  merchantAccount: string,
  request: HostedPageRequest
): checkout.CreateCheckoutSessionRequest {
  return {
    ...toOrder(merchantAccount, request),
    returnUrl: request.returnUrl,
    mode: as('hosted'),
    expiresAt: request.expiresAt,
    allowedPaymentMethods: ['scheme'],
    shopperReference: toShopperReference(request.accountId),
    shopperInteraction: as(request.byPhone ? 'Moto' : 'Ecommerce'),
    ...toStoreMode(request.saveCard),
    ...toCapture(request.capture),
    ...toShopper(request.customer)
  }
}

/** What Adyen puts into the return URL; anything else is not sent on. */
const sessionResultText = /^[A-Za-z0-9+/=!_.~-]{1,8192}$/

export type ResultRequest = {
  session: string
  result: string
  paymentId: string
  deadlineMs: number
}

/**
 * The result is sent raw: percent-encoded, Adyen answered 500 to it
 * (github.com/Adyen/adyen-node-api-library/issues/1467). A definite no says that there is nothing
 * to know; after any other error it is worth asking again.
 */
async function findResult(
  transport: AdyenTransport,
  baseUrl: string,
  { session, result, paymentId, deadlineMs }: ResultRequest
): Promise<PageResult> {
  if (!sessionResultText.test(result)) return { outcome: 'open' }
  try {
    const url = `${baseUrl}/sessions/${encodeURIComponent(session)}?sessionResult=${result}`
    const answer = JSON.parse(await transport.getRaw(url, undefined, deadlineMs))
    return answer.id === session && answer.reference === paymentId
      ? toPageResult(answer)
      : { outcome: 'open' }
  } catch (error) {
    const said = readError(error, 'harmless')
    const isDefinite = said.outcome === 'rejected' && said.access !== true
    return { outcome: isDefinite ? 'open' : 'unknown' }
  }
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
  return { outcome: 'paid', authorisationReference: paid.pspReference, amount }
}
