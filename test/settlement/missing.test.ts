/** Money that a report should have, and has not. */
import { sql } from 'kysely'
import t from 'tap'
import { countOpenItems } from '../../src/due/open-items.store.ts'
import { openMissing } from '../../src/settlement/missing.commands.ts'
import { type TestService, testService } from '../test-service.ts'
import { csvOf, payoutOf } from './generated.ts'
import { discrepanciesOf, read } from './reports.ts'

const pounds = (value: number) => ({ currency: 'GBP', value })
const later = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10)
/** All of today was due to be settled by then. */
const tomorrow = { 'Creation Date': `${later} 10:00:00`, TimeZone: 'UTC' }
const noFees = { 'Markup (NC)': '', 'Scheme Fees (NC)': '', 'Interchange (NC)': '' }
const payout = (amount: string, isDebt = false) =>
  isDebt ? { ...payoutOf(''), 'Net Credit (NC)': amount } : payoutOf(amount)

async function capture({ createPayment, pay, until }: TestService) {
  const { id } = await createPayment()
  await pay(id)
  return await until(id, ({ status }) => status === 'captured')
}

const missing = async (service: TestService, status = 'open') =>
  (await discrepanciesOf(service, `kind=settlement_missing&status=${status}`)).map(
    ({ details: { ours } }) => [ours.type, ours.amount.value]
  )

t.test(
  'a refund and a chargeback that no report has are told, and closed when they come',
  async (t) => {
    const service = await testService(t, { settlementMissingDays: 0 })
    const { call, control, until, db } = service
    const payment = await capture(service)
    const own = {
      'Psp Reference': payment.provider.reference,
      'Merchant Reference': payment.id,
      ...tomorrow
    }
    await call('POST', `/v1/payments/${payment.id}/refunds`, {
      idempotencyKey: 'one',
      body: { amount: pounds(700) }
    })
    await until(payment.id, ({ amountRefunded }) => amountRefunded === 700)
    await control('POST', `/_simulator/payments/${payment.provider.reference}/dispute`, {
      eventCode: 'CHARGEBACK'
    })
    await until(payment.id, ({ amountChargedBack }) => amountChargedBack > 0)

    await read(service, csvOf([own, payout('24.78')]))
    t.same(await missing(service), [
      ['dispute', 2500],
      ['refund', 700]
    ])
    const deps = { db, providerName: 'adyen', settlementMissingDays: 0 }
    t.same(await Promise.all([openMissing(deps), openMissing(deps)]), [0, 0], 'once')

    const { rows } = await sql<{ refund: string; dispute: string }>`
      select (select provider_reference from operation) as refund,
        (select reference from dispute) as dispute`.execute(db)
    const out = (type: string, reference: string, amount: string) => ({
      ...{ ...own, ...noFees, Type: type, 'Modification Reference': reference },
      ...{ 'Gross Credit (GC)': '', 'Gross Debit (GC)': amount },
      ...{ 'Net Credit (NC)': '', 'Net Debit (NC)': amount }
    })
    const report = await read(
      service,
      csvOf([
        out('Refunded', rows[0]?.refund ?? '', '7.00'),
        out('Chargeback', rows[0]?.dispute ?? '', '25.00'),
        payout('32.00', true)
      ])
    )
    t.match(report, { status: 'done', matched: 2, discrepancies: 0 })
    t.same(await missing(service), [])
    t.equal((await missing(service, 'resolved')).length, 2)
  }
)

t.test('a report of another merchant account says nothing of ours', async (t) => {
  const service = await testService(t, { settlementMissingDays: 0 })
  await capture(service)
  const other = { 'Merchant Account': 'Another' }
  await read(
    service,
    csvOf([
      { ...tomorrow, ...other },
      { ...payout('24.78'), ...other }
    ])
  )
  t.same(await missing(service), [])
})

t.test('a report of a time before says nothing of what came after', async (t) => {
  const service = await testService(t, { settlementMissingDays: 0 })
  const payment = await capture(service)
  await capture(service)
  const line = { 'Psp Reference': payment.provider.reference, 'Merchant Reference': payment.id }
  const report = await read(service, csvOf([line, payout('24.78')]))
  t.match(report, { matched: 1, discrepancies: 0 })
  t.same(await missing(service), [])
})

t.test('C1: a payment that no report has is missing, whatever zone the report names', async (t) => {
  const service = await testService(t, { settlementMissingDays: 0, duplicateWindowS: 0 })
  const { call, db } = service
  const zones = ['BST', 'CET', 'IST', 'CST', 'XYZT', '', '+05:30', 'Europe/London', 'GMT']
  const inDays = (days: number) =>
    new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
  for (const [place, zone] of zones.entries()) {
    const { id } = await capture(service)
    const date = `${inDays(5 + place)} 10:00:00`
    const stranger = { 'Psp Reference': `STRANGER${place}`, 'Creation Date': date, TimeZone: zone }
    const report = await read(service, csvOf([stranger, { ...payout('24.78'), ...stranger }]))
    const isKnown = zone !== '' && zone !== 'XYZT'
    t.same(report.unknownZones, isKnown ? [] : [zone || 'none'], `${zone} is told`)
    const [found] = await discrepanciesOf(service, `kind=settlement_missing&paymentId=${id}`)
    t.ok(found, `found where the zone is ${zone}`)
  }
  const counted = (await countOpenItems(db)).find(({ kind }) => kind === 'reports_unknown_zone')
  t.equal(counted?.count, 2)
  const { body } = await call('GET', '/v1/settlement-reports?limit=100')
  t.equal(
    body.data.filter(({ unknownZones }: { unknownZones: string[] }) => unknownZones[0]).length,
    2
  )
})
