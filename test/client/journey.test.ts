/** The typed client as its users use it: over a real service with its simulator of Adyen. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import {
  createClient,
  type FeedEvent,
  PaymentsError,
  verifyWebhook,
  type WebhookEvent
} from '../../clients/typescript/src/index.ts'
import { newAccountId, testService } from '../test-service.ts'

t.test('a caller with the typed client', async (t) => {
  const service = await testService(t)
  const client = createClient({ baseUrl: service.url, key: service.key })
  const accountId = newAccountId()
  await client.put('/v1/accounts/{accountId}', { path: { accountId }, body: { currency: 'GBP' } })
  const body = (value: number) =>
    ({
      accountId,
      channel: 'selfcare',
      amount: { currency: 'GBP', value },
      returnUrl: 'https://selfcare.example/paid'
    }) as const
  const create = (value: number) => client.post('/v1/payments', { body: body(value) })
  const refusal = async (work: Promise<unknown>) => {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason
    )
    if (error instanceof PaymentsError) return error
    throw new Error(`not refused, or otherwise: ${error}`)
  }

  t.test('creates a payment and waits for its outcome', async (t) => {
    const payment = await create(1000)
    t.match(payment, { status: 'pending', amount: { value: 1000 }, checkout: { url: /^http/ } })
    const waiting = client.waitUntilFinished(payment.id)
    await service.pay(payment.id)
    t.match(await waiting, { id: payment.id, status: 'captured', amountCaptured: 1000 })
  })

  t.test('is handed the payment as it is when time is up, or stops when told to', async (t) => {
    const { id } = await create(1100)
    const startedAt = Date.now()
    const pending = await client.waitUntilFinished(id, { timeoutMs: 1300 })
    const tookMs = Date.now() - startedAt
    t.match(pending, { status: 'pending', finished: false })
    t.ok(tookMs >= 1290 && tookMs < 2300, `${tookMs} ms`)
    const signal = AbortSignal.timeout(100)
    await t.rejects(client.waitUntilFinished(id, { signal }), { name: 'TimeoutError' })
  })

  t.test('waits for what comes before the end', async (t) => {
    const { id } = await client.post('/v1/payments', { body: { ...body(1200), capture: 'manual' } })
    const waiting = client.waitUntilFinished(id, { until: ({ status }) => status === 'authorised' })
    await service.pay(id)
    t.match(await waiting, { status: 'authorised', finished: false })
  })

  t.test('is told by a code what was wrong, and where', async (t) => {
    const first = await create(1300)
    const duplicate = await refusal(create(1300))
    t.match(duplicate, { code: 'duplicate_suspected', status: 409, paymentId: first.id })
    const invalid = await refusal(
      client.post('/v1/payments', { body: { ...body(0), channel: 'fax' as never } })
    )
    t.match(invalid, { code: 'request_invalid', status: 400, requestId: /./ })
    t.same(invalid.errors.map(({ pointer }) => pointer).sort(), ['/amount/value', '/channel'])
    const stranger = createClient({ baseUrl: service.url, token: async () => 'opk_nobody' })
    t.match(await refusal(stranger.get('/v1/payments')), { code: 'unauthenticated', status: 401 })
    t.match(await refusal(client.get('/v1/payments/{id}', { path: { id: 'pay_none' } })), {
      code: 'payment_not_found'
    })
  })

  t.test('asks for what it names, and for nothing else, whatever the name is', async (t) => {
    for (const id of ['..', '.', '']) {
      const path = { id }
      await t.rejects(client.get('/v1/payments/{id}/events', { path }), TypeError, id)
      await t.rejects(client.api.GET('/v1/payments/{id}', { params: { path } }), TypeError, id)
    }
    for (const id of ['../events', '%2e%2e', '...', 'a?limit=1']) {
      const asked = client.get('/v1/payments/{id}/events', { path: { id } })
      t.match(await refusal(asked), { status: 404, code: 'payment_not_found' }, id)
    }
  })

  t.test('asks by ETag, and is answered 304 with nothing', async (t) => {
    const { id } = await create(1400)
    const path = { id }
    const { response } = await client.call('get', '/v1/payments/{id}', { path })
    const ifNoneMatch = response.headers.get('etag') ?? ''
    const again = await client.call('get', '/v1/payments/{id}', { path, ifNoneMatch })
    t.equal(again.response.status, 304)
    t.equal(again.data, undefined)
    const changed = client.put('/v1/accounts/{accountId}', {
      ...{ path: { accountId }, body: { currency: 'GBP' }, ifMatch: '"of another time"' }
    })
    t.match(await refusal(changed), { code: 'precondition_failed' })
  })

  t.test('walks through lists of several pages, and takes rows as text', async (t) => {
    const query = { accountId, limit: 2 }
    const ids: string[] = []
    for await (const { id } of client.list('/v1/payments', { query })) ids.push(id)
    t.equal(ids.length, 5)
    t.same(ids, [...new Set(ids)].sort().reverse())
    const sizes: number[] = []
    for await (const { data } of client.pages('/v1/payments', { query })) sizes.push(data.length)
    t.same(sizes, [2, 2, 1])
    const csv = await client.get('/v1/payments', { query, headers: { accept: 'text/csv' } })
    t.equal(String(csv).trim().split('\r\n').length, 1 + ids.length)
    const postings: string[] = []
    const open = { query: { status: 'open', limit: 1 } } as const
    for await (const { id, kind } of client.list('/v1/postings', open)) {
      postings.push(kind)
      const path = { id }
      const outcome = { body: { outcome: 'posted' } } as const
      t.match(await client.post('/v1/postings/{id}/acknowledgement', { path, ...outcome }), {
        status: 'posted'
      })
    }
    t.same(postings, ['payment'])
  })

  t.test('reads the feed to its end, and then follows it from there', async (t) => {
    const events: FeedEvent[] = []
    let after: string | undefined
    for await (const page of client.feed({ limit: 3, waitS: 0 })) {
      events.push(...page.data)
      after = page.nextCursor
    }
    t.equal(events.filter(({ type }) => type === 'payment.created').length, 5)
    const captured = events.find(({ type }) => type === 'payment.captured')
    t.equal(captured?.type === 'payment.captured' && captured.data.payment.amount.value, 1000)
    const stop = new AbortController()
    const following = (async () => {
      for await (const page of client.feed({ after, signal: stop.signal })) return page.data
      return []
    })()
    const { id } = await create(1500)
    t.match(await following, [{ type: 'payment.created', paymentId: id }])
    const next = client.feed({ signal: stop.signal })
    await next.next()
    stop.abort(new Error('shutting down'))
    await t.rejects(next.next(), { message: 'shutting down' })
  })

  t.test('takes a webhook for genuine, and any other for none', async (t) => {
    const arrived = Promise.withResolvers<{ event: WebhookEvent; forged: boolean }>()
    const receiver = createServer(async (request, response) => {
      const rawBody = await text(request)
      response.end()
      const forge = () => verifyWebhook(secret, request.headers, rawBody.replace('1600', '1'))
      arrived.resolve({
        event: verifyWebhook([secret], request.headers, rawBody),
        forged: await Promise.resolve()
          .then(forge)
          .then(
            () => true,
            () => false
          )
      })
    })
    await once(receiver.listen(0, '127.0.0.1'), 'listening')
    t.teardown(() => receiver.close())
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`
    const { secret } = await client.post('/v1/webhook-endpoints', {
      body: { url, events: ['payment.captured'] }
    })
    const { id } = await create(1600)
    await service.pay(id)
    const { event, forged } = await arrived.promise
    t.match(event, { type: 'payment.captured', paymentId: id })
    t.equal(event.type === 'payment.captured' && event.data.payment.amountCaptured, 1600)
    t.equal(forged, false)
  })
})
