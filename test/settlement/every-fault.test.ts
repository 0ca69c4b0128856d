/** 10,000 payments, a report with 20 faults of each kind: all are found, and no other. */
import { sql } from 'kysely'
import t from 'tap'
import type { Db } from '../../src/database/database.ts'
import { newId } from '../../src/id.ts'
import { applyEvents } from '../../src/lifecycle/apply.commands.ts'
import { checkMoney } from '../invariants.ts'
import { insertClients } from '../test-database.ts'
import { adyenApiKey, type TestService, testService } from '../test-service.ts'
import { discrepanciesOf, download, makeReport, read } from './reports.ts'

const count = 10_000
const perKind = 20
const atOnce = 500
const accounts = 100
const firstAccount = 20_000_001

type Made = { id: string; psp: string; value: number }

/** Payments whose pages were opened in bulk, then paid as notifications would tell. */
async function makePayments({ db, call }: TestService): Promise<Made[]> {
  for (let place = 0; place < accounts; place += 1) {
    await call('PUT', `/v1/accounts/${firstAccount + place}`, { body: { currency: 'GBP' } })
  }
  await insertClients(db, 'cli_bulk')
  const made = Array.from({ length: count }, (_, place) => ({
    id: newId('pay'),
    psp: `PSP${String(place).padStart(13, '0')}`,
    value: 100 + ((place * 7) % 50_000)
  }))
  for (let from = 0; from < count; from += atOnce) {
    const part = made.slice(from, from + atOnce)
    await insertPending(db, part)
    await db.transaction().execute((tx) =>
      applyEvents(
        tx,
        'adyen',
        part.map(({ id: paymentId, psp, value }) => {
          const amount = { currency: 'GBP', value }
          return {
            paymentId,
            event: { type: 'authorised', authorisationReference: psp, amount, card: null }
          }
        })
      )
    )
  }
  return made
}

async function insertPending(db: Db, part: readonly Made[]): Promise<void> {
  await sql`
    with made as (
      insert into payment (id, client_id, idempotency_key, account_id, currency, amount, channel,
        method, capture, save_card, return_url, expires_at, status, provider_key)
      select id, (select id from client limit 1), id,
        ${firstAccount} + value % ${accounts}, 'GBP', value, 'selfcare',
        'hostedPage', 'automatic', 'never', 'https://selfcare.example', now() + interval '1 hour',
        'pending', id || '.session.1'
      from jsonb_to_recordset(${JSON.stringify(part)}::jsonb) as x(id text, value bigint)
      returning id, created_at, account_id, client_id
    ), key as (
      insert into idempotency_key (client_id, key, fingerprint, resource_id, reply_status,
        reply_body)
      select client_id, id, '', id, 201, '{}' from made
    ), event as (
      insert into payment_event (payment_id, sequence, type, data, created_at)
      select id, 1, 'payment.created', '{}', created_at from made
    )
    insert into event_feed (payment_id, sequence, type, account_id, client_id)
    select id, 1, 'payment.created', account_id, client_id from made`.execute(db)
}

/** The other side of the wire: the same payments in the books of the simulator. */
async function seed({ control }: TestService, made: readonly Made[]): Promise<void> {
  for (let from = 0; from < made.length; from += atOnce) {
    const payments = made.slice(from, from + atOnce).map(({ id, psp, value }) => ({
      pspReference: psp,
      reference: id,
      amount: { currency: 'GBP', value }
    }))
    await control('POST', '/_simulator/payments', { payments })
  }
}

t.test(
  'each fault that was put into a report of 10,000 payments is found, and no other',
  async (t) => {
    const service = await testService(t, { settlementMissingDays: 0 })
    const { call, db } = service
    const made = await makePayments(service)
    await seed(service, made)
    const pick = (from: number) => made.slice(from, from + perKind).map(({ psp }) => psp)
    const faults = {
      omit: pick(1_000),
      doubled: pick(3_000),
      amount: pick(5_000),
      currency: pick(7_000),
      strangers: perKind
    }
    const { url } = await makeReport(service, { announce: false, faults })
    const csv = await download(url, adyenApiKey)
    const report = await read(service, csv, 60_000)
    t.match(report, { status: 'done', kind: 'settlementDetails', discrepancies: 4 * perKind })

    const pspOf = new Map(made.map(({ id, psp }) => [id, psp]))
    const found = async (kind: string) => {
      const all = await discrepanciesOf(service, `kind=${kind}`)
      return all.map(({ paymentId }) => pspOf.get(paymentId) ?? null).sort()
    }
    t.same(await found('settlement_missing'), faults.omit.toSorted())
    t.same(await found('settlement_doubled'), faults.doubled.toSorted())
    t.same(await found('settlement_amount'), [...faults.amount, ...faults.currency].sort())
    t.same(await found('settlement_unmatched'), Array(perKind).fill(null))
    t.equal((await discrepanciesOf(service)).length, 5 * perKind, 'and no other')

    const gbp = async () => {
      const { body } = await call('GET', '/v1/reconciliation/summary')
      return body.currencies.find(({ currency }: { currency: string }) => currency === 'GBP')
    }
    const sumOf = (psps: readonly string[]) =>
      made.filter(({ psp }) => psps.includes(psp)).reduce((sum, { value }) => sum + value, 0)
    const total = made.reduce((sum, { value }) => sum + value, 0)
    const summary = await gbp()
    const [posted] = summary.movements
    t.match(posted, { posting: 'payment', count, amount: total }, 'to the penny')
    t.equal(
      summary.settlement.unsettled,
      sumOf(faults.omit),
      'what is unsettled is what is missing'
    )
    const strangers = (await discrepanciesOf(service, 'kind=settlement_unmatched')).reduce(
      (sum, { details }) => sum + details.theirs.gross.value,
      0
    )
    const explained = sumOf(faults.doubled) + strangers - perKind - sumOf(faults.currency)
    t.equal(summary.settlement.difference, explained, 'the discrepancies explain the difference')
    t.equal(summary.payout.left, 0, 'and the batch adds up')

    t.match(await read(service, `${csv}\n`), { matched: 0, discrepancies: 0 }, 'read once more')
    const next = await makeReport(service, { announce: false })
    const later = await read(service, await download(next.url, adyenApiKey))
    t.match(later, { status: 'done', matched: perKind, discrepancies: 0 }, 'what was missing comes')
    t.equal((await gbp()).settlement.unsettled, 0)
    const missing = await discrepanciesOf(service, 'kind=settlement_missing&status=resolved')
    t.equal(missing.length, perKind)
    t.match(missing[0].resolution, { resolution: 'settled', operator: null })
    await checkMoney(t, db)
  }
)
