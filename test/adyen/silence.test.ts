/** What counts as Adyen's silence, and what is this process's own slowness. */
import { once } from 'node:events'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { createTransport } from '../../src/adyen/adyen.transport.ts'

/**
 * A transport to a server in a thread of its own, that this one can't hold up. `answer`: what it
 * does with each `request` and `response`.
 */
async function startApart(t: Test, deadlineMs: number, answer: string) {
  const program = `
    const server = require('node:http').createServer((request, response) => { ${answer} })
    server.listen(0, '127.0.0.1', () =>
      require('node:worker_threads').parentPort.postMessage(server.address().port))`
  const worker = new Worker(program, { eval: true })
  t.teardown(() => worker.terminate())
  const [port] = await once(worker, 'message')
  const origin = `http://127.0.0.1:${port}`
  const transport = createTransport({ apiKey: 'test', deadlineMs, baseUrl: `${origin}/v72` })
  t.teardown(() => transport.close())
  const post = (key: string = crypto.randomUUID()) =>
    transport.ask({ kind: 'pages', method: 'POST', path: '/sessions', body: {}, key })
  return {
    post,
    postMany: () => Array.from({ length: 8 }, () => post()),
    pauseMs: transport.gateOf('pages').pauseMs
  }
}

/** Nothing of this process runs for a second, and then timers before what has arrived. */
async function block(): Promise<void> {
  await setImmediate()
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000)
}

const reasonOf = async (call: Promise<unknown>) => await call.catch((error) => error)

t.test('B6: what this process is late to read is an answer all the same', async (t) => {
  const adyen = await startApart(t, 600, "setTimeout(() => response.end('{}'), 200)")
  // The connections are there, and what is asked is sent before the pause.
  await Promise.all(adyen.postMany())
  const calls = adyen.postMany()
  await setTimeout(20)
  await block()
  t.same(await Promise.all(calls), Array(8).fill({}))
  t.equal(adyen.pauseMs(), 0)
})

t.test('B6: what ends in a pause of this process says nothing of Adyen', async (t) => {
  const adyen = await startApart(t, 300, '')
  const late = adyen.postMany()
  await setTimeout(20)
  await block()
  for (const call of late) {
    t.match(await reasonOf(call), { message: 'no answer within 300 ms', isOurs: true })
  }
  t.equal(adyen.pauseMs(), 0)
})

t.test('B6: that an earlier call under a key has not ended ends no outage', async (t) => {
  const running = `if (request.headers['idempotency-key'] === 'key')
    response.writeHead(422).end('{"errorCode":"704"}')`
  const adyen = await startApart(t, 300, running)
  while (adyen.pauseMs() === 0) await Promise.allSettled(adyen.postMany())
  await setTimeout(adyen.pauseMs() + 10)
  t.match(await reasonOf(adyen.post('key')), { statusCode: 422, errorCode: '704' })
  t.ok(adyen.pauseMs() > 0)
})
