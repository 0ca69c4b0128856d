/** Who sends a body slowly holds a connection: for so long and no longer. */
import { connect } from 'node:net'
import { fastify } from 'fastify'
import t, { type Test } from 'tap'
import { addProblems } from '../../src/http/problems.plugin.ts'
import { addBodyDeadline } from '../../src/http/request.plugin.ts'

/** `key`: what callers must send to be known. */
async function start(t: Test, ms: number, key?: string) {
  const app = fastify()
  addProblems(app, 'http://x.example')
  addBodyDeadline(app, ms)
  app.addHook('onRequest', async (request, reply) => {
    if (key !== undefined && request.headers.authorization !== key) return reply.code(401).send()
  })
  app.post('/short', async (request) => request.body)
  app.post('/long', { config: { longBody: true } }, async (request) => request.body)
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  return (app.server.address() as { port: number }).port
}

/** Sends a part of a body, the rest after `pauseMs`; answers all that came back. */
async function send(port: number, path: string, pauseMs: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (part) => {
    answer += part
  })
  socket.on('error', () => {})
  // Not by once(), which takes the error that may come first for the end.
  const ended = new Promise((resolve) => socket.on('close', resolve))
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n` +
      'content-type: application/json\r\ncontent-length: 9\r\n\r\n{"a"'
  )
  await new Promise((resolve) => setTimeout(resolve, pauseMs))
  if (!socket.destroyed) socket.write(':"b"}')
  await ended
  return answer
}

t.test('F6: a body that does not come in time ends its connection, with a problem', async (t) => {
  const port = await start(t, 150)
  const answer = await send(port, '/short', 600)
  t.match(answer, /^HTTP\/1\.1 408 [\s\S]*application\/problem\+json[\s\S]*"request_timeout"/)
  t.equal(answer.split('HTTP/1.1').length, 2, 'one answer')
})

t.test(
  'one that comes in time is answered, and so is a long one where they are taken',
  async (t) => {
    const quick = await start(t, 5_000)
    t.match(await send(quick, '/short', 50), /^HTTP\/1\.1 200 [\s\S]*\{"a":"b"\}$/)
    const port = await start(t, 150)
    t.match(await send(port, '/long', 600), /^HTTP\/1\.1 200 [\s\S]*\{"a":"b"\}$/)
  }
)

t.test('F5: without a key a slow body ends its connection, whatever its route', async (t) => {
  const port = await start(t, 150, 'a key')
  for (const path of ['/short', '/long', '/none']) {
    const before = performance.now()
    // A byte now and then would hold it for ever.
    const answer = await trickle(port, path, 50)
    t.match(answer, /^HTTP\/1\.1 40[14] /, path)
    t.equal(answer.split('HTTP/1.1').length, 2, 'one answer')
    t.ok(performance.now() - before < 3_000, 'and not when its last byte comes')
  }
})

/** Sends a long body, a byte each time; answers all that came until the connection ended. */
async function trickle(port: number, path: string, everyMs: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (part) => {
    answer += part
  })
  socket.on('error', () => {})
  // Not by once(), which takes the error that may come first for the end.
  const ended = new Promise((resolve) => socket.on('close', resolve))
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n` +
      'content-length: 1000\r\n\r\n'
  )
  const timer = setInterval(() => socket.write(' '), everyMs)
  await ended
  clearInterval(timer)
  return answer
}
