/** The service while its database is locked, read-only or away: what goes on, and what is said. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { Db } from '../../src/database/database.ts'
import { cuttable } from '../cuttable.ts'
import { ask, withDatabase } from '../database-server.ts'
import { eventually } from '../feed/consumer.ts'
import { testDatabase } from '../test-database.ts'
import { newAccountId, paymentBody, type TestService, testService } from '../test-service.ts'

/** A log that is kept, from `level` on. */
function keptLog(level: string) {
  const lines: Array<Record<string, unknown>> = []
  const log = pino({ level }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  return { log, lines }
}

const ready = ({ call }: TestService) => call('GET', '/health/ready', { key: null })
const create = (service: TestService, accountId: string) =>
  service.call('POST', '/v1/payments', {
    body: { ...paymentBody(accountId), allowDuplicate: true },
    idempotencyKey: crypto.randomUUID()
  })

async function open(t: Test, options?: Parameters<typeof testService>[1]) {
  const service = await testService(t, options)
  const payment = await service.createPayment()
  return { service, payment, accountId: payment.accountId as string }
}

t.test(
  'D3: a database that takes no writes is unavailable, and is found when it does',
  async (t) => {
    const { log, lines } = keptLog('warn')
    const { service, payment, accountId } = await open(t, { log })
    const { call, db, databaseUrl } = service
    const name = new URL(databaseUrl).pathname.slice(1)
    const server = withDatabase(databaseUrl, 'postgres')
    const change = (how: string) => ask(server, `alter database ${name} ${how}`)
    await change('set default_transaction_read_only = on')
    // As in a failover: what was connected is not any more, and what connects can only read.
    await dropConnections(db, name)
    await eventually(
      () => create(service, accountId),
      ({ status }) => status !== 201
    )

    for (const path of [`/v1/payments/${payment.id}/cancellation`, '/v1/payments'] as const) {
      const body = path === '/v1/payments' ? paymentBody(accountId) : {}
      const answer = await call('POST', path, { body, idempotencyKey: 'read-only' })
      t.match(answer, { status: 503, body: { code: 'overloaded' } }, path)
      t.match(answer.headers.get('retry-after'), /^\d+$/)
    }
    t.match(await ready(service), { status: 503, body: { fault: 'the database takes no writes' } })
    t.equal((await call('GET', `/v1/payments/${payment.id}`)).status, 200, 'it can be read')

    await change('reset default_transaction_read_only')
    // Those that could only read have been closed: every new one can write.
    const results = await Promise.all([1, 2, 3, 4].map(() => create(service, newAccountId())))
    t.same(
      results.map(({ body }) => body.code),
      Array(4).fill('account_not_found')
    )
    t.equal((await create(service, accountId)).status, 201)
    t.equal((await ready(service)).status, 200)
    t.same(
      lines.map(({ msg }) => msg).filter((msg) => msg !== 'the database is not available'),
      [],
      'and nothing else is worth a warning'
    )
  }
)

async function dropConnections(db: Db, name: string) {
  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = ${name} and pid <> pg_backend_pid()`.execute(db)
}

t.test(
  'D6: what waits for a lock takes nothing from reads, probes and notifications',
  async (t) => {
    const { service, payment, accountId } = await open(t)
    const { call, db, pay, until } = service
    const locked = Promise.withResolvers<void>()
    const unlock = Promise.withResolvers<void>()
    const locking = db.transaction().execute(async (tx) => {
      await sql`lock table idempotency_key in access exclusive mode`.execute(tx)
      locked.resolve()
      await unlock.promise
    })
    await locked.promise
    const creates = Array.from({ length: 40 }, () => create(service, accountId))
    await sleep(200)

    const begun = performance.now()
    for (let times = 0; times < 5; times++) {
      t.equal((await call('GET', `/v1/payments/${payment.id}`)).status, 200)
      t.equal((await call('GET', `/v1/accounts/${accountId}`)).status, 200)
      t.equal((await ready(service)).status, 200)
    }
    t.equal((await pay(payment.id)).status, 200, 'the notification is stored')
    await until(payment.id, ({ status }) => status === 'captured')
    t.ok(performance.now() - begun < 1_900, 'all before the first lock times out')

    unlock.resolve()
    await locking
    for (const { status, body } of await Promise.all(creates)) {
      t.ok(status === 201 || (status === 503 && body.code === 'overloaded'), `${status}`)
    }
  }
)

t.test('D9: a database that is away is a line, and another when it is back', async (t) => {
  const { lines, log } = keptLog('info')
  const { url } = await testDatabase(t)
  const way = await cuttable(t, url)
  const service = await testService(t, { databaseUrl: way.url, log })
  lines.length = 0
  way.cut()
  await Promise.all(Array.from({ length: 30 }, () => create(service, '7')))
  await sleep(1_500)
  await Promise.all(Array.from({ length: 30 }, () => create(service, '7')))
  const said = () => lines.filter(({ msg }) => msg !== 'request')
  t.match(said(), [{ level: 40, msg: 'the database is not available' }])
  t.equal(said().length, 1)

  way.mend()
  await eventually(
    async () => said(),
    (found) => found.length > 1
  )
  t.match(said()[1], { level: 30, msg: 'the database is available again' })
  t.ok((said()[1] as { failures: number }).failures > 30, 'with the count of what failed')
  t.equal(said().length, 2)
  t.notMatch(JSON.stringify(lines), /"stack"/)
})
