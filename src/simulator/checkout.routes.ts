import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Answer, adyenError, notFound, unauthorised, unreadable } from './adyen-error.ts'
import { answerCall } from './api-call.ts'
import type { Context, LoggedRequest } from './context.ts'
import { reversePayment } from './reversals.ts'
import { createSession, getSessionResult } from './sessions.ts'

const MOST_LOGGED = 10_000
/** Never the API key. */
const LOGGED_HEADERS = [
  'content-length',
  'content-type',
  'idempotency-key',
  'traceparent',
  'tracestate',
  'transfer-encoding',
  'user-agent',
  'x-request-id'
]

/** Adyen's Checkout API v72, mounted under /v72. */
export function checkoutRoutes(context: Context) {
  return async (app: FastifyInstance): Promise<void> => {
    logRequests(app, context)
    app.addHook('onRequest', async (request, reply) => {
      const isKnown = request.headers['x-api-key'] === context.apiKey
      return isKnown ? undefined : give(reply, unauthorised())
    })
    app.setNotFoundHandler((_request, reply) => give(reply, notFound()))
    app.setErrorHandler((error: { statusCode?: number; message: string }, _request, reply) => {
      const { statusCode = 500, message } = error
      const isOurs = statusCode >= 500
      return give(
        reply,
        isOurs ? adyenError(500, '701', message, 'internal') : unreadable(message, statusCode)
      )
    })

    app.post('/sessions', (request, reply) =>
      answerCall(
        context,
        request,
        reply,
        withBody(request, (body) => createSession(context, body))
      )
    )
    app.get<{ Params: { id: string } }>('/sessions/:id', (request, reply) => {
      const [, rawQuery = ''] = request.url.split('?', 2)
      const work = () => getSessionResult(context, request.params.id, rawQuery)
      return answerCall(context, request, reply, work)
    })
    app.post<{ Params: { psp: string } }>('/payments/:psp/reversals', (request, reply) => {
      const { psp } = request.params
      const work = withBody(request, (body) => reversePayment(context, psp, body))
      return answerCall(context, request, reply, work)
    })
  }
}

function withBody(
  request: FastifyRequest,
  work: (body: Record<string, unknown>) => Answer
): () => Answer {
  const { body } = request
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
  return () =>
    isObject ? work(body as Record<string, unknown>) : unreadable('Unexpected input, expected: {')
}

function give(reply: FastifyReply, { status, body }: Answer): FastifyReply {
  return reply.code(status).send(body)
}

function logRequests(app: FastifyInstance, { requests }: Context): void {
  const logged = new WeakMap<FastifyRequest, LoggedRequest>()
  app.addHook('onRequest', async (request, reply) => {
    const entry: LoggedRequest = {
      method: request.method,
      path: request.url,
      headers: Object.fromEntries(
        LOGGED_HEADERS.flatMap((name) => {
          const value = request.headers[name]
          return value === undefined ? [] : [[name, String(value)]]
        })
      ),
      body: undefined,
      at: new Date().toISOString(),
      status: null
    }
    logged.set(request, entry)
    requests.push(entry)
    if (requests.length > MOST_LOGGED) requests.shift()
    reply.raw.once('finish', () => {
      entry.status = reply.raw.statusCode
    })
  })
  app.addHook('preHandler', async (request) => {
    const entry = logged.get(request)
    if (entry !== undefined) entry.body = request.body
  })
}
