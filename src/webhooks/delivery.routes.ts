import { clientOf } from '../http/auth.plugin.ts'
import { ref } from '../http/common.schema.ts'
import { claimOf, sendSaved } from '../http/idempotency.plugin.ts'
import { found } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { findDelivery, listAttempts } from './delivery-list.store.ts'
import { retryDelivery } from './webhook.commands.ts'
import { DeliverySchema, DeliveryWithAttemptsSchema, WebhookParams } from './webhook.schema.ts'
import { toAttemptView, toDeliveryView } from './webhook.ts'

export const deliveryRoutes: Routes<'db' | 'reads' | 'wake'> = async (app, deps) => {
  const { reads } = deps

  app.get(
    '/v1/deliveries/:id',
    {
      schema: {
        operationId: 'getDelivery',
        summary: 'Get a delivery with its attempts',
        tags: ['Webhooks'],
        params: WebhookParams,
        response: { 200: ref(DeliveryWithAttemptsSchema) }
      },
      config: { scope: 'webhooks:read', problems: ['delivery_not_found'], etag: true }
    },
    async (request) => {
      const known = await findDelivery(reads, request.params.id, clientOf(request).id)
      const delivery = found(known, 'delivery_not_found', 'No delivery has this id.')
      const attempts = await listAttempts(reads, delivery.id)
      return { ...toDeliveryView(delivery), attempts: attempts.map(toAttemptView) }
    }
  )

  app.post(
    '/v1/deliveries/:id/retry',
    {
      schema: {
        operationId: 'retryDelivery',
        summary: 'Send a delivery again',
        description:
          'It is due at once, its days of retries counted anew; also one that was delivered. One ' +
          'that is under way is left to its attempt.',
        tags: ['Webhooks'],
        params: WebhookParams,
        response: { 202: ref(DeliverySchema) }
      },
      config: {
        scope: 'webhooks:write',
        idempotent: true,
        problems: ['delivery_not_found', 'webhook_endpoint_disabled']
      }
    },
    async (request, reply) => {
      const answer = await retryDelivery(deps, claimOf(request), request.params.id)
      return sendSaved(reply, answer)
    }
  )
}
