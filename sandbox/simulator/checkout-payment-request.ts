import { type Answer, adyenError, missing } from './adyen-error.ts'
import type { Amount } from './money.ts'
import {
  type Body,
  fieldsOf,
  refuseAmount,
  refuseBody,
  refuseLength,
  refuseReference,
  refuseReturnUrl,
  refuseShopper,
  refuseStructure,
  refuseValues
} from './request-checks.ts'

/** The fields of a payment request that the simulator itself reads. */
export type PaymentRequest = {
  merchantAccount: string
  amount: Amount
  reference: string
  returnUrl: string
  paymentMethod: { type: string; storedPaymentMethodId: string }
  shopperReference: string
  recurringProcessingModel?: string
  captureDelayHours?: number
  additionalData?: Record<string, string>
  metadata?: Record<string, string>
}

/** All fields of PaymentRequest, Checkout API v72: any other is refused. */
const FIELDS = fieldsOf({
  string: `channel checkoutAttemptId countryCode dateOfBirth deliverAt deliveryDate
    deviceFingerprint entityType industryUsage mcc merchantAccount merchantOrderReference
    orderReference origin recurringExpiry recurringFrequency recurringProcessingModel
    redirectFromIssuerMethod redirectToIssuerMethod reference returnUrl sessionValidity
    shopperConversionId shopperEmail shopperIP shopperInteraction shopperLocale shopperReference
    shopperStatement socialSecurityNumber store telephoneNumber`,
  boolean: `enableOneClick enablePayOut enableRecurring storePaymentMethod
    threeDSAuthenticationOnly trustedShopper`,
  integer: 'captureDelayHours fraudOffset',
  array: 'lineItems splits subMerchants',
  object: `accountInfo additionalAmount additionalData amount applicationInfo authenticationData
    bankAccount billingAddress browserInfo company dccQuote deliveryAddress enhancedSchemeData
    fundOrigin fundRecipient installments localizedShopperStatement mandate merchantRiskIndicator
    metadata mpiData order paymentMethod paymentValidations platformChargebackLogic riskData
    shopperName shopperTaxInfo surcharge threeDS2RequestData`
})

const LONGEST: Record<string, number> = {
  origin: 80,
  shopperEmail: 256,
  shopperIP: 50,
  store: 64,
  telephoneNumber: 64
}

/** Fields of CardDetails that say nothing of the card, or only along with a token. */
const METHOD_FIELDS = `brand checkoutAttemptId cvc encryptedSecurityCode fundingSource holderName
  networkPaymentReference sdkData storedPaymentMethodId threeDS2SdkVersion type`.split(/\s+/)
const CARD_FIELDS = `encryptedCard encryptedCardNumber encryptedExpiryMonth encryptedExpiryYear
  encryptedPassword expiryMonth expiryYear number`.split(/\s+/)

/** The first thing wrong with the body of POST /payments, as Adyen's error, or null. */
export function refusePayment(body: Body, merchantAccount: string): Answer | null {
  const tooLong = Object.entries(LONGEST)
    .map(([field, longest]) => refuseLength(field, body[field] ?? '', longest))
    .find((refusal) => refusal !== null)
  return (
    refuseBody(body, FIELDS, 'PaymentRequest', merchantAccount) ??
    refuseAmount(body.amount) ??
    refuseReference(body.reference, 80) ??
    refuseReturnUrl(body.returnUrl) ??
    refuseMethod(body.paymentMethod) ??
    (body.shopperReference ? null : missing('field', 'shopperReference', '180')) ??
    tooLong ??
    refuseValues(body) ??
    refuseShopper(body)
  )
}

/** Stored cards only: an account without the permission may not send card data either. */
function refuseMethod(paymentMethod: unknown): Answer | null {
  if (paymentMethod === undefined) return missing('object', 'paymentMethod', '14_006')
  const method = paymentMethod as Body
  if (CARD_FIELDS.some((field) => method[field] !== undefined)) {
    return adyenError(403, '010', 'Not allowed', 'security')
  }
  const unknown = Object.keys(method).filter((field) => !METHOD_FIELDS.includes(field))
  if (method.type !== 'scheme' || unknown.length > 0) {
    return adyenError(500, '905', 'Payment details are not supported', 'configuration')
  }
  return typeof method.storedPaymentMethodId === 'string'
    ? null
    : missing('field', 'paymentMethod.storedPaymentMethodId', '14_006')
}

const DETAILS_FIELDS = fieldsOf({
  string: 'paymentData',
  boolean: 'threeDSAuthenticationOnly',
  object: 'authenticationData details'
})

/** Body of POST /payments/details: PaymentDetailsRequest. */
export function refuseDetails(body: Body): Answer | null {
  const details = body.details as Body | undefined
  return (
    refuseStructure(body, DETAILS_FIELDS, 'PaymentDetailsRequest') ??
    (details === undefined ? missing('object', 'details', '14_006') : null) ??
    (typeof details?.redirectResult === 'string'
      ? null
      : missing('field', 'details.redirectResult', '14_006'))
  )
}
