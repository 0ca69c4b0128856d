/** What is answered to requests that no route sees, as they come over a socket. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { findFreePort, testService } from '../test-service.ts'
import { routes } from './routes.ts'

type Raw = { status: number; headers: Record<string, string>; text: string; all: string }

/** Among the pieces: what comes after it waits for the first answer. */
const answered = Symbol('answered')

/** Sends bytes, in pieces where there are several, and answers what came until the end. */
async function send(url: string, ...pieces: Array<string | typeof answered>): Promise<Raw> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let all = ''
  socket.setEncoding('latin1').on('data', (part) => {
    all += part
  })
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  for (const piece of pieces) {
    while (piece === answered && all === '') await new Promise((resolve) => setTimeout(resolve, 5))
    if (piece !== answered) socket.write(piece, 'latin1')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await closed
  const [head = '', ...rest] = all.split('\r\n\r\n')
  const [line = '', ...fields] = head.split('\r\n')
  const headers = fields.map((field) => {
    const at = field.indexOf(':')
    return [field.slice(0, at).toLowerCase(), field.slice(at + 1).trim()]
  })
  return {
    status: Number(line.split(' ')[1]),
    headers: Object.fromEntries(headers),
    text: rest.join('\r\n\r\n'),
    all
  }
}

t.test('requests that no route sees', async (t) => {
  const lines: Array<Record<string, unknown>> = []
  const log = pino(
    { level: 'info' },
    new Writable({
      write(chunk, _, done) {
        lines.push(JSON.parse(String(chunk)))
        done()
      }
    })
  )
  const metricsPort = await findFreePort()
  const { url, key, call, service } = await testService(t, { log, metricsPort })
  const host = new URL(url).host
  const head = `Host: ${host}\r\nConnection: close\r\n`
  const auth = `Authorization: Bearer ${key}\r\n`
  const post = `POST /v1/payments HTTP/1.1\r\n${head}${auth}Content-Type: application/json\r\n`

  const refused: Record<string, [status: number, code: string, request: string]> = {
    'a line that is no HTTP': [400, 'request_invalid', 'hello\r\n\r\n'],
    'a version that there is not': [400, 'request_invalid', `GET / HTTP/9.9\r\n${head}\r\n`],
    'a method that there is not': [400, 'request_invalid', `FLY / HTTP/1.1\r\n${head}\r\n`],
    'the preface of HTTP/2': [400, 'request_invalid', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    'a header without a name': [400, 'request_invalid', `GET / HTTP/1.1\r\n${head}: x\r\n\r\n`],
    'a space before a colon': [400, 'request_invalid', `GET / HTTP/1.1\r\n${head}A : x\r\n\r\n`],
    'a header that is folded': [
      400,
      'request_invalid',
      `GET / HTTP/1.1\r\n${head}A: x\r\n y\r\n\r\n`
    ],
    'a control character in a header': [
      400,
      'request_invalid',
      `GET / HTTP/1.1\r\n${head}A: \u0001\r\n\r\n`
    ],
    'headers above 16 KiB': [
      431,
      'headers_too_large',
      `GET / HTTP/1.1\r\n${head}A: ${'x'.repeat(17_000)}\r\n\r\n`
    ],
    'two lengths of a body': [
      400,
      'request_invalid',
      `${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`
    ],
    'a length and chunks': [
      400,
      'request_invalid',
      `${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
    ],
    'a length that is none': [400, 'request_invalid', `${post}Content-Length: +2\r\n\r\n{}`],
    'a chunk without a size': [
      400,
      'request_invalid',
      `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`
    ],
    'a body that is compressed': [
      400,
      'request_invalid',
      `GET /v1/payments HTTP/1.1\r\n${head}${auth}Transfer-Encoding: gzip, Chunked\r\n\r\n0\r\n\r\n`
    ],
    'an expectation': [
      417,
      'expectation_failed',
      `GET /v1/payments HTTP/1.1\r\n${head}Expect: a-miracle\r\n\r\n`
    ],
    'CONNECT, as to a proxy': [
      405,
      'method_not_allowed',
      `CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example:443\r\n\r\n`
    ],
    'TRACE, which would repeat a key': [
      405,
      'method_not_allowed',
      `TRACE /v1/payments HTTP/1.1\r\n${head}${auth}\r\n`
    ],
    'a path that is no URL': [400, 'request_invalid', `GET /v1/%zz HTTP/1.1\r\n${head}\r\n`],
    'no host': [400, 'request_invalid', 'GET /v1/a HTTP/1.1\r\nConnection: close\r\n\r\n'],
    'two hosts': [400, 'request_invalid', `GET /v1/a HTTP/1.1\r\nHost: a\r\n${head}\r\n`],
    'a host with a path': [
      400,
      'request_invalid',
      'GET /v1/a HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n'
    ],
    'two keys': [
      400,
      'request_invalid',
      `GET /v1/payments HTTP/1.1\r\n${head}${auth}Authorization: Bearer x\r\n\r\n`
    ],
    'two content types': [
      400,
      'request_invalid',
      `${post}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}`
    ]
  }
  const countOf = async (status: number) => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
    return text
      .split('\n')
      .filter((line) => line.startsWith('http_server_request_duration_seconds_count{'))
      .filter((line) => line.includes(`_status_code="${status}"`))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }
  for (const [name, [status, code, request]] of Object.entries(refused)) {
    t.test(`F6, F11: ${status} for ${name}: a problem, logged and counted once`, async (t) => {
      lines.length = 0
      const counted = await countOf(status)
      const answer = await send(url, request)
      t.equal(answer.status, status, answer.all)
      t.equal(answer.all.split('HTTP/1.1 ').length, 2, 'one answer')
      t.match(answer.headers['content-type'], /^application\/problem\+json/)
      t.match(answer.headers, { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
      const problem = JSON.parse(answer.text)
      t.match(problem, { status, code, type: `${url}/docs/problems#${code}` })
      t.equal(problem.requestId, answer.headers['x-request-id'])
      if (status === 405) t.type(answer.headers.allow, 'string')
      const logged = lines.filter(({ reqId }) => reqId === problem.requestId)
      t.match(logged, [{ msg: 'request', status }])
      t.equal(logged.length, 1)
      t.notMatch(JSON.stringify(lines), key)
      t.equal((await countOf(status)) - counted, 1)
    })
  }

  t.test(
    'F6: a fault behind a request does not touch its answer, and ends the connection',
    async (t) => {
      const get = `GET /v1/payments HTTP/1.1\r\nHost: ${host}\r\n${auth}\r\n`
      const answer = await send(url, `${get}rubbish\r\n\r\n`)
      t.match(answer.all, /^HTTP\/1\.1 200 /)
      t.notMatch(answer.text, /HTTP\/1\.1/, 'nothing is written into it')
      const other = await send(url, get, answered, 'rubbish\r\n\r\n')
      t.match(other.all, /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 400 /, 'once it has ended')
    }
  )

  t.test('F6: 408 for headers that take too long', async (t) => {
    const { server } = service.app
    server.once('connection', (socket) => {
      const late = Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })
      server.emit('clientError', late, socket)
    })
    const answer = await send(url, 'GET / HT')
    t.equal(answer.status, 408)
    t.equal(JSON.parse(answer.text).code, 'request_timeout')
  })

  t.test('F6: what asks for another protocol is answered in this one', async (t) => {
    for (const protocol of ['websocket', 'h2c']) {
      const asked = `Upgrade: ${protocol}\r\nConnection: Upgrade, close\r\n`
      const answer = await send(url, `GET /health/live HTTP/1.1\r\nHost: ${host}\r\n${asked}\r\n`)
      t.equal(answer.status, 200)
    }
  })

  t.test('F11: HTTP/1.0 needs no host, and a host may have a port or be an address', async (t) => {
    t.equal((await send(url, 'GET /health/live HTTP/1.0\r\n\r\n')).status, 200)
    for (const name of ['a.example', 'a.example:8080', '[::1]:80', '127.0.0.1']) {
      const get = `GET /health/live HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`
      t.equal((await send(url, get)).status, 200, name)
    }
  })

  t.test('F9: 405 with Allow, and OPTIONS, for every path that has other methods', async (t) => {
    const byPath = Map.groupBy(routes, ({ template }) => template.replace(/\{\w+\}/g, '7'))
    for (const [path, some] of byPath) {
      const methods = some.map(({ method }) => method)
      const all = [...methods, ...(methods.includes('GET') ? ['HEAD'] : [])].sort()
      const allow = [...all, 'OPTIONS'].join(', ')
      for (const method of ['PUT', 'PATCH', 'DELETE', 'POST', 'GET', 'HEAD', 'QUERY']) {
        if (all.includes(method)) continue
        // Neither a key nor a body is looked at.
        const body = method === 'GET' || method === 'HEAD' ? undefined : '{'
        const answer = await call(method, path, { key: null, body })
        t.equal(answer.status, 405, `${method} ${path}`)
        t.equal(answer.headers.get('allow'), allow, path)
        if (method !== 'HEAD') t.equal(answer.body.code, 'method_not_allowed')
      }
      const options = await call('OPTIONS', path, { key: null })
      t.same([options.status, options.text], [204, ''])
      t.equal(options.headers.get('allow'), allow)
      t.equal(options.headers.get('access-control-allow-origin'), null)
    }
    for (const [method, path, allow] of [
      ['GET', '/webhooks/adyen', 'POST, OPTIONS'],
      ['POST', '/health/live', 'GET, HEAD, OPTIONS'],
      ['POST', '/openapi.json', 'GET, HEAD, OPTIONS'],
      ['DELETE', '/return/pay_1', 'GET, HEAD, OPTIONS'],
      ['POST', '/v1/p%61yments/x', 'GET, HEAD, OPTIONS']
    ] as const) {
      const answer = await call(method, path, { key: null })
      t.same([answer.status, answer.headers.get('allow')], [405, allow], path)
    }
  })

  t.test('F9: HEAD is answered where GET is, with the headers of GET and no body', async (t) => {
    for (const path of ['/health/live', '/openapi.json', '/docs/problems', '/v1/payments']) {
      const [get, headed] = [await call('GET', path), await call('HEAD', path)]
      t.same([headed.status, headed.text], [get.status, ''], path)
      for (const name of ['content-type', 'etag', 'cache-control']) {
        t.equal(headed.headers.get(name), get.headers.get(name), `${path} ${name}`)
      }
    }
  })
})
