import type { FastifyContextConfig, FastifyRequest } from 'fastify'
import { visibleTo } from '../clients/client.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { IdParams, PageQuery, ref } from '../http/common.schema.ts'
import { byId, sendPage } from '../http/cursor.ts'
import { claimOf, sendSaved } from '../http/idempotency.plugin.ts'
import { toCaptureView, toRefundView } from '../lifecycle/operation-view.ts'
import type { RefundAsked } from '../lifecycle/refunds.ts'
import type { Money } from '../money.ts'
import { findPayment } from '../payments/payment.store.ts'
import { found } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import {
  type Asking,
  cancelPayment,
  capturePayment,
  decideOnRefund,
  refundPayment
} from './operation.commands.ts'
import {
  CancellationSchema,
  CapturePage,
  CaptureSchema,
  CreateCancellation,
  CreateCapture,
  CreateRefund,
  type CreateRefundBody,
  DecideOnRefund,
  RefundPage,
  RefundSchema
} from './operation.schema.ts'
import { findRefund, listOperations } from './operation-reads.store.ts'

export const operationRoutes: Routes = async (app, deps) => {
  app.post(
    '/v1/payments/:id/captures',
    {
      schema: {
        operationId: 'capturePayment',
        summary: 'Capture a payment',
        description:
          'Takes money that an authorisation reserved. One capture a payment: of a partial one ' +
          'the rest is released. Its outcome comes as an event of the payment.',
        tags: ['Payments'],
        params: IdParams,
        body: CreateCapture,
        response: { 202: ref(CaptureSchema) }
      },
      preValidation: withBody,
      config: {
        scope: 'payments:write',
        idempotent: true,
        precondition: true,
        problems: [
          'payment_not_found',
          'payment_not_capturable',
          'capture_exceeds_authorised',
          'currency_mismatch',
          'amount_not_representable'
        ]
      }
    },
    async (request, reply) => {
      const amount = (request.body.amount ?? null) as Money | null
      const answer = await capturePayment(deps, askingOf(request), request.params.id, amount)
      return sendSaved(reply, answer)
    }
  )

  app.post(
    '/v1/payments/:id/cancellation',
    {
      schema: {
        operationId: 'cancelPayment',
        summary: 'Cancel a payment',
        description:
          'Before its capture. A page ends here at once, a link is closed, a reservation is ' +
          'released at the payment provider. Money that comes all the same is sent back.',
        tags: ['Payments'],
        params: IdParams,
        body: CreateCancellation,
        response: { 202: ref(CancellationSchema) }
      },
      preValidation: withBody,
      config: {
        scope: 'payments:write',
        idempotent: true,
        precondition: true,
        problems: ['payment_not_found', 'payment_not_cancellable']
      }
    },
    async (request, reply) => {
      const { reason = null } = request.body
      const answer = await cancelPayment(deps, askingOf(request), request.params.id, reason)
      return sendSaved(reply, answer)
    }
  )

  app.post(
    '/v1/payments/:id/refunds',
    {
      schema: {
        operationId: 'refundPayment',
        summary: 'Refund a payment',
        description:
          'All or part of what was captured. It reserves its amount at once; the account moves ' +
          'when it succeeds. Above the operator’s limit it waits for approval. What goes back ' +
          'is what this payment brought: first what of it has paid nothing, then what it paid, ' +
          'last paid first, which is owed again; only what is no longer there is taken from ' +
          'other money of the account.',
        tags: ['Refunds'],
        params: IdParams,
        body: CreateRefund,
        response: { 202: ref(RefundSchema) }
      },
      config: {
        scope: 'refunds:write',
        idempotent: true,
        precondition: true,
        problems: [
          'payment_not_found',
          'payment_not_refundable',
          'payment_disputed',
          'refund_exceeds_captured',
          'currency_mismatch',
          'amount_not_representable',
          'recorded_payment_conflict'
        ]
      }
    },
    async (request, reply) => {
      const asked = toRefundAsked(request.body)
      const answer = await refundPayment(deps, askingOf(request), request.params.id, asked)
      return sendSaved(reply, answer)
    }
  )

  for (const decision of ['approval', 'rejection'] as const) {
    const isApproval = decision === 'approval'
    app.post(
      `/v1/refunds/:id/${decision}`,
      {
        schema: {
          operationId: isApproval ? 'approveRefund' : 'rejectRefund',
          summary: isApproval ? 'Approve a refund' : 'Reject a refund',
          description: 'By another operator than the one who asked for it; both are kept.',
          tags: ['Refunds'],
          params: IdParams,
          body: DecideOnRefund,
          response: { 200: ref(RefundSchema) }
        },
        config: {
          scope: 'refunds:approve',
          idempotent: true,
          precondition: true,
          problems: [
            'refund_not_found',
            'refund_not_awaiting_approval',
            'approver_is_requester',
            ...(isApproval ? (['payment_disputed', 'refund_exceeds_captured'] as const) : [])
          ]
        }
      },
      async (request, reply) => {
        const { operator } = request.body
        const asking = askingOf(request)
        const answer = await decideOnRefund(deps, asking, request.params.id, decision, operator)
        return sendSaved(reply, answer)
      }
    )
  }

  await listRoutes(app, deps)
}

/** What was asked about a payment. */
const listRoutes: Routes = async (app, { reads }) => {
  app.get(
    '/v1/refunds/:id',
    {
      schema: {
        operationId: 'getRefund',
        summary: 'Get a refund',
        tags: ['Refunds'],
        params: IdParams,
        response: { 200: ref(RefundSchema) }
      },
      config: { scope: 'payments:read', problems: ['refund_not_found'], etag: true }
    },
    async (request) => {
      const known = await findRefund(reads, request.params.id, visibleTo(clientOf(request)))
      const refund = found(known, 'refund_not_found', 'No refund has this id.')
      return toRefundView(refund.operation, refund.paymentId)
    }
  )

  const ofPayment = {
    description: 'Newest first; those that were asked for at the payment provider as well.',
    params: IdParams,
    querystring: PageQuery
  }
  const config: FastifyContextConfig = { scope: 'payments:read', problems: ['payment_not_found'] }

  app.get(
    '/v1/payments/:id/captures',
    {
      schema: {
        operationId: 'listCaptures',
        summary: 'List the captures of a payment',
        tags: ['Payments'],
        ...ofPayment,
        response: { 200: CapturePage }
      },
      config
    },
    async (request, reply) => {
      const { id } = await getPayment(request, request.params.id)
      const find = (before: string | null, limit: number) =>
        listOperations(reads, id, 'capture', before, limit)
      return await sendPage(request, reply, find, (one) => toCaptureView(one, id), byId)
    }
  )

  app.get(
    '/v1/payments/:id/refunds',
    {
      schema: {
        operationId: 'listRefunds',
        summary: 'List the refunds of a payment',
        tags: ['Refunds'],
        ...ofPayment,
        response: { 200: RefundPage }
      },
      config
    },
    async (request, reply) => {
      const { id } = await getPayment(request, request.params.id)
      const find = (before: string | null, limit: number) =>
        listOperations(reads, id, 'refund', before, limit)
      return await sendPage(request, reply, find, (one) => toRefundView(one, id), byId)
    }
  )

  async function getPayment(request: FastifyRequest, id: string): Promise<{ id: string }> {
    const payment = await findPayment(reads, id, visibleTo(clientOf(request)))
    return found(payment, 'payment_not_found', 'No payment has this id.')
  }
}

/** All fields are optional, so no body at all says the same as an empty one. */
async function withBody(request: FastifyRequest): Promise<void> {
  request.body ??= {}
}

function askingOf(request: FastifyRequest): Asking {
  return { claim: claimOf(request), visibleTo: visibleTo(clientOf(request)) }
}

function toRefundAsked(body: CreateRefundBody): RefundAsked {
  const { amount, reason = null, operator = null, amountRefundable = null, processor = null } = body
  return { amount: amount as Money, reason, operator, amountRefundable, processor }
}
