/**
 * An upgrade: the last release works, the schema is migrated under it, and both work side by side
 * on one database until the old one stops. See "Changing the schema" in CONTRIBUTING.md.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, request as send } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { startSimulator } from '../../sandbox/simulator/simulator.ts'
import { scopes } from '../../src/clients/client.ts'
import { connect, type Db } from '../../src/database/database.ts'
import { grantTo } from '../../src/database/grants.ts'
import { migrate } from '../../src/database/migrate.ts'
import { startConsumer } from '../feed/consumer.ts'
import { checkMoney } from '../invariants.ts'
import { registerCard } from '../registered-card.ts'
import { type Release, unpackRelease } from '../release.ts'
import { productionEnv, startProcess } from '../service-process.ts'
import { testDatabase } from '../test-database.ts'
import {
  adyenApiKey,
  findFreePort,
  hmacKey,
  merchantAccount,
  newAccountId,
  toolsOf
} from '../test-service.ts'

type Tools = ReturnType<typeof toolsOf>

/**
 * Columns and tables that only this version fills, each with the reason why nothing is missed where
 * the last release has written. All others are filled by a trigger, a default, or what sweeps up.
 */
const filledByThisVersionAlone: Readonly<Record<string, string>> = {
  api_key_use: 'only people read it, who learn of no use by the last release',
  'client.oauth_subject': 'the last release takes no tokens: their clients come to this version',
  comparison_mark: 'what any release writes is found by its own time; see findChangedDays',
  create_batch: 'the last release has the due time of a create in its key, which is looked at too',
  dispute_reminder: 'the last release reminds nobody; its disputes are found by their deadlines',
  daily_comparison: 'days that nobody compared before are compared when they are asked for',
  erasure: 'an account is erased by a command of this version',
  'payment.authentication': 'only people read it, who see none of what the last release applied',
  'payment.payment_methods': 'no payment of the last release asks for wallets',
  'settlement_report.read_at':
    'it counts beside lines in columns alone, which the last release removes',
  'webhook_endpoint.query': 'only subscribers to the hub have one, which this version has',
  tmf_post: 'what came by another way than TMF676 has none'
}

const returnUrl = 'https://selfcare.example/paid'

/** Passes each notification on to one of the instances, in turns. */
async function startBalancer(t: Test, ports: number[]): Promise<string> {
  let turn = 0
  const server = createServer((incoming, answer) => {
    turn += 1
    const { method, url: path, headers } = incoming
    const port = ports[turn % ports.length] as number
    const passed = send({ host: '127.0.0.1', port, method, path, headers }, (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers)
      got.pipe(answer)
    })
    passed.on('error', () => answer.writeHead(502).end())
    incoming.pipe(passed)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

/** Everything that a payment, an account and a client may meet, by one instance. */
async function playStory(tools: Tools): Promise<void> {
  const { call, control, createPayment, pay, until } = tools
  const ask = async (method: string, path: string, body?: unknown) => {
    const idempotencyKey = crypto.randomUUID()
    const keyed = method === 'POST' ? { idempotencyKey } : {}
    const answer = await call(method, path, { ...keyed, ...(body ? { body } : {}) })
    if (answer.status > 299) throw new Error(`${method} ${path}: ${answer.text}`)
    return answer.body
  }
  const amount = (value: number) => ({ amount: { currency: 'GBP', value } })
  const accountId = newAccountId()
  const account = `/v1/accounts/${accountId}`
  await ask('PUT', account, { currency: 'GBP', name: 'A. Customer' })
  const charge = await ask('POST', `${account}/charges`, {
    ...{ ...amount(4000), reference: `INV-${accountId}`, dueAt: '2026-01-01T00:00:00Z' }
  })
  await ask('PATCH', `${account}/charges/${charge.id}`, { inQuery: true })
  await ask('PATCH', `${account}/charges/${charge.id}`, { inQuery: false })
  const adjustment = { direction: 'credit', reference: `ADJ-${accountId}`, reason: 'goodwill' }
  await ask('POST', `${account}/adjustments`, { ...amount(100), ...adjustment })
  await ask('POST', '/v1/recorded-payments', {
    ...{ accountId, ...amount(300), channel: 'ivr', outcome: 'captured' },
    ...{ processor: { name: 'ivr', reference: accountId }, takenAt: new Date().toISOString() }
  })

  const create = (more = {}) =>
    createPayment({ accountId, returnUrl, allowDuplicate: true, ...more })
  const captured = await create()
  await pay(captured.id, 'NOT_ENOUGH_BALANCE')
  await pay(captured.id)
  const { provider } = await until(captured.id, ({ status }) => status === 'captured')
  await ask('POST', `/v1/payments/${captured.id}/refunds`, { ...amount(500), reason: 'too much' })
  await until(captured.id, ({ amountRefunded }) => amountRefunded === 500)
  await control('POST', `/_simulator/payments/${provider.reference}/dispute`, {
    eventCode: 'CHARGEBACK'
  })
  await until(captured.id, ({ amountChargedBack }) => amountChargedBack > 0)

  const held = await create({ capture: 'manual' })
  await pay(held.id)
  await until(held.id, ({ status }) => status === 'authorised')
  await ask('POST', `/v1/payments/${held.id}/captures`, amount(2000))
  await until(held.id, ({ amountCaptured }) => amountCaptured === 2000)

  const left = await create({ channel: 'ivr', method: 'paymentLink', returnUrl: undefined })
  await ask('POST', `/v1/payments/${left.id}/cancellation`, { reason: 'hung up' })

  const card = await registerCard({ ...tools, createPayment: (more) => create(more) }, accountId)
  const byCard = { method: 'registeredCard', registeredCardId: card, returnUrl: undefined }
  const taken = await create({ ...byCard, channel: 'ivr' })
  await until(taken.id, ({ status }) => status === 'captured')
}

/** No way of reading fails, whoever has written what is read. */
async function readAll(t: Test, { call, url }: Tools): Promise<void> {
  const { body } = await call('GET', '/openapi.json')
  const parents = new Map<string, string>()
  const paths = Object.keys(body.paths).filter((path) => body.paths[path].get !== undefined)
  for (const path of paths.toSorted((one, other) => one.length - other.length)) {
    const filled = path.replace(/^(.*?)\/\{(\w+)\}/, (_, list) => {
      return `${list}/${parents.get(list) ?? (list === '/v1/accounts' ? '10000001' : 'none')}`
    })
    const answer = await call('GET', filled.replaceAll(/\{\w+\}/g, 'none'))
    t.ok(answer.status < 500, `${url} ${filled}: ${answer.status}`)
    const [first] = answer.body?.data ?? []
    if (first?.id !== undefined) parents.set(path, first.id)
  }
}

/** Waits until nothing is due, for as long as a busy machine may need. */
async function untilSettled(db: Db): Promise<unknown> {
  const giveUpAt = Date.now() + 20_000
  for (;;) {
    const { rows } = await sql<{ due: Record<string, number> }>`
      select jsonb_strip_nulls(jsonb_build_object(
        'events', nullif((select count(*) from event_outbox), 0),
        'postings', nullif((select count(*) from posting_outbox), 0),
        'notifications', nullif((select count(*) from notification
          where status not in ('applied', 'ignored')), 0),
        'operations', nullif((select count(*) from operation where status = 'requested'), 0),
        'reports', nullif((select count(*) from settlement_report where status <> 'done'), 0),
        'deliveries', nullif((select count(*) from webhook_delivery
          where status <> 'delivered'), 0))) as due`.execute(db)
    const due = rows[0]?.due ?? {}
    if (Object.keys(due).length === 0 || Date.now() > giveUpAt) return due
    await setTimeout(50)
  }
}

/** Columns without a value in any row of a table that has rows, and tables without rows. */
async function findUnfilled(db: Db): Promise<Set<string>> {
  const { rows: columns } = await sql<{ table: string; column: string }>`
    select table_name as table, column_name as column from information_schema.columns
    where table_schema = current_schema() and table_name not like 'kysely_%'`.execute(db)
  const unfilled = new Set<string>()
  for (const [table, own] of Map.groupBy(columns, ({ table }) => table)) {
    // A table may have more columns than a function takes arguments.
    const counts = own.map(
      ({ column }) => sql`array[${sql.lit(column)}, count(${sql.id(column)})::text]`
    )
    const { rows } = await sql<{ all: number; counts: Record<string, string> }>`
      select count(*) as all, jsonb_object(array[${sql.join(counts)}]) as counts
      from ${sql.table(table)}`.execute(db)
    if (rows[0]?.all === 0) unfilled.add(table)
    for (const { column } of rows[0]?.all === 0 ? [] : own) {
      if (rows[0]?.counts[column] === '0') unfilled.add(`${table}.${column}`)
    }
  }
  return unfilled
}

/** What the last release knows, as `table` and `table.column`. */
async function readKnown(release: Release): Promise<Set<string>> {
  const text = await readFile(new URL('src/database/schema.sql', release.folder), 'utf8')
  const known = new Set<string>()
  for (const [, table = '', body = ''] of text.matchAll(/create table (\w+) \(([\s\S]*?)\n\)/g)) {
    known.add(table)
    for (const [, column] of body.matchAll(/\n {2}(\w+)/g)) known.add(`${table}.${column}`)
  }
  return known
}

/** A client that may do everything; answers its key. */
async function addClientBy(release: Release, databaseUrl: string): Promise<string> {
  const asked = ['--name', 'selfcare', '--return-origin', 'https://selfcare.example', '--json']
  const all = scopes.flatMap((scope) => ['--scope', scope])
  const told = await release.run(['client', 'create', ...asked, ...all], {
    DATABASE_URL: databaseUrl
  })
  return JSON.parse(told).key
}

async function setUp(t: Test) {
  const release = await unpackRelease()
  t.teardown(() => release.remove())
  const { db, url: ownerUrl, serviceUrl } = await testDatabase(t)
  await sql`drop schema public cascade`.execute(db)
  await sql`create schema public`.execute(db)
  const role = new URL(serviceUrl).username
  await release.run(['migrate', '--grant-to', role], { DATABASE_URL: ownerUrl })

  const ports: number[] = [await findFreePort()]
  const tokenHmacKey = 'ab'.repeat(32)
  const simulator = await startSimulator({
    ...{ port: 0, apiKey: adyenApiKey, merchantAccount, hmacKey, tokenHmacKey },
    webhookUrl: `${await startBalancer(t, ports)}/webhooks/adyen`,
    webhookDelayMs: 5,
    retryDelaysMs: [200, 200, 200, 500, 1000]
  })
  t.teardown(() => simulator.close())
  // By the last release: this version writes columns that are not there yet.
  const key = await addClientBy(release, ownerUrl)
  const faults: string[] = []
  t.teardown(() => {
    if (!t.passing()) for (const line of faults) t.comment(line.slice(0, 500))
  })
  const start = async (port: number, program?: string) => {
    const url = `http://127.0.0.1:${port}`
    const env = {
      ...productionEnv(url, serviceUrl, simulator.url),
      ...{ DUPLICATE_WINDOW_S: '0', ADYEN_TOKEN_HMAC_KEYS: tokenHmacKey },
      ...{ WEBHOOKS_ALLOW_LOOPBACK: 'true', LOG_LEVEL: 'error' }
    }
    const onLog = (line: string) => void faults.push(line)
    const running = await startProcess(t, url, env, { onLog, ...(program && { program }) })
    return { ...running, tools: toolsOf(url, simulator.url, db, key) }
  }
  return { release, db, ownerUrl, role, ports, start, faults }
}

t.test(
  'D1: the last release and this version work side by side, and nothing is lost',
  async (t) => {
    const { release, db, ownerUrl, role, ports, start, faults } = await setUp(t)
    const consumer = await startConsumer(t)
    const old = await start(ports[0] as number, release.main)
    const { call } = old.tools
    await call('POST', '/v1/webhook-endpoints', {
      body: { url: consumer.url, events: ['*'] },
      idempotencyKey: 'endpoint'
    })
    // Its statements are prepared before the schema changes.
    await playStory(old.tools)

    const owner = connect(ownerUrl, { max: 1, patient: true })
    await migrate(owner, { finish: (own) => grantTo(own, role) })
    await owner.destroy()
    const before = await findUnfilled(db)
    // All that is there is written anew by the release, so that what only triggers fill is filled.
    await playStory(old.tools)
    const unfilled = await findUnfilled(db)

    ports.push(await findFreePort())
    const own = await start(ports[1] as number)
    await Promise.all([playStory(old.tools), playStory(own.tools)])
    await old.tools.control('POST', '/_simulator/reports')
    for (const [n, { tools }] of [old, own, old, own].entries()) {
      const { body } = await tools.call('GET', '/v1/postings?status=open&limit=1')
      const path = `/v1/postings/${body.data[0].id}/acknowledgement`
      const answer = await tools.call('POST', path, {
        body: n < 2 ? { outcome: 'posted' } : { outcome: 'rejected', reason: 'no such account' },
        idempotencyKey: `posting-${n}`
      })
      t.equal(answer.status, 200, answer.text)
    }
    await readAll(t, old.tools)
    await readAll(t, own.tools)
    t.equal(await old.stop(), 0)
    ports.shift()

    t.same(await untilSettled(db), {}, 'nothing is left to be done')
    // On a busy machine a connection may take too long.
    const real = faults.filter((line) => !/timeout exceeded when trying to connect/.test(line))
    t.same(real, [], 'neither has logged a fault')
    await checkMoney(t, db)
    const { rows } = await sql<Record<string, number>>`
    select (select count(*) from event_feed) as feed,
      (select count(*) from payment_event) + (select count(*) from other_event) as events,
      (select count(*) from billing_posting) as postings,
      (select count(*) from ledger_transfer where payment_id is not null
        and 'customer' in (debit_account, credit_account)) as transfers`.execute(db)
    const { feed = 0, events, postings = 0, transfers } = rows[0] ?? {}
    t.ok(feed > 60)
    t.equal(feed, events, 'every event is in the feed')
    t.ok(postings > 12)
    t.equal(postings, transfers, 'every transfer that billing must know is a posting')
    const told = new Set(consumer.taken.map(({ id }) => id))
    t.equal(told.size, feed, 'every event was sent')

    const known = await readKnown(release)
    t.ok(known.has('payment.amount'))
    const now = await findUnfilled(db)
    const missed = [...unfilled].filter(
      (name) => !now.has(name) && !known.has(name) && !(name in filledByThisVersionAlone)
    )
    t.same(missed, [], 'what readers need is written whoever writes')
    t.ok(before.size > 0)
  }
)
