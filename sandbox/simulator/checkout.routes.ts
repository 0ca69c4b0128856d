import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  type Answer,
  adyenError,
  forbidden,
  notFound,
  unauthorised,
  unreadable
} from './adyen-error.ts'
import { answerCall } from './api-call.ts'
import { createLink, getLink, updateLink } from './checkout-links.ts'
import { cancelByReference, modifyPayment } from './checkout-modifications.ts'
import { completePayment, payWithStoredCard } from './checkout-payments.ts'
import type { Context, LoggedRequest } from './context.ts'
import type { Body } from './request-checks.ts'
import { createSession, getSessionResult } from './sessions.ts'
import { deleteStoredCard, listStoredCards } from './stored-cards.ts'

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

type WithId = { Params: { id: string } }

/** Adyen's Checkout API v72, mounted under /v72. */
export function checkoutRoutes(context: Context) {
  return async (app: FastifyInstance): Promise<void> => {
    logRequests(app, context)
    app.addHook('onRequest', async (request, reply) => {
      const where = `${request.method} ${request.url}`
      const revoked = context.faults.take('api', 'revokedKey', where)
      if (revoked?.status === 403) return give(reply, forbidden())
      const isKnown = revoked === null && request.headers['x-api-key'] === context.apiKey
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

    acceptEmptyJson(app)
    sessionRoutes(app, context)
    linkRoutes(app, context)
    paymentRoutes(app, context)
    storedCardRoutes(app, context)
  }
}

function sessionRoutes(app: FastifyInstance, context: Context): void {
  app.post('/sessions', (request, reply) => {
    const work = withBody(request, (body) => createSession(context, body))
    return answerCall(context, request, reply, work)
  })
  app.get<WithId>('/sessions/:id', (request, reply) => {
    const work = () => getSessionResult(context, request.params.id, rawQueryOf(request))
    return answerCall(context, request, reply, work)
  })
}

function linkRoutes(app: FastifyInstance, context: Context): void {
  app.post('/paymentLinks', (request, reply) => {
    const work = withBody(request, (body) => createLink(context, body))
    return answerCall(context, request, reply, work)
  })
  app.get<WithId>('/paymentLinks/:id', (request, reply) =>
    answerCall(context, request, reply, () => getLink(context, request.params.id))
  )
  app.patch<WithId>('/paymentLinks/:id', (request, reply) => {
    const work = withBody(request, (body) => updateLink(context, request.params.id, body))
    return answerCall(context, request, reply, work)
  })
}

const MODIFICATIONS = {
  amountUpdates: 'amountUpdate',
  cancels: 'cancel',
  captures: 'capture',
  refunds: 'refund',
  reversals: 'reversal'
} as const

function paymentRoutes(app: FastifyInstance, context: Context): void {
  const calls: [path: string, work: (context: Context, body: Body) => Answer][] = [
    ['/payments', payWithStoredCard],
    ['/payments/details', completePayment],
    ['/cancels', cancelByReference]
  ]
  for (const [path, work] of calls) {
    app.post(path, (request, reply) =>
      answerCall(
        context,
        request,
        reply,
        withBody(request, (body) => work(context, body))
      )
    )
  }
  for (const [path, kind] of Object.entries(MODIFICATIONS)) {
    app.post<WithId>(`/payments/:id/${path}`, (request, reply) => {
      const work = withBody(request, (body) =>
        modifyPayment(context, kind, request.params.id, body)
      )
      return answerCall(context, request, reply, work)
    })
  }
}

function storedCardRoutes(app: FastifyInstance, context: Context): void {
  app.get('/storedPaymentMethods', (request, reply) => {
    const query = new URLSearchParams(rawQueryOf(request))
    return answerCall(context, request, reply, () => listStoredCards(context, query))
  })
  app.delete<WithId>('/storedPaymentMethods/:id', (request, reply) => {
    const query = new URLSearchParams(rawQueryOf(request))
    const work = () => deleteStoredCard(context, request.params.id, query)
    return answerCall(context, request, reply, work)
  })
}

/** Clients send `content-type: application/json` with a DELETE too, which has no body. */
function acceptEmptyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else parse(request, String(body), done)
  })
}

function rawQueryOf(request: FastifyRequest): string {
  const [, rawQuery = ''] = request.url.split('?', 2)
  return rawQuery
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
    if (entry !== undefined) entry.body = withoutCard(request.body)
  })
}

/** A card that is sent against the rules is not kept either. */
function withoutCard(body: unknown): unknown {
  const { paymentMethod } = (body ?? {}) as { paymentMethod?: unknown }
  if (typeof paymentMethod !== 'object' || paymentMethod === null) return body
  const { type, storedPaymentMethodId } = paymentMethod as Body
  return { ...(body as Body), paymentMethod: { type, storedPaymentMethodId } }
}
