/**
 * Every error that this service can answer with (RFC 9457). The code is public and never changes
 * its meaning; cause and cure are what the page of the code tells a caller.
 */

type ProblemKind = { status: number; title: string; cause: string; cure: string }

export const problems = {
  request_invalid: {
    status: 400,
    title: 'The request does not fit its schema',
    cause: 'A field, parameter or header is missing, of another type, or out of bounds.',
    cure: 'Mend every fault listed in `errors`; each has a JSON pointer (RFC 6901) to its place.'
  },
  idempotency_key_missing: {
    status: 400,
    title: 'This request needs an Idempotency-Key',
    cause: 'The header is missing, or is not 1 to 255 visible ASCII characters.',
    cure: 'Send a fresh random key with each new intention, and the same key with each repetition.'
  },
  unauthenticated: {
    status: 401,
    title: 'The API key is missing or not valid',
    cause: 'No `Authorization: Bearer …`, or a key that is unknown, expired or revoked.',
    cure: 'Send a current key of your client.'
  },
  scope_missing: {
    status: 403,
    title: 'The client lacks a scope that this request needs',
    cause: 'The key is valid; its client was not given the scope named in `detail`.',
    cure: 'Use a client that has the scope, or ask the operator for it.'
  },
  not_found: {
    status: 404,
    title: 'Nothing is here',
    cause: 'No route has this method and path.',
    cure: 'Compare method and path with the OpenAPI document at /openapi.json.'
  },
  payment_not_found: {
    status: 404,
    title: 'No payment has this id',
    cause: 'The id is unknown, or the payment belongs to another client.',
    cure: 'Use the id that the creation answered with, and the client that created it.'
  },
  account_not_known: {
    status: 404,
    title: 'No account has this number',
    cause: 'The account in the path was never pushed to this service.',
    cure: 'Push it with PUT /v1/accounts/{accountId}, or correct the number.'
  },
  notification_not_found: {
    status: 404,
    title: 'No notification has this id',
    cause: 'The id in the path is unknown.',
    cure: 'List the notifications and use an id from there.'
  },
  idempotency_key_in_flight: {
    status: 409,
    title: 'A request with this Idempotency-Key is under way',
    cause: 'The first request has not ended, or waits for the payment provider.',
    cure: 'Repeat the same request, with the same key, after `Retry-After` seconds.'
  },
  charge_conflict: {
    status: 409,
    title: 'A charge with this reference exists with other content',
    cause: 'The reference was used on this account with another amount or due date.',
    cure: 'Use a new reference for a new charge; a charge that was pushed is never changed.'
  },
  account_currency_fixed: {
    status: 409,
    title: 'The currency of an account does not change',
    cause: 'The account exists with another currency.',
    cure: 'Send the currency that the account has.'
  },
  notification_not_retryable: {
    status: 409,
    title: 'This notification has nothing to try again',
    cause: 'It was applied, ignored or foreign already, or is about to be applied.',
    cure: 'Nothing needs to be done.'
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    cause: 'A body holds at most 64 KiB (1 MiB for the webhook).',
    cure: 'Send a smaller body.'
  },
  content_type_unsupported: {
    status: 415,
    title: 'The content type is not supported',
    cause: 'Bodies are JSON.',
    cure: 'Send `Content-Type: application/json`.'
  },
  idempotency_key_reused: {
    status: 422,
    title: 'This Idempotency-Key was used with a different request',
    cause: 'Method, path or body differ from the first request with the key.',
    cure: 'Use a new key for a new request.'
  },
  account_not_found: {
    status: 422,
    title: 'The account is not known',
    cause: '`accountId` names an account that was never pushed to this service.',
    cure: 'Correct the number, or push the account with PUT /v1/accounts/{accountId} first.'
  },
  account_closed: {
    status: 422,
    title: 'The account is closed',
    cause: 'A closed account takes no new payments or charges.',
    cure: 'Open it with PUT /v1/accounts/{accountId}, or use another account.'
  },
  currency_mismatch: {
    status: 422,
    title: "The currency is not the account's",
    cause: 'Payments and charges are made in the currency of their account.',
    cure: "Send the account's currency."
  },
  amount_too_large: {
    status: 422,
    title: 'The amount is too large',
    cause: 'It is above the configured limit, or above 9,999,999.99 in major units.',
    cure: 'Send a smaller amount.'
  },
  amount_not_representable: {
    status: 422,
    title: 'The amount cannot be expressed',
    cause: 'It has more decimals than the billing system or the payment provider can hold.',
    cure: 'Round the amount to what the currency has in common with both.'
  },
  return_url_refused: {
    status: 422,
    title: 'The returnUrl is not allowed for this client',
    cause: 'It is not https, holds user information, or its origin was not given to the client.',
    cure: 'Use an origin given with --return-origin when the client was made.'
  },
  card_number_refused: {
    status: 422,
    title: 'A field holds a card number',
    cause: 'No field of this API ever holds one; it was neither stored nor logged.',
    cure: 'Remove it. Card numbers are typed on the card page of the provider only.'
  },
  internal_error: {
    status: 500,
    title: 'A fault of ours',
    cause: 'The service met something that it does not know.',
    cure: 'Repeat the request with the same Idempotency-Key; report `requestId` if it persists.'
  },
  provider_rejected: {
    status: 502,
    title: 'The payment provider refused the request',
    cause: 'Its answer was definite: the payment has failed and nothing was taken.',
    cure: 'See `detail`; mend it and make a new payment with a new key.'
  },
  provider_unavailable: {
    status: 503,
    title: 'The payment provider did not answer in time',
    cause:
      'Whether it did the work is unknown; the payment is kept and finished in the background.',
    cure: 'Repeat the same request with the same key after `Retry-After` seconds.'
  },
  overloaded: {
    status: 503,
    title: 'The service has no capacity at the moment',
    cause: 'Its database cannot be reached or has no time for this request.',
    cure: 'Repeat the same request with the same key after `Retry-After` seconds.'
  }
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof problems
export type FieldFault = { pointer: string; detail: string }

type ProblemExtras = {
  errors?: FieldFault[]
  /** The payment that the problem is about. */
  paymentId?: string
  /** Seconds after which it is worth repeating the request. */
  retryAfterS?: number
  /** For the log only. */
  cause?: unknown
}

/** An error the client may see: `detail` is for people. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly errors: FieldFault[] | undefined
  readonly paymentId: string | undefined
  readonly retryAfterS: number | undefined

  constructor(code: ProblemCode, detail: string, extras: ProblemExtras = {}) {
    super(detail, { cause: extras.cause })
    this.code = code
    this.errors = extras.errors
    this.paymentId = extras.paymentId
    this.retryAfterS = extras.retryAfterS
  }

  get status(): number {
    return problems[this.code].status
  }
}

export type ProblemDocument = {
  type: string
  title: string
  status: number
  detail: string
  code: ProblemCode
  instance: string
  requestId: string
  errors?: FieldFault[]
  paymentId?: string
}

/** Where a problem was met: the service's public URL, the request's path, and its id. */
export type ProblemPlace = { publicUrl: string; instance: string; requestId: string }

/** The problem as RFC 9457 has it. */
export function toProblemDocument(problem: Problem, place: ProblemPlace): ProblemDocument {
  const { status, title } = problems[problem.code]
  return {
    type: `${place.publicUrl}/docs/problems#${problem.code}`,
    title,
    status,
    detail: problem.message,
    code: problem.code,
    instance: place.instance,
    requestId: place.requestId,
    ...(problem.errors && { errors: problem.errors }),
    ...(problem.paymentId && { paymentId: problem.paymentId })
  }
}
