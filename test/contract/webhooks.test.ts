/** All that the operations on webhook endpoints and deliveries may answer, and what is sent. */
import t from 'tap'
import { startConsumer } from '../feed/consumer.ts'
import { hurry } from '../webhooks/receivers.ts'
import { createJudge, everyNode, resolve } from './document.ts'
import { eventually, judgedService, stale } from './judged.ts'

t.test('every answer about webhooks is what the document says', async (t) => {
  const service = await judgedService(t)
  hurry(t, service.db)
  const { meet, call, document } = service
  const consumer = await startConsumer(t)
  const asked = { url: consumer.url, events: ['*'], description: 'Billing' }
  const create = { body: asked, idempotencyKey: 'create' }
  const { body: endpoint } = await meet(201, 'createWebhookEndpoint', [], create)
  const again = await meet(201, 'createWebhookEndpoint', [], create)
  t.equal(again.headers.get('idempotent-replayed'), 'true')
  const other = { body: { ...asked, description: 'Care' }, idempotencyKey: 'create' }
  await meet('idempotency_key_reused', 'createWebhookEndpoint', [], other)
  const refused = { body: { ...asked, url: 'https://10.0.0.1/' } }
  await meet('webhook_url_refused', 'createWebhookEndpoint', [], refused)
  await meet(201, 'createWebhookEndpoint', [], { body: { ...asked, format: 'cloudevents' } })
  // A client has 20 at most.
  const unwanted = { ...asked, events: ['card.removed'] }
  for (let n = 3; n <= 20; n += 1) {
    await meet(201, 'createWebhookEndpoint', [], { body: unwanted })
  }
  await meet('webhook_endpoint_limit', 'createWebhookEndpoint', [], { body: unwanted })
  const { body: page } = await meet(200, 'listWebhookEndpoints', [], { query: '?limit=1' })
  await meet(200, 'listWebhookEndpoints', [], { query: `?cursor=${page.nextCursor}` })

  const { id } = endpoint
  await service.meetUnchanged('getWebhookEndpoint', [id])
  const change = { body: { description: null } }
  await meet(200, 'changeWebhookEndpoint', [id], change)
  await meet('webhook_url_refused', 'changeWebhookEndpoint', [id], { body: { url: 'http://a.b' } })

  await service.createPayment()
  const deliveries = () => call('GET', `/v1/webhook-endpoints/${id}/deliveries`)
  const { body: sent } = await eventually(
    deliveries,
    ({ body }) => body.data.length > 0 && body.data[0].status === 'delivered'
  )
  await meet(200, 'listDeliveries', [id], { query: '?status=delivered&limit=1' })
  const [{ id: deliveryId }] = sent.data
  await service.meetUnchanged('getDelivery', [deliveryId])

  const range = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' }
  const actions = [
    { name: 'rotateWebhookSecret', status: 200, of: id },
    { name: 'testWebhookEndpoint', status: 202, of: id },
    { name: 'replayEvents', status: 202, of: id, body: range },
    { name: 'retryDelivery', status: 202, of: deliveryId }
  ]
  for (const { name, status, of, body } of actions) {
    const once = { idempotencyKey: name, ...(body && { body }) }
    await meet(status, name, [of], once)
    await meet('idempotency_key_reused', name, [`${of}x`], once)
    const unknown = name === 'retryDelivery' ? 'delivery_not_found' : 'webhook_endpoint_not_found'
    await meet(unknown, name, ['whe_0000000000000000'], body && { body })
  }
  for (const name of ['getWebhookEndpoint', 'listDeliveries'])
    await meet('webhook_endpoint_not_found', name, ['none'])
  await meet('webhook_endpoint_not_found', 'changeWebhookEndpoint', ['none'], change)
  await meet('delivery_not_found', 'getDelivery', ['none'])

  await meet(200, 'changeWebhookEndpoint', [id], { body: { status: 'disabled' } })
  for (const { name, of, body } of actions.slice(1))
    await meet('webhook_endpoint_disabled', name, [of], body && { body })
  await meet('precondition_failed', 'changeWebhookEndpoint', [id], { ...change, ...stale })
  await meet('precondition_failed', 'deleteWebhookEndpoint', [id], stale)
  await meet(204, 'deleteWebhookEndpoint', [id])
  await meet('webhook_endpoint_not_found', 'deleteWebhookEndpoint', [id])
  t.same(service.findUnmet('Webhooks'), [])

  await t.test('and what consumers get is what it says, too', async (t) => {
    const { event } = document.webhooks
    everyNode(document.webhooks, (node) => {
      if (typeof node.$ref === 'string') resolve(document, node)
    })
    const { content } = event.post.requestBody
    const judge = createJudge(document)
    for (const message of consumer.seen) {
      const { $ref } = content[String(message.headers['content-type'])].schema
      t.same(judge($ref.split('/').slice(1), message.event), [], message.event.type)
      for (const { name } of event.post.parameters) t.ok(message.headers[name], name)
    }
    const types = new Set(consumer.seen.map((message) => message.event.type))
    const wrapped = 'one-off-payments.v1.payment.created'
    t.same([...types].sort(), [wrapped, 'payment.created', 'webhookEndpoint.test'])
  })
})
