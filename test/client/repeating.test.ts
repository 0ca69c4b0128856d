/** What the typed client sends again, and what never; every answer comes over real HTTP. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createClient, PaymentsError } from '../../clients/typescript/src/index.ts'
import { newAccountId, testService } from '../test-service.ts'

type Answer = { status: number; headers?: Record<string, string>; body?: unknown } | Fault
type Fault = 'reset' | 'cut' | 'silence'

const problem = (code: string, status: number, headers = {}): Answer => ({
  ...{ status, headers: { 'content-type': 'application/problem+json', ...headers } },
  body: { code, detail: 'so', status, requestId: 'req-1' }
})
const done: Answer = {
  ...{ status: 200, headers: { 'content-type': 'application/json' } },
  body: { id: 'pay_1' }
}
const gateway: Answer = { status: 502, body: '<h1>Bad gateway</h1>' }

/** A service that gives these answers, one after the other, and the last one for ever. */
async function scripted(t: Test, answers: readonly Answer[]) {
  const asked: Array<{ key: string | undefined; authorization: string | undefined; at: number }> =
    []
  const listener: RequestListener = (request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] as Answer
    const { 'idempotency-key': key, authorization } = request.headers
    asked.push({ key: key as string | undefined, authorization, at: performance.now() })
    if (answer === 'silence') return
    if (answer === 'reset') return void request.socket.destroy()
    if (answer === 'cut') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 })
      response.write('{', () => request.socket.destroy())
      return
    }
    const { body = '' } = answer
    response.writeHead(answer.status, answer.headers)
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  let tokens = 0
  const client = createClient({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: async () => `token-${++tokens}`
  })
  const path = { id: 'pay_1' }
  return {
    ...{ client, asked },
    get: () => client.get('/v1/payments/{id}', { path }),
    post: () => client.post('/v1/payments/{id}/refunds', { path, body: {} as never }),
    patch: () => client.patch('/v1/webhook-endpoints/{id}', { path, body: { status: 'enabled' } }),
    put: (options: { ifMatch?: string }) =>
      client.put('/v1/accounts/{accountId}', {
        ...{ path: { accountId: '1' }, body: { currency: 'GBP' }, ...options }
      })
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return error instanceof PaymentsError ? error.code : String(error)
  }
}

const passing: ReadonlyArray<readonly [what: string, answer: Answer]> = [
  ['an overload', problem('overloaded', 503)],
  ['a provider that is away', problem('provider_unavailable', 503)],
  ['a request under way', problem('idempotency_key_in_flight', 409)],
  ['a rate limit', problem('rate_limited', 429)],
  ['a request that was too slow', problem('request_timeout', 408)],
  ['an inner fault', problem('internal_error', 500)],
  ['the fault of a gateway', gateway],
  ['a connection that is reset', 'reset'],
  ['an answer that is cut off', 'cut']
]
for (const [what, answer] of passing) {
  t.test(`after ${what} a POST is sent again under its key, as the next token`, async (t) => {
    const { post, asked } = await scripted(t, [answer, done])
    t.same(await post(), { id: 'pay_1' })
    t.equal(asked.length, 2)
    t.match(asked[0]?.key, /^[0-9a-f-]{36}$/)
    t.equal(asked[1]?.key, asked[0]?.key)
    t.same(
      asked.map(({ authorization }) => authorization),
      ['Bearer token-1', 'Bearer token-2']
    )
  })
}

const final: ReadonlyArray<readonly [code: string, status: number]> = [
  ['provider_rejected', 502],
  ['duplicate_suspected', 409],
  ['request_invalid', 400],
  ['idempotency_key_reused', 422]
]
for (const [code, status] of final) {
  t.test(`${code} is final`, async (t) => {
    const { post, asked } = await scripted(t, [problem(code, status)])
    t.equal(await codeOf(post()), code)
    t.equal(asked.length, 1)
  })
}

t.test('a POST that is led elsewhere is not done there by a GET', async (t) => {
  const moved: Answer = { status: 301, headers: { location: '/v1/payments' } }
  const { post, asked } = await scripted(t, [moved, done])
  t.equal(await codeOf(post()), 'unreadable_answer')
  t.equal(asked.length, 1)
  const { get } = await scripted(t, [moved, done])
  t.same(await get(), { id: 'pay_1' }, 'a GET stays what it is')
})

t.test('what nobody knows the outcome of is not repeated without a key', async (t) => {
  for (const answer of ['reset', gateway, problem('overloaded', 503)] as const) {
    const { patch, put, asked } = await scripted(t, [answer])
    t.not(await codeOf(patch()), 'none')
    t.not(await codeOf(put({ ifMatch: '"1"' })), 'none')
    t.equal(asked.length, 2)
  }
  const limited = await scripted(t, [problem('rate_limited', 429), done])
  t.equal(await codeOf(limited.patch()), 'none', 'what was not done at all is')
  const put = await scripted(t, ['reset', done])
  t.equal(await codeOf(put.put({})), 'none', 'nor does it matter how often all of it is said')
})

t.test('it comes back when the answer says, and not at all where that is far', async (t) => {
  const { get, asked } = await scripted(t, [
    problem('rate_limited', 429, { 'retry-after': '1' }),
    done
  ])
  await get()
  const [first, second] = asked.map(({ at }) => at) as [number, number]
  t.ok(second - first >= 990 && second - first < 2500, `${second - first} ms`)
  const far = new Date(Date.now() + 3_600_000).toUTCString()
  const later = await scripted(t, [problem('rate_limited', 429, { 'retry-after': far })])
  t.equal(await codeOf(later.get()), 'rate_limited')
  t.equal(later.asked.length, 1)
})

t.test('it gives up in the end, and at once when it is told to', async (t) => {
  const { client, asked } = await scripted(t, ['reset'])
  const signal = AbortSignal.timeout(100)
  t.match(await codeOf(client.get('/v1/payments', { signal })), /TimeoutError/)
  t.equal(asked.length, 1)
  const nobody = createClient({ baseUrl: 'http://127.0.0.1:9', key: 'opk_x', retries: 1 })
  t.equal(await codeOf(nobody.get('/v1/payments')), 'no_answer')
})

t.test('an answer that never comes is given up after a while', async (t) => {
  const server = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = createClient({ baseUrl, key: 'opk_x', retries: 1, timeoutMs: 100 })
  t.equal(await codeOf(client.get('/v1/payments')), 'no_answer')
})

t.test('a token that never comes ends a try as an answer that never comes does', async (t) => {
  const token = () => new Promise<string>(() => {})
  const client = createClient({ baseUrl: 'http://127.0.0.1:9', token, retries: 1, timeoutMs: 100 })
  t.equal(await codeOf(client.get('/v1/payments')), 'no_answer')
  const stopping = createClient({ baseUrl: 'http://127.0.0.1:9', token })
  const signal = AbortSignal.timeout(100)
  for (const when of ['meanwhile', 'before']) {
    t.match(await codeOf(stopping.get('/v1/payments', { signal })), /TimeoutError/, when)
  }
})

t.test('who waits for a payment is answered in time by a service that is silent', async (t) => {
  const { client, asked } = await scripted(t, [
    {
      ...{ status: 200, headers: { 'content-type': 'application/json', etag: '"1"' } },
      body: { id: 'pay_1', status: 'pending', finished: false }
    },
    'silence'
  ])
  const startedAt = performance.now()
  t.match(await client.waitUntilFinished('pay_1', { timeoutMs: 1_200 }), { status: 'pending' })
  const tookMs = performance.now() - startedAt
  t.ok(tookMs >= 1_190 && tookMs < 4_000, `${tookMs} ms`)
  t.equal(asked.length, 2)
  const signal = AbortSignal.timeout(100)
  t.match(await codeOf(client.waitUntilFinished('pay_1', { signal })), /TimeoutError/)
})

t.test('a create whose answers are lost, on the real service, is one payment', async (t) => {
  const service = await testService(t)
  let lost = 0
  const client = createClient({
    ...{ baseUrl: service.url, key: service.key },
    fetch: async (request) => {
      const response = await fetch(request)
      if (lost >= 2) return response
      lost += 1
      throw new TypeError('the connection is gone')
    }
  })
  const accountId = newAccountId()
  await service.call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const create = () =>
    client.post('/v1/payments', {
      body: {
        ...{ accountId, channel: 'ivr', method: 'paymentLink' },
        amount: { currency: 'GBP', value: 2500 }
      },
      idempotencyKey: 'call-417'
    })
  const payment = await create()
  t.equal(lost, 2)
  t.equal((await create()).id, payment.id, 'after a restart, under the same key')
  const { body } = await service.call('GET', `/v1/payments?accountId=${accountId}`)
  t.equal(body.data.length, 1)
})
