import {
  type Answer,
  adyenError,
  invalidMerchantAccount,
  missing,
  notValid,
  unreadable
} from './adyen-error.ts'
import type { Amount } from './money.ts'

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
}

type Kind = 'array' | 'boolean' | 'integer' | 'object' | 'string'

/** All fields of CreateCheckoutSessionRequest, Checkout API v72: any other is refused. */
const FIELDS: Record<Kind, string> = {
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
}

const KIND_OF = new Map(
  Object.entries(FIELDS).flatMap(([kind, names]) =>
    names.split(/\s+/).map((name) => [name, kind as Kind] as const)
  )
)

const VALUES_OF: Record<string, string[]> = {
  channel: ['iOS', 'Android', 'Web'],
  mode: ['embedded', 'hosted'],
  recurringProcessingModel: ['CardOnFile', 'Subscription', 'UnscheduledCardOnFile'],
  shopperInteraction: ['Ecommerce', 'ContAuth', 'Moto', 'POS'],
  storeFiltrationMode: ['exclusive', 'inclusive', 'skipFilter'],
  storePaymentMethodMode: ['askForConsent', 'disabled', 'enabled']
}

const HOUR = 3_600_000
const DEFAULT_LIFE_MS = HOUR
const LONGEST_LIFE_MS = 24 * HOUR

type Body = Record<string, unknown>

/**
 * The first thing wrong with the body of POST /sessions, as Adyen's error, or null. Codes and texts
 * are those of https://docs.adyen.com/development-resources/error-codes where it has them.
 */
export function refuseSession(body: Body, merchantAccount: string, now: Date): Answer | null {
  return (
    refuseStructure(body, KIND_OF, 'CreateCheckoutSessionRequest') ??
    (body.merchantAccount === merchantAccount ? null : invalidMerchantAccount()) ??
    refuseAmount(body.amount) ??
    (body.reference ? null : missing('field', 'reference', '130')) ??
    refuseReturnUrl(body.returnUrl) ??
    refuseValues(body) ??
    refuseShopper(body) ??
    refuseMetadata(body.metadata) ??
    refuseExpiry(body.expiresAt, now)
  )
}

/** Body of POST /payments/{psp}/reversals: PaymentReversalRequest, Checkout API v72. */
export function refuseReversal(body: Body, merchantAccount: string): Answer | null {
  const kinds = new Map<string, Kind>([
    ['applicationInfo', 'object'],
    ['merchantAccount', 'string'],
    ['reference', 'string']
  ])
  const tooLong = String(body.reference ?? '').length > 80
  return (
    refuseStructure(body, kinds, 'PaymentReversalRequest') ??
    (body.merchantAccount === merchantAccount ? null : invalidMerchantAccount()) ??
    (tooLong ? mayNotExceed('reference', 80) : null)
  )
}

export function expiryOf(request: SessionRequest, now: Date): Date {
  if (request.expiresAt !== undefined) return new Date(request.expiresAt)
  return new Date(now.getTime() + DEFAULT_LIFE_MS)
}

function refuseStructure(body: Body, kinds: Map<string, Kind>, name: string): Answer | null {
  const unknown = Object.keys(body).filter((field) => !kinds.has(field))
  if (unknown.length > 0) {
    return unreadable(`Structure of ${name} contains the following unknown fields: [${unknown}]`)
  }
  const wrong = Object.keys(body).find((field) => kindOf(body[field]) !== kinds.get(field))
  if (wrong === undefined) return null
  return unreadable(`Unexpected value of field '${wrong}', expected: ${kinds.get(wrong)}`)
}

function kindOf(value: unknown): Kind | undefined {
  if (Array.isArray(value)) return 'array'
  if (Number.isSafeInteger(value)) return 'integer'
  const type = value === null ? undefined : typeof value
  return type === 'object' || type === 'string' || type === 'boolean' ? type : undefined
}

function refuseAmount(amount: unknown): Answer | null {
  if (amount === undefined) return missing('object', 'amount', '100')
  const { currency, value, ...others } = amount as Body
  const unknown = Object.keys(others)
  if (unknown.length > 0) {
    return unreadable(`Structure of Amount contains the following unknown fields: [${unknown}]`)
  }
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency)) {
    return adyenError(422, '138', 'Unsupported currency specified')
  }
  return Number.isSafeInteger(value) && Number(value) >= 0 ? null : notValid('amount', '137')
}

function refuseReturnUrl(returnUrl: unknown): Answer | null {
  if (!returnUrl) return adyenError(422, '14_030', 'Return URL is missing.')
  if (String(returnUrl).length > 1024) return mayNotExceed('returnUrl', 1024)
  return URL.canParse(String(returnUrl)) ? null : notValid('returnUrl')
}

function refuseValues(body: Body): Answer | null {
  const wrong = Object.keys(VALUES_OF).find(
    (field) => body[field] !== undefined && !VALUES_OF[field]?.includes(String(body[field]))
  )
  if (wrong !== undefined) return notValid(wrong)
  const delay = Number(body.captureDelayHours ?? 0)
  return delay >= 0 && delay <= 672
    ? null
    : adyenError(422, '164', 'Auto capture delay invalid or out of range')
}

function refuseShopper(body: Body): Answer | null {
  const { shopperReference } = body
  if (shopperReference === undefined) return null
  const { length } = String(shopperReference)
  if (length < 3 || length > 256) return notValid('shopperReference', '180')
  const stores = ['enabled', 'askForConsent'].includes(String(body.storePaymentMethodMode))
  return stores && body.recurringProcessingModel === undefined
    ? notValid('recurringProcessingModel')
    : null
}

function refuseMetadata(metadata: unknown): Answer | null {
  const pairs = Object.entries(metadata ?? {})
  if (pairs.length > 20) return adyenError(422, '177', 'Metadata size exceeds limit')
  if (pairs.some(([key]) => key.length > 20)) {
    return adyenError(422, '178', 'Metadata key size exceeds limit')
  }
  const isText = pairs.every(([, value]) => typeof value === 'string' && value.length <= 80)
  return isText ? null : notValid('metadata')
}

/** https://docs.adyen.com/api-explorer/Checkout/72/post/sessions: at most 24 hours ahead. */
function refuseExpiry(expiresAt: unknown, now: Date): Answer | null {
  if (expiresAt === undefined) return null
  const left = Date.parse(String(expiresAt)) - now.getTime()
  return left > 0 && left <= LONGEST_LIFE_MS ? null : notValid('expiresAt')
}

function mayNotExceed(field: string, limit: number): Answer {
  return adyenError(422, '29_001', `Field '${field}' may not exceed ${limit} characters.`)
}
