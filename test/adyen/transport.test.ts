import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import {
  type AdyenCall,
  type AdyenTransport,
  createTransport
} from '../../src/adyen/adyen.transport.ts'
import { AdyenOutcomeUnknown } from '../../src/adyen/answer.ts'

const apiKey = 'test-adyen-api-key'
/** Long enough for whatever answers on loopback. */
const deadlineMs = 5_000
/** For what never answers. */
const shortMs = 150

type Seen = { method: string; url: string; headers: IncomingMessage['headers']; body: string }
type Answer = (response: ServerResponse, seen: Seen) => void

/** A server in Adyen's place, and a transport to it. */
async function startPair(t: Test, answer: Answer, options: { deadlineMs?: number } = {}) {
  const requests: Seen[] = []
  const sockets = new Set<Socket>()
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const { method = '', url = '', headers } = request
    const seen = { method, url, headers, body }
    requests.push(seen)
    answer(response, seen)
  })
  server.on('connection', (socket) => sockets.add(socket))
  server.on('clientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const transport = createTransport({
    apiKey,
    deadlineMs: options.deadlineMs ?? deadlineMs,
    baseUrl: `${origin}/v72`
  })
  t.teardown(() => {
    transport.close()
    server.closeAllConnections()
    server.close()
  })
  return { transport, origin, requests, sockets }
}

const asked = { kind: 'pages', method: 'POST', path: '/sessions', body: { a: 1 } } as const
const post = (transport: AdyenTransport, changes: Partial<AdyenCall> = {}) =>
  transport.ask({ ...asked, ...changes })

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Answer => {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }
}

async function failureOf(call: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await call
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('the call went well')
}

async function isUnknown(t: Test, call: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await failureOf(call)
  t.ok(error instanceof AdyenOutcomeUnknown, `${error.name}: ${error.message}`)
  t.match(error, { message })
}

t.test(
  'a call goes out with our key, our JSON and its length, and its answer comes back',
  async (t) => {
    const { transport, requests } = await startPair(t, json(201, { id: 'CS1' }))
    t.same(await post(transport, { key: 'key', body: { name: 'Å' } }), { id: 'CS1' })
    t.match(requests, [
      {
        method: 'POST',
        url: '/v72/sessions',
        body: '{"name":"Å"}',
        headers: {
          'x-api-key': apiKey,
          'content-type': 'application/json',
          'content-length': '13',
          'idempotency-key': 'key'
        }
      }
    ])
    t.equal(requests[0]?.headers['transfer-encoding'], undefined)
  }
)

t.test('a server that never answers is cut off at the deadline', async (t) => {
  const { transport } = await startPair(t, () => {}, { deadlineMs: shortMs })
  await isUnknown(t, post(transport), /no answer within 150 ms/)
})

t.test('the deadline is for the whole: an answer that drips does not move it', async (t) => {
  let written = 0
  const drip: Answer = (response) => {
    response.writeHead(201, { 'content-type': 'application/json' })
    const timer = setInterval(() => {
      written += 1
      response.write(' ')
    }, 20)
    response.on('close', () => clearInterval(timer))
  }
  const { transport } = await startPair(t, drip, { deadlineMs: shortMs })
  await isUnknown(t, post(transport), /no answer within 150 ms/)
  t.ok(written > 0, 'it did drip')
})

t.test('headers alone are no answer', async (t) => {
  const { transport } = await startPair(t, (response) => response.writeHead(201).flushHeaders(), {
    deadlineMs: shortMs
  })
  await isUnknown(t, post(transport), /no answer/)
})

t.test('a connection that is reset before the headers leaves the outcome unknown', async (t) => {
  const { transport, requests } = await startPair(t, (response) =>
    response.socket?.resetAndDestroy()
  )
  await isUnknown(t, post(transport), /ECONNRESET/)
  t.equal(requests.length, 1, 'a new connection is not tried again')
})

t.test('a connection that is closed before the headers leaves the outcome unknown', async (t) => {
  const { transport } = await startPair(t, (response) => response.socket?.end())
  await isUnknown(t, post(transport), /other side closed/)
})

t.test('a connection that is reset within the answer leaves the outcome unknown', async (t) => {
  for (const headers of [{ 'content-length': '100' }, {}]) {
    const { transport } = await startPair(t, (response) => {
      response.writeHead(201, { 'content-type': 'application/json', ...headers })
      response.write('{"id":', () => response.socket?.resetAndDestroy())
    })
    await isUnknown(t, post(transport), /aborted|ECONNRESET|terminated|closed/)
  }
})

t.test('an error whose answer is cut off leaves the outcome unknown', async (t) => {
  const { transport } = await startPair(t, (response) => {
    response.writeHead(422, { 'content-length': '100' })
    response.write('{"status":422', () => response.socket?.destroy())
  })
  await isUnknown(t, post(transport), /aborted|ECONNRESET|terminated|closed/)
})

t.test('nobody listening leaves the outcome unknown', async (t) => {
  const { transport } = await startPair(t, json(200, {}))
  const dead = createTransport({ apiKey, deadlineMs, baseUrl: 'http://127.0.0.1:1/v72' })
  t.teardown(() => dead.close())
  await isUnknown(t, post(dead), /ECONNREFUSED/)
  t.same(await post(transport), {}, 'another transport is not concerned')
})

t.test('what does not speak HTTP leaves the outcome unknown', async (t) => {
  const { transport } = await startPair(t, (response) => response.socket?.end('nonsense\r\n\r\n'))
  await isUnknown(t, post(transport), /does not match the HTTP/)
})

t.test('a success without a JSON object leaves the outcome unknown', async (t) => {
  const whole = JSON.stringify({ id: 'CS1', url: 'https://example' })
  const bodies: Record<string, string> = {
    'an empty body': '',
    'a body cut short': whole.slice(0, -5),
    HTML: '<html><body>ok</body></html>',
    'a text': '"ok"',
    'a number': '1',
    null: 'null',
    'a list': '[]',
    'the text ok': 'ok'
  }
  for (const [name, body] of Object.entries(bodies)) {
    const { transport } = await startPair(t, json(200, body))
    await t.test(name, (t) => isUnknown(t, post(transport), /without JSON/))
  }
})

t.test('a success without content, as a deletion has it, is an empty object', async (t) => {
  const { transport } = await startPair(t, (response) => response.writeHead(204).end())
  t.same(await transport.ask({ kind: 'cards', method: 'DELETE', path: '/x' }), {})
})

t.test('an error keeps its status, whatever its body', async (t) => {
  const bodies: Record<string, string> = {
    JSON: JSON.stringify({ status: 200, errorCode: '101', message: 'Invalid' }),
    'a problem': JSON.stringify({ title: 'Invalid', detail: 'more' }),
    HTML: '<html>Bad Gateway</html>',
    nothing: '',
    'a text': '"str"',
    null: 'null',
    'a list': '[1]'
  }
  for (const [name, body] of Object.entries(bodies)) {
    for (const status of [307, 308, 400, 401, 422, 429, 500, 502, 503]) {
      const { transport } = await startPair(t, json(status, body))
      const error = await failureOf(post(transport))
      t.match(error, { name: 'HttpClientException', statusCode: status }, `${status}, ${name}`)
    }
  }
})

t.test('an error tells its code, its headers and what was said', async (t) => {
  const body = { status: 500, errorCode: '14_030', message: 'Return URL is missing.' }
  const { transport } = await startPair(t, json(422, body, { 'Transient-Error': 'true' }))
  t.match(await failureOf(post(transport)), {
    statusCode: 422,
    errorCode: '14_030',
    apiError: { message: 'Return URL is missing.' },
    responseHeaders: { 'transient-error': 'true' }
  })
})

t.test('what is said before an answer (1xx) is none', async (t) => {
  const { transport } = await startPair(t, (response) => {
    response.writeProcessing()
    response.end('{"id":"CS1"}')
  })
  t.same(await post(transport), { id: 'CS1' })
  const { transport: other } = await startPair(t, (response) => {
    response.writeProcessing()
    response.socket?.end()
  })
  await isUnknown(t, post(other), /closed/)
})

t.test('a redirect is not followed, wherever it leads', async (t) => {
  const { transport, requests, origin } = await startPair(t, (response, { url }) => {
    if (url === '/v72/sessions') response.writeHead(308, { location: `${origin}/other` }).end()
    else response.end('{}')
  })
  t.match(await failureOf(post(transport)), { statusCode: 308 })
  t.equal(requests.length, 1)
})

t.test('an answer of more than 1 MiB is not read', async (t) => {
  const large = JSON.stringify({ id: 'x'.repeat(1024 * 1024) })
  const { transport } = await startPair(t, json(200, large))
  await isUnknown(t, post(transport), /too large/)
  const { transport: other } = await startPair(t, json(500, large))
  await isUnknown(t, post(other), /too large/)
})

t.test('five calls one after another use one connection', async (t) => {
  const { transport, requests, sockets } = await startPair(t, json(201, { id: 'CS1' }))
  for (let call = 0; call < 5; call++) await post(transport)
  t.equal(requests.length, 5)
  t.equal(sockets.size, 1)
})

t.test('a connection is used again after an error with a whole answer', async (t) => {
  const { transport, sockets } = await startPair(t, json(422, { status: 422 }))
  for (let call = 0; call < 3; call++) await failureOf(post(transport))
  t.equal(sockets.size, 1)
})

t.test('a connection that was cut off is not used again', async (t) => {
  let isFirst = true
  const { transport, sockets } = await startPair(
    t,
    (response) => {
      if (!isFirst) return response.end('{"id":"CS1"}')
      isFirst = false
      return undefined
    },
    { deadlineMs: 500 }
  )
  await isUnknown(t, post(transport), /no answer/)
  t.same(await post(transport), { id: 'CS1' })
  t.equal(sockets.size, 2)
})

for (const how of ['destroy', 'resetAndDestroy', 'end'] as const) {
  t.test(`a kept connection that turns out to be closed (${how}) is tried again`, async (t) => {
    const [call, next] = [
      { method: 'POST', url: '/v72/sessions', body: '{"a":1}' },
      { method: 'POST', url: '/v72/sessions', body: '{"b":2}' }
    ]
    const { transport, requests, sockets } = await startPair(t, (response) => {
      if (requests.length === 2) response.socket?.[how]()
      else response.end('{"id":"CS1"}')
    })
    await post(transport, { key: 'first' })
    const second = { key: 'second', trace: { traceparent: '00-2' }, body: { b: 2 } }
    t.same(await post(transport, second), { id: 'CS1' })
    const again = { ...next, headers: { 'idempotency-key': 'second', traceparent: '00-2' } }
    t.match(requests, [{ ...call, headers: { 'idempotency-key': 'first' } }, again, again])
    t.equal(requests.length, 3)
    t.equal(sockets.size, 2, 'by a new connection')
  })
}

t.test('a call that is reset on two kept connections is not sent a third time', async (t) => {
  const waiting: ServerResponse[] = []
  const { transport, requests, sockets } = await startPair(t, (response) => {
    if (requests.length > 2) return response.socket?.resetAndDestroy()
    waiting.push(response)
    if (waiting.length === 2) for (const one of waiting) one.end('{}')
    return undefined
  })
  await Promise.all([post(transport), post(transport)])
  t.equal(sockets.size, 2, 'two connections are kept')
  await isUnknown(t, post(transport, { key: 'key' }), /reset/i)
  t.match(requests.slice(2), [
    { headers: { 'idempotency-key': 'key' } },
    { headers: { 'idempotency-key': 'key' } }
  ])
  t.equal(requests.length, 4)
})

t.test('the second try has what is left of the deadline', async (t) => {
  const { transport, requests } = await startPair(
    t,
    (response) => {
      if (requests.length === 1) response.end('{}')
      else if (requests.length === 2) setTimeout(() => response.socket?.destroy(), 1_000)
    },
    { deadlineMs: 2_000 }
  )
  await post(transport)
  const startedAt = performance.now()
  await isUnknown(t, post(transport), /no answer/)
  const ms = performance.now() - startedAt
  t.equal(requests.length, 3)
  // With a deadline of its own it would end after 3 s.
  t.ok(ms > 1_900 && ms < 2_900, `${Math.round(ms)} ms`)
})

t.test('a kept connection that answers too late is not tried again', async (t) => {
  const { transport, requests } = await startPair(
    t,
    (response) => {
      if (requests.length === 1) response.end('{}')
    },
    { deadlineMs: 300 }
  )
  await post(transport)
  await isUnknown(t, post(transport), /no answer/)
  t.equal(requests.length, 2)
})

t.test('a kept connection that is cut within the answer', async (t) => {
  const { transport, requests } = await startPair(t, (response) => {
    if (requests.length === 1) return response.end('{}')
    response.writeHead(201, { 'content-length': '100' })
    response.write('{"id":', () => response.socket?.resetAndDestroy())
    return undefined
  })
  await post(transport)
  await isUnknown(t, post(transport), /aborted|reset/i)
  t.equal(requests.length, 2, 'the request was seen')
})

t.test('calls at the same time each get their own answer', async (t) => {
  const { transport } = await startPair(t, (response, { body }) => response.end(body))
  const bodies = Array.from({ length: 50 }, (_, place) => ({ place }))
  t.same(await Promise.all(bodies.map((body) => post(transport, { body }))), bodies)
})

t.test('calls of a kind that hang have their bound, and take nothing from others', async (t) => {
  const { transport, requests, sockets } = await startPair(t, (response, { url }) => {
    if (url !== '/v72/sessions') response.end('{}')
  })
  const hanging = Array.from({ length: 200 }, () => post(transport).catch(() => {}))
  while (requests.length < 128) await setImmediate()
  const capture = { kind: 'captures', method: 'POST', path: '/payments/PSP1/captures' } as const
  for (let call = 0; call < 3; call++) t.same(await transport.ask({ ...capture, body: {} }), {})
  t.equal(requests.length, 128 + 3)
  t.equal(sockets.size, 128 + 1)
  transport.close()
  await Promise.all(hanging)
})

t.test('nothing of one call is in the next', async (t) => {
  const { transport, requests } = await startPair(t, json(201, {}))
  const call: Partial<AdyenCall> = { key: 'first', trace: { traceparent: '00-1' } }
  const before = structuredClone(call)
  await post(transport, { ...call, path: '/sessions?page=1' })
  t.same(call, before, 'what was given is not written to')
  delete call.key
  call.trace = {}
  await post(transport, call)
  await post(transport)
  t.match(requests[0], { url: '/v72/sessions?page=1', headers: { 'idempotency-key': 'first' } })
  for (const request of requests.slice(1)) {
    t.equal(request.url, '/v72/sessions')
    t.equal(request.headers['idempotency-key'], undefined)
    t.equal(request.headers.traceparent, undefined)
    t.equal(request.headers['x-api-key'], apiKey)
  }
})

t.test(
  'the trace of a request is passed on, and no header can take the place of our key',
  async (t) => {
    const { transport, requests } = await startPair(t, json(200, {}))
    const trace = {
      'x-request-id': 'req-1',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    }
    const more = { ...trace, 'x-api-key': 'other' }
    await post(transport, { trace: more })
    await transport.ask({ kind: 'lookups', method: 'GET', path: '/sessions/CS1', trace: more })
    t.match(requests, [
      { headers: { ...trace, 'x-api-key': apiKey } },
      { headers: { ...trace, 'x-api-key': apiKey } }
    ])
  }
)

t.test('path and query go out as they are, and a GET without body or type', async (t) => {
  const { transport, requests } = await startPair(t, json(200, { id: 'CS1' }))
  const path = '/sessions/CS1?sessionResult=X3XtfGC9!H4sI/AA+a==.~-_'
  await transport.ask({ kind: 'lookups', method: 'GET', path })
  t.match(requests, [{ method: 'GET', url: `/v72${path}`, body: '' }])
  t.equal(requests[0]?.headers['content-type'], undefined)
  t.equal(requests[0]?.headers['content-length'], undefined)
})

t.test('a call has the shorter of two deadlines', async (t) => {
  const { transport } = await startPair(t, () => {})
  await isUnknown(t, post(transport, { withinMs: 50 }), /within 50 ms/)
  const { transport: hasty } = await startPair(t, () => {}, { deadlineMs: shortMs })
  await isUnknown(t, post(hasty, { withinMs: 60_000 }), /within 150 ms/)
})

t.test('what the base URL has before the version stays', async (t) => {
  const { origin, requests } = await startPair(t, json(200, { id: 'CS1' }))
  const baseUrl = `${origin}/checkout/v72`
  const transport = createTransport({ apiKey, deadlineMs, baseUrl })
  t.teardown(() => transport.close())
  await post(transport)
  t.match(requests, [{ url: '/checkout/v72/sessions' }])
})
