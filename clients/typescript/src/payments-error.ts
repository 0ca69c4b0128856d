import type { Problem, ProblemCode } from './openapi.ts'

/**
 * `no_answer`: the service could not be reached, or its answer did not come; what the request asked
 * for may have been done. `unreadable_answer`: what came is not of this service, such as the page
 * of a gateway.
 */
export type ErrorCode = ProblemCode | 'no_answer' | 'unreadable_answer'

/** Every answer that is no success, and none at all. */
export class PaymentsError extends Error {
  override readonly name = 'PaymentsError'
  /** What to decide by: it never changes its meaning. */
  readonly code: ErrorCode
  /** Of the answer; undefined where none came. */
  readonly status: number | undefined
  /** Every field that is wrong, each with a JSON pointer; none for most codes. */
  readonly errors: NonNullable<Problem['errors']>
  /** Say it when you ask for help. */
  readonly requestId: string | undefined
  /** The payment that the answer is about, as of `duplicate_suspected`. */
  readonly paymentId: string | undefined
  /** The whole answer (RFC 9457), where it was one of this service. */
  readonly problem: Problem | undefined

  constructor(
    code: ErrorCode,
    message: string,
    about: {
      status?: number
      requestId?: string | undefined
      problem?: Problem
      cause?: unknown
    } = {}
  ) {
    super(message, 'cause' in about ? { cause: about.cause } : {})
    const { status, problem, requestId = problem?.requestId } = about
    this.code = code
    this.status = status
    this.errors = problem?.errors ?? []
    this.requestId = requestId
    this.paymentId = problem?.paymentId
    this.problem = problem
  }
}

/** The error that an answer means, whatever its body is. */
export function toError(response: Response, body: unknown): PaymentsError {
  const { status } = response
  if (isProblem(body)) return new PaymentsError(body.code, body.detail, { status, problem: body })
  const requestId = response.headers.get('x-request-id') ?? undefined
  const message = `The answer, with status ${status}, can't be read.`
  return new PaymentsError('unreadable_answer', message, { status, requestId })
}

export function isProblem(body: unknown): body is Problem {
  const { code, detail } = (body ?? {}) as Record<string, unknown>
  return typeof code === 'string' && typeof detail === 'string'
}
