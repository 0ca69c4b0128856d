/** What callers and balancers see of an instance that starts, and of one that stops. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { pino } from 'pino'
import t from 'tap'
import { DatabaseFault } from '../../src/database/fault.ts'
import { cuttable } from '../cuttable.ts'
import { eventually } from '../feed/consumer.ts'
import { testDatabase } from '../test-database.ts'
import { findFreePort, paymentBody, testService } from '../test-service.ts'

/** A way to a database that is cut, and the log of a service that starts on it. */
async function startWithout(t: Parameters<typeof testService>[0], databaseWaitS: number) {
  const lines: Array<{ level: number; msg: string }> = []
  const log = pino(
    { level: 'info' },
    { write: (line: string) => void lines.push(JSON.parse(line)) }
  )
  const { url: databaseUrl } = await testDatabase(t)
  const way = await cuttable(t, databaseUrl)
  way.cut()
  const port = await findFreePort()
  const starting = testService(t, { databaseUrl: way.url, log, port, databaseWaitS })
  const said = () => lines.filter(({ msg }) => msg.startsWith('the database'))
  return { way, lines, said, url: `http://127.0.0.1:${port}`, starting }
}

t.test(
  'E3: a start listens first, says what it waits for, and works when it is there',
  async (t) => {
    const { way, lines, said, url, starting } = await startWithout(t, 60)
    const ask = (path: string) => fetch(`${url}${path}`).catch(() => undefined)
    await eventually(
      () => ask('/health/live'),
      (answer) => answer?.status === 200
    )
    const ready = await ask('/health/ready')
    t.equal(ready?.status, 503)
    t.match(await ready?.json(), { status: 'unavailable', fault: 'starting' })
    await sleep(1_500)
    t.match(said(), [{ level: 40, msg: 'the database is not available' }])
    t.equal(said().length, 1, 'one line, however often it looked')

    way.mend()
    const { call } = await starting
    t.equal((await call('GET', '/health/ready')).status, 200)
    await eventually(said, (found) => found.length > 1)
    t.match(said()[1], { level: 30, msg: 'the database is available again' })
    t.equal((await call('GET', '/v1/payments')).status, 401, 'it asks for the key')
    t.notMatch(JSON.stringify(lines), /"stack"/)
  }
)

t.test('E4: a start whose database stays away ends after its time, with a sentence', async (t) => {
  const { said, url, starting } = await startWithout(t, 1)
  const fault = await starting.catch((error) => error)
  t.ok(fault instanceof DatabaseFault)
  t.match(fault.message, /^The database does not answer: /)
  t.equal(said().length, 1)
  await t.rejects(fetch(`${url}/health/live`), 'and nothing listens any more')
})

t.test('E2: while it stops it says so, answers all and closes what it answered on', async (t) => {
  const { call, createPayment, db, service, url } = await testService(t, { drainS: 2 })
  const { id, accountId } = await createPayment()
  const { server } = service.app
  t.equal(server.headersTimeout, 10_000, 'F5: headers have ten seconds')
  t.equal(Reflect.get(server, 'connectionsCheckingInterval'), 1_000, 'looked at every second')
  const waiting = call('GET', `/v1/payments/${id}`, { headers: { prefer: 'wait=30' } })
  const working = await call('GET', '/health/ready', { key: null })
  t.not(working.headers.get('connection'), 'close')
  await sleep(100)
  const closed = service.close()

  const ready = await call('GET', '/health/ready', { key: null })
  t.match(ready, { status: 503, body: { fault: 'stopping' } })
  const body = { ...paymentBody(accountId), amount: { currency: 'GBP', value: 7 } }
  const created = await call('POST', '/v1/payments', { body, idempotencyKey: 'while-it-stops' })
  t.equal(created.status, 201, 'a balancer that has not looked yet loses nothing')
  const missing = await call('GET', '/v1/payments/pay_none')
  for (const { headers } of [ready, created, missing, await call('GET', '/nowhere')]) {
    t.equal(headers.get('connection'), 'close')
  }
  const { status, body: seen } = await waiting
  t.match({ status, seen }, { status: 200, seen: { id, status: 'pending' } }, 'at the end')
  await closed
  // The server sees them end a moment later; one that was forgotten stays.
  const connections = sql<{ pid: number }>`select pid from pg_stat_activity
    where datname = current_database() and usename <> current_user`
  await eventually(
    () => connections.execute(db),
    ({ rows }) => rows.length === 0
  )
  await t.rejects(fetch(`${url}/health/live`))
})

t.test('a connection that has said nothing does not hold up its end', async (t) => {
  const { service, url } = await testService(t)
  const silent = connect(Number(new URL(url).port), '127.0.0.1')
  silent.on('error', () => {})
  await once(silent, 'connect')
  // An answer on another one: by then the service has accepted this one.
  t.equal((await fetch(`${url}/health/live`)).status, 200)
  const since = performance.now()
  await service.close()
  const tookMs = performance.now() - since
  t.ok(tookMs < 8_000, String(tookMs))
})
