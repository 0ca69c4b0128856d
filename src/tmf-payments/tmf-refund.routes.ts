import { visibleTo } from '../clients/client.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { IdParams, located } from '../http/common.schema.ts'
import { toRefundView } from '../lifecycle/operation-view.ts'
import { toPaymentView } from '../payments/payment-view.ts'
import { found } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { shown, tmfFieldsQuery, tmfListQuery } from '../tmf/tmf.schema.ts'
import { sendTmfList } from '../tmf/tmf-list.ts'
import { readTmfPage } from '../tmf/tmf-look-through.ts'
import { tmfPaths } from '../tmf/tmf-paths.ts'
import { readTmfFields, readTmfQuery, selectFields } from '../tmf/tmf-query.ts'
import { refundFilters, refundNarrowers } from './tmf-filters.ts'
import {
  TmfRefundCreateSchema,
  TmfRefundListSchema,
  TmfRefundSchema
} from './tmf-payments.schema.ts'
import { postTmfRefund } from './tmf-post.commands.ts'
import { findExtrasOf, findPosts } from './tmf-post.store.ts'
import { posterOf, sendPosted } from './tmf-posting.plugin.ts'
import { toTmfRefund } from './tmf-refund.ts'
import type { RefundPost } from './tmf-refund-post.ts'
import {
  countRefunds,
  type FoundRefund,
  findTmfRefund,
  listRefunds,
  toRefundSearch
} from './tmf-refund-search.store.ts'

const path = `${tmfPaths.payments}/refund`

export const tmfRefundRoutes: Routes = async (app, deps) => {
  const { reads, providerName, publicUrl } = deps
  /** Each refund as TMF676 shows it, with what was sent of it and of its payment. */
  async function toViews(refunds: readonly FoundRefund[]) {
    const posts = await findPosts(
      reads,
      refunds.map(({ operation }) => operation.id)
    )
    const payments = new Map(refunds.map(({ payment }) => [payment.id, payment]))
    const extras = await findExtrasOf(reads, [...payments.values()])
    return refunds.map(({ operation, payment, updatedAt }) =>
      toTmfRefund(
        toRefundView(operation, payment.id),
        toPaymentView(payment, providerName),
        publicUrl,
        { sent: posts.get(operation.id) ?? null, updatedAt: updatedAt.toISOString() },
        extras.get(payment.id)
      )
    )
  }

  app.get(
    path,
    {
      schema: {
        operationId: 'listTmfRefunds',
        summary: 'List refunds',
        description:
          'Newest first, those that were made at the payment provider as well. Filters that no ' +
          'index has, which say so, and `.ne`, are looked for among the newest 1,000 that pass ' +
          'the others, and so are those of a third party: where that does not fill the page and ' +
          'there are more, it is 400, and says what to add, such as `refundDate.gte`.',
        tags: ['refund'],
        response: { 200: shown(TmfRefundListSchema) }
      },
      config: {
        scope: 'payments:read',
        problems: [],
        documentedQuery: tmfListQuery(refundFilters.described)
      }
    },
    async (request, reply) => {
      const query = readTmfQuery(request.query, refundFilters.kinds)
      const clientId = visibleTo(clientOf(request))
      const { found: search, left } = toRefundSearch(query.filters)
      const page = await readTmfPage(query, left, {
        read: (slice) => listRefunds(reads, search, slice),
        count: (most) => countRefunds(reads, search, most),
        toViews: (some) =>
          toViews(
            some.filter(({ payment }) => (clientId ?? payment.clientId) === payment.clientId)
          ),
        // No index has the refunds of one client.
        isAlwaysLookedThrough: clientId !== null,
        narrowers: refundNarrowers
      })
      return sendTmfList(request.url, reply, query, page)
    }
  )

  app.get(
    `${path}/:id`,
    {
      schema: {
        operationId: 'getTmfRefund',
        summary: 'Get a refund',
        tags: ['refund'],
        params: IdParams,
        response: { 200: shown(TmfRefundSchema) }
      },
      config: {
        scope: 'payments:read',
        problems: ['refund_not_found'],
        etag: true,
        documentedQuery: tmfFieldsQuery
      }
    },
    async (request) => {
      const fields = readTmfFields(request.query)
      const known = await findTmfRefund(reads, request.params.id, visibleTo(clientOf(request)))
      const [view] = await toViews([found(known, 'refund_not_found', 'No refund has this id.')])
      return selectFields(view as object, fields)
    }
  )

  app.post(
    path,
    {
      schema: {
        operationId: 'createTmfRefund',
        summary: 'Refund a payment',
        description:
          'All or a part of what was captured. Above the operator’s limit it waits for approval, ' +
          'as `pendingAuthorization`, and needs a `requestor`: `POST /v1/refunds/{id}/approval` ' +
          'is for another person. A payment that was recorded was given back by its taker: its ' +
          'refund is `done`. A `correlatorId` stands for one refund, as it does for a payment.',
        tags: ['refund'],
        body: TmfRefundCreateSchema,
        response: { 201: located(shown(TmfRefundSchema)) }
      },
      config: {
        scope: 'refunds:write',
        exactNumbers: true,
        problems: [
          'correlator_conflict',
          'recorded_payment_conflict',
          'idempotency_key_in_flight',
          'payment_not_found',
          'payment_not_refundable',
          'payment_disputed',
          'refund_exceeds_captured',
          'currency_mismatch',
          'amount_too_large',
          'amount_not_representable'
        ]
      }
    },
    async (request, reply) => {
      const post = request.exactBody as RefundPost
      const { found: refund, replayed } = await postTmfRefund(deps, posterOf(deps, request), post)
      const [view] = await toViews([refund])
      return sendPosted(reply, view as { href: string }, replayed)
    }
  )
}
