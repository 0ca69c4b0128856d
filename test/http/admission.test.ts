/** E1: who is worked on, who waits for a turn, and who is refused. */
import { fastify } from 'fastify'
import t, { type Test } from 'tap'
import { addAdmission } from '../../src/http/admission.plugin.ts'
import { addProblems } from '../../src/http/problems.plugin.ts'
import { eventually } from '../feed/consumer.ts'

/** A service with two turns in each lane, whose requests end when the test says so. */
async function start(t: Test) {
  const app = fastify()
  const held: Array<() => void> = []
  const hold = () => new Promise<void>((resolve) => held.push(resolve))
  addProblems(app, 'https://payments.example')
  const { whileAway } = addAdmission(app, { writes: 2, reads: 2, outcomes: 2 })
  const provider = whileAway({ name: 'adyen', pauseMs: () => 7, ask: hold })
  app.post('/create', hold)
  app.post('/ask', async () => await provider.ask())
  app.get('/read', hold)
  app.get('/wait', { config: { waits: true } }, hold)
  app.post('/notify', { config: { lane: 'outcomes' } }, hold)
  app.get('/health', { config: { quiet: true } }, async () => 'ok')
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => {
    for (const end of held) end()
    return app.close()
  })
  const send = (method: string, path: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { method, ...init })
  const begun = (count: number) =>
    eventually(
      () => held.length,
      (found) => found === count
    )
  return { send, held, begun, provider }
}

t.test(
  'E1: what is too much is refused at once that it is, creates and nothing else',
  async (t) => {
    const { send, held, begun } = await start(t)
    const creates = [1, 2].map(() => send('POST', '/create'))
    await begun(2)
    const before = performance.now()
    const refused = await send('POST', '/create')
    t.ok(performance.now() - before < 5_000)
    t.equal(refused.status, 503)
    t.match(await refused.json(), { code: 'overloaded', status: 503 })
    t.match(refused.headers.get('retry-after'), /^[1-9]\d*$/)
    t.equal(held.length, 2, 'nothing of it was begun')

    t.equal((await send('GET', '/health')).status, 200)
    const others = [send('GET', '/read'), send('POST', '/notify')]
    await begun(4)
    for (const end of held) end()
    for (const answer of await Promise.all([...creates, ...others])) t.equal(answer.status, 200)
  }
)

t.test('E1: who waits for a turn gets that of the next who ends', async (t) => {
  const { send, held, begun } = await start(t)
  const reads = [1, 2, 3].map(() => send('GET', '/read'))
  await begun(2)
  held[0]?.()
  await begun(3)
  for (const end of held) end()
  for (const answer of await Promise.all(reads)) t.equal(answer.status, 200)
})

t.test('E1: who waits for the provider or for a change leaves the turn to others', async (t) => {
  const { send, held, begun, provider } = await start(t)
  t.equal(provider.name, 'adyen')
  t.equal(provider.pauseMs(), 7, 'what is answered at once stays what it is')
  const asking = Array.from({ length: 10 }, () => send('POST', '/ask'))
  await begun(10)
  const headers = { prefer: 'wait=20' }
  const waiting = Array.from({ length: 10 }, () => send('GET', '/wait', { headers }))
  await begun(20)
  for (const end of held) end()
  for (const answer of await Promise.all([...asking, ...waiting])) t.equal(answer.status, 200)
  const creates = [1, 2].map(() => send('POST', '/create', { headers }))
  await begun(22)
  t.equal((await send('POST', '/create', { headers })).status, 503, 'and then all are counted')
  for (const end of held) end()
  await Promise.all(creates)
})

t.test('E1: a caller who has gone leaves the turn, or the place in the queue', async (t) => {
  const { send, held, begun } = await start(t)
  const leaving = new AbortController()
  const { signal } = leaving
  const gone = Array.from({ length: 4 }, () => send('POST', '/create', { signal }))
  await begun(2)
  leaving.abort()
  await Promise.allSettled(gone)
  const creates = [1, 2].map(() => send('POST', '/create'))
  await begun(4)
  for (const end of held) end()
  for (const answer of await Promise.all(creates)) t.equal(answer.status, 200)
})
