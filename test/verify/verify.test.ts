/** Each invariant is found where a database is damaged on purpose; a healthy one says nothing. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import t from 'tap'
import type { Db } from '../../src/database/database.ts'
import { personalData } from '../../src/erasure/personal-data.ts'
import { lateness } from '../../src/verify/lateness.store.ts'
import { type Report, readVerifyArguments, verify } from '../../src/verify/verify.commands.ts'
import {
  findFaults,
  findLate,
  readIds,
  readNewestRows,
  type SectionName,
  sections,
  type TextTable,
  textTables
} from '../../src/verify/verify.store.ts'
import { gbp, startJourney } from '../journeys/journey.ts'
import { damages, delays } from './damages.ts'

const { db, ...service } = await startJourney(t, { duplicateWindowS: 0 })

/** A charge that was paid and partly reopened by a refund, and a payment by another client. */
async function makeHistory(): Promise<string> {
  const { accountId } = await service.openAccount({ 'INV-1': 900 })
  const { id } = await service.createPayment({ accountId })
  await service.pay(id)
  await service.until(id, ({ status }) => status === 'captured')
  await service.post(`/v1/payments/${id}/refunds`, { amount: gbp(2000) }, 202)
  await service.until(id, ({ amountRefunded }) => amountRefunded === 2000)
  await service.createPayment()
  const giveUpAt = Date.now() + 10_000
  for (;;) {
    const { rows } = await sql<{ count: number }>`
      select (select count(*) from event_outbox) + (select count(*) from posting_outbox)
        as count`.execute(db)
    if (rows[0]?.count === 0) return id
    if (Date.now() > giveUpAt) throw new Error('what was written has found no place in time')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const paymentId = await makeHistory()
// Nobody else is in the way of what is damaged.
await service.service.close()

const guarded = [
  ...['ledger_transfer', 'payment_event', 'allocation', 'adjustment', 'other_event'],
  'billing_file'
]

/** Runs `look` on a database that is damaged as long as it looks. */
async function withDamage<T>(damage: string, look: (db: Db) => Promise<T>): Promise<T> {
  const undone = new Error('undone')
  let found: T | undefined
  try {
    await db.transaction().execute(async (tx) => {
      for (const table of guarded) {
        await sql`alter table ${sql.table(table)} disable trigger user`.execute(tx)
      }
      const { numAffectedRows } = await sql.raw(damage).execute(tx)
      if (numAffectedRows === 0n) throw new Error(`it damages nothing: ${damage}`)
      found = await look(tx)
      throw undone
    })
  } catch (error) {
    if (error !== undone) throw error
  }
  return found as T
}

const sectionNames = Object.keys(sections) as SectionName[]

t.test('a healthy database says nothing', async (t) => {
  const { read, ...found } = await verify(db)
  t.same(found, { broken: [], late: [] })
  t.match(read, { payments: 2, accounts: 2, events: Number, postings: 2, keys: Number })
})

for (const section of sectionNames) {
  for (const name of Object.keys(sections[section].invariants)) {
    t.test(`found where it is broken: ${name}`, async (t) => {
      const damage = damages[name]?.replaceAll('$payment', `'${paymentId}'`)
      if (damage === undefined) throw new Error('nobody breaks it')
      const found = await withDamage(damage, async (tx) =>
        findFaults(tx, section, await readIds(tx, section, sections[section].first))
      )
      const own = found.filter((one) => one.name === name)
      t.ok(own.length > 0, damage)
      t.notOk(own.some(({ id }) => !id))
    })
  }
}

for (const [name, delay] of Object.entries(delays)) {
  t.test(`late, and not broken: ${name}`, async (t) => {
    t.ok(lateness[name])
    const found = await withDamage(delay.replaceAll('$payment', `'${paymentId}'`), (tx) =>
      findLate(tx, name, 24)
    )
    t.equal(found.count, 1)
    t.equal(found.ids.length, 1)
  })
}

t.test('a card number is found in the texts of every table that has any', async (t) => {
  const number = '4111 1111 1111 1111'
  const planted: Readonly<Record<string, string>> = {
    account: `update account set name = '${number}'`,
    billing_posting: `update billing_posting set reason = '${number}', status = 'rejected',
      acknowledged_at = now()`,
    client: `update client set name = '${number} ' || id`,
    settlement_report: `insert into settlement_report (id, origin, status, fault,
      finished_at) values ('set_x', 'upload', 'refused', '${number}', now())`
  }
  for (const [table, plant] of Object.entries(planted)) {
    const rows = await withDamage(plant, (tx) => readNewestRows(tx, table as TextTable, 10))
    t.match(JSON.stringify(rows), number, table)
  }
  const unread = Object.entries(personalData).filter(
    ([table, { erased }]) => erased !== undefined && !(textTables as string[]).includes(table)
  )
  t.same(unread, [], 'what an erasure changes is read')
})

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const run = (...args: string[]) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const env = { PATH: process.env.PATH ?? '', DATABASE_URL: service.databaseUrl }
    execFile(process.execPath, [main, 'verify', ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
    )
  })

t.test('the command', async (t) => {
  await t.test('ends with 0 where all holds', async (t) => {
    const { code, stdout, stderr } = await run()
    t.equal(code, 0)
    t.match(stdout, /^Read payments 2, accounts 2, .*\nAll invariants hold\.\n$/)
    t.match(stderr, /^payments: 2$/m)
  })

  await t.test('is told what is wrong with its use, and ends with 2', async (t) => {
    const fault = { exitCode: 2, message: /^--fast is no option\n\nnpm run verify/ }
    t.throws(() => readVerifyArguments(['--fast', '--json']), fault)
  })

  await t.test('ends with 1 where something is broken, and says what and where', async (t) => {
    const keepCard = (description: string | null) =>
      db.updateTable('payment').set({ description }).where('id', '=', paymentId).execute()
    const openMore = (more: number) =>
      sql`update credit set open_amount = open_amount + ${more}`.execute(db)
    await keepCard('card 4111 1111 1111 1111')
    await openMore(1)
    const { code, stdout } = await run('--json')
    await keepCard(null)
    await openMore(-1)
    t.equal(code, 1)
    const { broken } = JSON.parse(stdout) as Report
    t.match(
      broken.find(({ name }) => name === 'no card number stands in a text'),
      { count: 1, ids: [`payment ${paymentId}`] }
    )
    t.match(
      broken.find(({ name }) => name === 'the open amount of a credit is what has paid nothing'),
      { count: 1, ids: [/^txn_/] }
    )
    t.same((await verify(db)).broken, [], 'and no more once it is mended')
  })
})
