/** Who sends a body slowly holds a connection: for so long and no longer. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { fastify } from 'fastify'
import t, { type Test } from 'tap'
import { addProblems } from '../../src/http/problems.plugin.ts'
import { addBodyDeadline } from '../../src/http/request.plugin.ts'

async function start(t: Test, ms: number) {
  const app = fastify()
  addProblems(app, 'http://x.example')
  addBodyDeadline(app, ms)
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
  const ended = once(socket, 'close')
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
