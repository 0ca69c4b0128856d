import { randomBytes, randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hasCardNumber } from '../card-number.ts'
import { Problem } from '../problem.ts'
import type { Trace } from '../provider.ts'
import { hasBody } from './body.plugin.ts'
import { correlatorOf, headersOf, shownPathOf } from './problems.plugin.ts'
import { configOf } from './route-config.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Probes are not logged. */
    quiet?: boolean
    /** Its body may take as long as the server allows any request, once the caller is known. */
    longBody?: boolean
  }
  interface FastifyRequest {
    /** Ends the reading of its body. */
    bodyTimer: NodeJS.Timeout | null
  }
}

const requestId = /^[A-Za-z0-9._-]{1,64}$/

/** The caller's X-Request-Id where it is one that can be logged, else a new one. */
export function newRequestId(request: { headers: NodeJS.Dict<string | string[]> }): string {
  const given = request.headers['x-request-id']
  if (typeof given === 'string' && requestId.test(given) && !hasCardNumber(given)) return given
  return randomUUID().replaceAll('-', '')
}

const traceparent = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/

/** The request's id, and the caller's trace (W3C Trace Context) with a span of ours, to pass on. */
export function traceOf(request: FastifyRequest): Trace {
  const [, traceId, flags] = readTrace(request)
  if (traceId === undefined) return { 'x-request-id': request.id }
  const span = `00-${traceId}-${randomBytes(8).toString('hex')}-${flags}`
  return { 'x-request-id': request.id, traceparent: span }
}

function readTrace({ headers: { traceparent: given } }: FastifyRequest): readonly string[] {
  return (given !== undefined && traceparent.exec(String(given))) || []
}

/** Called for each answer, for metrics; `none` stands for a route or method that is not known. */
export type OnAnswer = (route: string, method: string, status: number, ms: number) => void

/** Headers that every answer has, and one line of log for every request. */
export function addRequestLog(app: FastifyInstance, publicUrl: string, onAnswer: OnAnswer): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(headersOf(request.id, publicUrl, correlatorOf(request)))
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    // A connection that was busy when the closing began would be waited for until it times out.
    if (closing) setImmediate(() => app.server.closeIdleConnections())
    recordAnswer(request, reply, onAnswer)
    done()
  })
}

/** Counts the answer, and writes the one line of log that its request has: ids, never bodies. */
export function recordAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  onAnswer: OnAnswer
): void {
  const { url: route = 'none', config } = request.routeOptions
  const { method } = request
  const { statusCode: status, elapsedTime: ms } = reply
  onAnswer(route, method, status, ms)
  if (config?.quiet) return
  const [, traceId] = readTrace(request)
  const answered = { method, path: shownPathOf(request), status, ms: Math.round(ms * 10) / 10 }
  const correlator = correlatorOf(request)
  request.log.info({ ...answered, clientId: request.client?.id, traceId, correlator }, 'request')
}

/** What is wrong with bodies of which nothing more will be read. */
const brokenBodies = new WeakMap<object, Problem>()

/** Ends the reading of a body, so that its request is answered with the problem at once. */
export function endBody(raw: FastifyRequest['raw'], problem: Problem): void {
  if (raw.listenerCount('error') > 0) raw.emit('error', problem)
  else brokenBodies.set(raw, problem)
}

/**
 * Ends requests whose body is not there in `ms`, whoever sends them. Routes that take long bodies
 * have as long as the server allows any request, once they know their caller.
 */
export function addBodyDeadline(app: FastifyInstance, ms: number): void {
  app.decorateRequest('bodyTimer', null)
  app.addHook('onRequest', (request, reply, done) => {
    const { raw } = request
    if (raw.complete || !hasBody(request)) return done()
    const timer = setTimeout(() => {
      if (raw.complete) return
      // It may have its answer, that its key is none, and go on sending.
      if (reply.sent) {
        raw.socket.destroy()
        return
      }
      reply.header('connection', 'close')
      endBody(raw, new Problem('request_timeout', `The body took more than ${ms} ms.`))
    }, ms)
    request.bodyTimer = timer
    raw.once('close', () => clearTimeout(timer))
    done()
  })
  // Authentication is over.
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    const broken = brokenBodies.get(request.raw)
    if (broken !== undefined) throw broken
    if (request.bodyTimer !== null && configOf(request).longBody) {
      clearTimeout(request.bodyTimer)
    }
    done()
  })
}
