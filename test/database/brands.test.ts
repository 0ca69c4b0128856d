/** Two brands in one database, each in a schema of its own, beside a third in `public`. */
import { execFile } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import t from 'tap'
import { readClientArguments, runClientCommand } from '../../src/clients/client.commands.ts'
import { brandSuffix, lockUntilEnd } from '../../src/database/brand.ts'
import { checkConnections } from '../../src/database/connection-check.ts'
import { connect, type Db } from '../../src/database/database.ts'
import { DatabaseFault } from '../../src/database/fault.ts'
import { privileges } from '../../src/database/grants.ts'
import { listen } from '../../src/database/listener.ts'
import { migrate } from '../../src/database/migrate.ts'
import { changedChannel } from '../../src/payments/changed.store.ts'
import { lockAnnouncer } from '../../src/webhooks/announce.store.ts'
import { countEndpoints } from '../../src/webhooks/webhook.store.ts'
import { noPgbouncer, startPgbouncer } from '../pgbouncer.ts'
import { testDatabase } from '../test-database.ts'
import { addClient, type TestService, testService, toolsOf } from '../test-service.ts'
import { capture, deskOf, subscribe } from '../webhooks/receivers.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const inSchema = (url: string, name: string) =>
  `${url}${url.includes('?') ? '&' : '?'}options=-c%20search_path%3D${name}`

const database = await testDatabase(t)
const run = (url: string, ...args: string[]) =>
  promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
    env: { PATH: process.env.PATH ?? '', DATABASE_URL: url }
  })

const role = new URL(database.serviceUrl).username
const brands = ['op1', 'op2'].map((name) => ({
  name,
  url: inSchema(database.url, name),
  serviceUrl: inSchema(database.serviceUrl, name),
  db: connect(inSchema(database.url, name), { max: 4 })
}))
const [op1, op2] = brands as [(typeof brands)[0], (typeof brands)[0]]
t.teardown(() => Promise.all(brands.map(({ db }) => db.destroy())))

const tablesIn = async (schema: string) =>
  (
    await sql<{ name: string }>`
      select tablename as name from pg_tables where schemaname = ${schema} order by 1`.execute(
      database.db
    )
  ).rows.map(({ name }) => name)

t.test('migrate makes the schemas of both at the same moment', async (t) => {
  const before = await tablesIn('public')
  const ended = await Promise.all(brands.map(({ url }) => run(url, 'migrate', '--grant-to', role)))
  for (const { stdout } of ended) t.match(stdout, /^Applied 0001_clients, .*\n.* may do what/)
  for (const { name, db } of brands) {
    t.same(await tablesIn(name), before)
    t.same(await migrate(db), [], 'and nothing is missing')
  }
  const { rows } = await sql<{ schema: string; count: number }>`
    select table_schema as schema, count(distinct table_name)::integer as count
    from information_schema.role_table_grants where grantee = ${role} group by 1`.execute(op1.db)
  const granted = Object.keys(privileges).length + 1
  t.same(Object.fromEntries(rows.map(({ schema, count }) => [schema, count])), {
    op1: granted,
    op2: granted,
    public: granted
  })
  const { rows: calls } = await sql<{ config: string[] }>`
    select proconfig as config from pg_proc
    where pronamespace = 'op1'::regnamespace and prosecdef`.execute(op1.db)
  t.ok(calls.length > 0)
  for (const { config } of calls) t.same(config, ['search_path=op1'])
})

t.test('nothing crosses between the two while both work at once', async (t) => {
  const heard: Record<string, string[]> = { op1: [], op2: [], public: [] }
  const all = [...brands, { name: 'public', url: database.url }]
  for (const { name, url } of all) {
    const note = (text: string) => void heard[name]?.push(text)
    const channels = { [changedChannel]: note, client_changed: () => note('clients') }
    const listener = await listen(url, channels, () => {})
    t.teardown(() => listener.close())
  }
  const [one, two] = (await Promise.all(
    brands.map(async ({ db, serviceUrl }) => {
      await checkConnections(serviceUrl, serviceUrl)
      const own = await testService(t, { databaseUrl: serviceUrl })
      const key = await addClient(db, { name: 'desk' })
      return { ...own, ...toolsOf(own.url, own.simulatorUrl, db, key) }
    })
  )) as [TestService, TestService]
  const services = [one, two]

  const receivers = await Promise.all(services.map((service) => subscribe(t, deskOf(service))))
  const paid = await Promise.all(
    services.map((service) => Promise.all([1, 2, 3, 4, 5].map(() => capture(service))))
  )
  for (const [at, service] of services.entries()) {
    const own = paid[at] as string[]
    const other = paid[1 - at] as string[]
    const events = await untilCaptured(service, own)
    t.same([...new Set(events.map(({ paymentId }) => paymentId))].sort(), own.toSorted())
    const { body } = await service.call('GET', '/v1/payments')
    t.same(body.data.map(({ id }: { id: string }) => id).sort(), own.toSorted())
    t.equal((await service.call('GET', `/v1/payments/${other[0]}`)).status, 404)
    t.equal(
      (await service.call('GET', '/v1/payments', { key: services[1 - at]?.key ?? null })).status,
      401
    )
    const received = () => (receivers[at]?.seen ?? []).map(({ body }) => body).join()
    await untilTrue(() => own.every((id) => received().includes(id)))
    t.notOk(other.some((id) => received().includes(id)))
    const name = brands[at]?.name ?? ''
    t.ok(own.every((id) => heard[name]?.join().includes(id)))
    t.notOk(other.some((id) => heard[name]?.join().includes(id)))
  }

  const made = await run(op1.url, 'client', 'create', '--name', 'ivr', '--scope', 'payments:read')
  const [key = ''] = /opk_\S+/.exec(made.stdout) ?? []
  const asked = services.map(({ call }) => call('GET', '/v1/payments', { key }))
  t.same(
    (await Promise.all(asked)).map(({ status }) => status),
    [200, 401]
  )
  await runClientCommand(op1.db, readClientArguments(['revoke', 'ivr']), false)
  await untilTrue(() => heard.op1?.includes('clients') === true)
  t.notOk(heard.op2?.includes('clients'))
  t.same(heard.public, [])

  const { id } = await two.createPayment()
  const waiting = two.call('GET', `/v1/payments/${id}`, { headers: { prefer: 'wait=5' } })
  await one.service.close()
  await two.pay(id)
  t.equal((await waiting).body.status, 'captured', 'one stops, and the other works on')
  const again = await testService(t, { databaseUrl: op1.serviceUrl })
  const tools = toolsOf(again.url, again.simulatorUrl, op1.db, one.key)
  t.equal((await tools.call('GET', `/v1/payments/${paid[0]?.[0]}`)).status, 200)
  t.equal((await tools.call('GET', `/v1/payments/${id}`)).status, 404)
})

async function untilCaptured({ call }: TestService, ids: readonly string[]) {
  for (let tries = 0; tries < 200; tries++) {
    const { body } = await call('GET', '/v1/events?limit=100')
    const events = body.data as { type: string; paymentId: string }[]
    const captured = events.filter(({ type }) => type === 'payment.captured')
    if (ids.every((id) => captured.some(({ paymentId }) => paymentId === id))) return events
    await setTimeout(20)
  }
  throw new Error('not in time')
}

async function untilTrue(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; tries < 250 && !isTrue(); tries++) await setTimeout(20)
  if (!isTrue()) throw new Error('not in time')
}

/** Whether `second` gets its lock while `first` holds its own. */
async function areApart(
  [one, first]: [Db, (db: Db) => Promise<unknown>],
  [other, second]: [Db, (db: Db) => Promise<unknown>]
): Promise<boolean> {
  return await one.transaction().execute(async (tx) => {
    await first(tx)
    try {
      await other.transaction().execute(async (tx) => {
        await sql`set local lock_timeout = '100ms'`.execute(tx)
        await second(tx)
      })
      return true
    } catch (error) {
      if ((error as { code?: string }).code !== '55P03') throw error
      return false
    }
  })
}

t.test('each brand has locks of its own', async (t) => {
  const lock = (db: Db) => lockAnnouncer(db as never)
  t.notOk(await areApart([op1.db, lock], [op1.db, lock]))
  t.ok(await areApart([op1.db, lock], [op2.db, lock]))
  t.ok(await areApart([op1.db, lock], [database.db, lock]))
  const count = (db: Db) => countEndpoints(db as never, 'cli_1')
  t.notOk(await areApart([op1.db, count], [op1.db, count]))
  t.ok(await areApart([op1.db, count], [op2.db, count]))

  for (const { db } of brands) {
    await sql`create table probe (at timestamptz)`.execute(db)
    await sql`create trigger probe after insert on probe for each row
      execute function reopen_days('at')`.execute(db)
  }
  const days = (db: Db) => lockUntilEnd(db as never, 7_240_016)
  const book = (db: Db) => sql`insert into probe values (now())`.execute(db)
  t.notOk(await areApart([op1.db, days], [op1.db, book]), 'who books on a closed day too')
  t.ok(await areApart([op1.db, days], [op2.db, book]))
})

t.test('in public locks and channels are those of the first release', async (t) => {
  const first = (db: Db) => sql`select pg_advisory_xact_lock(7240001)`.execute(db)
  t.notOk(await areApart([database.db, first], [database.db, (db) => lockAnnouncer(db as never)]))
  const { rows } = await sql`select ${sql.raw(brandSuffix)} as suffix`.execute(database.db)
  t.same(rows, [{ suffix: '' }])
})

t.test('a listener of another brand is refused', async (t) => {
  await t.rejects(
    checkConnections(op1.serviceUrl, op2.serviceUrl),
    new DatabaseFault('DATABASE_DIRECT_URL leads to other tables than DATABASE_URL.')
  )
})

t.test('a pooler that drops the schema is refused', { skip: noPgbouncer }, async (t) => {
  const settings = { pool_mode: 'session', ignore_startup_parameters: 'options' }
  const pooled = inSchema(await startPgbouncer(t, database.serviceUrl, settings), 'op1')
  const fault = /^The pooler drops the schema op1 .*: give each brand a role of its own/
  await t.rejects(checkConnections(pooled, undefined), { message: fault })
  await t.rejects(run(pooled, 'client', 'list'), { code: 1, stderr: fault })
})
