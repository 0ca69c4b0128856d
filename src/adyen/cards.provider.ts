/**
 * The cards that Adyen keeps for an account: a hosted page that only registers one (POST /sessions
 * with the amount 0), and GET and DELETE /storedPaymentMethods
 * (docs.adyen.com/online-payments/tokenization).
 */
import { PaymentsApi } from '@adyen/api-library/lib/src/services/checkout/paymentsApi.js'
import { RecurringApi } from '@adyen/api-library/lib/src/services/checkout/recurringApi.js'
import type { checkout } from '@adyen/api-library/lib/src/typings/index.js'
import type { Answer, HostedPage, RegistrationRequest, StoredCard, Trace } from '../provider.ts'
import {
  type Adyen,
  as,
  callOptions,
  toShopper,
  toShopperReference,
  toStoreMode
} from './adyen-request.ts'
import { readError } from './answer.ts'

export function createCards({ client, merchantAccount }: Adyen) {
  const payments = new PaymentsApi(client)
  const recurring = new RecurringApi(client)
  return {
    openRegistration: (request: RegistrationRequest, trace: Trace | undefined) =>
      openRegistration(payments, merchantAccount, request, trace),
    list: (accountId: number) => list(recurring, merchantAccount, accountId),
    forget: (accountId: number, token: string) =>
      forget(recurring, merchantAccount, accountId, token)
  }
}

async function openRegistration(
  payments: PaymentsApi,
  merchantAccount: string,
  request: RegistrationRequest,
  trace: Trace | undefined
): Promise<Answer<HostedPage>> {
  try {
    const body = toSessionRequest(merchantAccount, request)
    const { id, url, reference } = await payments.sessions(body, callOptions(request.key, trace))
    if (typeof id === 'string' && typeof url === 'string' && reference === body.reference) {
      return { outcome: 'done', value: { session: id, url } }
    }
    return { outcome: 'unknown', reason: 'a session without id or url', retry: 'same_key' }
  } catch (error) {
    return readError(error, 'harmless')
  }
}

/** Nothing is taken: a zero-value authorisation, for which the customer opened the page. */
function toSessionRequest(
  merchantAccount: string,
  request: RegistrationRequest
): checkout.CreateCheckoutSessionRequest {
  return {
    merchantAccount,
    amount: { currency: request.currency, value: 0 },
    reference: request.registrationId,
    returnUrl: request.returnUrl,
    mode: as('hosted'),
    expiresAt: request.expiresAt,
    allowedPaymentMethods: ['scheme'],
    shopperReference: toShopperReference(request.accountId),
    shopperInteraction: as('Ecommerce'),
    ...toStoreMode('always'),
    ...toShopper(request.customer)
  }
}

/** Adyen's list has no pages. */
async function list(
  recurring: RecurringApi,
  merchantAccount: string,
  accountId: number
): Promise<Answer<StoredCard[]>> {
  const shopper = toShopperReference(accountId)
  try {
    const { shopperReference, storedPaymentMethods = [] } =
      await recurring.getTokensForStoredPaymentDetails(shopper, merchantAccount, { headers: {} })
    // With its query lost it would be others' list, or nobody's: it must say whose it is.
    const owners = [shopperReference, ...storedPaymentMethods.map((one) => one.shopperReference)]
    const named = owners.filter((owner) => owner !== undefined)
    if (named.length === 0 || named.some((owner) => owner !== shopper)) {
      return { outcome: 'unknown', reason: 'a list of nobody we asked for', retry: 'same_key' }
    }
    return { outcome: 'done', value: storedPaymentMethods.flatMap(toStoredCard) }
  } catch (error) {
    return readError(error, 'harmless')
  }
}

/** None where it is no card, such as a bank account that was registered without us. */
function toStoredCard(method: checkout.StoredPaymentMethodResource): StoredCard[] {
  const { id, type, brand, lastFour, expiryMonth, expiryYear } = method
  if (!id || (type !== undefined && type !== 'scheme')) return []
  const [, year] = /^(?:20)?(\d\d)$/.exec(expiryYear ?? '') ?? []
  const month = /^(0?[1-9]|1[0-2])$/.test(expiryMonth ?? '') ? Number(expiryMonth) : null
  return [
    {
      token: id,
      brand: brand ?? null,
      lastFour: /^\d{4}$/.test(lastFour ?? '') ? (lastFour as string) : null,
      expiryMonth: month,
      // Adyen gives two digits here, unlike anywhere else.
      expiryYear: year === undefined ? null : 2000 + Number(year),
      // The list does not tell it.
      funding: null
    }
  ]
}

/** Repeating it is harmless: a card that Adyen does not know is gone. */
async function forget(
  recurring: RecurringApi,
  merchantAccount: string,
  accountId: number,
  token: string
): Promise<Answer<null>> {
  const shopper = toShopperReference(accountId)
  try {
    await recurring.deleteTokenForStoredPaymentDetails(token, shopper, merchantAccount, {
      headers: {}
    })
    return { outcome: 'done', value: null }
  } catch (error) {
    return isUnknownCard(error) ? { outcome: 'done', value: null } : readError(error, 'harmless')
  }
}

/** 404, or 422 with the code of `PaymentDetail not found`. */
function isUnknownCard(error: unknown): boolean {
  const { statusCode, errorCode } = (error ?? {}) as { statusCode?: unknown; errorCode?: unknown }
  return statusCode === 404 || (statusCode === 422 && errorCode === '803')
}
