/**
 * The problems of a route in its OpenAPI document. Routes name their own in `config.problems`; they
 * are no response schemas, since a problem is sent as the text that it is.
 */
import type { ProblemDocument } from '../problem.ts'
import { type ProblemCode, problems } from '../problems.ts'

const everyRoute: ProblemCode[] = ['request_invalid', 'internal_error', 'overloaded']
const everyRouteWithScope: ProblemCode[] = [
  'unauthenticated',
  'scope_missing',
  'card_number_refused'
]
const everyRouteWithBody: ProblemCode[] = ['body_too_large', 'content_type_unsupported']

/**
 * The responses for these problems and those that every such route has, by status, with examples.
 */
export function toProblemReplies(
  own: readonly ProblemCode[],
  { hasScope, hasBody }: { hasScope: boolean; hasBody: boolean }
): Record<number, unknown> {
  const codes = new Set([
    ...everyRoute,
    ...(hasScope ? everyRouteWithScope : []),
    ...(hasBody ? everyRouteWithBody : []),
    ...own
  ])
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of codes) {
    const { status } = problems[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries([...byStatus].map(([status, codes]) => [status, toReply(codes)]))
}

function toReply(codes: readonly ProblemCode[]): unknown {
  const description = codes.map((code) => `\`${code}\`: ${problems[code].title}.`).join('\n\n')
  const examples = Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }]))
  const schema = { $ref: 'Problem#' }
  return { description, content: { 'application/problem+json': { schema, examples } } }
}

function exampleOf(code: ProblemCode): ProblemDocument {
  const { status, title, cause } = problems[code]
  return {
    type: `https://payments.example/docs/problems#${code}`,
    title,
    status,
    detail: cause,
    code,
    instance: '/v1/payments',
    requestId: '3b1f6f0e4d0c4f6c9a40d5f3b7a0c1d2',
    ...(code === 'request_invalid' && {
      errors: [{ pointer: '/amount/value', detail: 'must be integer' }]
    })
  }
}
