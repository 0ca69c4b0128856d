/** What a collector is sent of the service as it runs, by OTLP. */
import { createHash } from 'node:crypto'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { logOptions } from '../../src/logger.ts'
import type { TracingConfig } from '../../src/tracing/tracing-config.ts'
import { eventually } from '../feed/consumer.ts'
import { newAccountId, testService } from '../test-service.ts'
import { deskOf, subscribe } from '../webhooks/receivers.ts'
import { type ReceivedSpan, startCollector } from './collector.ts'

/** A service that is traced; `collect` ends it, and answers all that the collector was sent. */
async function tracedService(t: Test, changes: Partial<TracingConfig> = {}) {
  const collector = await startCollector(t)
  const lines: Array<Record<string, unknown>> = []
  const write = (line: string) => void lines.push(JSON.parse(line))
  const log = pino(logOptions('info', true), { write })
  const url = `${collector.url}/v1/traces`
  const tracing = { url, sampler: 'parentbased_always_on', ratio: 1, ...changes } as const
  const service = await testService(t, { tracing, log })
  const collect = async () => {
    await service.service.close()
    return collector.spans
  }
  return { ...service, ...collector, lines, collect }
}

const idsOf = ({ traceId, spanId }: { traceId: string; spanId: string }) => `${traceId} ${spanId}`

/** Ways through what was collected. */
function readerOf(spans: readonly ReceivedSpan[]) {
  const byIds = new Map(spans.map((span) => [idsOf(span), span]))
  const named = (name: string | RegExp) =>
    spans.filter((span) => (typeof name === 'string' ? span.name === name : name.test(span.name)))
  return {
    named,
    linked: ({ links }: ReceivedSpan) => links.map((link) => byIds.get(idsOf(link))),
    parentOf: ({ traceId, parentId }: ReceivedSpan) => byIds.get(`${traceId} ${parentId}`),
    within: (outer: ReceivedSpan) =>
      spans.filter((span) => span.traceId === outer.traceId && span.parentId === outer.spanId)
  }
}

/** By which whoever has the id of a payment finds its trace: see docs/operations/tracing.md. */
const traceIdOf = (paymentId: string) =>
  createHash('sha256').update(paymentId).digest('hex').slice(0, 32)

t.test('a payment is seen from its create to the webhook about what it became', async (t) => {
  const traced = await tracedService(t)
  const { call, createPayment, pay, until, collect } = traced
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP', name: 'P. Erson' } })
  const consumer = await subscribe(t, deskOf(traced), undefined, ['payment.captured'])
  const told = { email: 'person@private.example' }
  const { id } = await createPayment({
    ...{ accountId, capture: 'manual', reference: 'a-reference', customer: told },
    metadata: { note: 'a-note' }
  })
  await pay(id, 'H. Older')
  await until(id, ({ status }) => status === 'authorised')
  const asked = await call('POST', `/v1/payments/${id}/captures`, { idempotencyKey: 'a-key' })
  t.equal(asked.status, 202)
  await until(id, ({ status }) => status === 'captured')
  await eventually(
    () => consumer.taken,
    (taken) => taken.length === 1
  )
  const spans = await collect()
  const { named, linked, parentOf, within } = readerOf(spans)
  const [first] = spans.filter(({ name }) => name === 'payment.created') as [ReceivedSpan]

  t.test('the create: its statements, and the call to Adyen', async (t) => {
    const [create] = named('POST /v1/payments') as [ReceivedSpan]
    t.match(create, { kind: 2, status: 0, parentId: '', resource: { 'service.name': /./ } })
    t.match(create.attributes, {
      'http.request.method': 'POST',
      'http.route': '/v1/payments',
      'http.response.status_code': 201,
      'payment.id': id
    })
    t.same(linked(create), [first], 'it leads to the trace of the payment')
    const [page] = within(create).filter(({ name }) => name === 'adyen createHostedPage')
    t.match(page?.attributes, { 'provider.operation': 'sessions', 'provider.outcome': 'done' })
    t.match(within(page as ReceivedSpan), [
      { name: 'POST', kind: 3, attributes: { 'http.response.status_code': 201 } }
    ])
    const shared = within(create).filter(({ name }) => name === 'shared statement')
    const statements = shared.flatMap(linked) as ReceivedSpan[]
    t.match(
      statements.map(({ name }) => name),
      [/INSERT payment/, /UPDATE payment UPDATE idempotency_key/]
    )
    for (const [place, statement] of statements.entries()) {
      t.match(statement, { kind: 3, parentId: '' }, 'a trace of its own')
      t.ok(linked(statement).includes(shared[place]), 'with a link to what it served')
    }
    const { 'db.query.text': sql, 'db.system.name': system } = statements[0]?.attributes ?? {}
    t.equal(system, 'postgresql')
    t.match(sql, /insert into latest_payment[\s\S]*\$1|json_to_recordset\(\$1\)/)
  })

  t.test('what Adyen reports of it', async (t) => {
    const came = named('POST /webhooks/adyen')
    const [authorised] = came.filter(({ attributes }) => attributes['payment.id'] === id)
    t.ok(linked(authorised as ReceivedSpan).includes(first))
    t.ok(within(authorised as ReceivedSpan).some(({ name }) => name === 'shared statement'))
    const applied = named('apply notification')
    t.same(
      applied.map(({ attributes }) => attributes['notification.event_code']),
      ['AUTHORISATION', 'CAPTURE']
    )
    for (const one of applied) {
      t.equal(parentOf(one), first, 'in the trace of the payment')
      t.match(one.attributes, { 'notification.status': 'applied', 'notification.id': /^ntf_/ })
      const [round] = linked(one) as [ReceivedSpan]
      t.match(round, { name: 'apply_notifications', attributes: { 'task.count': 1 } })
      t.ok(within(round).some(({ name }) => name === 'COMMIT'))
    }
  })

  t.test('the trace of the payment: what became of it, and what was asked and sent', async (t) => {
    t.equal(first.traceId, traceIdOf(id), 'found by its id alone')
    const names = within(first).map(({ name }) => name)
    for (const name of ['payment.authorised', 'payment.captured', 'deliver webhook']) {
      t.ok(names.includes(name), name)
    }
    const [asking] = within(first).filter(({ name }) => name === 'send_captures')
    t.match(linked(asking as ReceivedSpan), [{ name: 'send_captures', parentId: '' }], 'its round')
    const [asked] = within(asking as ReceivedSpan).filter(({ name }) => /^adyen/.test(name))
    t.match(asked?.attributes, { 'provider.operation': 'captures', 'provider.outcome': 'done' })
    const [sent] = named('deliver webhook') as [ReceivedSpan]
    t.match(within(sent), [{ name: 'POST', attributes: { 'http.response.status_code': 204 } }])
  })

  t.test('nothing of a person, no path and no value; and nothing of what did nothing', (t) => {
    const all = traced.requests.map(({ text }) => text).join('')
    t.match(all, 'payment.captured')
    for (const secret of [accountId, 'P. Erson', told.email, 'a-note', 'a-reference', 'H. Older']) {
      t.notMatch(all, secret)
    }
    t.same(
      spans.filter(({ attributes }) => attributes['task.count'] === 0),
      []
    )
    t.same(named(/health/), [])
    t.end()
  })
})

t.test('creates at the same time share a statement, which leads to each of them', async (t) => {
  const { createPayment, collect } = await tracedService(t)
  await Promise.all(Array.from({ length: 8 }, () => createPayment()))
  const { named, linked, parentOf } = readerOf(await collect())
  const intents = named(/INSERT idempotency_key INSERT payment/)
  t.ok(intents.some(({ links }) => links.length > 1))
  const served = intents.flatMap(linked).map((waited) => parentOf(waited as ReceivedSpan))
  t.same(served.map((request) => request?.name).sort(), Array(8).fill('POST /v1/payments'))
  t.equal(new Set(served.map((request) => request?.traceId)).size, 8)
})

const traceId = '0af7651916cd43dd8448eb211c80319c'
const caller = (flags: string) => ({ traceparent: `00-${traceId}-b7ad6b7169203331-${flags}` })

t.test("a caller's trace goes on, to Adyen too, and lines of log name it", async (t) => {
  const { call, createPayment, control, lines, collect } = await tracedService(t, {
    sampler: 'parentbased_traceidratio',
    ratio: 0
  })
  await createPayment()
  await createPayment({}, { headers: caller('00') })
  const { body: none } = await control('GET', '/_simulator/requests')
  t.match(none.at(-2).headers, { traceparent: undefined }, 'ours are not its business')
  t.match(none.at(-1).headers.traceparent, new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
  const { id } = await createPayment({}, { headers: caller('01') })
  const { body: requests } = await control('GET', '/_simulator/requests')
  await call('GET', `/v1/payments/${id}`)
  const spans = await collect()
  const { named, parentOf, linked } = readerOf(spans)
  t.same(
    spans.filter(({ kind }) => kind === 2).map((span) => [span.name, span.parentId]),
    [['POST /v1/payments', 'b7ad6b7169203331']],
    'what is not sampled is not sent'
  )
  const [create] = named('POST /v1/payments') as [ReceivedSpan]
  t.equal(create.traceId, traceId)
  const [page] = named('adyen createHostedPage') as [ReceivedSpan]
  t.equal(parentOf(page), create)
  t.equal(requests.at(-1).headers.traceparent, `00-${traceId}-${page.spanId}-01`)
  const others = spans.filter((span) => span.traceId !== traceId)
  t.ok(others.length > 0)
  for (const statement of others) {
    t.ok(linked(statement).every((served) => served?.traceId === traceId))
  }
  const line = lines.findLast(({ trace_id: id }) => id === traceId)
  t.match(line, { msg: 'request', trace_id: traceId, span_id: create.spanId })
})
