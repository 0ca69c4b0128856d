import type { FastifyRequest } from 'fastify'
import { visibleTo } from '../clients/client.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { located, ref } from '../http/common.schema.ts'
import { PaymentSchema } from '../payments/payment.schema.ts'
import type { Channel, Payment } from '../payments/payment.ts'
import { toPaymentView } from '../payments/payment-view.ts'
import type { CardFace, Failure } from '../provider.ts'
import type { Routes } from '../service-context.ts'
import { type RecordRequest, recordPayment } from './recorded-payment.commands.ts'
import { RecordPayment, type RecordPaymentBody } from './recorded-payment.schema.ts'
import type { RecordedOutcome } from './recorded-payment.ts'

export const recordedPaymentRoutes: Routes = async (app, deps) => {
  app.post(
    '/v1/recorded-payments',
    {
      schema: {
        operationId: 'recordPayment',
        summary: 'Record a payment that was taken elsewhere',
        description:
          'By an IVR platform of its own, for example. `processor` is its natural key over all ' +
          'clients, so that no Idempotency-Key is needed: the same content again answers 200 ' +
          'with the same payment.',
        tags: ['Payments'],
        body: RecordPayment,
        response: { 200: located(ref(PaymentSchema)), 201: located(ref(PaymentSchema)) }
      },
      config: {
        scope: 'payments:write',
        problems: [
          'account_not_found',
          'currency_mismatch',
          'amount_too_large',
          'amount_not_representable',
          'recorded_payment_conflict'
        ]
      }
    },
    async (request, reply) => {
      const { payment, created } = await recordPayment(deps, toRecordRequest(request, request.body))
      return reply
        .code(created ? 201 : 200)
        .header('location', `/v1/payments/${payment.id}`)
        .send(toPaymentView(payment, deps.providerName, payment.allocated))
    }
  )
}

function toRecordRequest(request: FastifyRequest, body: RecordPaymentBody): RecordRequest {
  const client = clientOf(request)
  return {
    clientId: client.id,
    visibleTo: visibleTo(client),
    accountId: Number(body.accountId),
    amount: body.amount as Payment['amount'],
    channel: body.channel as Channel,
    reference: body.reference ?? null,
    operator: body.operator ?? null,
    authorisationCode: body.authorisationCode ?? null,
    processor: body.processor,
    takenAt: new Date(body.takenAt),
    reported: toOutcome(body)
  }
}

function toOutcome({ outcome, card, failure }: RecordPaymentBody): RecordedOutcome {
  const face: CardFace | null = card
    ? {
        brand: card.brand ?? null,
        lastFour: card.lastFour ?? null,
        expiryMonth: card.expiryMonth ?? null,
        expiryYear: card.expiryYear ?? null,
        funding: card.funding ?? null,
        registeredCardId: null
      }
    : null
  if (outcome === 'captured') return { outcome, card: face }
  const code = (failure?.code ?? 'unknown') as Failure['code']
  const { message = 'Refused by the processor.', retryable = true } = failure ?? {}
  return { outcome: 'refused', card: face, failure: { code, message, retryable } }
}
