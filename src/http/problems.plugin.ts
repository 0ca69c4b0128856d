import type {
  FastifyBaseLogger,
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifyRequest
} from 'fastify'
import { hasCardNumber, hideCardNumbers } from '../card-number.ts'
import { isUnavailable } from '../database/unavailable.ts'
import { type ErrorForm, type FieldFault, Problem, pointerTo, problemForm } from '../problem.ts'
import { formats } from './formats.ts'

/**
 * Every error of every route becomes application/problem+json (RFC 9457), but for paths whose
 * callers are used to another form.
 */
export function addProblems(
  app: FastifyInstance,
  publicUrl: string,
  forms: readonly ErrorForm[] = []
): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = toProblem(error, request)
    logProblem(request.log, problem, error)
    const form = forms.find(({ under }) => request.url.startsWith(under)) ?? problemForm
    return sendProblem(request, reply, problem, publicUrl, form)
  })
}

function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  problem: Problem,
  publicUrl: string,
  form: ErrorForm
): FastifyReply {
  if (problem.retryAfterS !== undefined) reply.header('retry-after', problem.retryAfterS)
  if (problem.challenge !== undefined) reply.header('www-authenticate', problem.challenge)
  const place = { publicUrl, instance: shownPathOf(request), requestId: request.id }
  return reply
    .headers(headersOf(request.id, publicUrl, correlatorOf(request)))
    .code(problem.status)
    .type(form.mediaType)
    .send(JSON.stringify(form.toDocument(problem, place)))
}

/** The path without the query, which may hold what a caller would not want repeated. */
export function pathOf({ url }: FastifyRequest): string {
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}

/** Longer than any path of this API with the longest ids. */
const shownMax = 300

/** The path for logs and answers: without card numbers, and no longer than one may be. */
export function shownPathOf(request: FastifyRequest): string {
  return hideCardNumbers(pathOf(request)).slice(0, shownMax)
}

const correlatorPattern = /^[\w:;./<>{}-]{1,256}$/

/** The caller's `x-correlator`, as CAMARA writes one, where it is one that can be logged. */
export function correlatorOf({ headers }: FastifyRequest): string | undefined {
  const given = headers['x-correlator']
  const isOne = typeof given === 'string' && correlatorPattern.test(given) && !hasCardNumber(given)
  return isOne ? given : undefined
}

/** What every answer has, whatever it is. */
export function headersOf(
  requestId: string,
  publicUrl: string,
  correlator = requestId
): Record<string, string> {
  return {
    'x-request-id': requestId,
    'x-correlator': correlator,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    // Browsers come by https alone for a year (RFC 6797); other hosts of the domain are not ours.
    ...(publicUrl.startsWith('https:') && { 'strict-transport-security': 'max-age=31536000' })
  }
}

function logProblem(log: FastifyBaseLogger, problem: Problem, error: FastifyError): void {
  // Such a refusal shows in the line of its request, and there may be many.
  if (problem.code === 'overloaded') return
  if (problem.code === 'internal_error') log.error({ err: error }, 'unexpected error')
  else if (problem.status >= 500) {
    // Where it was thrown says nothing of an outage, and there are many of them then.
    const { code, cause } = problem
    log.warn({ code, ...(cause !== undefined && { err: error }) }, problem.message)
  }
}

function toProblem(error: FastifyError, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error
  if (error.validation !== undefined) {
    const context = error.validationContext ?? 'body'
    const faults = error.validation
      .filter(({ keyword }) => !summaries.has(keyword))
      .map(toFieldFault)
    const errors = context === 'querystring' ? faults.map(asParameter) : faults
    const count = errors.length === 1 ? 'A fault' : `${errors.length} faults`
    const detail = `${count} in the ${context}.`
    return new Problem('request_invalid', detail, { errors })
  }
  if (isUnavailable(error)) {
    return new Problem('overloaded', 'The database did not answer in time.', {
      retryAfterS: 1,
      cause: error
    })
  }
  return (
    fromFastify(error, request) ??
    new Problem('internal_error', 'A fault of ours.', { cause: error })
  )
}

/** Ajv's errors that only say that there are others. */
const summaries = new Set(['if', 'propertyNames'])

/** Ajv's error; `propertyName` is the name that `propertyNames` refused. */
type Validation = NonNullable<FastifyError['validation']>[number] & { propertyName?: string }

/** Ajv's error as a pointer to the field itself, also where it is missing or unknown. */
function toFieldFault(fault: Validation): FieldFault {
  const { instancePath, keyword, params, message, propertyName } = fault
  const named = params.missingProperty ?? params.additionalProperty ?? propertyName
  const pointer = typeof named === 'string' ? pointerTo(instancePath, named) : instancePath
  if (keyword === 'required') return { pointer, detail: 'is required' }
  if (keyword === 'false schema') return { pointer, detail: 'does not belong here' }
  if (keyword === 'additionalProperties') return { pointer, detail: 'is not a known field' }
  if (keyword === 'enum') {
    return { pointer, detail: `must be one of ${(params.allowedValues as string[]).join(', ')}` }
  }
  const says = keyword === 'format' ? formats[params.format as string]?.says : undefined
  return { pointer, detail: says ?? message ?? 'is not valid' }
}

/** A parameter is one, also where it takes a list of values. */
function asParameter({ pointer, detail }: FieldFault): FieldFault {
  return { pointer: pointer.replace(/\/\d{1,3}$/, ''), detail }
}

/** What Fastify refuses before a route is reached. */
function fromFastify(error: FastifyError, request: FastifyRequest): Problem | undefined {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new Problem('body_too_large', 'The body is larger than this route takes.')
  }
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    const { content } = (request.routeOptions.schema?.body ?? {}) as { content?: object }
    const types = Object.keys(content ?? { 'application/json': {} })
    return new Problem('content_type_unsupported', `Send ${types.join(' or ')}.`)
  }
  if (error.code === 'FST_ERR_MAX_PARAM_LENGTH') {
    return new Problem('not_found', 'No id is as long as the one in this path.')
  }
  if (error instanceof SyntaxError || /^FST_ERR_CTP_.*JSON_BODY$/.test(error.code)) {
    const errors = [{ pointer: '', detail: 'is not JSON that can be read' }]
    return new Problem('request_invalid', 'The body can’t be read.', { errors })
  }
  const { statusCode = 500 } = error
  if (statusCode >= 400 && statusCode < 500) {
    return new Problem('request_invalid', 'The request can’t be read.')
  }
  return undefined
}
