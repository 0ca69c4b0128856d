/** What the service may do as the role that `migrate --grant-to` prepares. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { pino } from 'pino'
import t from 'tap'
import { readClientArguments, runClientCommand } from '../../src/clients/client.commands.ts'
import { connect } from '../../src/database/database.ts'
import { testDatabase } from '../test-database.ts'
import { addClient, testService } from '../test-service.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

t.test('a payment is made, paid and refunded, and every task does a round', async (t) => {
  const faults: string[] = []
  const stream = { write: (line: string) => void faults.push(line) }
  const log = pino({ level: 'error' }, stream)
  const { call, createPayment, db, pay, until } = await testService(t, { log })
  const { rows } = await sql<{ usename: string }>`
    select distinct usename from pg_stat_activity
    where datname = current_database() and usename <> current_user`.execute(db)
  t.match(rows, [{ usename: /_service$/ }], 'the service is not the owner')

  const { id, accountId } = await createPayment()
  await pay(id)
  await until(id, ({ status }) => status === 'captured')
  const refund = { amount: { currency: 'GBP', value: 500 } }
  const idempotencyKey = crypto.randomUUID()
  const asked = await call('POST', `/v1/payments/${id}/refunds`, { body: refund, idempotencyKey })
  t.equal(asked.status, 202, asked.text)
  await until(id, ({ amountRefunded }) => amountRefunded === 500)
  const { body } = await call('GET', `/v1/accounts/${accountId}`)
  t.equal(body.balance.credit.value, 2000)

  // Each task does its first round at the start; a right is asked for even where no row is met.
  await setTimeout(1_000)
  t.same(
    faults.filter((line) => line.includes('permission denied')),
    []
  )
})

t.test('every instance hears of a client that another process has changed', async (t) => {
  const service = await testService(t)
  const other = await testService(t, { databaseUrl: service.databaseUrl })
  const key = await addClient(service.db, { name: 'to-be-revoked' })
  const ask = async ({ call }: typeof service) =>
    (await call('GET', '/v1/payments', { key })).status
  t.same([await ask(service), await ask(other)], [200, 200])
  await runClientCommand(service.db, readClientArguments(['revoke', 'to-be-revoked']), false)
  const giveUpAt = Date.now() + 3_000
  for (const one of [service, other]) {
    while ((await ask(one)) !== 401 && Date.now() < giveUpAt) await setTimeout(10)
    t.equal(await ask(one), 401)
  }
})

t.test('migrate --grant-to prepares the role, and says so', async (t) => {
  const { db, url } = await testDatabase(t)
  const role = `payments_${randomBytes(4).toString('hex')}`
  await sql`create role ${sql.id(role)} login password ${sql.lit(role)}`.execute(db)
  t.teardown(async () => {
    await sql`drop owned by ${sql.id(role)}`.execute(db)
    await sql`drop role ${sql.id(role)}`.execute(db)
  })
  const runAs = (databaseUrl: string, ...args: string[]) =>
    promisify(execFile)(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', main, ...args],
      { env: { PATH: process.env.PATH ?? '', DATABASE_URL: databaseUrl } }
    )
  const run = (...args: string[]) => runAs(url, 'migrate', ...args)
  const own = new URL(url)
  own.username = role
  own.password = role
  const service = connect(own.href)
  t.teardown(() => service.destroy())
  const read = () => sql`select from payment`.execute(service)
  await t.rejects(read(), { code: '42501' })
  const { stdout } = await run('--grant-to', role)
  t.equal(stdout, `Nothing to migrate.\n${role} may do what the service needs.\n`)
  t.same((await read()).rows, [])
  await t.rejects(sql`delete from payment`.execute(service), { code: '42501' })

  const create = ['client', 'create', '--name', 'ivr', '--scope', 'payments:read']
  await t.rejects(runAs(own.href, ...create), {
    code: 1,
    stderr: /^[^\n]+set DATABASE_URL[^\n]+\n$/
  })
  await sql`drop table tmf_post`.execute(db)
  await t.rejects(runAs(own.href, 'verify'), { code: 1, stderr: /^The .+run npm run migrate .+$/m })

  const none = { code: 1, stderr: 'There is no role nobody.\n' }
  await t.rejects(run('--grant-to', 'nobody'), none)
  await t.rejects(run('--grant', role), { code: 2, stderr: /--grant-to ROLE/ })
})
