import { newPspReference } from './identifiers.ts'

/** What a call of the Checkout API is answered with. */
export type Answer = {
  status: number
  body: unknown
  /** Sent as `Transient-Error: true`: nothing was attempted, and nothing is stored. */
  transient?: boolean
}

type ErrorType = 'configuration' | 'internal' | 'security' | 'validation'

/** Adyen's error body: https://docs.adyen.com/development-resources/error-codes */
export function adyenError(
  status: number,
  errorCode: string,
  message: string,
  errorType: ErrorType = 'validation'
): Answer {
  const body = { status, errorCode, message, errorType, pspReference: newPspReference() }
  return { status, body }
}

/** Refused too early for a pspReference: a wrong key, a body that is not JSON, no such path. */
function early(status: number, errorCode: string, message: string, errorType: ErrorType): Answer {
  return { status, body: { status, errorCode, message, errorType } }
}

export function unauthorised(): Answer {
  return early(401, '000', 'HTTP Status Response - Unauthorized', 'security')
}

/** The key is known, but may no longer do this. */
export function forbidden(): Answer {
  return early(403, '010', 'Not allowed', 'security')
}

export function notFound(): Answer {
  return early(404, '000', 'HTTP Status Response - Not Found', 'validation')
}

export function unreadable(message: string, status = 400): Answer {
  return early(status, '702', message, 'validation')
}

export function invalidMerchantAccount(): Answer {
  return adyenError(403, '901', 'Invalid Merchant Account', 'security')
}

export function missing(kind: 'field' | 'object', field: string, errorCode: string): Answer {
  return adyenError(422, errorCode, `Required ${kind} '${field}' is not provided.`)
}

/** 192 is Adyen's "invalid field"; fields with a code of their own give it. */
export function notValid(field: string, errorCode = '192'): Answer {
  return adyenError(422, errorCode, `Field '${field}' is not valid.`)
}
