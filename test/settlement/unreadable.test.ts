/** Reports that can't be read: each ends with a sentence, and nothing of it is kept. */
import { sql } from 'kysely'
import t from 'tap'
import { readReportFile } from '../../src/adyen-reports/report-file.reader.ts'
import type { Db } from '../../src/database/database.ts'
import { countOpenItems } from '../../src/due/open-items.store.ts'
import { receiveReport, storeContent } from '../../src/settlement/report.commands.ts'
import { readReports } from '../../src/settlement/report.jobs.ts'
import { findReport, finishContent, reportAttemptsMax } from '../../src/settlement/report.store.ts'
import { testDatabase } from '../test-database.ts'
import { type Cells, csvOf, payoutOf } from './generated.ts'

async function* piecesOf(csv: string) {
  yield Buffer.from(csv)
}

/** Reads what is due until nothing is, however long it should wait; answers what was logged. */
async function readAll(db: Db, rounds = 30): Promise<unknown[]> {
  const faults: unknown[] = []
  const deps = {
    db,
    providerName: 'adyen',
    merchantAccount: 'TestMerchant',
    readReport: readReportFile,
    settlementMissingDays: 7,
    retention: { keysDays: 30, deliveriesDays: 30, notificationsDays: null },
    isStopping: () => false,
    onFault: (_: unknown, error: unknown) => faults.push(error),
    onProgress: () => {}
  }
  for (let round = 0; round < rounds && (await readReports(deps)) > 0; round += 1) {
    await sql`
      update settlement_report set next_attempt_at = now()
      where next_attempt_at is not null`.execute(db)
  }
  return faults
}

const upload = async (db: Db, csv: string) =>
  (await receiveReport({ db, wake: () => {} }, piecesOf(csv), null)).report.id

const countOf = async (db: Db, table: string) =>
  (await sql<{ count: number }>`select count(*) from ${sql.table(table)}`.execute(db)).rows[0]
    ?.count

const refusedItems = async (db: Db) =>
  (await countOpenItems(db)).find(({ kind }) => kind === 'reports_refused')?.count

t.test('a text that no database takes refuses the report at once, in a sentence', async (t) => {
  const { db } = await testDatabase(t)
  const cells: Record<string, Cells> = {
    'a NUL character': { 'Merchant Reference': 'pay_\0' },
    'a NUL in a type': { Type: 'Set\0tled' },
    'C4: a reference of 256 characters': { 'Psp Reference': 'A'.repeat(256) },
    'C4: a reference that no index takes': { 'Modification Reference': 'A'.repeat(9_000) },
    'C4: a zone without end': { TimeZone: 'A'.repeat(9_000) },
    'the year 0': { 'Creation Date': '0000-01-15 10:15:00', TimeZone: 'UTC' }
  }
  for (const [name, own] of Object.entries(cells)) {
    const id = await upload(db, csvOf([{}, own, payoutOf('49.56')]))
    t.match(await readAll(db), [{ message: /^Line 2 / }], `${name} is logged`)
    const report = await findReport(db, id)
    t.match(report, { status: 'refused', lines: 0, fault: /^Line 2 .*file was damaged/ }, name)
    t.notMatch(report?.fault, /unicode|syntax|range/, name)
  }
  for (const table of ['settlement_content', 'settlement_staged', 'settlement_line']) {
    t.equal(await countOf(db, table), 0, table)
  }
  t.equal(await refusedItems(db), Object.keys(cells).length)
})

t.test('B9: of two reports alike neither is done by the other before that is read', async (t) => {
  const { db } = await testDatabase(t)
  const statusOf = async (id: string) => (await findReport(db, id))?.status
  const fetch = async (id: string, csv: string) => {
    const whole = await storeContent(db, id, piecesOf(csv))
    await db.transaction().execute((tx) => finishContent(tx, id, whole))
  }
  const contents = { refused: csvOf([]), done: csvOf([{}, payoutOf('24.78')]) }
  for (const [status, csv] of Object.entries(contents)) {
    const [one, other] = [`set_${status}1`, `set_${status}2`]
    for (const id of [one, other]) {
      await sql`
        insert into settlement_report (id, status, origin, file_name, next_attempt_at)
        values (${id}, 'received', 'provider', ${id}, now())`.execute(db)
      await fetch(id, csv)
    }
    t.equal(await statusOf(other), 'received', 'it waits for what comes of the first')
    await readAll(db)
    t.same([await statusOf(one), await statusOf(other)], [status, 'received'])
    await fetch(other, csv)
    await readAll(db)
    t.equal(await statusOf(other), status, 'both end alike')
  }
  t.match(await findReport(db, 'set_refused2'), { fault: 'The report has no lines.' })
  t.equal(await countOf(db, 'settlement_line'), 2)
})

t.test('a report whose lines can’t be stored is given up after some tries', async (t) => {
  const { db } = await testDatabase(t)
  await sql`
    create function refuse() returns trigger language plpgsql as
      $$ begin raise exception 'relation "secret" can’t be written'; end $$`.execute(db)
  await sql`
    create trigger refuse before insert on settlement_line for each row
      when (new.line = 251) execute function refuse()`.execute(db)
  const sales = Array.from({ length: 300 }, (_, place) => ({ 'Psp Reference': `PSP${place}` }))
  const csv = csvOf([...sales, payoutOf('7434.00')])
  const id = await upload(db, csv)
  const faults = await readAll(db)
  t.ok(faults.length >= reportAttemptsMax, 'each is logged')
  const report = await findReport(db, id)
  t.match(report, { status: 'refused', lines: 301, applied: 250 })
  t.match(report?.fault, /could not read it to its end.*upload it again/s)
  t.equal(await countOf(db, 'settlement_content'), 0)
  t.equal(await countOf(db, 'settlement_staged'), 0)
  t.equal(await refusedItems(db), 1, 'a person is told')

  // The provider announces it again, and it is fetched anew.
  await sql`drop trigger refuse on settlement_line`.execute(db)
  await sql`
    update settlement_report set status = 'received', finished_at = null, content_hash = null
    where id = ${id}`.execute(db)
  const whole = await storeContent(db, id, piecesOf(csv))
  await db.transaction().execute((tx) => finishContent(tx, id, whole))
  t.same(await readAll(db), [])
  t.match(await findReport(db, id), { status: 'done', lines: 301, applied: 301, fault: null })
  t.equal(await countOf(db, 'settlement_line'), 301, 'none is missing, and none is there twice')
  t.equal(await countOf(db, 'discrepancy'), 300)
})

t.test('a report during which the process ends every time is given up', async (t) => {
  const { db } = await testDatabase(t)
  const id = await upload(db, csvOf([{}, payoutOf('24.78')]))
  await sql`update settlement_report set attempts = ${reportAttemptsMax}`.execute(db)
  t.equal((await readAll(db)).length, 1)
  t.match(await findReport(db, id), { status: 'refused', fault: /upload it again/ })
})

t.test('a batch that carries a balance is done, and said to be unchecked', async (t) => {
  const { db } = await testDatabase(t)
  const carried = { ...payoutOf('20.00'), Type: 'Balancetransfer' }
  const whole = await upload(db, csvOf([{}, carried, payoutOf('4.78')]))
  const partial = await upload(db, csvOf([{}, carried]))
  t.same(await readAll(db), [])
  t.match(await findReport(db, whole), { status: 'done', unchecked_batches: [] })
  t.match(await findReport(db, partial), { status: 'done', unchecked_batches: ['41'] })
})
