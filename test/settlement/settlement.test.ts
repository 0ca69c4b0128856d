import { sql } from 'kysely'
import t from 'tap'
import { findFaults } from '../../src/verify/verify.store.ts'
import { cardService } from '../cards/harness.ts'
import { checkMoney } from '../invariants.ts'
import { adyenApiKey, type TestService, testService } from '../test-service.ts'
import { type Cells, columns, csvOf, payoutOf } from './generated.ts'
import { discrepanciesOf, download, makeReport, read, untilRead, upload } from './reports.ts'

const pounds = (value: number) => ({ currency: 'GBP', value })

async function capture({ createPayment, pay, until }: TestService, body = {}) {
  const { id } = await createPayment(body)
  await pay(id)
  return await until(id, ({ status }) => status === 'captured')
}

async function reportOf(service: TestService, order = {}): Promise<string> {
  const { url } = await makeReport(service, { announce: false, ...order })
  return await download(url, adyenApiKey)
}

t.test(
  'a report settles each payment once, however often and under whatever name it comes',
  async (t) => {
    const service = await testService(t)
    const { call, db } = service
    const payments = [await capture(service), await capture(service)]
    const csv = await reportOf(service)
    const { status, body } = await upload(service, csv)
    t.equal(status, 202)
    const done = await untilRead(service, body.id)
    t.match(done, { status: 'done', kind: 'settlementDetails', lines: 4, matched: 2 })
    t.match(done, { discrepancies: 0, applied: 4, fault: null, unknownTypes: [] })
    const shown = async () =>
      await Promise.all(
        payments.map(async ({ id }) => (await call('GET', `/v1/payments/${id}`)).body)
      )
    const settled = await shown()
    for (const payment of settled) {
      t.match(payment.settlement, { batch: '1', gross: 2500, fees: 22, net: 2478, currency: 'GBP' })
      t.match(payment.settlement.settledAt, /^\d{4}-.*Z$/)
      const { body: events } = await call('GET', `/v1/payments/${payment.id}/events`)
      const last = events.data.at(-1)
      t.equal(last.type, 'payment.settled')
      t.same(last.data.payment.settlement, payment.settlement)
    }

    const again = await upload(service, csv)
    t.equal(again.status, 200, 'the same content is the same report')
    t.equal(again.body.id, body.id)
    const other = await read(service, `\n\n${csv}`)
    t.not(other.id, body.id)
    t.match(other, { status: 'done', lines: 4, matched: 0, discrepancies: 0 })
    t.same(await shown(), settled, 'the same batch in another file changes nothing')
    t.same(await discrepanciesOf(service), [])
    await checkMoney(t, db)

    const [first, second] = payments.map(({ id }) => id)
    await sql`
      update payment set settlement = settlement || '{"gross": 2501, "net": 2479}'
      where id = ${first}`.execute(db)
    t.same(
      (await findFaults(db, 'payments', [first, second])).filter(({ name }) => /lines/.test(name)),
      [{ name: 'what a payment was paid out is what lines of settlement reports say', id: first }]
    )
  }
)

t.test('a report that Adyen tells of is fetched and read', async (t) => {
  const service = await testService(t)
  const { call, until } = service
  const { id } = await capture(service)
  const { fileName } = await makeReport(service)
  await until(id, ({ settlement }) => settlement !== null)
  const { body } = await call('GET', '/v1/settlement-reports')
  t.match(body.data, [{ origin: 'provider', fileName }])
  await untilRead(service, body.data[0].id)
  await service.control('POST', '/_simulator/redeliver')
  t.equal((await call('GET', '/v1/settlement-reports')).body.data.length, 1)
})

t.test('a report that is cut off is refused whole', async (t) => {
  const service = await testService(t)
  const { call, db } = service
  const { id } = await capture(service)
  const csv = await reportOf(service)
  const lines = csv.trimEnd().split('\n')
  const cut = {
    'in its last line': [csv.slice(0, -20), /CSV/],
    'before its payout': [`${lines.slice(0, -1).join('\n')}\n`, /does not add up/],
    'after its header': [`${lines[0]}\n`, /no lines/],
    'before its header ends': [csv.slice(0, 60), /header lacks/],
    'before it began': ['', /empty/],
    'in a text': [csv.replace(/"TX1 batch 1, [^"]+"/, '"TX1 batch'), /Quote/],
    'and has a wrong amount': [csv.replace('25.00', '25.0x'), /not an amount/]
  } as const
  for (const [name, [text, fault]] of Object.entries(cut)) {
    const report = await read(service, text)
    t.match(report, { status: 'refused', lines: 0, matched: 0, fault }, name)
  }
  t.equal((await call('GET', `/v1/payments/${id}`)).body.settlement, null)
  for (const table of ['settlement_line', 'settlement_staged', 'settlement_content']) {
    const { rows } = await sql.raw(`select * from ${table}`).execute(db)
    t.same(rows, [], table)
  }
  t.match(await read(service, csv), { status: 'done', matched: 1 }, 'the whole one is read')
})

t.test('refunds, chargebacks and captures are matched to their own', async (t) => {
  const service = await testService(t)
  const { call, control, db, until } = service
  const refunded = await capture(service)
  const key = { idempotencyKey: crypto.randomUUID() }
  const path = `/v1/payments/${refunded.id}`
  await call('POST', `${path}/refunds`, { ...key, body: { amount: pounds(700) } })
  await until(refunded.id, ({ amountRefunded }) => amountRefunded === 700)
  const disputed = await capture(service, { amount: pounds(3000) })
  const psp = disputed.provider.reference
  await control('POST', `/_simulator/payments/${psp}/dispute`, { eventCode: 'CHARGEBACK' })
  await until(disputed.id, ({ amountChargedBack }) => amountChargedBack === 3000)
  const manual = await service.createPayment({ capture: 'manual', amount: pounds(4000) })
  await service.pay(manual.id)
  await until(manual.id, ({ status }) => status === 'authorised')
  const options = { idempotencyKey: crypto.randomUUID(), body: { amount: pounds(1500) } }
  await call('POST', `/v1/payments/${manual.id}/captures`, options)
  await until(manual.id, ({ status }) => status === 'captured')

  const report = await read(service, await reportOf(service))
  t.match(report, { status: 'done', lines: 7, matched: 5, discrepancies: 0 })
  const { body } = await call('GET', `/v1/payments/${manual.id}`)
  t.match(body.settlement, { gross: 1500 })
  const { body: summary } = await call('GET', '/v1/reconciliation/summary')
  const [currency] = summary.currencies
  t.match(currency.settlement, { lines: 5, provider: 3300, ledger: 3300, difference: 0 })
  t.equal(currency.settlement.unsettled, 0)
  t.equal(currency.payout.left, 0)
  for (const { opening, debits, credits, closing } of currency.accounts) {
    t.equal(closing, opening + debits - credits)
  }
  await checkMoney(t, db)
})

t.test('what only the report tells is applied like a late notification', async (t) => {
  const service = await testService(t)
  const { call, control, createPayment, pay, until, db } = service
  await control('PUT', '/_simulator/faults', { webhooks: { drop: { times: 100 } } })
  const { id } = await createPayment()
  await pay(id)
  const report = await read(service, await reportOf(service))
  t.match(report, { status: 'done', matched: 1, discrepancies: 0 })
  const payment = await until(id, ({ status }) => status === 'captured')
  t.match(payment, { amountCaptured: 2500, settlement: { gross: 2500 } })
  const { body } = await call('GET', `/v1/accounts/${payment.accountId}`)
  t.equal(body.balance.credit.value, 2500)
  await checkMoney(t, db)
})

t.test('C2, C3: what is settled has its own day, and fees that come to its net', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, db } = service
  const names = [...columns, 'Booking Date', 'Booking Date TimeZone']
  const days = {
    ...{ 'Creation Date': '2026-11-20 00:21:32', TimeZone: 'CET' },
    ...{ 'Booking Date': '2026-11-22 23:50:00', 'Booking Date TimeZone': 'CET' }
  }
  const payout = { 'Creation Date': '2026-11-24 00:46:38', TimeZone: 'CET' }
  let batch = 100
  const settle = async (own: Cells, paid: string, payoutDay: Cells = payout, named = names) => {
    const payment = await capture(service)
    batch += 1
    const about = {
      'Psp Reference': payment.provider.reference,
      'Merchant Reference': payment.id,
      'Batch Number': String(batch)
    }
    const day = { ...payoutDay, 'Batch Number': String(batch) }
    const report = await read(
      service,
      csvOf(
        [
          { ...about, ...own },
          { ...payoutOf(paid), ...day }
        ],
        named
      )
    )
    t.match(report, { status: 'done', matched: 1 })
    const { body } = await call('GET', `/v1/payments/${payment.id}`)
    const found = await discrepanciesOf(service, `paymentId=${payment.id}`)
    return { settlement: body.settlement, found }
  }
  const booked = await settle(days, '24.78')
  t.match(booked, { settlement: { settledAt: '2026-11-22T22:50:00.000Z', fees: 22 }, found: [] })
  const { 'Creation Date': created, TimeZone } = days
  const old = await settle({ 'Creation Date': created, TimeZone }, '24.78', payout, columns)
  t.equal(old.settlement.settledAt, '2026-11-23T23:46:38.000Z', 'the day of its payout')
  const doubt = await settle({ 'Creation Date': created, TimeZone }, '24.78', {
    'Creation Date': '2026-11-24 00:46:38',
    TimeZone: 'XYZT'
  })
  t.equal(doubt.settlement.settledAt, null, 'and never that of the sale')

  const short = await settle({ ...days, 'Net Credit (NC)': '0.76' }, '0.76')
  t.match(short.settlement, { gross: 2500, fees: 2424, net: 76, currency: 'GBP' })
  t.match(short.found, [
    { kind: 'settlement_amount', details: { theirs: { fees: 22, unexplained: 2402 } } }
  ])
  const converted = { ...days, 'Net Currency': 'EUR', 'Net Credit (NC)': '29.11' }
  const euros = await settle(converted, '29.11', { ...payout, 'Net Currency': 'EUR' })
  t.same(euros.found, [])
  await checkMoney(t, db)
})

t.test('C7: the registration of a card that a report has is known as one', async (t) => {
  const service = await cardService(t)
  const { addAccount, addCard, call, db } = service
  await addCard(await addAccount())
  const order = { announce: false, faults: { registrations: true } }
  const { url, fileName } = await makeReport(service, order)
  const csv = await download(url, adyenApiKey)
  const { text } = await service.control('GET', `/_simulator/reports/${fileName}`)
  t.equal(text, csv, 'which the simulator shows without a key too')
  t.match(csv, /,reg_\w{16},.*Settled.*,0\.00,/)
  const report = await read(service, csv)
  t.match(report, { status: 'done', lines: 3, matched: 1, discrepancies: 0 })
  t.same(await discrepanciesOf(service), [])
  const { rows } = await sql`
    select record_type, left(record_id, 4) as id, ours from settlement_line
    where record_id is not null`.execute(db)
  t.same(rows, [{ record_type: 'registration', id: 'reg_', ours: 0 }])
  const { body: summary } = await call('GET', '/v1/reconciliation/summary')
  t.match(summary.currencies, [{ settlement: { difference: 0 }, payout: { fees: 15, left: 0 } }])
  const { body: threeWay } = await call('GET', '/v1/reconciliation/three-way')
  t.same(threeWay.currencies, [], 'no money moved')
  await checkMoney(t, db)
})
