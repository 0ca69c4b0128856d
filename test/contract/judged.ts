/** Calls of the API by the names of its operations, each answer judged by the OpenAPI document. */
import type { Test } from 'tap'
import { type ProblemCode, problems } from '../../src/problems/problems.ts'
import { type Answer, type Call, type TestService, testService } from '../test-service.ts'
import { codesOf, createJudge, type Json, type Operation, operationsOf } from './document.ts'

/** Met over sockets, under a limit, and by tokens of an issuer, in test/http and test/oauth. */
export const elsewhereMet: readonly ProblemCode[] = [
  'request_timeout',
  'headers_too_large',
  'rate_limited',
  'issuer_unavailable'
]

/** What any operation may answer whatever it does: met in general.test.ts and health.test.ts. */
export const generalCodes: readonly ProblemCode[] = [
  'request_invalid',
  'unauthenticated',
  'scope_missing',
  'not_acceptable',
  'card_number_refused',
  'body_too_large',
  'content_type_unsupported',
  'idempotency_key_missing',
  'precondition_failed',
  'internal_error',
  'overloaded',
  ...elsewhereMet
]

export type AskOptions = Call & { query?: string }

export type Judged = TestService & {
  document: Json
  operations: Operation[]
  /**
   * Calls an operation, the parameters of its path being `ids` in their order, and judges the
   * answer, which must have this status or be this problem. A key of its own where it needs one.
   */
  meet(
    expected: number | ProblemCode,
    operationId: string,
    ids?: readonly string[],
    options?: AskOptions
  ): Promise<Answer>
  /** Asks for a resource that nothing changes meanwhile, and once more with its ETag. */
  meetUnchanged(operationId: string, ids: readonly string[]): Promise<Answer>
  /** Judges an answer that was had otherwise. */
  judge(operationId: string, answer: Answer): Answer
  /** What the document promises of operations with this tag that no call has met yet. */
  findUnmet(tag: string): string[]
  /** What any operation may answer, of those that no call has met yet. */
  findUnmetGeneral(codes: readonly ProblemCode[]): string[]
}

/** A service whose answers are judged; what is wrong with one is a fault of `t`. */
export async function judgedService(
  t: Test,
  options: Parameters<typeof testService>[1] = {}
): Promise<Judged> {
  const service = await testService(t, options)
  const { body: document } = await service.call('GET', '/openapi.json', { key: null })
  const operations = operationsOf(document)
  const byId = new Map(operations.map((one) => [one.id, one]))
  const findFaults = createJudge(document)
  const met = new Set<string>()

  function judge(operationId: string, answer: Answer): Answer {
    const { path, method, operation } = byId.get(operationId) as Operation
    const { status, headers, body, text } = answer
    const name = `${operationId} ${status}`
    t.same(headerFaults(operation, answer), [], `${name}: its headers`)
    const response = operation.responses[status]
    if (response === undefined) {
      t.fail(`${name} is documented`, { answer: text })
      return answer
    }
    if (response.content === undefined) {
      met.add(name)
      t.equal(text, '', `${name}: no body`)
      return answer
    }
    const type = String(headers.get('content-type')).split(';', 1)[0] as string
    const responses = ['paths', path, method, 'responses', String(status)]
    if (response.content[type] === undefined) {
      t.fail(`${name} may be ${type}`, { answer: text })
      return answer
    }
    t.same(findFaults([...responses, 'content', type, 'schema'], body), [], `${name}: its body`)
    if (status < 400 || codesOf(response).length === 0) {
      met.add(name)
      return answer
    }
    t.ok(codesOf(response).includes(body.code), `${operationId} may answer ${body.code}`)
    met.add(`${operationId} ${body.code}`)
    return answer
  }

  async function meet(
    expected: number | ProblemCode,
    operationId: string,
    ids: readonly string[] = [],
    { query = '', ...call }: AskOptions = {}
  ): Promise<Answer> {
    const known = byId.get(operationId)
    if (known === undefined) throw new Error(`${operationId} is no operation`)
    const left = [...ids]
    const path = known.path.replaceAll(/\{\w+\}/g, () => left.shift() ?? 'none')
    const answer = await service.call(known.method.toUpperCase(), `${path}${query}`, {
      ...(needsKey(known) && { idempotencyKey: crypto.randomUUID() }),
      ...call
    })
    const found = typeof expected === 'number' ? answer.status : answer.body.code
    t.equal(found, expected, `${operationId}: ${expected} ${found === expected ? '' : answer.text}`)
    return judge(operationId, answer)
  }

  async function meetUnchanged(operationId: string, ids: readonly string[]): Promise<Answer> {
    const answer = await meet(200, operationId, ids)
    const etag = String(answer.headers.get('etag'))
    const again = await meet(304, operationId, ids, { headers: { 'if-none-match': etag } })
    t.equal(again.headers.get('etag'), etag)
    await meet(200, operationId, ids, { headers: { 'if-none-match': '"another"' } })
    return answer
  }

  /** An operation with a problem, or with a status that is none. */
  function promisesOf({ id, operation }: Operation): string[] {
    return Object.entries<Json>(operation.responses).flatMap(([status, response]) => {
      const codes = codesOf(response)
      return codes.length > 0 ? codes.map((code) => `${id} ${code}`) : [`${id} ${status}`]
    })
  }
  const codeOf = (promise: string) => promise.split(' ')[1] as ProblemCode

  return {
    ...service,
    document,
    operations,
    meet,
    meetUnchanged,
    judge,
    findUnmet: (tag) =>
      operations
        .filter(({ operation }) => operation.tags.includes(tag))
        .flatMap(promisesOf)
        .filter((one) => !generalCodes.includes(codeOf(one)) && !met.has(one)),
    findUnmetGeneral: (codes) =>
      operations.flatMap(promisesOf).filter((one) => codes.includes(codeOf(one)) && !met.has(one))
  }
}

export function needsKey({ operation }: Operation): boolean {
  return (operation.parameters ?? []).some(
    (one: Json) => one.in === 'header' && one.name === 'idempotency-key'
  )
}

/** A change supposes what is not there. */
export const stale = { headers: { 'if-match': '"stale"' } }

/** Problems after which the same request is worth repeating. */
const repeatable: readonly ProblemCode[] = [
  'idempotency_key_in_flight',
  'provider_unavailable',
  'overloaded'
]

/** What is wrong with the headers, by the rules that hold for every answer. */
function headerFaults(operation: Json, { status, headers, body }: Answer): string[] {
  const faults: string[] = []
  const must = (name: string, pattern: RegExp) => {
    if (!pattern.test(headers.get(name) ?? '')) faults.push(`${name}: ${headers.get(name)}`)
  }
  must('x-request-id', /^[A-Za-z0-9._-]{1,64}$/)
  must('x-correlator', /^[A-Za-z0-9._-]{1,64}$/)
  must('x-content-type-options', /^nosniff$/)
  must('cache-control', /^no-store$/)
  if (status < 400 && operation.responses[304] !== undefined) must('etag', /^"[\w-]+"$/)
  if (status === 401 || status === 403) must('www-authenticate', /^Bearer realm="/)
  if (status >= 400 && body.code !== undefined) {
    if (problems[body.code as ProblemCode]?.status !== status) faults.push(`${body.code} ${status}`)
    if (body.status !== status) faults.push(`the body says ${body.status}`)
    // What was saved under a key names the request that it answered first.
    const isReplayed = headers.get('idempotent-replayed') === 'true'
    if (!isReplayed && body.requestId !== headers.get('x-request-id')) faults.push('requestId')
  }
  if (repeatable.includes(body?.code)) must('retry-after', /^\d+$/)
  if (status === 201 && /^pay_/.test(body.id)) {
    must('location', new RegExp(`^/v1/payments/${body.id}$`))
  }
  // A feed has no end, and its position no link.
  const isPaged = operation.parameters?.some(({ name }: Json) => name === 'cursor')
  if (isPaged && body?.nextCursor !== undefined) {
    must('link', body.nextCursor === null ? /^$/ : /^<\/v1\/[^>]+[?&]cursor=[^>]+>; rel="next"$/)
  }
  return faults
}

/**
 * Sends a create several times at once, which the caller has made slow: one makes it and is
 * answered with what is made, the others come while it is under way.
 */
export async function meetInFlight(
  { call, judge }: Judged,
  operationId: string,
  path: string,
  body: object
): Promise<Json> {
  const idempotencyKey = crypto.randomUUID()
  const answers = await Promise.all(
    [1, 2, 3].map(() => call('POST', path, { body, idempotencyKey }))
  )
  for (const answer of answers) judge(operationId, answer)
  return answers.find(({ status }) => status === 201)?.body
}

/** Asks until `isDone`, for 10 s at most. */
export async function eventually<T>(
  ask: () => Promise<T>,
  isDone: (found: T) => boolean
): Promise<T> {
  const giveUpAt = Date.now() + 10_000
  for (;;) {
    const found = await ask()
    if (isDone(found)) return found
    if (Date.now() > giveUpAt) throw new Error(`not in time: ${JSON.stringify(found)}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
