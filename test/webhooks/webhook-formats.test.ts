/** In which format endpoints are told of events, and what a consumer of CloudEvents makes of it. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { type CloudEvent, HTTP } from 'cloudevents'
import { sql } from 'kysely'
import t from 'tap'
import { eventually, type Found, type Message } from '../feed/consumer.ts'
import { capture, deskOf, quickService, subscribe } from './receivers.ts'

/** What CloudEvents 1.0.2 asks of an event: attributes are texts, by names of these characters. */
const ajv = new Ajv2020({ allErrors: true })
addFormats.default(ajv)
const judge = ajv.compile({
  type: 'object',
  required: ['specversion', 'id', 'source', 'type'],
  propertyNames: { pattern: '^[a-z0-9]{1,20}$' },
  properties: {
    specversion: { const: '1.0' },
    source: { type: 'string', minLength: 1, format: 'uri-reference' },
    time: { type: 'string', format: 'date-time' },
    data: true
  },
  additionalProperties: { type: 'string', minLength: 1 }
})

function read({ headers, body, event }: Message): CloudEvent<Found> {
  if (!judge(event)) throw new Error(ajv.errorsText(judge.errors))
  const found = HTTP.toEvent<Found>({ headers, body }) as CloudEvent<Found>
  found.validate()
  return found
}

t.test('formats of events', async (t) => {
  const service = await quickService(t, { duplicateWindowS: 0 })
  const { call, db, url } = service
  const desk = deskOf(service)

  t.test('an endpoint is told by CloudEvents what others are told', async (t) => {
    const failedOnce = new Set<string>()
    const consumer = await subscribe(
      t,
      desk,
      ({ id }) => {
        const isFirst = !failedOnce.has(id)
        failedOnce.add(id)
        return isFirst ? 500 : 204
      },
      ['*'],
      'cloudevents'
    )
    const plain = await subscribe(t, desk)
    t.match([consumer.endpoint.format, plain.endpoint.format], ['cloudevents', 'standard'])
    const paymentId = await capture(service)
    await sql`insert into other_event (id, type, account_id, data) values
      ('evt_1', 'card.removed', 10000001, '{}'), ('evt_2', 'card.removed', null, '{}')`.execute(db)
    await sql`insert into event_outbox (event_id) values ('evt_1'), ('evt_2')`.execute(db)
    await eventually(consumer.events, (found) => found.length === 4)
    await eventually(plain.events, (found) => found.length === 4)

    t.same(consumer.faults, [], 'signed over the very body')
    for (const message of consumer.seen) {
      t.equal(message.headers['content-type'], 'application/cloudevents+json')
      const { id, source, type, time, datacontenttype, data, ...rest } = read(message)
      const standard = plain.events().find((one) => one.id === message.id)
      t.same(data, standard?.event, 'the data is what the standard format has')
      t.same([id, source, datacontenttype], [message.id, url, 'application/json'])
      t.same([type, time], [`one-off-payments.v1.${data.type}`, data.createdAt])
      t.same(new Set(consumer.seen.filter((one) => one.id === id).map(({ body }) => body)).size, 1)
      const { subject, sequence } = rest
      if (data.paymentId !== null) {
        t.same([subject, sequence], [`/v1/payments/${paymentId}`, `000000000${data.sequence}`])
      } else
        t.same(
          [subject, sequence],
          [id === 'evt_1' ? '/v1/accounts/10000001' : undefined, undefined]
        )
    }
    t.ok(consumer.seen.length >= 8, 'repetitions too')

    await t.test('so it is with tests and replays', async (t) => {
      const before = consumer.seen.length
      consumer.state.answering = () => 204
      await desk.ask(202, 'POST', `/v1/webhook-endpoints/${consumer.id}/test`)
      await eventually(consumer.events, (found) => found.length === 5)
      const sent = read(consumer.seen.at(-1) as Message)
      t.match(sent, { type: 'one-off-payments.v1.webhookEndpoint.test', subject: undefined })
      t.same(sent.data.data, { webhookEndpointId: consumer.id })
      const range = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' }
      await desk.ask(202, 'POST', `/v1/webhook-endpoints/${consumer.id}/replay`, range)
      await eventually(
        () => consumer.seen.length,
        (found) => found === before + 5
      )
      t.same(consumer.seen.slice(before).map(read).length, 5)
      t.same(consumer.faults, [])
    })
  })

  t.test('another format holds from the next attempt on, also of what waits', async (t) => {
    const consumer = await subscribe(t, desk, () => 500)
    const { id } = await service.createPayment()
    const [first] = await eventually(
      () => consumer.seen,
      (found) => found.length > 0
    )
    t.equal(first?.headers['content-type'], 'application/json')
    const at = `/v1/webhook-endpoints/${consumer.id}`
    const changed = await desk.ask(200, 'PATCH', at, { format: 'cloudevents' })
    t.same(await desk.ask(200, 'GET', at), { ...changed, format: 'cloudevents' })
    consumer.state.answering = () => 204
    const [taken] = await eventually(consumer.events, (found) => found.length === 1)
    t.equal(read(taken as Message).id, `${id}.1`)
    t.same(consumer.faults, [])
    await desk.ask(200, 'PATCH', at, { format: 'standard', status: 'disabled' })
  })

  t.test('no other format can be asked for', async (t) => {
    const { id } = await desk.add('https://93.184.215.14/events', ['card.removed'])
    const asked = { url: 'https://93.184.215.14/events', events: ['*'] }
    for (const format of ['tmf676', 'binary', null, '']) {
      const answers = [
        await call('POST', '/v1/webhook-endpoints', {
          body: { ...asked, format },
          idempotencyKey: `format-${format}`
        }),
        await call('PATCH', `/v1/webhook-endpoints/${id}`, { body: { format } })
      ]
      for (const { body } of answers) {
        t.match(body, { code: 'request_invalid', errors: [{ pointer: '/format' }] })
      }
    }
  })
})
