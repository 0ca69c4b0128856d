import { randomBytes, randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { hasCardNumber } from '../card-number.ts'
import type { Trace } from '../provider.ts'
import { addHeaders, shownPathOf } from './problems.plugin.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Probes are not logged. */
    quiet?: boolean
    /** Its body may take as long as the server allows any request. */
    longBody?: boolean
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
  const [, traceId, flags] = traceparent.exec(String(request.headers.traceparent)) ?? []
  const span = `00-${traceId}-${randomBytes(8).toString('hex')}-${flags}`
  return { 'x-request-id': request.id, ...(traceId !== undefined && { traceparent: span }) }
}

/** Called for each answer, for metrics. */
type OnAnswer = (route: string, method: string, status: number, ms: number) => void

/** Headers that every answer has, and one line of log for every request: ids, never bodies. */
export function addRequestLog(app: FastifyInstance, onAnswer: OnAnswer): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onRequest', async (request, reply) => addHeaders(request, reply))
  app.addHook('onResponse', async (request, reply) => {
    const { url: route = 'none', config } = request.routeOptions
    const ms = reply.elapsedTime
    onAnswer(route, request.method, reply.statusCode, ms)
    // A connection that was busy when the closing began would be waited for until it times out.
    if (closing) setImmediate(() => app.server.closeIdleConnections())
    if (config.quiet) return
    request.log.info(
      {
        method: request.method,
        path: shownPathOf(request),
        status: reply.statusCode,
        ms: Math.round(ms * 10) / 10,
        ...(request.client && { clientId: request.client.id }),
        ...traceIdOf(request)
      },
      'request'
    )
  })
}

/** Browsers come by https alone for a year (RFC 6797); other hosts of the domain are not ours. */
export function addTransportSecurity(app: FastifyInstance): void {
  app.addHook('onRequest', async (_, reply) => {
    reply.header('strict-transport-security', 'max-age=31536000')
  })
}

function traceIdOf(request: FastifyRequest): { traceId: string } | undefined {
  const [, traceId] = traceparent.exec(String(request.headers.traceparent)) ?? []
  return traceId === undefined ? undefined : { traceId }
}

/**
 * Ends requests whose body is not there in `ms`, but for those of routes that take long ones: the
 * server's own limit is one for all. They get what that would answer (RFC 9110, 15.5.9).
 */
export function addBodyDeadline(app: FastifyInstance, ms: number): void {
  app.addHook('preParsing', async (request) => {
    const { raw } = request
    if (request.routeOptions.config.longBody || raw.complete) return
    const timer = setTimeout(() => {
      raw.socket.end('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n')
    }, ms)
    const stop = () => clearTimeout(timer)
    raw.once('end', stop).once('close', stop)
  })
}
