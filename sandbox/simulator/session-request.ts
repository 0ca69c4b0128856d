import type { Answer } from './adyen-error.ts'
import type { Amount } from './money.ts'
import {
  type Body,
  fieldsOf,
  refuseAmount,
  refuseBody,
  refuseExpiry,
  refuseReference,
  refuseReturnUrl,
  refuseShopper,
  refuseStoring,
  refuseValues
} from './request-checks.ts'

/** The fields of a session request that the simulator itself reads. */
export type SessionRequest = {
  merchantAccount: string
  amount: Amount
  reference: string
  returnUrl: string
  mode?: 'embedded' | 'hosted'
  expiresAt?: string
  dateOfBirth?: string
  shopperReference?: string
  storePaymentMethodMode?: 'askForConsent' | 'disabled' | 'enabled'
  recurringProcessingModel?: string
  captureDelayHours?: number
  additionalData?: Record<string, string>
  metadata?: Record<string, string>
  allowedPaymentMethods?: string[]
  blockedPaymentMethods?: string[]
}

/** All fields of CreateCheckoutSessionRequest, Checkout API v72: any other is refused. */
const FIELDS = fieldsOf({
  string: `channel countryCode dateOfBirth deliverAt expiresAt mcc merchantAccount
    merchantOrderReference mode recurringExpiry recurringFrequency recurringProcessingModel
    redirectFromIssuerMethod redirectToIssuerMethod reference returnUrl shopperEmail shopperIP
    shopperInteraction shopperLocale shopperReference shopperStatement socialSecurityNumber store
    storeFiltrationMode storePaymentMethodMode telephoneNumber themeId`,
  boolean: `enableOneClick enablePayOut enableRecurring showInstallmentAmount
    showRemovePaymentMethodButton splitCardFundingSources storePaymentMethod
    threeDSAuthenticationOnly trustedShopper`,
  integer: 'captureDelayHours',
  array: 'allowedPaymentMethods blockedPaymentMethods lineItems splits',
  object: `accountInfo additionalAmount additionalData amount applicationInfo authenticationData
    billingAddress company deliveryAddress fundOrigin fundRecipient installmentOptions mandate
    metadata mpiData platformChargebackLogic riskData shopperName threeDS2RequestData`
})

const HOUR = 3_600_000
const DEFAULT_LIFE_MS = HOUR
/** https://docs.adyen.com/api-explorer/Checkout/72/post/sessions: at most 24 hours ahead. */
const LONGEST_LIFE_MS = 24 * HOUR

/** The first thing wrong with the body of POST /sessions, as Adyen's error, or null. */
export function refuseSession(body: Body, merchantAccount: string, now: Date): Answer | null {
  return (
    refuseBody(body, FIELDS, 'CreateCheckoutSessionRequest', merchantAccount) ??
    refuseAmount(body.amount) ??
    refuseReference(body.reference) ??
    refuseReturnUrl(body.returnUrl) ??
    refuseValues(body) ??
    refuseShopper(body) ??
    (body.shopperReference === undefined ? null : refuseStoring(body)) ??
    refuseExpiry(body.expiresAt, now, LONGEST_LIFE_MS)
  )
}

export function expiryOf(request: SessionRequest, now: Date): Date {
  if (request.expiresAt !== undefined) return new Date(request.expiresAt)
  return new Date(now.getTime() + DEFAULT_LIFE_MS)
}
