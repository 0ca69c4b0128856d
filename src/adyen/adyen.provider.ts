import client from '@adyen/api-library/lib/src/client.js'
import type { EnvironmentEnum } from '@adyen/api-library/lib/src/config.js'
import { ModificationsApi } from '@adyen/api-library/lib/src/services/checkout/modificationsApi.js'
import { PaymentsApi } from '@adyen/api-library/lib/src/services/checkout/paymentsApi.js'
import type { checkout } from '@adyen/api-library/lib/src/typings/index.js'
import type {
  Answer,
  HostedPage,
  HostedPageRequest,
  PageResult,
  Provider,
  ReversalRequest,
  Trace
} from '../provider.ts'
import { type AdyenTransport, createTransport } from './adyen.transport.ts'
import { fromAdyenAmount, toAdyenAmount } from './amount.ts'
import { readError } from './answer.ts'

export type AdyenOptions = {
  environment: 'TEST' | 'LIVE'
  apiKey: string
  merchantAccount: string
  /** Required with LIVE. */
  liveUrlPrefix?: string | undefined
  /** An origin in place of Adyen's, such as `http://127.0.0.1:9999`. */
  checkoutUrl?: string | undefined
  /** The deadline of one call, ms. */
  timeoutMs: number
  /** Told of every call: its name, how it went, and how long it took. */
  onCall?: (call: { operation: string; outcome: string; ms: number }) => void
}

export type AdyenProvider = Provider & { close(): void }

/** The provider over Adyen's Checkout API v72. */
export function createAdyenProvider(options: AdyenOptions): AdyenProvider {
  const { merchantAccount, onCall } = options
  const transport = createTransport({
    apiKey: options.apiKey,
    deadlineMs: options.timeoutMs,
    origin: options.checkoutUrl
  })
  const adyen = new client.default(
    {
      apiKey: options.apiKey,
      environment: as<EnvironmentEnum>(options.environment),
      ...(options.liveUrlPrefix && { liveEndpointUrlPrefix: options.liveUrlPrefix })
    },
    transport
  )
  const payments = new PaymentsApi(adyen)
  const modifications = new ModificationsApi(adyen)
  const { baseUrl } = payments as unknown as { baseUrl: string }

  async function timed<T extends { outcome: string }>(
    operation: string,
    call: () => Promise<T>
  ): Promise<T> {
    const startedAt = performance.now()
    const answer = await call()
    onCall?.({ operation, outcome: answer.outcome, ms: performance.now() - startedAt })
    return answer
  }

  return {
    name: 'adyen',
    canExpress: (amount) => toAdyenAmount(amount) !== undefined,
    createHostedPage: (request, trace) =>
      timed('sessions', () => createSession(payments, merchantAccount, request, trace)),
    findPageResult: (session, result, paymentId, deadlineMs) =>
      timed('session_result', () =>
        findResult(transport, baseUrl, { session, result, paymentId, deadlineMs })
      ),
    reverse: (request) =>
      timed('reversals', () => reverse(modifications, merchantAccount, request)),
    close: transport.close
  }
}

async function createSession(
  payments: PaymentsApi,
  merchantAccount: string,
  request: HostedPageRequest,
  trace: Trace | undefined
): Promise<Answer<HostedPage>> {
  try {
    const answer = await payments.sessions(toSessionRequest(merchantAccount, request), {
      idempotencyKey: request.key,
      headers: { ...trace }
    })
    const { id, url, reference } = answer
    if (typeof id === 'string' && typeof url === 'string' && reference === request.paymentId) {
      return { outcome: 'done', value: { session: id, url } }
    }
    return { outcome: 'unknown', reason: 'a session without id or url', retry: 'same_key' }
  } catch (error) {
    return readError(error, 'harmless')
  }
}

/** Fresh for every call: the library writes into what it is given. */
function toSessionRequest(
  merchantAccount: string,
  request: HostedPageRequest
): checkout.CreateCheckoutSessionRequest {
  const { amount, customer, capture, saveCard } = request
  return {
    merchantAccount,
    amount: toAdyenAmount(amount) ?? amount,
    reference: request.paymentId,
    returnUrl: request.returnUrl,
    mode: as('hosted'),
    expiresAt: request.expiresAt,
    allowedPaymentMethods: ['scheme'],
    shopperReference: toShopperReference(request.accountId),
    shopperInteraction: as('Ecommerce'),
    storePaymentMethodMode: as(storeModes[saveCard]),
    ...(saveCard !== 'never' && { recurringProcessingModel: as('CardOnFile') }),
    // The merchant account's default is never relied on.
    ...(capture === 'automatic'
      ? { captureDelayHours: 0 }
      : { additionalData: { manualCapture: 'true' } }),
    ...(request.metadata && { metadata: request.metadata }),
    ...(customer?.email && { shopperEmail: customer.email }),
    ...(customer?.phone && { telephoneNumber: customer.phone.replace(/[^+0-9]/g, '') }),
    ...(customer?.locale && { shopperLocale: customer.locale }),
    ...(customer?.countryCode && { countryCode: customer.countryCode })
  }
}

/** The library's enums are values of its own; over the wire they are these texts. */
function as<Enum>(text: string): Enum {
  return text as Enum
}

const storeModes = { never: 'disabled', ask: 'askForConsent', always: 'enabled' } as const

/** Adyen keeps registered cards under it: at least 3 characters and no personal data. */
function toShopperReference(accountId: number): string {
  return `account-${accountId}`
}

/** What Adyen puts into the return URL; anything else is not sent on. */
const sessionResultText = /^[A-Za-z0-9+/=!_.~-]{1,8192}$/

type ResultRequest = { session: string; result: string; paymentId: string; deadlineMs: number }

/**
 * The result is sent raw: percent-encoded, Adyen answered 500 to it
 * (github.com/Adyen/adyen-node-api-library/issues/1467). Any error means that nothing is known.
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
  } catch {
    return { outcome: 'open' }
  }
}

function toPageResult(answer: checkout.SessionResultResponse): PageResult {
  const status = String(answer.status)
  if (status === 'canceled') return { outcome: 'cancelled' }
  if (status === 'refused') return { outcome: 'refused' }
  const paid = answer.payments?.find((one) => String(one.resultCode) === 'Authorised')
  const amount = paid?.amount && fromAdyenAmount(paid.amount)
  if (status !== 'completed' || !paid?.pspReference || !amount) {
    return { outcome: 'open' }
  }
  return { outcome: 'paid', authorisation: paid.pspReference, amount }
}

async function reverse(
  modifications: ModificationsApi,
  merchantAccount: string,
  request: ReversalRequest
): Promise<Answer<{ reference: string }>> {
  try {
    const answer = await modifications.refundOrCancelPayment(
      request.authorisation,
      { merchantAccount, reference: request.reversalId },
      { idempotencyKey: request.key, headers: {} }
    )
    return typeof answer.pspReference === 'string'
      ? { outcome: 'done', value: { reference: answer.pspReference } }
      : { outcome: 'unknown', reason: 'no pspReference in the answer', retry: 'same_key' }
  } catch (error) {
    return readError(error, 'moves_money')
  }
}
