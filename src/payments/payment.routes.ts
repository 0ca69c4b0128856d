import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { visibleTo } from '../clients/client.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { IdParams, ref, WaitHeaders } from '../http/common.schema.ts'
import { sendList } from '../http/csv.plugin.ts'
import { byId, readCreatedRange, splitLists } from '../http/cursor.ts'
import { sendSaved } from '../http/idempotency.plugin.ts'
import { matchesETag } from '../http/precondition.ts'
import { readWait } from '../http/prefer.ts'
import { found, Problem } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { ListPaymentsQuery, PaymentPage, PaymentSchema } from './payment.schema.ts'
import { findPayment } from './payment.store.ts'
import { isFinished, type ShownPayment } from './payment.ts'
import { paymentColumns } from './payment-columns.ts'
import { listPayments, type PaymentFilter } from './payment-search.store.ts'
import { toETag, toShownView } from './payment-view.ts'

export const paymentRoutes: Routes<'reads' | 'providerName' | 'waiters'> = async (app, deps) => {
  const { reads, providerName } = deps
  const viewFor = (request: FastifyRequest) => (payment: ShownPayment) =>
    toShownView(payment, providerName, clientOf(request).thirdParty)

  app.get(
    '/v1/payments/:id',
    {
      schema: {
        operationId: 'getPayment',
        summary: 'Get a payment',
        description:
          'Its present state. `If-None-Match` with the last ETag answers 304. With `Prefer: ' +
          'wait=N` it waits, with `If-None-Match` until the payment has changed, else until it ' +
          'has finished: at most N seconds, at most 30.',
        tags: ['Payments'],
        headers: WaitHeaders,
        params: IdParams,
        response: { 200: ref(PaymentSchema) }
      },
      config: { scope: 'payments:read', problems: ['payment_not_found'], etag: true, waits: true }
    },
    async (request, reply) => {
      const known = request.headers['if-none-match']
      const waitS = readWait(request.headers.prefer)
      if (waitS !== undefined) reply.header('preference-applied', `wait=${waitS}`)
      const payment = await waitForPayment(request, request.params.id, known, waitS ?? 0)
      const body = JSON.stringify(viewFor(request)(payment))
      reply.header('etag', toETag(payment, body))
      return sendSaved(reply, { status: 200, body, replayed: false })
    }
  )

  app.get(
    '/v1/payments',
    {
      schema: {
        operationId: 'listPayments',
        summary: 'List payments',
        description:
          'Newest first. Filters narrow each other. Besides the parameters shown, ' +
          '`metadata.KEY=value` filters by metadata.',
        tags: ['Payments'],
        querystring: ListPaymentsQuery,
        response: { 200: PaymentPage }
      },
      preValidation: async ({ query }) => splitLists(query, ['status', 'channel', 'method']),
      config: { scope: 'payments:read', problems: [], csv: paymentColumns }
    },
    async (request, reply) => {
      const filter = { ...filterOf(request.query), clientId: visibleTo(clientOf(request)) }
      const find = (before: string | null, limit: number) =>
        listPayments(reads, { ...filter, before, limit })
      return await sendList(request, reply, find, viewFor(request), byId, paymentColumns)
    }
  )

  /** The payment, when it differs from what the caller knows, or has finished; or time is up. */
  async function waitForPayment(
    request: FastifyRequest,
    id: string,
    known: string | undefined,
    waitS: number
  ): Promise<ShownPayment> {
    const read = () => getPayment(request, id)
    if (waitS === 0) return await read()
    const isEnough = (payment: ShownPayment) =>
      known === undefined
        ? isFinished(payment.status)
        : !matchesETag(known, toETag(payment, JSON.stringify(viewFor(request)(payment))))
    return await deps.waiters.wait(id, read, isEnough, waitS * 1000, request.signal)
  }

  async function getPayment(request: FastifyRequest, id: string): Promise<ShownPayment> {
    const payment = await findPayment(reads, id, visibleTo(clientOf(request)))
    return found(payment, 'payment_not_found', 'No payment has this id.')
  }
}

/** What the query asks for; a range that has nothing in it is a fault. */
function filterOf(query: Static<typeof ListPaymentsQuery>): Omit<PaymentFilter, 'clientId' | Page> {
  const { accountId, currency } = query
  const { reference, providerReference, amountFrom, amountTo, lastFour, cardBrand } = query
  if (amountFrom !== undefined && amountTo !== undefined && amountFrom > amountTo) {
    const errors = [{ pointer: '/amountFrom', detail: 'must be at most amountTo' }]
    throw new Problem('request_invalid', 'The range of amounts is empty.', { errors })
  }
  return {
    accountId: accountId === undefined ? undefined : Number(accountId),
    statuses: query.status,
    channels: query.channel,
    methods: query.method,
    ...{ reference, providerReference, currency, amountFrom, amountTo, lastFour, cardBrand },
    operatorId: query.operator?.trim(),
    ...readCreatedRange(query),
    metadata: metadataFilter(query)
  }
}
type Page = 'before' | 'limit'

function metadataFilter(query: Record<string, unknown>): Record<string, string> {
  const prefix = 'metadata.'
  return Object.fromEntries(
    Object.entries(query)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), String(value)])
  )
}
