/** D5: behind PgBouncer the service works as it promises, or says what is missing. */
import { execFileSync } from 'node:child_process'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { readReportFile } from '../../src/adyen-reports/report-file.reader.ts'
import { checkConnections, checkDirect } from '../../src/database/connection-check.ts'
import { connect, type Db } from '../../src/database/database.ts'
import { beginUpload } from '../../src/settlement/report.store.ts'
import { stageLines, toCopied } from '../../src/settlement/staged-line.store.ts'
import { noPgbouncer, pgbouncer, startPgbouncer } from '../pgbouncer.ts'
import { csvOf, payoutOf } from '../settlement/generated.ts'
import { testDatabase } from '../test-database.ts'
import { addClient, testService, toolsOf } from '../test-service.ts'

const skip = noPgbouncer
/** 1.21 and later know the prepared statements of their clients. */
const version = skip ? '' : execFileSync(pgbouncer, ['--version']).toString()
const [, major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(version) ?? []).map(Number)
const skipPrepared = skip || (major > 1 || minor >= 21 ? false : 'PgBouncer is older than 1.21')

/** A payment is made, paid, refunded and waited for, many at once. */
async function work(t: Test, db: Db, databaseUrl: string, databaseDirectUrl: string) {
  const { url, simulatorUrl } = await testService(t, { databaseUrl, databaseDirectUrl })
  const tools = toolsOf(url, simulatorUrl, db, await addClient(db, {}))
  const ids = await Promise.all(
    Array.from({ length: 30 }, async () => {
      const { id } = await tools.createPayment()
      await tools.pay(id)
      await tools.until(id, ({ status }) => status === 'captured')
      return id as string
    })
  )
  const answers = await Promise.all(
    ids.map((id) => tools.call('GET', `/v1/payments/${id}`, { headers: { prefer: 'wait=1' } }))
  )
  t.ok(answers.every(({ status }) => status === 200))
}

/** What a role must begin with, as a superuser sets it; taken back when the test ends. */
async function setForRole(t: Test, db: Db, role: string): Promise<void> {
  const waits = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']
  const set = [...waits, 'enable_seqscan', 'jit']
  const values = ['5s', '2s', '10s', 'off', 'off']
  for (const [at, name] of set.entries()) {
    await sql`alter role ${sql.id(role)} set ${sql.id(name)} = ${sql.lit(values[at])}`.execute(db)
    t.teardown(() => sql`alter role ${sql.id(role)} reset ${sql.id(name)}`.execute(db))
  }
}

t.test(
  'session mode, as PgBouncer comes: all works, and every wait is bounded',
  { skip },
  async (t) => {
    const { db, serviceUrl } = await testDatabase(t)
    const pooled = await startPgbouncer(t, serviceUrl, {
      pool_mode: 'session',
      default_pool_size: '30'
    })
    await checkConnections(pooled, undefined)
    await checkDirect(pooled)
    const own = connect(pooled)
    t.teardown(() => own.destroy())
    const { rows } = await sql`show statement_timeout`.execute(own)
    t.same(rows, [{ statement_timeout: '5s' }])
    await work(t, db, pooled, pooled)
  }
)

t.test('transaction mode: what is missing is said, once for each', { skip }, async (t) => {
  const { serviceUrl } = await testDatabase(t)
  const pooled = await startPgbouncer(t, serviceUrl, { pool_mode: 'transaction' })
  const fault = await checkConnections(pooled, undefined).catch((error: Error) => error)
  const { message } = fault as Error
  t.match(message, /DATABASE_URL leads to a pooler .* set DATABASE_DIRECT_URL/)
  t.match(message, /alter role "\w+" set statement_timeout = '5000';/)
  t.match(message, /alter role "\w+" set enable_seqscan = 'off';/)
  t.notMatch(message, /client_encoding/)
  t.equal(/max_prepared_statements/.test(message), Boolean(skipPrepared))
  await t.rejects(checkDirect(pooled), /lends a connection for a transaction only/)
})

t.test('transaction mode: the lines of a report come by COPY', { skip }, async (t) => {
  const { db, serviceUrl } = await testDatabase(t)
  const pooled = await startPgbouncer(t, serviceUrl, { pool_mode: 'transaction' })
  const reportId = await beginUpload(db, null)
  const own = connect(pooled)
  t.teardown(() => own.destroy())
  const odd = 'a\tb\\N\nc\rd\\'
  const content = async function* () {
    yield Buffer.from(
      csvOf([{ 'Merchant Reference': odd, 'Psp Reference': '' }, payoutOf('24.78')])
    )
  }
  const copied: string[] = []
  for await (const { lines } of readReportFile(content())) {
    const staged = { fact: '00'.repeat(32), isOurs: false, isRepeated: false }
    copied.push(...lines.map((line) => toCopied(reportId, { ...staged, line })))
  }
  const copy = () => own.transaction().execute((tx) => stageLines(tx, Buffer.from(copied.join(''))))
  await copy()
  await t.rejects(copy(), { message: /settlement_staged_pkey/ })
  await own.connection().execute((one) => sql`select 1`.execute(one))
  const { rows } = await sql`
    select merchant_reference, psp_reference from settlement_staged order by line`.execute(db)
  t.same(rows[0], { merchant_reference: odd, psp_reference: null })
  t.equal(rows.length, 2)
})

t.test('statement mode is refused in a sentence', { skip }, async (t) => {
  const { url, serviceUrl } = await testDatabase(t)
  const pooled = await startPgbouncer(t, serviceUrl, { pool_mode: 'statement' })
  await t.rejects(checkConnections(pooled, url), {
    message: /^The database cannot be used: .*statement pooling mode\.$/
  })
})

t.test('transaction mode with what is needed: all works', { skip: skipPrepared }, async (t) => {
  const { db, url, serviceUrl } = await testDatabase(t)
  await setForRole(t, db, new URL(serviceUrl).username)
  const pooled = await startPgbouncer(t, serviceUrl, {
    pool_mode: 'transaction',
    max_prepared_statements: '200'
  })
  await checkConnections(pooled, url)
  const own = connect(pooled)
  await work(t, db, pooled, serviceUrl)
  await own.destroy()
})
