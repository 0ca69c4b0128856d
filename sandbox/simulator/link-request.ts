import { type Answer, notValid } from './adyen-error.ts'
import type { Amount } from './money.ts'
import {
  type Body,
  fieldsOf,
  refuseAmount,
  refuseBody,
  refuseExpiry,
  refuseLength,
  refuseReference,
  refuseReturnUrl,
  refuseShopper,
  refuseStoring,
  refuseStructure,
  refuseValues
} from './request-checks.ts'

/** The fields of a link request that the simulator itself reads. */
export type LinkRequest = {
  merchantAccount: string
  amount: Amount
  reference: string
  description?: string
  returnUrl?: string
  reusable?: boolean
  expiresAt?: string
  shopperReference?: string
  storePaymentMethodMode?: 'askForConsent' | 'disabled' | 'enabled'
  recurringProcessingModel?: string
  manualCapture?: boolean
  captureDelayHours?: number
  metadata?: Record<string, string>
  allowedPaymentMethods?: string[]
  blockedPaymentMethods?: string[]
}

/** All fields of PaymentLinkRequest, Checkout API v72: no mode, channel or shopperInteraction. */
const FIELDS = fieldsOf({
  string: `countryCode dateOfBirth deliverAt description expiresAt mcc merchantAccount
    merchantOrderReference recurringProcessingModel reference returnUrl shopperEmail shopperLocale
    shopperReference shopperStatement socialSecurityNumber store storePaymentMethodMode
    telephoneNumber themeId`,
  boolean: 'manualCapture reusable showRemovePaymentMethodButton splitCardFundingSources',
  integer: 'captureDelayHours',
  array: `allowedPaymentMethods blockedPaymentMethods lineItems requiredShopperFields splits`,
  object: `amount applicationInfo billingAddress deliveryAddress fundOrigin fundRecipient
    installmentOptions metadata platformChargebackLogic riskData shopperName threeDS2RequestData`
})

const LONGEST: Record<string, number> = {
  description: 280,
  shopperEmail: 500,
  shopperLocale: 32,
  telephoneNumber: 32
}

const DAY = 24 * 3_600_000
const DEFAULT_LIFE_MS = DAY
/** https://docs.adyen.com/api-explorer/Checkout/72/post/paymentLinks: at most 70 days ahead. */
const LONGEST_LIFE_MS = 70 * DAY

/** The first thing wrong with the body of POST /paymentLinks, as Adyen's error, or null. */
export function refuseLink(body: Body, merchantAccount: string, now: Date): Answer | null {
  const tooLong = Object.entries(LONGEST)
    .map(([field, longest]) => refuseLength(field, body[field] ?? '', longest))
    .find((refusal) => refusal !== null)
  return (
    refuseBody(body, FIELDS, 'PaymentLinkRequest', merchantAccount) ??
    refuseAmount(body.amount) ??
    refuseReference(body.reference) ??
    (body.returnUrl === undefined ? null : refuseReturnUrl(body.returnUrl, 8000)) ??
    tooLong ??
    refuseValues(body) ??
    refuseShopper(body) ??
    refuseStoring(body) ??
    refuseExpiry(body.expiresAt, now, LONGEST_LIFE_MS)
  )
}

/** Body of PATCH /paymentLinks/{id}: UpdatePaymentLinkRequest, whose only value is `expired`. */
export function refuseLinkUpdate(body: Body): Answer | null {
  return (
    refuseStructure(body, fieldsOf({ string: 'status' }), 'UpdatePaymentLinkRequest') ??
    (body.status === 'expired' ? null : notValid('status'))
  )
}

export function linkExpiryOf(request: LinkRequest, now: Date): Date {
  if (request.expiresAt !== undefined) return new Date(request.expiresAt)
  return new Date(now.getTime() + DEFAULT_LIFE_MS)
}
