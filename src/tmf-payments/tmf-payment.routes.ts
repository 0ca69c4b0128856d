import { visibleTo } from '../clients/client.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { IdParams, located } from '../http/common.schema.ts'
import { findPayment } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'
import { countFound, readFound } from '../payments/payment-search.store.ts'
import { toPaymentView } from '../payments/payment-view.ts'
import { found } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { shown, tmfFieldsQuery, tmfListQuery } from '../tmf/tmf.schema.ts'
import { sendTmfList } from '../tmf/tmf-list.ts'
import { readTmfPage } from '../tmf/tmf-look-through.ts'
import { tmfPaths } from '../tmf/tmf-paths.ts'
import { readTmfFields, readTmfQuery, selectFields } from '../tmf/tmf-query.ts'
import { paymentFilters, paymentNarrowers } from './tmf-filters.ts'
import { toTmfPayment } from './tmf-payment.ts'
import type { PaymentPost } from './tmf-payment-post.ts'
import { toTmfSearch } from './tmf-payment-search.store.ts'
import {
  TmfPaymentCreateSchema,
  TmfPaymentListSchema,
  TmfPaymentSchema
} from './tmf-payments.schema.ts'
import { postTmfPayment } from './tmf-post.commands.ts'
import { findExtrasOf } from './tmf-post.store.ts'
import { posterOf, sendPosted } from './tmf-posting.plugin.ts'

const path = `${tmfPaths.payments}/payment`

export const tmfPaymentRoutes: Routes = async (app, deps) => {
  const { reads, providerName, publicUrl } = deps
  /** Each payment as TMF676 shows it, with what was sent of it. */
  async function toViews(payments: readonly Payment[]) {
    const extras = await findExtrasOf(reads, payments)
    return payments.map((payment) =>
      toTmfPayment(toPaymentView(payment, providerName), publicUrl, extras.get(payment.id))
    )
  }

  app.get(
    path,
    {
      schema: {
        operationId: 'listTmfPayments',
        summary: 'List payments',
        description:
          'Newest first, however they came to be. Filters that no index has, which say so, and ' +
          '`.ne` and several values of dates and amounts, are looked for among the newest 1,000 ' +
          'that pass the others: where that does not fill the page and there are more, it is ' +
          '400, and says what to add, such as `paymentDate.gte`.',
        tags: ['payment'],
        response: { 200: shown(TmfPaymentListSchema) }
      },
      config: {
        scope: 'payments:read',
        problems: [],
        documentedQuery: tmfListQuery(paymentFilters.described)
      }
    },
    async (request, reply) => {
      const query = readTmfQuery(request.query, paymentFilters.kinds)
      const clientId = visibleTo(clientOf(request))
      const { search, left } = await toTmfSearch(reads, query.filters, clientId)
      const page = await readTmfPage(query, left, {
        read: (slice) => readFound(reads, search, slice),
        count: (most) => countFound(reads, search, most),
        toViews,
        narrowers: paymentNarrowers
      })
      return sendTmfList(request.url, reply, query, page)
    }
  )

  app.get(
    `${path}/:id`,
    {
      schema: {
        operationId: 'getTmfPayment',
        summary: 'Get a payment',
        tags: ['payment'],
        params: IdParams,
        response: { 200: shown(TmfPaymentSchema) }
      },
      config: {
        scope: 'payments:read',
        problems: ['payment_not_found'],
        etag: true,
        documentedQuery: tmfFieldsQuery
      }
    },
    async (request) => {
      const fields = readTmfFields(request.query)
      const known = await findPayment(reads, request.params.id, visibleTo(clientOf(request)))
      const payment = found(known, 'payment_not_found', 'No payment has this id.')
      const [view] = await toViews([payment])
      return selectFields(view as object, fields)
    }
  )

  app.post(
    path,
    {
      schema: {
        operationId: 'createTmfPayment',
        summary: 'Charge, start or record a payment',
        description:
          'With an `authorizationCode`, or a `paymentMethod` that is none of ours, it is ' +
          'recorded as taken elsewhere. A registered card (`crd_…`) is charged at once. ' +
          '`HostedPage` and `PaymentLink` start a page: its address is the characteristic ' +
          '`checkoutUrl`, and in `Link` with `rel="payment"`. A `correlatorId` stands for one ' +
          'payment for ever: the same content again is 201 with that payment as it is now, and ' +
          '`Idempotent-Replayed`. Without one each is another payment.',
        tags: ['payment'],
        body: TmfPaymentCreateSchema,
        response: { 201: located(shown(TmfPaymentSchema)) }
      },
      config: {
        scope: 'payments:write',
        exactNumbers: true,
        problems: [
          'correlator_conflict',
          'recorded_payment_conflict',
          'idempotency_key_in_flight',
          'account_not_found',
          'account_closed',
          'currency_mismatch',
          'amount_too_large',
          'amount_not_representable',
          'return_url_refused',
          'registered_card_not_found',
          'charge_not_found',
          'allocations_exceed_amount',
          'provider_rejected',
          'provider_unavailable'
        ]
      }
    },
    async (request, reply) => {
      const post = request.exactBody as PaymentPost
      const { found: payment, replayed } = await postTmfPayment(deps, posterOf(deps, request), post)
      const [view] = await toViews([payment])
      if (payment.status === 'pending' && payment.checkoutUrl !== null) {
        reply.header('link', `<${payment.checkoutUrl}>; rel="payment"`)
      }
      return sendPosted(reply, view as { href: string }, replayed)
    }
  )
}
