import { Kysely, PostgresDialect, sql } from 'kysely'
import t from 'tap'
import { readReportFile } from '../../src/adyen-reports/report-file.reader.ts'
import { createPool, type Db } from '../../src/database/database.ts'
import { receiveReport } from '../../src/settlement/report.commands.ts'
import { type ReportJobDeps, readReports } from '../../src/settlement/report.jobs.ts'
import { findReport } from '../../src/settlement/report.store.ts'
import { testDatabase } from '../test-database.ts'
import { adyenApiKey, testService } from '../test-service.ts'
import { generate } from './generated.ts'
import { discrepanciesOf, download, makeReport, read } from './reports.ts'

const count = 1_500
const merchantAccount = 'TestMerchant'

function jobsOf(db: Db, changes: Partial<ReportJobDeps> = {}): ReportJobDeps {
  return {
    db,
    providerName: 'adyen',
    merchantAccount,
    readReport: readReportFile,
    settlementMissingDays: 7,
    isStopping: () => false,
    onFault: () => {},
    onProgress: () => {},
    ...changes
  }
}

const countOf = async (db: Db, table: string) =>
  (await sql<{ count: number }>`select count(*) from ${sql.table(table)}`.execute(db)).rows[0]
    ?.count

t.test(
  'a report that was interrupted anywhere goes on, and nothing of it is doubled',
  async (t) => {
    const { db } = await testDatabase(t)
    const content = generate(count, merchantAccount)
    const { report } = await receiveReport({ db, wake: () => {} }, content, null)
    t.match(report, { status: 'received', lines: 0 })
    let rounds = 0
    for (let status = report.status; status !== 'done'; rounds += 1) {
      // Each round is stopped a few steps later than the one before.
      let steps = 0
      const limit = 2 + rounds * 2
      const isStopping = () => {
        steps += 1
        return steps > limit
      }
      await readReports(jobsOf(db, { isStopping }))
      const found = await findReport(db, report.id)
      status = found?.status ?? 'received'
      if (rounds > 50) throw new Error(`it never ends: ${JSON.stringify(found)}`)
    }
    t.ok(rounds > 2)
    const done = await findReport(db, report.id)
    t.match(done, { lines: count + 1, applied: count + 1, matched: 0, discrepancies: count })
    t.equal(await countOf(db, 'settlement_line'), count + 1)
    t.equal(await countOf(db, 'discrepancy'), count)
    t.equal(await countOf(db, 'other_event'), count, 'of no payment: everybody is told')
    t.equal(await countOf(db, 'settlement_staged'), 0)
    t.equal(await countOf(db, 'settlement_content'), 0)
  }
)

/** Reads a report that nobody here is concerned by; answers how many statements that took. */
async function countStatements(url: string, lines: number): Promise<number> {
  const pool = createPool(url)
  let statements = 0
  const db: Db = new Kysely({
    dialect: new PostgresDialect({ pool }),
    log: () => {
      statements += 1
    }
  })
  const { report } = await receiveReport({ db, wake: () => {} }, generate(lines, 'Other'), null)
  const before = statements
  await readReports(jobsOf(db))
  const read = statements - before
  t.match(await findReport(db, report.id), { status: 'done', applied: lines + 1 })
  await db.destroy()
  return read
}

t.test('the statements of a report grow with its blocks, not with its lines', async (t) => {
  const { url, db } = await testDatabase(t)
  const [few, many] = [await countStatements(url, 1_000), await countStatements(url, 12_000)]
  t.ok(many < 2 * few, `${few} for 1,000 lines, and ${many} for 12,000`)
  t.equal(await countOf(db, 'settlement_line'), 12_002, 'the first ones stand in both')
})

t.test('what is kept of a report is not kept again when it goes on', async (t) => {
  const { db } = await testDatabase(t)
  await sql`create sequence kept`.execute(db)
  await sql`create function count_kept() returns trigger language plpgsql as
    $$ begin perform nextval('kept'); return new; end $$`.execute(db)
  await sql`create trigger count_kept before insert on settlement_staged for each row
    execute function count_kept()`.execute(db)
  const deps = { db, wake: () => {} }
  const { report } = await receiveReport(deps, generate(10_500, 'Other'), null)
  const readReport: ReportJobDeps['readReport'] = async function* (content) {
    for await (const piece of readReportFile(content)) {
      if ((piece.lines.at(-1)?.line ?? 0) > 10_400) throw new Error('the process has ended')
      yield piece
    }
  }
  await readReports(jobsOf(db, { readReport }))
  const kept = await countOf(db, 'settlement_staged')
  t.ok(kept !== undefined && kept >= 10_000 && kept < 10_500, `${kept} are kept`)
  t.match(await findReport(db, report.id), { status: 'processing', lines: kept })
  await sql`update settlement_report set next_attempt_at = now()`.execute(db)
  await readReports(jobsOf(db))
  t.match(await findReport(db, report.id), { status: 'done', lines: 10_501, applied: 10_501 })
  const { rows } = await sql<{ last: number }>`select last_value as last from kept`.execute(db)
  t.equal(rows[0]?.last, 10_501)
  t.equal(await countOf(db, 'settlement_line'), 10_501)
})

t.test('what the last release has kept of a report is read anew', async (t) => {
  const { db } = await testDatabase(t)
  const deps = { db, wake: () => {} }
  const { report } = await receiveReport(deps, generate(3, 'Other'), null)
  await sql`
    insert into settlement_staged (report_id, line, fact, content)
    select ${report.id}, line, sha256('x'), '{}' from generate_series(1, 4) line`.execute(db)
  await sql`update settlement_report set lines = 4, staged_at = now()`.execute(db)
  await readReports(jobsOf(db))
  t.match(await findReport(db, report.id), { status: 'done', lines: 4, applied: 4 })
  t.equal(await countOf(db, 'settlement_line'), 4)
})

t.test('so is one that it has begun anew, though this release had read it before', async (t) => {
  const { db } = await testDatabase(t)
  const deps = { db, wake: () => {} }
  const { report } = await receiveReport(deps, generate(3, 'Other'), null)
  await sql`update settlement_report set read_at = now(), kind = 'settlementDetails'`.execute(db)
  await readReports(jobsOf(db))
  t.match(await findReport(db, report.id), { status: 'done', lines: 4, applied: 4 })
  t.equal(await countOf(db, 'settlement_line'), 4)
})

t.test('one that it has applied needs no file to end', async (t) => {
  const { db } = await testDatabase(t)
  const { report } = await receiveReport({ db, wake: () => {} }, generate(3, 'Other'), null)
  await sql`
    update settlement_report set kind = 'settlementDetails', lines = 4, applied = 4,
      staged_at = created_at`.execute(db)
  await sql`delete from settlement_content`.execute(db)
  await readReports(jobsOf(db))
  t.match(await findReport(db, report.id), { status: 'done', lines: 4, applied: 4 })
  const { rows } = await sql`
    select from settlement_report where staged_at = created_at`.execute(db)
  t.equal(rows.length, 1, 'it still says since when money is missing')
})

/** Rounds of reading until the report is refused, each as soon as it may be. */
async function readUntilRefused(db: Db, id: string, changes: Partial<ReportJobDeps>) {
  for (let rounds = 1; rounds < 20; rounds += 1) {
    await readReports(jobsOf(db, changes))
    const report = await findReport(db, id)
    if (report?.status === 'refused') return { report, rounds }
    await sql`update settlement_report set next_attempt_at = now()`.execute(db)
  }
  throw new Error('it is tried for ever')
}

t.test('a report that can’t be read is given to a person after the last attempt', async (t) => {
  const { db } = await testDatabase(t)
  const deps = { db, wake: () => {} }
  const { report } = await receiveReport(deps, generate(10, merchantAccount), null)
  const faults: unknown[] = []
  const onFault: ReportJobDeps['onFault'] = (about, error) => faults.push([about, error])
  const fault = new Error('invalid byte sequence for encoding "UTF8": 0x00')
  const readReport: ReportJobDeps['readReport'] = () => {
    throw fault
  }
  for (let stops = 0; stops < 3; stops += 1) {
    let asked = 0
    const isStopping = () => ++asked > 1
    await readReports(jobsOf(db, { isStopping }))
    t.match(await findReport(db, report.id), { status: 'processing', fault: null })
  }
  await readReports(jobsOf(db, { readReport }))
  t.match(await findReport(db, report.id), {
    status: 'processing',
    fault: 'This service could not read it to its end, and tries again.'
  })
  await sql`update settlement_report set next_attempt_at = now()`.execute(db)
  const { report: refused, rounds } = await readUntilRefused(db, report.id, { readReport, onFault })
  t.equal(rounds, 7, 'being interrupted was no attempt')
  t.match(refused, { fault: /^This service could not read it to its end, and its/, lines: 0 })
  t.same(faults, Array(7).fill([{ reportId: report.id }, fault]))
  t.equal(await countOf(db, 'settlement_content'), 0, 'its content is gone')
  const again = await receiveReport(deps, generate(10, merchantAccount), null)
  t.equal(again.isNew, true, 'and it may be uploaded again')
})

t.test('so is one of which a line can’t be stored at all', async (t) => {
  const { db } = await testDatabase(t)
  const deps = { db, wake: () => {} }
  const { report } = await receiveReport(deps, generate(250, merchantAccount), null)
  await sql`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'it can’t be'; end $$`.execute(db)
  await sql`create trigger refuse before insert on settlement_line for each row
    when (new.line = 230) execute function refuse()`.execute(db)
  const { report: refused, rounds } = await readUntilRefused(db, report.id, {})
  t.equal(rounds, 9, 'counted anew since the lines before it were applied')
  t.ok(refused.applied > 200 && refused.applied < 250, `${refused.applied} were applied`)
  t.match(refused.fault, /lines that were applied are not applied twice/)
  await sql`drop trigger refuse on settlement_line`.execute(db)
  const again = await receiveReport(deps, generate(250, merchantAccount), null)
  await readReports(jobsOf(db))
  t.match(await findReport(db, again.report.id), { status: 'done', applied: 251 })
  t.equal(await countOf(db, 'settlement_line'), 251)
})

t.test('an upload that breaks off leaves nothing', async (t) => {
  const { db } = await testDatabase(t)
  async function* broken() {
    yield Buffer.from('Company Account,')
    throw new Error('the connection was lost')
  }
  await t.rejects(receiveReport({ db, wake: () => {} }, broken(), null), { message: /lost/ })
  t.equal(await countOf(db, 'settlement_report'), 0)
  t.equal(await countOf(db, 'settlement_content'), 0)
})

t.test('a line that can’t be applied to its payment is told, and the others go on', async (t) => {
  const service = await testService(t)
  const { db, call, createPayment, pay, until } = service
  const ids: string[] = []
  for (let made = 0; made < 3; made += 1) {
    const { id } = await createPayment()
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
    ids.push(id)
  }
  const { url } = await makeReport(service, { announce: false })
  await sql`
    create function refuse() returns trigger language plpgsql as
      $$ begin raise exception 'it can’t be'; end $$`.execute(db)
  await sql`
    create trigger refuse before insert on payment_event for each row
      when (new.payment_id = ${sql.lit(ids[1])}) execute function refuse()`.execute(db)
  const report = await read(service, await download(url, adyenApiKey))
  t.match(report, { status: 'done', lines: 5, applied: 5, matched: 2, discrepancies: 1 })
  const [found] = await discrepanciesOf(service)
  t.match(found, { kind: 'settlement_unmatched', paymentId: null })
  t.equal(found.details.theirs.merchantReference, ids[1])
  for (const id of ids) {
    const { body } = await call('GET', `/v1/payments/${id}`)
    t.equal(body.settlement === null, id === ids[1])
  }
})
