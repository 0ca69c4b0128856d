/** A line may stand before what it rests on, in its file or in an earlier one: both end alike. */
import { sql } from 'kysely'
import t from 'tap'
import { rematchLines } from '../../src/settlement/rematch.commands.ts'
import { checkMoney } from '../invariants.ts'
import { type TestService, testService } from '../test-service.ts'
import { type Cells, csvOf, payoutOf } from './generated.ts'
import { discrepanciesOf, read } from './reports.ts'

const pounds = (value: number) => ({ currency: 'GBP', value })

/** A line of 7.00 without fees, one way or the other. */
const moved = (type: string, sign: '+' | '-', reference: string): Cells => ({
  ...{ Type: type, 'Modification Reference': reference },
  ...{ 'Markup (NC)': '', 'Scheme Fees (NC)': '', 'Interchange (NC)': '' },
  ...{
    'Gross Credit (GC)': sign === '+' ? '7.00' : '',
    'Net Credit (NC)': sign === '+' ? '7.00' : ''
  },
  ...{
    'Gross Debit (GC)': sign === '-' ? '7.00' : '',
    'Net Debit (NC)': sign === '-' ? '7.00' : ''
  }
})

/** The line that pays out what the others come to; less than nothing is a debt. */
function payoutFor(lines: readonly Cells[]): Cells {
  const total = lines.reduce(
    (sum, line) =>
      sum + Number(line['Net Credit (NC)'] ?? '24.78') - Number(line['Net Debit (NC)'] ?? 0),
    0
  )
  const amount = Math.abs(total).toFixed(2)
  return total < 0 ? { ...payoutOf(''), 'Net Credit (NC)': amount } : payoutOf(amount)
}

/** So many that the lines around them are applied in different transactions. */
const between: Cells[] = Array.from({ length: 300 }, () => ({ ...payoutOf(''), Type: 'Fee' }))

async function readApart(service: TestService, lines: readonly Cells[]): Promise<void> {
  const spread = lines.flatMap((line) => [line, ...between])
  const report = await read(service, csvOf([...spread, payoutFor(lines)]))
  if (report.status !== 'done') throw new Error(report.fault)
}

async function readAlone(service: TestService, lines: readonly Cells[]): Promise<void> {
  for (const line of lines) {
    const report = await read(service, csvOf([line, payoutFor([line])]))
    if (report.status !== 'done') throw new Error(report.fault)
  }
}

/** All that must not depend on the order. */
async function stateOf({ call, db }: TestService, id: string) {
  const { body: payment } = await call('GET', `/v1/payments/${id}`)
  const { status, settlement, amountCaptured, amountRefunded, amountChargedBack } = payment
  const { body: account } = await call('GET', `/v1/accounts/${payment.accountId}`)
  const { rows: lines } = await sql`
    select type, record_type, our_currency, ours from settlement_line
    where payment_id = ${id} order by type`.execute(db)
  const { body: open } = await call('GET', `/v1/discrepancies?status=open&paymentId=${id}`)
  const amounts = { amountCaptured, amountRefunded, amountChargedBack }
  const balance = account.balance.credit.value
  return { status, settlement, ...amounts, lines, balance, open: open.data }
}

const stories: Record<string, { lines: Array<[type: string, sign: '+' | '-']>; ends: object }> = {
  refund: { lines: [['Refunded', '-']], ends: { amountRefunded: 700, balance: 1800 } },
  'refund that came back': {
    lines: [
      ['Refunded', '-'],
      ['RefundedReversed', '+']
    ],
    ends: { amountRefunded: 0, balance: 2500 }
  },
  'chargeback that was won': {
    lines: [
      ['Chargeback', '-'],
      ['ChargebackReversed', '+']
    ],
    ends: { amountChargedBack: 0, balance: 2500 }
  }
}

t.test('the lines of a payment end alike in any order of parts and of reports', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { control, createPayment, db, call } = service
  await control('PUT', '/_simulator/faults', { webhooks: { drop: { times: 1_000 } } })
  let count = 0
  for (const [name, { lines, ends }] of Object.entries(stories)) {
    const states: object[] = []
    for (const isBackwards of [false, true]) {
      for (const readAll of [readApart, readAlone]) {
        const { id } = await createPayment()
        count += 1
        const psp = `PSPORDER0000000${count}`
        const sale = { 'Psp Reference': psp, 'Merchant Reference': id }
        // Adyen gives a dispute one reference, and what comes back that of its refund.
        const all = [
          sale,
          ...lines.map(([type, sign]) => ({ ...sale, ...moved(type, sign, `REF${count}`) }))
        ]
        await readAll(service, isBackwards ? all.toReversed() : all)
        states.push(await stateOf(service, id))
        const { body } = await call('GET', `/v1/discrepancies?paymentId=${id}`)
        t.equal(body.data.length > 0, isBackwards, 'it was shown until it was explained')
        for (const one of body.data) {
          t.match(one.resolution, { resolution: 'matched', operator: null })
        }
      }
    }
    const amounts = { amountCaptured: 2500, amountRefunded: 0, amountChargedBack: 0 }
    t.match(states[0], { ...amounts, ...ends, status: 'captured', open: [] }, name)
    for (const state of states) t.same(state, states[0], name)
  }
  t.same(await discrepanciesOf(service, 'status=open'), [])
  await checkMoney(t, db)
})

t.test('a line is explained when the notification comes that it rests on', async (t) => {
  const service = await testService(t)
  const { control, createPayment, until, call, db } = service
  await control('PUT', '/_simulator/faults', { webhooks: { drop: { times: 2 } } })
  const { id } = await createPayment()
  const psp = 'PSPLATE000000001'
  // Nothing of ours is named but the money, which is not known yet.
  const refund = {
    'Psp Reference': psp,
    'Merchant Reference': '',
    ...moved('Refunded', '-', 'REF')
  }
  t.match(await read(service, csvOf([refund, payoutFor([refund])])), { matched: 0 })
  const [opened] = await discrepanciesOf(service, 'status=open')
  t.match(opened, { kind: 'settlement_unmatched', paymentId: null })
  const deps = {
    db,
    providerName: 'adyen',
    onFault: (_: unknown, error: unknown) => t.error(error)
  }
  t.equal(await rematchLines(deps), 0, 'nothing is known yet')

  await control('PUT', '/_simulator/faults', { webhooks: { drop: null } })
  const item = { eventCode: 'AUTHORISATION', success: 'true', pspReference: psp }
  await control('POST', '/_simulator/webhooks', {
    items: [{ ...item, merchantReference: id, amount: pounds(2500) }]
  })
  await until(id, ({ status }) => status === 'captured')
  t.same(
    await Promise.all([rematchLines(deps), rematchLines(deps)]).then((all) => all.sort()),
    [0, 1]
  )
  t.match((await call('GET', `/v1/payments/${id}`)).body, { amountRefunded: 700 })
  t.match((await call('GET', `/v1/discrepancies/${opened.id}`)).body, {
    status: 'resolved',
    resolution: { resolution: 'matched', reason: null, operator: null }
  })
  const { rows: events } = await sql`
    select type, data->'discrepancy'->>'id' as id from other_event order by id`.execute(db)
  t.same(events, [
    { type: 'discrepancy.opened', id: opened.id },
    { type: 'discrepancy.resolved', id: opened.id }
  ])
  const { body: reports } = await call('GET', '/v1/settlement-reports')
  t.match(reports.data, [{ matched: 1, discrepancies: 1 }])
  await checkMoney(t, db)
})

t.test('what a line says is never changed, and its match is written once', async (t) => {
  const service = await testService(t)
  const { db } = service
  await read(service, csvOf([{}, payoutOf('24.78')]))
  const match = sql`record_type = 'refund', record_id = 'ref_1', our_currency = 'GBP', ours = 1,
    matched_at = now()`
  const change = (what: typeof match) =>
    sql`update settlement_line set ${what} where meaning = 'settled'`.execute(db)
  await t.rejects(change(sql`gross = 1`), { message: /append-only/ })
  await t.rejects(change(sql`${match}, gross = 1`), { message: /append-only/ })
  await change(match)
  await t.rejects(change(match), { message: /append-only/ })
  await t.rejects(sql`delete from settlement_line`.execute(db), { message: /append-only/ })
  await t.rejects(sql`truncate settlement_line`.execute(db), { message: /append-only/ })
})
