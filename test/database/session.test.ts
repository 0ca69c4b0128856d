/** What the service relies on holds on every connection, whatever the server has as its default. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { applyNotifications } from '../../src/adyen/notification.jobs.ts'
import { insertItems } from '../../src/adyen/notification.store.ts'
import { placeNewPostings } from '../../src/billing/posting.jobs.ts'
import { checkConnections, checkDirect } from '../../src/database/connection-check.ts'
import { connect, type Db } from '../../src/database/database.ts'
import { listen } from '../../src/database/listener.ts'
import { migrate } from '../../src/database/migrate.ts'
import { nameOf } from '../../src/database/session.ts'
import { newId } from '../../src/id.ts'
import { announce } from '../../src/webhooks/announce.jobs.ts'
import { item } from '../adyen/signed-notifications.ts'
import { addPayment } from '../checkout/intents.ts'
import { newPayment } from '../lifecycle/aggregates.ts'
import { testContext } from '../test-context.ts'
import { insertClients, testDatabase } from '../test-database.ts'
import { addClient, testService, toolsOf } from '../test-service.ts'

const odd: Readonly<Record<string, string>> = {
  DateStyle: 'SQL, DMY',
  TimeZone: 'Asia/Kathmandu',
  IntervalStyle: 'sql_standard',
  bytea_output: 'escape',
  extra_float_digits: '-15',
  standard_conforming_strings: 'off',
  backslash_quote: 'on',
  client_encoding: 'LATIN1',
  array_nulls: 'off',
  transform_null_equals: 'on',
  row_security: 'off',
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  statement_timeout: '1h',
  lock_timeout: '1h',
  idle_in_transaction_session_timeout: '1h',
  idle_session_timeout: '500ms',
  enable_seqscan: 'off',
  enable_indexscan: 'off',
  enable_hashjoin: 'off'
}

t.test('D11: a database with other defaults than ours serves us all the same', async (t) => {
  const { db, url, serviceUrl } = await testDatabase(t)
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db)
  for (const [name, value] of Object.entries(odd)) {
    const database = sql.id(rows[0]?.name ?? '')
    await sql`alter database ${database} set ${sql.id(name)} = ${sql.lit(value)}`.execute(db)
  }
  await checkConnections(serviceUrl, undefined)
  const direct = new URL(serviceUrl)
  direct.searchParams.set('application_name', 'listening')
  const { url: api, simulatorUrl } = await testService(t, {
    databaseUrl: serviceUrl,
    databaseDirectUrl: direct.href
  })
  const listening = sql`
    select pid from pg_stat_activity
    where datname = current_database() and application_name = 'listening'`
  const { rows: listeners } = await listening.execute(db)
  t.equal(listeners.length, 1, 'it listens on a connection of its own')
  const key = await addClient(db, {})
  const { call, control, createPayment, pay, until } = toolsOf(api, simulatorUrl, db, key)

  const description = 'Žluťoučký kůň \\ 100 €'
  const payment = await createPayment({ description })
  t.equal(payment.description, description)
  t.ok(Math.abs(Date.parse(payment.createdAt) - Date.now()) < 60_000, payment.createdAt)
  await pay(payment.id)
  await until(payment.id, ({ status }) => status === 'captured')
  const body = { amount: { currency: 'GBP', value: 500 }, reason: description }
  const idempotencyKey = crypto.randomUUID()
  const path = `/v1/payments/${payment.id}/refunds`
  const asked = await call('POST', path, { body, idempotencyKey })
  t.equal(asked.status, 202, asked.text)
  await until(payment.id, ({ amountRefunded }) => amountRefunded === 500)
  t.equal((await call('POST', path, { body, idempotencyKey })).text, asked.text)
  const report = await control('POST', '/_simulator/reports')
  t.equal(report.status, 200)
  await createPayment({ accountId: payment.accountId, allowDuplicate: true })
  const newest = await call('GET', '/v1/payments?limit=1')
  t.ok(newest.body.nextCursor)
  const older = await call('GET', `/v1/payments?limit=1&cursor=${newest.body.nextCursor}`)
  t.match(older.body, { data: [{ id: payment.id }] }, 'a cursor holds a time')

  await setTimeout(600)
  t.same((await listening.execute(db)).rows, listeners, 'which is not closed when nothing is said')

  // The schema is made there as well.
  await sql`drop schema public cascade`.execute(db)
  await sql`create schema public`.execute(db)
  const owner = connect(url, { max: 1, patient: true })
  t.teardown(() => owner.destroy())
  t.ok((await migrate(owner)).length > 10)
})

t.test('D5: a connection asks for nothing at its start that a pooler would refuse', async (t) => {
  const started: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (data) => {
      started.push(data.subarray(8).toString())
      socket.destroy()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  const url = `postgresql://somebody:secret@127.0.0.1:${port}/payments`
  const db = connect(url)
  t.teardown(() => db.destroy())
  await t.rejects(sql`select 1`.execute(db))
  const listener = await listen(url, {}, () => {})
  await listener.close()
  t.equal(started.length, 2)
  for (const message of started) {
    const parts = message.split('\0')
    const names = parts.filter((_, place) => place % 2 === 0 && parts[place] !== '')
    t.same(
      names.filter((name) => !/^(user|database|client_encoding|application_name)$/.test(name)),
      []
    )
  }
})

t.test('D5: a statement has the same name in every process, and no other has it', async (t) => {
  t.equal(nameOf('select $1'), 'N1-hIz8fCaiYSEVS2bP5Ib')
  t.not(nameOf('select $1'), nameOf('select $1 '))
})

t.test('D5: every wait is bounded, and statements are prepared', async (t) => {
  const { serviceUrl } = await testDatabase(t)
  const db = connect(serviceUrl)
  t.teardown(() => db.destroy())
  const { rows } = await sql`
    select current_setting('statement_timeout') as statement,
      current_setting('lock_timeout') as lock,
      current_setting('idle_in_transaction_session_timeout') as idle where 1 = ${1}`.execute(db)
  t.same(rows, [{ statement: '5s', lock: '2s', idle: '10s' }])
  const prepared = sql`select from pg_prepared_statements where not from_sql`
  t.ok((await prepared.execute(db)).rows.length > 0)
})

/** How often each table was read from end to end; the connection of `db` is its only one. */
async function scansOf(db: Db): Promise<Map<string, number>> {
  await sql`select pg_stat_force_next_flush()`.execute(db)
  const { rows } = await sql<{ name: string; scans: number }>`
    select relname as name, seq_scan as scans from pg_stat_user_tables`.execute(db)
  return new Map(rows.map(({ name, scans }) => [name, scans]))
}

t.test('a table that was empty when statements were planned is read by its indexes', async (t) => {
  const { url } = await testDatabase(t)
  const db = connect(url, { max: 1 })
  t.teardown(() => db.destroy())
  // What a database says after it was restored empty, or looked at before its first day.
  await sql`vacuum (analyze)`.execute(db)
  const faults: unknown[] = []
  const deps = { ...testContext(db), onFault: (_: unknown, error: unknown) => faults.push(error) }
  const { clientId } = newPayment()
  await insertClients(db, clientId)
  const accounts = Array.from({ length: 40 }, (_, place) => 10_000_000 + place)
  const values = accounts.map((id) => ({
    id,
    currency: 'GBP',
    name: null,
    status: 'open' as const
  }))
  await db.insertInto('account').values(values).execute()
  const before = await scansOf(db)
  for (let batch = 0; batch < 10; batch++) {
    const payments = accounts.map((accountId) => newPayment({ id: newId('pay'), accountId }))
    await Promise.all(payments.map((payment) => addPayment(db, payment)))
    const items = payments.map(({ id }) => item({ merchantReference: id }))
    await insertItems(db, items, false, () => false)
    t.equal(await applyNotifications(deps), items.length)
    await placeNewPostings(deps)
    await announce(deps)
  }
  t.same(faults, [])
  const scans = [...(await scansOf(db))].map(([name, count]) => [
    name,
    count - (before.get(name) ?? 0)
  ])
  const { rows } = await sql<{ count: number }>`select count(*) from ledger_transfer`.execute(db)
  t.equal(rows[0]?.count, 400, 'each has moved the ledger')
  // Outboxes are emptied each time; endpoints are few.
  const small = ['event_outbox', 'posting_outbox', 'webhook_endpoint']
  t.same(
    scans.filter(([name, count]) => !small.includes(String(name)) && Number(count) > 2),
    []
  )
})

t.test('a database of another encoding is refused before anything is made in it', async (t) => {
  const { db, url } = await testDatabase(t)
  const name = `ascii_${process.pid}`
  const ascii = sql.raw("encoding 'SQL_ASCII' locale 'C' template template0")
  await sql`create database ${sql.id(name)} ${ascii}`.execute(db)
  t.teardown(() => sql`drop database ${sql.id(name)} with (force)`.execute(db))
  const other = new URL(url)
  other.pathname = name
  await t.rejects(checkDirect(other.href), {
    message: 'The database keeps text as SQL_ASCII: UTF8 is needed.'
  })
  await t.resolves(checkDirect(url))
})
