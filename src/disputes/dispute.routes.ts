import { visibleTo } from '../clients/client.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { IdParams, PageQuery } from '../http/common.schema.ts'
import { sendList } from '../http/csv.plugin.ts'
import { byId, type Order, sendPage } from '../http/cursor.ts'
import { findPayment } from '../payments/payment.store.ts'
import { found } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { DisputePage, ListDisputesQuery } from './dispute.schema.ts'
import { toListedView } from './dispute.ts'
import { disputeColumns } from './dispute-columns.ts'
import { type ListedDispute, listByDeadline, listDisputes } from './dispute-list.store.ts'

export const disputeRoutes: Routes<'reads'> = async (app, { reads }) => {
  app.get(
    '/v1/disputes',
    {
      schema: {
        operationId: 'listAllDisputes',
        summary: 'List disputes',
        description:
          'Newest first; with `defendBefore` those with the nearest deadline first, and only ' +
          'those that have one. Filters narrow each other. Seven and two days before its ' +
          'deadline an open dispute that was not defended has an event, ' +
          '`dispute.deadlineApproaching`.',
        tags: ['Payments'],
        querystring: ListDisputesQuery,
        response: { 200: DisputePage }
      },
      config: { scope: 'payments:read', problems: [], csv: disputeColumns }
    },
    async (request, reply) => {
      const { status, defendBefore, accountId } = request.query
      const filter = {
        clientId: visibleTo(clientOf(request)),
        status,
        accountId: accountId === undefined ? undefined : Number(accountId)
      }
      if (defendBefore === undefined) {
        const find = (before: string | null, limit: number) =>
          listDisputes(reads, filter, before, limit)
        return await sendList(request, reply, find, toListedView, byId, disputeColumns)
      }
      const until = new Date(defendBefore)
      const find = (after: string | null, limit: number) =>
        listByDeadline(reads, filter, until, readPosition(after), limit)
      return await sendList(request, reply, find, toListedView, byDeadline, disputeColumns)
    }
  )

  app.get(
    '/v1/payments/:id/disputes',
    {
      schema: {
        operationId: 'listDisputes',
        summary: 'List the disputes of a payment',
        description: 'Newest first.',
        tags: ['Payments'],
        params: IdParams,
        querystring: PageQuery,
        response: { 200: DisputePage }
      },
      config: { scope: 'payments:read', problems: ['payment_not_found'] }
    },
    async (request, reply) => {
      const clientId = visibleTo(clientOf(request))
      const payment = await findPayment(reads, request.params.id, clientId)
      const { id: paymentId } = found(payment, 'payment_not_found', 'No payment has this id.')
      const find = (before: string | null, limit: number) =>
        listDisputes(reads, { clientId, paymentId }, before, limit)
      return await sendPage(request, reply, find, toListedView, byId)
    }
  )
}

/** The deadline, in ms since 1970, and the id of a dispute. */
const byDeadline: Order<ListedDispute> = {
  positionOf: ({ defendBy, id }) => `${defendBy?.getTime()} ${id}`,
  pattern: /^-?\d{1,15} [\x21-\x7e]{1,80}$/
}

function readPosition(position: string | null) {
  if (position === null) return null
  const [time, id = ''] = position.split(' ')
  return { defendBy: new Date(Number(time)), id }
}
