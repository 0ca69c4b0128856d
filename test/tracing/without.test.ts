/** What tracing costs who does not ask for it, and whoever's collector is away. */

import { once } from 'node:events'
import { registerHooks } from 'node:module'
import { createServer, type Socket } from 'node:net'
import { pino } from 'pino'
import t, { type Test } from 'tap'

/** What is loaded from here on; prom-client loads the API, which does nothing by itself. */
const loaded: string[] = []
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context)
    const isForMetrics = /prom-client|@opentelemetry\/api/.test(context.parentURL ?? '')
    if (resolved.url.includes('@opentelemetry') && !isForMetrics) loaded.push(resolved.url)
    return resolved
  }
})

const { testService } = await import('../test-service.ts')
const { eventually } = await import('../feed/consumer.ts')
const { currentSpan } = await import('../../src/tracing/span.ts')

t.test(
  'without an endpoint nothing of OpenTelemetry is loaded, and nothing is traced',
  async (t) => {
    const { createPayment, pay, until } = await testService(t)
    const { id } = await createPayment()
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
    t.same(loaded, [])
    t.equal(currentSpan(), undefined)
  }
)

/** A collector that takes connections and says nothing, or closes them at once. */
async function startSilent(t: Test, isClosing: boolean) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    if (isClosing) socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return { url: `http://127.0.0.1:${port}/v1/traces`, sockets }
}

t.test('a collector that is silent or away slows nobody, and is told of once', async (t) => {
  process.env.OTEL_EXPORTER_OTLP_TRACES_TIMEOUT = '300'
  for (const isClosing of [false, true]) {
    const { url, sockets } = await startSilent(t, isClosing)
    const lines: Array<{ level: number; msg: string }> = []
    const write = (line: string) => void lines.push(JSON.parse(line))
    const { createPayment, pay, until, call, service } = await testService(t, {
      tracing: { url, sampler: 'always_on', ratio: 1 },
      log: pino({ level: 'info' }, { write })
    })
    t.ok(loaded.length > 0, 'now it is loaded')
    const { id } = await createPayment()
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
    // As many as are sent at once, and not after 5 s.
    for (let asked = 0; asked < 200; asked += 1) await call('GET', `/v1/payments/${id}`)
    await eventually(
      () => lines.filter(({ msg }) => msg === 'the collector takes no traces'),
      (said) => said.length > 0
    )
    t.ok(sockets.size > 0)
    const since = performance.now()
    await service.close()
    t.ok(performance.now() - since < 5_000, 'it ends in time')
    t.equal(lines.filter(({ msg }) => /collector/.test(msg)).length, 1)
    t.equal(lines.filter(({ level }) => level > 40).length, 0)
  }
})
