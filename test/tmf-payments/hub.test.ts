/** The hub of TMF676: what its subscribers receive, whatever happens to them or to the service. */
import t from 'tap'
import { eventTypes } from '../../src/payments/event.ts'
import { notificationTypes, toEventTypes } from '../../src/tmf-payments/hub.ts'
import { eventually, type Found, type Message, startConsumer } from '../feed/consumer.ts'
import { killable } from '../service-process.ts'
import { addClient, type TestService, toolsOf } from '../test-service.ts'
import { deskOf, hurry } from '../webhooks/receivers.ts'
import { base, judgeTmf676 } from './harness.ts'

const hub = `${base}/hub`

t.test('every event of a payment or refund is a notification, and no other is', async (t) => {
  const none = /^(card|discrepancy|webhookEndpoint)\./
  t.same(
    toEventTypes(new Set(notificationTypes)).sort(),
    eventTypes.filter((type) => !none.test(type)).sort()
  )
})

t.test('the hub of TMF676', async (t) => {
  const { faultsOf } = await judgeTmf676()
  const { db, url, simulatorUrl, start } = await killable(t, {
    WEBHOOKS_ALLOW_LOOPBACK: 'true',
    REFUND_APPROVAL_ABOVE: '1500'
  })
  let running = await start()
  hurry(t, db)
  const tools = toolsOf(url, simulatorUrl, db, await addClient(db, {}))
  const { call } = tools
  const desk = deskOf(tools as TestService)
  const subscribe = async (query?: string) => {
    const consumer = await startConsumer(t)
    const body = { callback: consumer.url, ...(query !== undefined && { query }) }
    const answer = await call('POST', hub, { body })
    const { id, secret } = answer.body
    t.strictSame(answer.body, { id, ...body, secret })
    t.equal(answer.status, 201)
    t.equal(answer.headers.get('location'), `${hub}/${id}`)
    t.strictSame((await call('GET', `${hub}/${id}`)).body, { id, ...body }, 'without its secret')
    consumer.state.secrets = [secret]
    return { ...consumer, id: String(id) }
  }
  const create = async () =>
    (await tools.createPayment({ returnUrl: 'https://selfcare.example/paid' })).id as string
  const pay = async (id: string) => {
    await tools.pay(id)
    await tools.until(id, ({ status }) => status === 'captured')
  }
  const refund = async (id: string, value: number) => {
    const body = { amount: { currency: 'GBP', value }, operator: { id: 'agent-1' } }
    return (await desk.ask(202, 'POST', `/v1/payments/${id}/refunds`, body)).id as string
  }
  const ofPayment = (messages: readonly Message[], id: string) =>
    messages.filter((one) => one.id.startsWith(`${id}.`))
  const typesOf = (messages: readonly Message[]) => messages.map(({ event }) => event.eventType)
  const statusOf = ({ event: { event } }: Message) => (event.payment ?? event.refund).status

  const all = await subscribe()
  const refunds = await subscribe('eventType=RefundCreateEvent&eventType=RefundStateChangeEvent')
  const begun = await subscribe('eventType=PaymentCreateEvent,RefundCreateEvent')

  /** Once it has so many: as the feed has them, in their order, and as TM Forum writes them. */
  async function untilComplete(id: string, count: number) {
    const found = await eventually(
      () => ofPayment(all.events(), id),
      (some) => some.length === count
    )
    const feed = (await desk.feed()).filter(({ paymentId }) => paymentId === id)
    t.same(
      found.map(({ event }) => [event.eventId, event.eventTime, event.title]),
      feed.map((one) => [one.id, one.createdAt, one.type]),
      'each event once, in their order'
    )
    for (const { event, headers } of found) {
      t.same(faultsOf(event.eventType, event), [], event.eventType)
      const { payment } = event.event
      const resource = payment
        ? faultsOf('Payment', payment)
        : faultsOf('Refund', event.event.refund)
      t.same(resource, [], event.eventType)
      t.equal(event['@type'], event.eventType)
      t.equal(headers['content-type'], 'application/json')
    }
    return found
  }

  const first = await create()
  await t.test('a subscriber receives every event of a payment and a refund', async (t) => {
    await tools.pay(first, 'NOT_ENOUGH_BALANCE')
    await pay(first)
    await refund(first, 1000)
    const found = await untilComplete(first, 5)
    t.same(typesOf(found), [
      'PaymentCreateEvent',
      'PaymentAttributeValueChangeEvent',
      'PaymentStateChangeEvent',
      'RefundCreateEvent',
      'RefundStateChangeEvent'
    ])
    t.same(found.map(statusOf), [
      ...['pendingAuthorization', 'pendingAuthorization', 'captured'],
      ...['authorized', 'done']
    ])
    t.match(found[0]?.body, '"totalAmount":{"unit":"GBP","value":25}')
  })

  const second = await create()
  await t.test('also across a restart of the service, while a delivery is pending', async (t) => {
    all.state.answering = () => 500
    const third = await create()
    await pay(second)
    await eventually(
      () => ofPayment(all.seen, third).length,
      (tries) => tries > 1
    )
    await running.kill()
    all.state.answering = () => 204
    running = await start()
    await untilComplete(third, 1)
    const id = await refund(second, 2000)
    await desk.ask(200, 'POST', `/v1/refunds/${id}/approval`, { operator: { id: 'agent-2' } })
    const found = await untilComplete(second, 6)
    t.same(typesOf(found), [
      'PaymentCreateEvent',
      'PaymentStateChangeEvent',
      'RefundCreateEvent',
      'RefundStateChangeEvent',
      'RefundAttributeValueChangeEvent',
      'RefundStateChangeEvent'
    ])
    t.same(found.slice(2).map(statusOf), [
      ...['pendingAuthorization', 'authorized', 'authorized', 'done']
    ])
    t.same(all.faults, [], 'all signed')
  })

  await t.test('what was posted to TMF676 is notified as it is read there', async (t) => {
    const { accountId } = (await call('GET', `/v1/payments/${first}`)).body
    const posted = await call('POST', `${base}/payment`, {
      body: {
        account: { id: accountId },
        totalAmount: { unit: 'GBP', value: 11.6 },
        paymentMethod: { '@type': 'Voucher', code: 'V-1' },
        payer: { id: 'p-1', '@referredType': 'Individual' },
        correlatorId: 'shop-1'
      }
    })
    const { id } = posted.body
    const found = await untilComplete(id, 2)
    t.same(typesOf(found), ['PaymentCreateEvent', 'PaymentStateChangeEvent'])
    t.strictSame(found[1]?.event.event.payment, (await call('GET', `${base}/payment/${id}`)).body)
    t.match(found[0]?.event.event.payment, { payer: { id: 'p-1' }, status: 'pendingAuthorization' })
  })

  await t.test('one that asked for some types receives those alone', async (t) => {
    const found = await eventually(refunds.events, (some) => some.length === 5)
    t.same(typesOf(ofPayment(found, first)), ['RefundCreateEvent', 'RefundStateChangeEvent'])
    t.same(typesOf(ofPayment(found, second)), [
      ...['RefundCreateEvent', 'RefundStateChangeEvent', 'RefundStateChangeEvent']
    ])
    const few = await eventually(begun.events, (some) => some.length === 6)
    t.same(
      Object.entries(Object.groupBy(typesOf(few), (type) => type)).map(([type, all]) => [
        type,
        all?.length
      ]),
      [
        ['PaymentCreateEvent', 4],
        ['RefundCreateEvent', 2]
      ]
    )
    for (const { id, seen, count } of [
      { ...refunds, count: 5 },
      { ...begun, count: 6 }
    ]) {
      const shown = await eventually(
        () => desk.deliveries(id),
        (some) => some.every(({ status }) => status === 'delivered')
      )
      t.equal(shown.length, count, 'of what it did not want nothing is left')
      t.equal(seen.length, count)
    }
  })

  await t.test('a subscription is a webhook endpoint, whose format stays', async (t) => {
    const at = `/v1/webhook-endpoints/${begun.id}`
    const shown = await desk.ask(200, 'GET', at)
    t.match(shown, { format: 'tmf676', url: begun.url })
    t.ok(shown.events.includes('payment.created') && !shown.events.includes('payment.captured'))
    const changes = { format: 'standard', events: ['*'], description: 'x' }
    const refused = await call('PATCH', at, { body: changes })
    t.match(refused.body, { errors: [{ pointer: '/events' }, { pointer: '/format' }] })
    await desk.ask(202, 'POST', `${at}/test`)
    const [sent] = await eventually(
      () => begun.seen.slice(6),
      (some) => some.length === 1
    )
    t.match(sent?.event, { eventType: 'TestEvent', title: 'webhookEndpoint.test', event: {} })
    t.same(begun.faults, [])
  })

  await t.test('what cannot be subscribed to is refused', async (t) => {
    const callback = 'https://93.184.215.14/listener'
    const refusedAt = async (body: object) => {
      const { status, body: error } = await call('POST', hub, { body })
      t.equal(error['@type'], 'Error')
      return [status, ...error.errors.map(({ pointer }: Found) => pointer)]
    }
    t.same(await refusedAt({ query: '' }), [400, '/callback'])
    t.same(await refusedAt({ callback: 'https://10.0.0.1/' }), [422, '/callback'])
    for (const query of [
      'eventType=PaymentPaidEvent',
      'eventType=',
      'eventType=PaymentCreateEvent&status=captured',
      'eventType=PaymentDeleteEvent',
      'PaymentCreateEvent'
    ]) {
      t.same(await refusedAt({ callback, query }), [400, '/query'], query)
    }
    const twice = await refusedAt({ callback, query: 'eventType=X,Y&a=b' })
    t.same(twice, [400, '/query', '/query'], 'each fault once')
  })

  await t.test('once ended it receives nothing more; of others nobody knows', async (t) => {
    const { id } = await desk.add('https://93.184.215.14/events')
    const other = await addClient(db, {})
    for (const [path, key] of [
      [`${hub}/${id}`, undefined],
      [`${hub}/${all.id}`, other]
    ] as const) {
      for (const method of ['GET', 'DELETE']) {
        t.equal((await call(method, path, { ...(key && { key }) })).status, 404)
      }
    }
    const { status, text } = await call('DELETE', `${hub}/${all.id}`)
    t.same([status, text], [204, ''])
    t.equal((await call('GET', `${hub}/${all.id}`)).status, 404)
    const before = all.seen.length
    const last = await create()
    await eventually(
      () => ofPayment(begun.events(), last),
      (some) => some.length === 1
    )
    t.equal(all.seen.length, before)
  })
})
