/** The sender of webhooks over real connections: what it refuses is never connected to. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Server } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import {
  createWebhookTransport,
  type WebhookTransportOptions
} from '../../src/webhooks/webhook.transport.ts'
import { certificate, key } from './certificate.ts'

const resolvesTo =
  (...addresses: string[]) =>
  async () =>
    addresses

async function listen(t: Test, server: Server) {
  let connections = 0
  server.on('connection', () => {
    connections += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    ;(server as ReturnType<typeof createServer>).closeAllConnections()
  })
  const { port } = server.address() as { port: number }
  return { port, connections: () => connections }
}

const serve = (t: Test, listener: RequestListener) => listen(t, createServer(listener))
const serveSecurely = (t: Test, listener: RequestListener) =>
  listen(t, createSecureServer({ key, cert: certificate }, listener))

/** A sender that may reach this machine unless told otherwise. */
function sender(t: Test, options: Partial<WebhookTransportOptions> = {}) {
  const transport = createWebhookTransport({
    allowLoopback: true,
    resolve: resolvesTo('127.0.0.1'),
    deadlineMs: 2_000,
    ...options
  })
  t.teardown(() => transport.close())
  return (url: string, body = '{}', signal = new AbortController().signal) =>
    transport.send({ url, headers: { 'content-type': 'application/json' }, body, signal })
}

t.test('what is not allowed is not connected to', async (t) => {
  const { port, connections } = await serve(t, (_, response) => response.end('inside'))
  const strict = { allowLoopback: false }

  await t.test('whatever the spelling of the address', async (t) => {
    const send = sender(t, strict)
    for (const host of [
      ...[
        '127.0.0.1',
        '127.1',
        '2130706433',
        '0x7f.1',
        '0177.0.0.1',
        '127.0.0.1.',
        '0',
        'localhost'
      ],
      ...['localhost.', '[::1]', '[::ffff:127.0.0.1]', '[::127.0.0.1]', '[64:ff9b::7f00:1]']
    ]) {
      for (const protocol of ['https', 'http']) {
        const sent = await send(`${protocol}://${host}:${port}/`)
        t.match(sent, { httpStatus: null, error: /special address|not https/ }, host)
      }
    }
  })

  await t.test('nor a name that leads there, by any of its addresses', async (t) => {
    for (const address of ['127.0.0.1', '::1', '169.254.169.254', '::ffff:127.0.0.1']) {
      for (const addresses of [[address], ['1.1.1.1', address], [address, '1.1.1.1']]) {
        const send = sender(t, { ...strict, resolve: resolvesTo(...addresses) })
        const sent = await send(`https://hooks.example:${port}/`)
        t.match(sent, { httpStatus: null, error: /special address/ }, addresses.join())
      }
    }
  })

  await t.test('nor one whose answer changes after it was checked', async (t) => {
    // Good when it is asked first, and this machine from then on.
    let asked = 0
    const resolve = async () => (++asked % 2 === 1 ? ['192.0.2.1'] : ['127.0.0.1'])
    const send = sender(t, { ...strict, resolve, deadlineMs: 300 })
    for (let n = 1; n <= 4; n += 1) {
      const sent = await send(`https://hooks.example:${port}/`)
      t.match(sent, { httpStatus: null, error: /special address/ })
      t.equal(asked, n, 'the name is asked for once for each connection')
    }
  })

  await t.test('nor over http, where the name no longer leads to this machine', async (t) => {
    const send = sender(t, { resolve: resolvesTo('1.1.1.1') })
    t.match(await send(`http://localhost:${port}/`), { error: /special address/ })
    t.match(await send(`http://hooks.example:${port}/`), { error: /not https/ })
  })
  t.equal(connections(), 0)
})

t.test('a redirect is an answer like any other, and is not followed', async (t) => {
  const inside = await serve(t, (_, response) => response.end('inside'))
  for (const status of [301, 302, 303, 307, 308]) {
    const outside = await serve(t, (_, response) =>
      response.writeHead(status, { location: `http://127.0.0.1:${inside.port}/` }).end()
    )
    const sent = await sender(t)(`http://127.0.0.1:${outside.port}/`)
    t.match(sent, { httpStatus: status, error: null })
  }
  t.equal(inside.connections(), 0)
})

t.test('the message goes out as it is, on a connection that is kept', async (t) => {
  const got: unknown[] = []
  const { port, connections } = await serve(t, (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part) => parts.push(part))
    request.on('end', () => {
      const { method, url, headers } = request
      got.push({
        method,
        url,
        type: headers['content-type'],
        body: Buffer.concat(parts).toString()
      })
      response.writeHead(202, { 'retry-after': '7' }).end('thanks')
    })
  })
  const send = sender(t)
  const url = `http://localhost:${port}/a?b=c#d`
  for (const body of ['{"a":"ü"}', '{}']) {
    const sent = await send(url, body)
    t.same(sent, { httpStatus: 202, error: null, response: 'thanks', retryAfter: '7' })
  }
  const shared = { method: 'POST', url: '/a?b=c', type: 'application/json' }
  t.same(got, [
    { ...shared, body: '{"a":"ü"}' },
    { ...shared, body: '{}' }
  ])
  t.equal(connections(), 1)
})

t.test('a kept connection that was closed meanwhile is made anew', async (t) => {
  const { port, connections } = await serve(t, (request, response) => {
    // Closed without a word, as a server does that has just waited long enough.
    response.end('ok', () => request.socket.destroy())
  })
  const send = sender(t)
  for (let n = 0; n < 5; n += 1) {
    t.match(await send(`http://127.0.0.1:${port}/`), { httpStatus: 200 })
  }
  t.equal(connections(), 5)
})

t.test('there is one deadline, whatever it is that takes so long', async (t) => {
  const begun = performance.now()
  const silent = await serve(t, () => {})
  const send = sender(t, { deadlineMs: 200 })
  const late = { httpStatus: null, error: 'No answer within 200 ms.' }
  t.match(await send(`http://127.0.0.1:${silent.port}/`), late)
  const hangs = sender(t, { deadlineMs: 200, resolve: () => new Promise(() => {}) })
  t.match(await hangs('https://hooks.example/'), late)

  const dripping = await serve(t, (_, response) => {
    response.writeHead(200).write('a')
    const timer = setInterval(() => response.write('b'), 20)
    response.on('close', () => clearInterval(timer))
  })
  const dripped = await send(`http://127.0.0.1:${dripping.port}/`)
  t.match(dripped, { httpStatus: 200, response: /^ab+$/ }, 'its status is known')
  t.ok(performance.now() - begun < 1_500)

  const ending = new AbortController()
  setTimeout(() => ending.abort(), 20)
  t.match(await send(`http://127.0.0.1:${silent.port}/`, '{}', ending.signal), {
    httpStatus: null,
    error: 'ABORT_ERR'
  })
  t.match(await send(`http://127.0.0.1:${silent.port}/`, '{}', AbortSignal.abort()), {
    httpStatus: null,
    error: 'ABORT_ERR'
  })
})

t.test('what is late before there is a connection is never sent', async (t) => {
  const got: string[] = []
  const { port, connections } = await serve(t, (request, response) => {
    request.on('data', (part) => got.push(String(part))).on('end', () => response.end())
  })
  const found = Promise.withResolvers<string[]>()
  const send = sender(t, { deadlineMs: 200, resolve: () => found.promise })
  const url = `http://localhost:${port}/`
  t.match(await send(url, 'late'), { error: 'No answer within 200 ms.' })
  found.resolve(['127.0.0.1'])
  t.match(await send(url, 'next'), { httpStatus: 200 })
  while (connections() < 2) await new Promise((resolve) => setImmediate(resolve))
  t.match(await send(url, 'last'), { httpStatus: 200 }, 'by what was opened for the late one')
  t.same(got, ['next', 'last'])
  t.equal(connections(), 2)
})

t.test('of an answer little is read and less is kept', async (t) => {
  const answering = async (text: string | Buffer) => {
    const { port } = await serve(t, (_, response) => response.writeHead(500).end(text))
    return (await sender(t)(`http://127.0.0.1:${port}/`)).response ?? ''
  }
  t.equal(Buffer.byteLength(await answering('€'.repeat(2_000))), 1023, 'whole characters')
  t.equal((await answering('x'.repeat(50_000_000))).length, 1024)
  t.equal(await answering('a\0b\u001bc\nd\te'), 'a b c\nd\te')
  t.equal(await answering('paid with 4111 1111 1111 1111.'), 'paid with [card number].')
  t.notMatch(await answering(`${'x '.repeat(507)}4111111111111111 and more`), /4111/)
  t.equal(await answering(Buffer.from([0x61, 0xff, 0x62])), 'a\ufffdb')
})

t.test('an endless answer is closed', async (t) => {
  let sentBytes = 0
  let closed = false
  const { port } = await serve(t, (_, response) => {
    response.writeHead(200)
    const more = () => {
      for (let n = 0; n < 10 && !closed; n += 1) sentBytes += 1_000
      if (!closed) response.write('x'.repeat(10_000), () => setImmediate(more))
    }
    response.on('close', () => {
      closed = true
    })
    more()
  })
  t.match(await sender(t)(`http://127.0.0.1:${port}/`), { httpStatus: 200 })
  while (!closed) await new Promise((resolve) => setTimeout(resolve, 10))
  t.ok(sentBytes < 50_000_000)
})

t.test('what is no answer is told by a code', async (t) => {
  const reset = await serve(t, (request) => request.socket.resetAndDestroy())
  t.match(await sender(t)(`http://127.0.0.1:${reset.port}/`), { error: 'ECONNRESET' })
  const closed = await serve(t, (request) => request.socket.end())
  t.match(await sender(t)(`http://127.0.0.1:${closed.port}/`), { error: 'ECONNRESET' })
  t.match(await sender(t)('http://127.0.0.1:1/'), { error: 'ECONNREFUSED' })
  const { port } = await serve(t, (request) => request.socket.end('what?\r\n\r\n'))
  t.match(await sender(t)(`http://127.0.0.1:${port}/`), { error: /^HPE_/ })
  const promising = await serve(t, (request) =>
    request.socket.end('HTTP/1.1 102 Processing\r\n\r\n')
  )
  t.match(await sender(t)(`http://127.0.0.1:${promising.port}/`), { error: 'ECONNRESET' })
  const switching = await serve(t, (request) =>
    request.socket.write('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n')
  )
  t.match(await sender(t)(`http://127.0.0.1:${switching.port}/`), { httpStatus: 101 })
  const unknown = sender(t, {
    resolve: () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }))
  })
  t.match(await unknown('https://hooks.example/'), { error: 'ENOTFOUND' })
})

t.test('a certificate must be of the host, and somebody must vouch for it', async (t) => {
  const names: unknown[] = []
  const { port } = await serveSecurely(t, (request, response) => {
    names.push((request.socket as unknown as { servername: unknown }).servername)
    response.end()
  })
  const untrusting = await sender(t)(`https://hooks.example:${port}/`)
  t.match(untrusting, { error: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  const usual = getCACertificates()
  setDefaultCACertificates([...usual, certificate])
  t.teardown(() => setDefaultCACertificates(usual))
  const sent = await sender(t)(`https://hooks.example:${port}/`)
  t.match(sent, { httpStatus: 200 })
  t.same(names, ['hooks.example'], 'the name is told, and not the address')
  t.match(await sender(t)(`https://other.example:${port}/`), {
    error: 'ERR_TLS_CERT_ALTNAME_INVALID'
  })
  t.equal(names.length, 1)
})

t.test('the environment can make it neither trust nor go by a proxy', async (t) => {
  const proxy = await serve(t, (_, response) => response.end())
  const target = await serveSecurely(t, (_, response) => response.end())
  const source = `
    import { createWebhookTransport } from './src/webhooks/webhook.transport.ts'
    const resolve = async () => ['127.0.0.1']
    const send = createWebhookTransport({ allowLoopback: true, resolve, deadlineMs: 2000 }).send
    const signal = new AbortController().signal
    const url = 'https://hooks.example:${target.port}/'
    const sent = await send({ url, headers: {}, body: '{}', signal })
    process.stdout.write(JSON.stringify(sent))
    process.exit(0)`
  const address = `http://127.0.0.1:${proxy.port}`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', source],
    {
      env: {
        ...{ PATH: process.env.PATH, NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_USE_ENV_PROXY: '1' },
        ...{ HTTP_PROXY: address, HTTPS_PROXY: address, https_proxy: address }
      }
    }
  )
  t.equal(JSON.parse(stdout).error, 'DEPTH_ZERO_SELF_SIGNED_CERT')
  t.equal(proxy.connections(), 0)
})
