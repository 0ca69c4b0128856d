/** Lines that say something else than we know, or not enough: they are told, and book nothing. */
import { sql } from 'kysely'
import t from 'tap'
import { type TestService, testService } from '../test-service.ts'
import { type Cells, csvOf, payoutOf } from './generated.ts'
import { discrepanciesOf, read } from './reports.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Json = any

const pounds = (value: number) => ({ currency: 'GBP', value })
const noFees = { 'Markup (NC)': '', 'Scheme Fees (NC)': '', 'Interchange (NC)': '' }
const payout = (amount: string, isDebt = false) =>
  isDebt ? { ...payoutOf(''), 'Net Credit (NC)': amount } : payoutOf(amount)

async function capture({ createPayment, pay, until }: TestService, body = {}): Promise<Json> {
  const { id } = await createPayment(body)
  await pay(id)
  return await until(id, ({ status }) => status === 'captured')
}

async function refund({ call, until }: TestService, id: string, value: number): Promise<void> {
  await call('POST', `/v1/payments/${id}/refunds`, {
    idempotencyKey: crypto.randomUUID(),
    body: { amount: pounds(value) }
  })
  await until(id, ({ amountRefunded }) => amountRefunded === value)
}

const of = ({ id, provider }: Json): Cells => ({
  'Psp Reference': provider.reference,
  'Merchant Reference': id
})

/** Money that went out, without fees. */
const out = (type: string, amount: string): Cells => ({
  ...noFees,
  Type: type,
  'Gross Credit (GC)': '',
  'Gross Debit (GC)': amount,
  'Net Credit (NC)': '',
  'Net Debit (NC)': amount
})

const theirs = async (service: TestService) =>
  (await discrepanciesOf(service)).map(({ kind, details }: Json) => [
    kind,
    details.theirs.gross.value
  ])

async function unsettledOf({ call }: TestService): Promise<number> {
  const { body } = await call('GET', '/v1/reconciliation/summary')
  return body.currencies[0].settlement.unsettled
}

t.test('money is settled of a capture that came to nothing', async (t) => {
  for (const manner of ['automatic', 'manual']) {
    const service = await testService(t)
    const { control, until, call, createPayment, pay, db } = service
    const { id } = await createPayment({ capture: manner })
    await pay(id)
    if (manner === 'manual') {
      await until(id, ({ status }) => status === 'authorised')
      await call('POST', `/v1/payments/${id}/captures`, { idempotencyKey: 'c', body: {} })
    }
    const payment = await until(id, ({ status }) => status === 'captured')
    const path = `/_simulator/payments/${payment.provider.reference}/capture-failed`
    t.equal((await control('POST', path, {})).status, 200, manner)
    await until(id, ({ status }) => status === 'failed')
    const { rows } = await sql<{ reference: string }>`
      select provider_reference as reference from operation`.execute(db)
    const line = { ...of(payment), 'Modification Reference': rows[0]?.reference ?? '' }
    const report = await read(service, csvOf([line, payout('24.78')]))
    t.match(report, { status: 'done', matched: 0, discrepancies: 1 }, manner)
    t.same(await theirs(service), [['settlement_unmatched', 2500]], manner)
    const { body: after } = await call('GET', `/v1/payments/${id}`)
    t.match(after, { status: 'failed', amountCaptured: 0, settlement: null }, manner)
  }
})

t.test('a line does not say which capture or refund it is about', async (t) => {
  const service = await testService(t)
  const { call, createPayment, pay, until } = service
  const { id } = await createPayment({ capture: 'manual', amount: pounds(4000) })
  await pay(id)
  await until(id, ({ status }) => status === 'authorised')
  const body = { amount: pounds(1500) }
  await call('POST', `/v1/payments/${id}/captures`, { idempotencyKey: 'c', body })
  const payment = await until(id, ({ status }) => status === 'captured')
  await refund(service, id, 700)
  const unnamed = { ...of(payment), 'Modification Reference': '' }
  const report = await read(
    service,
    csvOf([
      { ...unnamed, 'Gross Credit (GC)': '15.00', 'Net Credit (NC)': '14.78' },
      { ...unnamed, ...out('Refunded', '7.00') },
      payout('7.78')
    ])
  )
  t.match(report, { status: 'done', discrepancies: 2 })
  t.same((await theirs(service)).sort(), [
    ['settlement_unmatched', -700],
    ['settlement_unmatched', 1500]
  ])
  const { body: after } = await call('GET', `/v1/payments/${id}`)
  t.match(after, { amountCaptured: 1500, amountRefunded: 700 })
})

t.test('a sale that goes the wrong way credits nobody', async (t) => {
  const service = await testService(t)
  const { id, accountId } = await service.createPayment()
  const line = { 'Merchant Reference': id, ...out('Settled', '25.00') }
  const report = await read(service, csvOf([line, payout('25.00', true)]))
  t.match(report, { status: 'done', matched: 0, discrepancies: 1 })
  t.same(await theirs(service), [['settlement_unmatched', -2500]])
  const { body: account } = await service.call('GET', `/v1/accounts/${accountId}`)
  t.equal(account.balance.credit.value, 0)
})

t.test('a part is charged back of what was announced, and a part given back', async (t) => {
  const service = await testService(t)
  const { control, until } = service
  const payment = await capture(service, { amount: pounds(3000) })
  const reference = 'DISPUTE000000001'
  const tell = (eventCode: string, value: number) =>
    control('POST', '/_simulator/webhooks', {
      items: [
        {
          ...{ eventCode, success: 'true', pspReference: reference, amount: pounds(value) },
          originalReference: payment.provider.reference,
          merchantReference: payment.id
        }
      ]
    })
  await tell('NOTIFICATION_OF_CHARGEBACK', 3000)
  await tell('CHARGEBACK', 1000)
  await until(payment.id, ({ amountChargedBack }) => amountChargedBack === 1000)
  await tell('CHARGEBACK_REVERSED', 400)
  await until(payment.id, ({ amountChargedBack }) => amountChargedBack === 600)
  const disputed = { ...of(payment), 'Modification Reference': reference }
  const report = await read(
    service,
    csvOf([
      { ...of(payment), 'Gross Credit (GC)': '30.00', 'Net Credit (NC)': '29.78' },
      { ...disputed, ...out('Chargeback', '10.00') },
      {
        ...{ ...disputed, ...noFees, Type: 'ChargebackReversed' },
        ...{ 'Gross Credit (GC)': '4.00', 'Net Credit (NC)': '4.00' }
      },
      payout('23.78')
    ])
  )
  t.match(report, { status: 'done', matched: 3, discrepancies: 0 })
  t.equal(await unsettledOf(service), 0)
})

t.test('a refund stands before its sale, and nobody told of either', async (t) => {
  const service = await testService(t)
  const { control, createPayment, call } = service
  await control('PUT', '/_simulator/faults', { webhooks: { drop: { times: 100 } } })
  const { id } = await createPayment()
  const lost = { 'Psp Reference': 'PSPLOST000000001', 'Merchant Reference': id }
  const back = { ...lost, ...out('Refunded', '7.00'), 'Modification Reference': 'REF' }
  const report = await read(service, csvOf([back, lost, payout('17.78')]))
  t.match(report, { status: 'done', matched: 2, discrepancies: 0 })
  const { body } = await call('GET', `/v1/payments/${id}`)
  t.match(body, { status: 'captured', amountCaptured: 2500, amountRefunded: 700 })
})
