import type { FastifyRequest } from 'fastify'
import { clientOf } from '../http/auth.plugin.ts'
import { located, ref } from '../http/common.schema.ts'
import { claimOf, sendSaved } from '../http/idempotency.plugin.ts'
import { pathOf } from '../http/problems.plugin.ts'
import { traceOf } from '../http/request.plugin.ts'
import { PaymentSchema } from '../payments/payment.schema.ts'
import type { Payment } from '../payments/payment.ts'
import type { Context, Routes } from '../service-context.ts'
import { createPayment } from './create.commands.ts'
import { CreatePayment, type CreatePaymentBody } from './create.schema.ts'
import type { CreateRequest } from './create.ts'

export const createRoutes: Routes = async (app, deps) => {
  app.post(
    '/v1/payments',
    {
      schema: {
        operationId: 'createPayment',
        summary: 'Create a payment',
        description:
          'Writes the payment down, asks the provider for its card page or link and answers with ' +
          "the page's address in `checkout.url`: send the customer there. A registered card is " +
          'charged at once: the answer is captured, authorised or refused, or pending while the ' +
          'provider has not answered. Repeat it under the same Idempotency-Key until it is ' +
          'answered: there will be one payment.',
        tags: ['Payments'],
        body: CreatePayment,
        response: { 201: located(ref(PaymentSchema)) }
      },
      config: {
        scope: 'payments:write',
        idempotent: true,
        problems: [
          'idempotency_key_in_flight',
          'account_not_found',
          'account_closed',
          'currency_mismatch',
          'amount_too_large',
          'amount_not_representable',
          'return_url_refused',
          'payment_method_not_offered',
          'registered_card_not_found',
          'charge_not_found',
          'allocations_exceed_amount',
          'duplicate_suspected',
          'provider_rejected',
          'provider_unavailable'
        ]
      }
    },
    async (request, reply) => {
      const answer = await createPayment(deps, toCreateRequest(deps, request, request.body))
      if (answer.status === 201) reply.header('location', `/v1/payments/${answer.paymentId}`)
      return sendSaved(reply, answer)
    }
  )
}

function toCreateRequest(
  { publicUrl }: Context,
  request: FastifyRequest,
  body: CreatePaymentBody
): CreateRequest {
  return {
    client: clientOf(request),
    claim: claimOf(request),
    place: { publicUrl, instance: pathOf(request), requestId: request.id },
    trace: traceOf(request),
    accountId: Number(body.accountId),
    amount: body.amount as Payment['amount'],
    channel: body.channel as Payment['channel'],
    method: (body.method ?? 'hostedPage') as CreateRequest['method'],
    capture: (body.capture ?? 'automatic') as Payment['capture'],
    saveCard: (body.saveCard ?? 'never') as Payment['saveCard'],
    paymentMethods: body.paymentMethods ?? null,
    returnUrl: body.returnUrl ?? null,
    registeredCardId: body.registeredCardId ?? null,
    reference: body.reference ?? null,
    description: body.description ?? null,
    metadata: body.metadata ?? null,
    customer: body.customer ?? null,
    operator: body.operator ?? null,
    allocations: body.allocations ?? null,
    allowDuplicate: body.allowDuplicate ?? false,
    expiresAt: body.expiresAt === undefined ? null : new Date(body.expiresAt)
  }
}
