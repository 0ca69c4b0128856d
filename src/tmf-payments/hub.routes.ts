import { clientOf } from '../http/auth.plugin.ts'
import { IdParams, located, nothing, ref } from '../http/common.schema.ts'
import { addNamed } from '../http/validation.plugin.ts'
import { found } from '../problem.ts'
import type { ProblemCode } from '../problems/problems.ts'
import type { Routes } from '../service-context.ts'
import { tmfPaths } from '../tmf/tmf-paths.ts'
import { removeEndpoint, subscribe } from '../webhooks/webhook.commands.ts'
import { findEndpoint } from '../webhooks/webhook.store.ts'
import type { WebhookEndpoint } from '../webhooks/webhook.ts'
import {
  CreateSubscription,
  NewSubscriptionSchema,
  NotificationSchema,
  SubscriptionSchema
} from './hub.schema.ts'
import { readHubQuery, toEventTypes, toHubView } from './hub.ts'

const path = `${tmfPaths.payments}/hub`
const tags = ['hub']
const unknown: ProblemCode = 'webhook_endpoint_not_found'

/** A subscription is a webhook endpoint of its client, whose format is TM Forum's. */
export const hubRoutes: Routes<'db' | 'reads' | 'checkUrl' | 'sealing'> = async (app, deps) => {
  app.post(
    path,
    {
      schema: {
        operationId: 'registerListener',
        summary: 'Subscribe to notifications',
        description:
          'From now on every event of a payment or refund that the client may see is sent to ' +
          '`callback` as one notification: see `notification`. A listener that has a path for ' +
          'each type is subscribed once for each, with its `eventType`. A repetition of this ' +
          'request is another subscription; a client has at most 20.\n\n' +
          'Under `/v1/webhook-endpoints` it is one of the format `tmf676`: there its deliveries ' +
          'are seen and repeated, and it is enabled again after 410, or after 3 days of nothing ' +
          'but failures, have disabled it.',
        tags,
        body: CreateSubscription,
        response: { 201: located(ref(NewSubscriptionSchema)) }
      },
      config: {
        scope: 'webhooks:write',
        problems: ['webhook_url_refused', 'webhook_endpoint_limit']
      }
    },
    async (request, reply) => {
      const { callback: url, query = null } = request.body
      const events = toEventTypes(readHubQuery(query))
      const asked = { url, events, description: null, format: 'tmf676', query } as const
      const made = await subscribe(deps, clientOf(request).id, asked, '/callback')
      reply.code(201).header('location', `${path}/${made.endpoint.id}`)
      return { ...toHubView(made.endpoint), secret: made.secret }
    }
  )

  app.get(
    `${path}/:id`,
    {
      schema: {
        operationId: 'retrieveListener',
        summary: 'Get a subscription',
        description: 'Without its secret.',
        tags,
        params: IdParams,
        response: { 200: ref(SubscriptionSchema) }
      },
      config: { scope: 'webhooks:read', problems: [unknown] }
    },
    async (request) => toHubView(await getHub(request.params.id, clientOf(request).id))
  )

  app.delete(
    `${path}/:id`,
    {
      schema: {
        operationId: 'unregisterListener',
        summary: 'End a subscription',
        description: 'Nothing more is sent to it.',
        tags,
        params: IdParams,
        response: { 204: nothing('Ended') }
      },
      config: { scope: 'webhooks:write', problems: [unknown] }
    },
    async (request, reply) => {
      const { id } = await getHub(request.params.id, clientOf(request).id)
      await removeEndpoint(deps.db, clientOf(request).id, id)
      return reply.code(204).send()
    }
  )

  addNamed(app, NotificationSchema)

  /** Webhook endpoints of another format are none. */
  async function getHub(id: string, clientId: string): Promise<WebhookEndpoint> {
    const known = await findEndpoint(deps.reads, id, clientId)
    const hub = known?.format === 'tmf676' ? known : undefined
    return found(hub, unknown, 'No subscription has this id.')
  }
}
