/** The headers of answers, as the OpenAPI document has them. */
import type { ProblemCode } from '../problems/problems.ts'

const text = { type: 'string' }
const count = { type: 'integer', format: 'int64', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }
const seconds = { type: 'integer', format: 'int64', minimum: 0, maximum: 86_400 }

/** By the names of their components. */
export const headers = {
  'X-Request-Id': {
    description: "The request's own id where it sent one that can be logged, else a new one",
    schema: text,
    example: '3b1f6f0e4d0c4f6c9a40d5f3b7a0c1d2'
  },
  'x-correlator': {
    description: "The request's own where it sent one as CAMARA writes it, else as `X-Request-Id`",
    schema: text,
    example: 'b4333c46-49c0-4f62-80d7-f0ef930f1c46'
  },
  ETag: {
    description: 'Changes with everything that the answer shows; send it as `If-None-Match`',
    schema: text,
    example: '"3-mb2k8f1c"'
  },
  Location: {
    description: 'The path of what was made',
    schema: { type: 'string', format: 'uri-reference' },
    example: '/v1/payments/pay_06f1k2m3n4p5q6r7'
  },
  'Idempotent-Replayed': {
    description: '`true` where this is the saved answer to an earlier request with the same key',
    schema: { type: 'string', enum: ['true'] }
  },
  'Preference-Applied': {
    description: 'The `Prefer` that was honoured (RFC 7240)',
    schema: text,
    example: 'wait=10'
  },
  Link: {
    description: 'The address of the next page (RFC 8288), where there is one',
    schema: text,
    example: '</v1/payments?cursor=WyJwYXlfMDZmMWsybTNuNHA1cTZyNyJd>; rel="next"'
  },
  'X-Total-Count': {
    description: 'How many pass the filters; it is left out of lists too long to be counted',
    schema: count,
    example: 42
  },
  'X-Result-Count': { description: 'How many are in this answer', schema: count, example: 20 },
  'Retry-After': {
    description: 'Seconds after which it is worth repeating the request',
    schema: seconds,
    example: 1
  },
  'WWW-Authenticate': {
    description: 'How to authenticate, and what is wrong with what was sent (RFC 6750)',
    schema: text,
    example: 'Bearer realm="one-off-payments", error="invalid_token"'
  },
  'RateLimit-Policy': {
    description: 'Requests (`q`) of one client in so many seconds (`w`), where there is a limit',
    schema: text,
    example: '"client";q=600;w=60'
  },
  RateLimit: {
    description: 'What remains of them (`r`), and in how many seconds it is renewed (`t`)',
    schema: text,
    example: '"client";r=0;t=27'
  }
} as const
type HeaderName = keyof typeof headers

/** References to headers by their names. */
export function toHeaderRefs(names: readonly HeaderName[]) {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}

/** What an answer has that is no problem: its operation takes `parameters`; `own` it names. */
export function headersOf(
  status: number,
  parameters: ReadonlySet<string>,
  own: readonly string[]
): HeaderName[] {
  const isGood = status >= 200 && status < 300
  const has: Record<HeaderName, boolean> = {
    'X-Request-Id': true,
    'x-correlator': true,
    ETag: parameters.has('if-none-match') && (isGood || status === 304),
    Location: own.includes('location'),
    'Idempotent-Replayed': parameters.has('idempotency-key') && isGood,
    'Preference-Applied': parameters.has('prefer') && (isGood || status === 304),
    Link: (parameters.has('cursor') || parameters.has('offset')) && isGood,
    'X-Total-Count': parameters.has('offset') && isGood,
    'X-Result-Count': parameters.has('offset') && isGood,
    'Retry-After': false,
    'WWW-Authenticate': false,
    'RateLimit-Policy': false,
    RateLimit: false
  }
  return (Object.keys(has) as HeaderName[]).filter((name) => has[name])
}

const repeatable: readonly ProblemCode[] = [
  'idempotency_key_in_flight',
  'provider_unavailable',
  'overloaded',
  'issuer_unavailable',
  'rate_limited'
]

const challenged: readonly ProblemCode[] = ['unauthenticated', 'scope_missing']

/** What the answer has that is one of these problems. */
export function problemHeaders(codes: readonly ProblemCode[]) {
  return toHeaderRefs([
    'X-Request-Id',
    'x-correlator',
    ...(codes.some((code) => repeatable.includes(code)) ? (['Retry-After'] as const) : []),
    ...(codes.some((code) => challenged.includes(code)) ? (['WWW-Authenticate'] as const) : []),
    ...(codes.includes('rate_limited') ? (['RateLimit-Policy', 'RateLimit'] as const) : []),
    // A definite no of the provider is saved under the key.
    ...(codes.includes('provider_rejected') ? (['Idempotent-Replayed'] as const) : [])
  ])
}
