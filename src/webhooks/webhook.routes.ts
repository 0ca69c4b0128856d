import { visibleTo } from '../clients/client.ts'
import { WebhookEventSchema } from '../feed/event.schema.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { located, nothing, PageQuery, ref } from '../http/common.schema.ts'
import { byId, sendPage } from '../http/cursor.ts'
import { preconditionOf } from '../http/etag.plugin.ts'
import { claimOf, sendSaved } from '../http/idempotency.plugin.ts'
import { addNamed } from '../http/validation.plugin.ts'
import { found } from '../problem.ts'
import type { ProblemCode } from '../problems/problems.ts'
import type { Routes } from '../service-context.ts'
import { listDeliveries } from './delivery-list.store.ts'
import {
  changeEndpoint,
  createEndpoint,
  removeEndpoint,
  replayToEndpoint,
  rotateEndpointSecret,
  testEndpoint
} from './webhook.commands.ts'
import {
  ChangeWebhookEndpoint,
  CloudEventSchema,
  CreateWebhookEndpoint,
  DeliveryListQuery,
  DeliveryPage,
  DeliverySchema,
  NewWebhookEndpointSchema,
  ReplayEvents,
  ReplayedSchema,
  WebhookEndpointPage,
  WebhookEndpointSchema,
  WebhookParams,
  WebhookSecretSchema
} from './webhook.schema.ts'
import { findEndpoint, listEndpoints } from './webhook.store.ts'
import { toDeliveryView, toEndpointView, type WebhookEndpoint } from './webhook.ts'

const tags = ['Webhooks']
const unknown: ProblemCode = 'webhook_endpoint_not_found'

/** Endpoints are their client's own, third party or not: to others they do not exist. */
export const webhookRoutes: Routes<'db' | 'reads' | 'checkUrl' | 'sealing' | 'wake'> = async (
  app,
  deps
) => {
  const { db, reads } = deps

  app.post(
    '/v1/webhook-endpoints',
    {
      schema: {
        operationId: 'createWebhookEndpoint',
        summary: 'Subscribe to events',
        description:
          'From now on every event that the client may see, of the types asked for, is sent to ' +
          'the URL: see the webhook `event`. A client without the scope `payments:read` sees ' +
          'none, and may only send tests. A client has at most 20 endpoints. The secret is shown ' +
          'only here, and again to a repetition under the same key. A host that does not resolve ' +
          'yet is taken; one that leads to a private or special address is refused, now and at ' +
          'every attempt.',
        tags,
        body: CreateWebhookEndpoint,
        response: { 201: located(ref(NewWebhookEndpointSchema)) }
      },
      config: {
        scope: 'webhooks:write',
        idempotent: true,
        problems: ['webhook_url_refused', 'webhook_endpoint_limit']
      }
    },
    async (request, reply) => {
      const { description = null, format = 'standard' } = request.body
      const asked = { ...request.body, description, format, query: null }
      const answer = await createEndpoint(deps, claimOf(request), asked)
      reply.header('location', `/v1/webhook-endpoints/${JSON.parse(answer.body).id}`)
      return sendSaved(reply, answer)
    }
  )

  app.get(
    '/v1/webhook-endpoints',
    {
      schema: {
        operationId: 'listWebhookEndpoints',
        summary: "List the client's webhook endpoints",
        description: 'Newest first.',
        tags,
        querystring: PageQuery,
        response: { 200: WebhookEndpointPage }
      },
      config: { scope: 'webhooks:read', problems: [] }
    },
    async (request, reply) => {
      const find = (before: string | null, limit: number) =>
        listEndpoints(reads, clientOf(request).id, before, limit)
      return await sendPage(request, reply, find, toEndpointView, byId)
    }
  )

  app.get(
    '/v1/webhook-endpoints/:id',
    {
      schema: {
        operationId: 'getWebhookEndpoint',
        summary: 'Get a webhook endpoint',
        description: 'Without its secret.',
        tags,
        params: WebhookParams,
        response: { 200: ref(WebhookEndpointSchema) }
      },
      config: { scope: 'webhooks:read', problems: [unknown], etag: true }
    },
    async (request) => toEndpointView(await getEndpoint(request.params.id, clientOf(request).id))
  )

  app.patch(
    '/v1/webhook-endpoints/:id',
    {
      schema: {
        operationId: 'changeWebhookEndpoint',
        summary: 'Change, disable or enable a webhook endpoint',
        description:
          'Once disabled, nothing is sent to it: what was pending has failed, and what happens ' +
          'meanwhile is not kept for it. Enable it and replay that time. Another `format` holds ' +
          'from the next attempt on, also of what waits. Of a subscriber to the hub of TMF676 ' +
          '`events` and `format` stay.',
        tags,
        params: WebhookParams,
        body: ChangeWebhookEndpoint,
        response: { 200: ref(WebhookEndpointSchema) }
      },
      config: {
        scope: 'webhooks:write',
        precondition: true,
        problems: [unknown, 'webhook_url_refused']
      }
    },
    async (request) => {
      const { id } = request.params
      const clientId = clientOf(request).id
      const precondition = preconditionOf(request)
      return toEndpointView(await changeEndpoint(deps, clientId, id, request.body, precondition))
    }
  )

  app.delete(
    '/v1/webhook-endpoints/:id',
    {
      schema: {
        operationId: 'deleteWebhookEndpoint',
        summary: 'Delete a webhook endpoint',
        description:
          'Nothing more is sent to it, and its secrets are forgotten. Its deliveries can be read ' +
          'by their ids for as long as they are kept.',
        tags,
        params: WebhookParams,
        response: { 204: nothing('Deleted') }
      },
      config: { scope: 'webhooks:write', precondition: true, problems: [unknown] }
    },
    async (request, reply) => {
      const { id } = request.params
      await removeEndpoint(db, clientOf(request).id, id, preconditionOf(request))
      return reply.code(204).send()
    }
  )

  async function getEndpoint(id: string, clientId: string): Promise<WebhookEndpoint> {
    return found(
      await findEndpoint(reads, id, clientId),
      unknown,
      'No webhook endpoint has this id.'
    )
  }

  app.get(
    '/v1/webhook-endpoints/:id/deliveries',
    {
      schema: {
        operationId: 'listDeliveries',
        summary: 'List what was sent to a webhook endpoint',
        description:
          'Newest first; kept for 30 days after it was settled, or as long as the operator says.',
        tags,
        params: WebhookParams,
        querystring: DeliveryListQuery,
        response: { 200: DeliveryPage }
      },
      config: { scope: 'webhooks:read', problems: [unknown] }
    },
    async (request, reply) => {
      const { status } = request.query
      const find = async (before: string | null, limit: number) => {
        const { id } = await getEndpoint(request.params.id, clientOf(request).id)
        return await listDeliveries(reads, id, { status, before, limit })
      }
      return await sendPage(request, reply, find, toDeliveryView, byId)
    }
  )

  await webhookActionRoutes(app, deps)
  // No route takes or answers them: they are sent.
  addNamed(app, WebhookEventSchema)
  addNamed(app, CloudEventSchema)
}

/** What is asked of an endpoint. */
const webhookActionRoutes: Routes<'db' | 'checkUrl' | 'sealing' | 'wake'> = async (app, deps) => {
  const asked = { tags, params: WebhookParams }

  app.post(
    '/v1/webhook-endpoints/:id/secret-rotation',
    {
      schema: {
        operationId: 'rotateWebhookSecret',
        summary: 'Give a webhook endpoint a new secret',
        description:
          'The old one signs beside the new one for 24 hours: the header then holds two ' +
          'signatures. At most two secrets sign, so a second rotation ends the first at once.',
        ...asked,
        response: { 200: ref(WebhookSecretSchema) }
      },
      config: { scope: 'webhooks:write', idempotent: true, problems: [unknown] }
    },
    async (request, reply) => {
      const { id } = request.params
      return sendSaved(reply, await rotateEndpointSecret(deps, claimOf(request), id))
    }
  )

  app.post(
    '/v1/webhook-endpoints/:id/test',
    {
      schema: {
        operationId: 'testWebhookEndpoint',
        summary: 'Send a test to a webhook endpoint',
        description:
          'An event of type `webhookEndpoint.test`, which is in no feed and whose `data` holds ' +
          '`webhookEndpointId`. It is tried once: see the delivery.',
        ...asked,
        response: { 202: ref(DeliverySchema) }
      },
      config: {
        scope: 'webhooks:write',
        idempotent: true,
        problems: [unknown, 'webhook_endpoint_disabled']
      }
    },
    async (request, reply) => {
      const { id } = request.params
      return sendSaved(reply, await testEndpoint(deps, claimOf(request), id))
    }
  )

  app.post(
    '/v1/webhook-endpoints/:id/replay',
    {
      schema: {
        operationId: 'replayEvents',
        summary: 'Send the events of a time again',
        description:
          'Every event of that time that the endpoint wants is due at once, whatever became of ' +
          'it before: also those that happened while it was disabled, or before it was made. At ' +
          'most 10,000 that it wants in the range. Each keeps its `webhook-id`.',
        ...asked,
        body: ReplayEvents,
        response: { 202: ref(ReplayedSchema) }
      },
      config: {
        scope: 'webhooks:write',
        idempotent: true,
        problems: [unknown, 'webhook_endpoint_disabled']
      }
    },
    async (request, reply) => {
      const { params, body } = request
      const range = { from: new Date(body.from), to: new Date(body.to) }
      const asked = { range, visibleTo: visibleTo(clientOf(request)) }
      return sendSaved(reply, await replayToEndpoint(deps, claimOf(request), params.id, asked))
    }
  )
}
