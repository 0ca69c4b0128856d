import {
  type Answer,
  adyenError,
  invalidMerchantAccount,
  missing,
  notValid,
  unreadable
} from './adyen-error.ts'

export type Body = Record<string, unknown>
export type Kind = 'array' | 'boolean' | 'integer' | 'object' | 'string'
export type Fields = ReadonlyMap<string, Kind>

/** Codes and texts are those of https://docs.adyen.com/development-resources/error-codes. */
const VALUES_OF: Record<string, string[]> = {
  adjustAuthType: ['cardholderInitiatedTransaction', 'merchantInitiatedTransaction'],
  channel: ['iOS', 'Android', 'Web'],
  entityType: ['NaturalPerson', 'CompanyName'],
  industryUsage: ['delayedCharge', 'installment', 'noShow'],
  merchantRefundReason: ['FRAUD', 'CUSTOMER REQUEST', 'RETURN', 'DUPLICATE', 'OTHER'],
  mode: ['embedded', 'hosted'],
  recurringProcessingModel: ['CardOnFile', 'Subscription', 'UnscheduledCardOnFile'],
  shopperInteraction: ['Ecommerce', 'ContAuth', 'Moto', 'POS'],
  storeFiltrationMode: ['exclusive', 'inclusive', 'skipFilter'],
  storePaymentMethodMode: ['askForConsent', 'disabled', 'enabled']
}

/** Longest texts of fields that have a limit in Checkout API v72 whatever the call. */
const LONGEST_OF: Record<string, number> = {
  merchantOrderReference: 1000,
  paymentReference: 80
}

/** From names by kind, as the OpenAPI file has them, to kinds by name. */
export function fieldsOf(names: Partial<Record<Kind, string>>): Fields {
  const pairs = Object.entries(names).flatMap(([kind, text]) =>
    text.split(/\s+/).map((name) => [name, kind as Kind] as const)
  )
  return new Map(pairs)
}

/** The first that is wrong of what can be wrong with the body of any call. */
export function refuseBody(
  body: Body,
  fields: Fields,
  structure: string,
  merchantAccount: string
): Answer | null {
  return (
    refuseStructure(body, fields, structure) ??
    (body.merchantAccount === merchantAccount ? null : invalidMerchantAccount())
  )
}

export function refuseStructure(body: Body, fields: Fields, structure: string): Answer | null {
  const unknown = Object.keys(body).filter((field) => !fields.has(field))
  if (unknown.length > 0) {
    return unreadable(
      `Structure of ${structure} contains the following unknown fields: [${unknown}]`
    )
  }
  const wrong = Object.keys(body).find((field) => kindOf(body[field]) !== fields.get(field))
  if (wrong === undefined) return null
  return unreadable(`Unexpected value of field '${wrong}', expected: ${fields.get(wrong)}`)
}

function kindOf(value: unknown): Kind | undefined {
  if (Array.isArray(value)) return 'array'
  if (Number.isSafeInteger(value)) return 'integer'
  const type = value === null ? undefined : typeof value
  return type === 'object' || type === 'string' || type === 'boolean' ? type : undefined
}

export function refuseAmount(amount: unknown, least = 0): Answer | null {
  if (amount === undefined) return missing('object', 'amount', '100')
  const { currency, value, ...others } = amount as Body
  const unknown = Object.keys(others)
  if (unknown.length > 0) {
    return unreadable(`Structure of Amount contains the following unknown fields: [${unknown}]`)
  }
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency)) {
    return adyenError(422, '138', 'Unsupported currency specified')
  }
  return Number.isSafeInteger(value) && Number(value) >= least ? null : notValid('amount', '137')
}

export function refuseReference(reference: unknown, longest = Infinity): Answer | null {
  if (!reference) return missing('field', 'reference', '130')
  return refuseLength('reference', reference, longest)
}

export function refuseReturnUrl(returnUrl: unknown, longest = 1024): Answer | null {
  if (!returnUrl) return adyenError(422, '14_030', 'Return URL is missing.')
  if (String(returnUrl).length > longest) return mayNotExceed('returnUrl', longest)
  return URL.canParse(String(returnUrl)) ? null : notValid('returnUrl')
}

/** Enumerations, limits, and what the same field means in every call. */
export function refuseValues(body: Body): Answer | null {
  const wrong = Object.keys(VALUES_OF).find(
    (field) => body[field] !== undefined && !VALUES_OF[field]?.includes(String(body[field]))
  )
  if (wrong !== undefined) return notValid(wrong)
  for (const [field, longest] of Object.entries(LONGEST_OF)) {
    const refusal = refuseLength(field, body[field] ?? '', longest)
    if (refusal !== null) return refusal
  }
  const delay = Number(body.captureDelayHours ?? 0)
  return delay >= 0 && delay <= 672
    ? refuseMetadata(body.metadata)
    : adyenError(422, '164', 'Auto capture delay invalid or out of range')
}

export function refuseShopper({ shopperReference }: Body): Answer | null {
  if (shopperReference === undefined) return null
  const { length } = String(shopperReference)
  return length < 3 || length > 256 ? notValid('shopperReference', '180') : null
}

/** A page that is to store a card must say what for. */
export function refuseStoring(body: Body): Answer | null {
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

export function refuseExpiry(expiresAt: unknown, now: Date, longestMs: number): Answer | null {
  if (expiresAt === undefined) return null
  const left = Date.parse(String(expiresAt)) - now.getTime()
  return left > 0 && left <= longestMs ? null : notValid('expiresAt')
}

export function refuseLength(field: string, value: unknown, longest: number): Answer | null {
  return String(value).length > longest ? mayNotExceed(field, longest) : null
}

function mayNotExceed(field: string, limit: number): Answer {
  return adyenError(422, '29_001', `Field '${field}' may not exceed ${limit} characters.`)
}
