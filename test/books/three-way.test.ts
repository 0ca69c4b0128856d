/** What the provider settled, the ledger says and billing posted, side by side. */
import { sql } from 'kysely'
import t from 'tap'
import { balance, type SummedUp } from '../../src/books/three-way.ts'
import { checkMoney } from '../invariants.ts'
import { download, makeReport, read } from '../settlement/reports.ts'
import { adyenApiKey, newAccountId, type TestService, testService } from '../test-service.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Found = any

t.test('what is left over is told', async (t) => {
  const of = (what: SummedUp['what'], amount: number, count = 1) => ({
    ...{ currency: 'GBP', what, amount, count }
  })
  const all = [
    of('ledger', 7500, 3),
    of('provider', 5000, 2),
    of('billing', 2500),
    of('notSettledYet', -2500),
    of('rejected', -1000),
    of('notAcknowledgedYet', -4000)
  ]
  t.same(balance(all), [
    {
      currency: 'GBP',
      provider: { count: 2, amount: 5000 },
      ledger: { count: 3, amount: 7500 },
      billing: { count: 1, amount: 2500 },
      differences: {
        provider: [{ reason: 'notSettledYet', count: 1, amount: -2500 }],
        billing: [
          { reason: 'notAcknowledgedYet', count: 1, amount: -4000 },
          { reason: 'rejected', count: 1, amount: -1000 }
        ]
      },
      unexplained: 0
    }
  ])
  t.equal(balance([...all, of('unmatched', 30)])[0]?.unexplained, 30)
  t.equal(balance([...all, of('unmatched', -30)])[0]?.unexplained, 30)
  const others = [of('ledger', 5), { ...of('ledger', 7), currency: 'EUR' }]
  t.match(balance(others), [{ currency: 'EUR' }, { currency: 'GBP', billing: { count: 0 } }])
  t.same(balance([]), [])
})

async function ask({ call }: TestService, query = ''): Promise<Found> {
  const { status, body, text } = await call('GET', `/v1/reconciliation/three-way${query}`)
  if (status !== 200) throw new Error(text)
  return body
}

/** The reasons as an object, and that they explain everything. */
function reasonsOf(currency: Found): Record<string, { count: number; amount: number }> {
  const all = [...currency.differences.provider, ...currency.differences.billing]
  return Object.fromEntries(all.map(({ reason, ...sum }: Found) => [reason, sum]))
}

async function untilTold({ call }: TestService, paymentId: string, type: string): Promise<void> {
  for (let n = 0; n < 400; n += 1) {
    const { body } = await call('GET', `/v1/payments/${paymentId}/events`)
    if (body.data.some((one: Found) => one.type === type)) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`${type} was not told in time`)
}

/** Works through the list with some at a time. */
async function each<T>(all: readonly T[], work: (one: T, n: number) => Promise<unknown>) {
  const left = [...all.entries()]
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      await work(next[1], next[0])
    }
  }
  await Promise.all([worker(), worker(), worker(), worker(), worker(), worker()])
}

async function settle(service: TestService, order = {}): Promise<void> {
  const { url } = await makeReport(service, { announce: false, ...order })
  await read(service, await download(url, adyenApiKey))
}

async function acknowledge({ call }: TestService, n: number, { id }: Found): Promise<void> {
  const reason = 'No such account'
  const body = n % 7 === 0 ? { outcome: 'rejected', reason } : { outcome: 'posted' }
  if (n % 5 === 0) return
  await call('POST', `/v1/postings/${id}/acknowledgement`, { body, idempotencyKey: id })
}

t.test('hundreds of payments add up to the penny', { timeout: 110_000 }, async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, control, createPayment, pay, until, db } = service
  const accounts = Array.from({ length: 12 }, newAccountId)
  for (const id of accounts) {
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' } })
  }
  const isCaptured = ({ status }: Found) => status === 'captured'
  const payments: Found[] = []
  await each(Array.from({ length: 220 }), async (_, n) => {
    const amount = { currency: 'GBP', value: 1000 + n * 37 }
    const { id } = await createPayment({ accountId: accounts[n % 12], amount })
    await pay(id)
    payments[n] = await until(id, isCaptured)
  })
  const charged = (payment: Found, event: string) =>
    control('POST', `/_simulator/payments/${payment.provider.reference}/${event}`, {
      ...(event === 'dispute' && { eventCode: 'CHARGEBACK' })
    })
  await each(payments, async (payment, n) => {
    if (n % 4 === 0) {
      await call('POST', `/v1/payments/${payment.id}/refunds`, {
        body: { amount: { currency: 'GBP', value: 100 + n } },
        idempotencyKey: payment.id
      })
      await until(payment.id, ({ amountRefunded }) => amountRefunded > 0)
    } else if (n % 9 === 1) {
      await charged(payment, 'dispute')
      await until(payment.id, ({ amountChargedBack }) => amountChargedBack > 0)
    } else if (n % 31 === 2) {
      await charged(payment, 'capture-failed')
      await until(payment.id, ({ status }) => status === 'failed')
    }
  })
  // Paid although it was cancelled: its money stands in clearing, and goes back.
  const cancelled = await createPayment({ accountId: accounts[0] })
  await call('POST', `/v1/payments/${cancelled.id}/cancellation`, { idempotencyKey: 'cancel' })
  await pay(cancelled.id)
  await untilTold(service, cancelled.id, 'reversal.succeeded')
  for (let n = 0; n < 20; n += 1) {
    await call('POST', '/v1/recorded-payments', {
      body: {
        accountId: accounts[n % 12],
        amount: { currency: 'GBP', value: 500 + n },
        channel: 'ivr',
        outcome: 'captured',
        processor: { name: 'ivr', reference: `A${n}` },
        takenAt: '2026-01-01T00:00:00Z'
      }
    })
  }

  const inAccounts = async (): Promise<number> => {
    const { rows } = await sql<{ sum: number }>`
      select sum(amount_captured - amount_refunded - amount_charged_back)::bigint as sum
      from payment`.execute(db)
    return rows[0]?.sum ?? 0
  }
  const inReports = async (): Promise<number> => {
    const { rows } = await sql<{ sum: number }>`
      select sum(gross)::bigint as sum from settlement_line
      where merchant_reference is not null`.execute(db)
    return rows[0]?.sum ?? 0
  }

  await t.test('before anything is settled or posted', async (t) => {
    const { currencies, from, to } = await ask(service)
    t.equal(Date.parse(to) - Date.parse(from), 24 * 60 * 60_000)
    t.equal(currencies.length, 1)
    const [all] = currencies
    t.equal(all.unexplained, 0)
    t.equal(all.ledger.amount, await inAccounts())
    t.same(
      [all.provider, all.billing],
      [
        { count: 0, amount: 0 },
        { count: 0, amount: 0 }
      ]
    )
    const reasons = reasonsOf(all)
    t.equal(reasons.takenElsewhere?.amount, -20 * 500 - 190)
    t.equal(reasons.takenElsewhere?.count, 20)
    t.equal(reasons.notAcknowledgedYet?.amount, -all.ledger.amount)
    t.equal(reasons.notAcknowledgedYet?.count, all.ledger.count)
    t.same(reasons.settledOtherwise, undefined)
  })

  await t.test('and after it, by the reasons that are left', async (t) => {
    await settle(service)
    const late = await createPayment({ accountId: accounts[0] })
    await pay(late.id)
    await until(late.id, isCaptured)
    const postings: Found[] = []
    for (let after = ''; ; ) {
      const { body } = await call('GET', `/v1/postings?limit=100${after}`)
      if (body.data.length === 0) break
      postings.push(...body.data)
      after = `&after=${body.nextCursor}`
    }
    await each(postings, (one, n) => acknowledge(service, n, one))
    const [all] = (await ask(service)).currencies
    t.equal(all.unexplained, 0)
    t.equal(all.ledger.amount, await inAccounts())
    t.equal(all.provider.amount, await inReports())
    const signed = (ofStatus: (n: number) => boolean) =>
      postings
        .filter((_, n) => ofStatus(n))
        .reduce(
          (sum, { amount, direction }) => sum + (direction === 'credit' ? 1 : -1) * amount.value,
          0
        )
    t.equal(
      all.billing.amount,
      signed((n) => n % 5 !== 0 && n % 7 !== 0)
    )
    const reasons = reasonsOf(all)
    t.equal(reasons.rejected?.amount, -signed((n) => n % 5 !== 0 && n % 7 === 0))
    t.match(reasons.notSettledYet, { count: 1, amount: -2500 })
    t.match(reasons.takenElsewhere, { count: 20, amount: -10_190 })
    t.equal(reasons.unmatched, undefined)
    t.equal(reasons.settledTwice, undefined)
  })

  await t.test('of no day on which nothing moved, and of no period that is none', async (t) => {
    const none = await ask(service, '?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z')
    t.same(none.currencies, [])
    for (const query of [
      '?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z',
      '?from=2026-01-01T00:00:00Z&to=2026-02-02T00:00:00Z'
    ]) {
      const { status, body } = await call('GET', `/v1/reconciliation/three-way${query}`)
      t.equal(status, 400)
      t.match(body.errors, [{ pointer: '/from' }])
    }
  })
  await checkMoney(t, db)
})

t.test('each fault of a report is a reason of its own', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { createPayment, pay, until, control } = service
  const payments: Found[] = []
  for (let n = 0; n < 6; n += 1) {
    const { id } = await createPayment({ amount: { currency: 'GBP', value: 1000 + n } })
    await pay(id)
    payments.push(await until(id, ({ status }) => status === 'captured'))
  }
  const [fine, omitted, doubled, less, foreign, failed] = payments.map(
    ({ provider }) => provider.reference
  )
  await control('POST', `/_simulator/payments/${failed}/capture-failed`, {})
  await until(payments[5].id, ({ status }) => status === 'failed')
  const faults = {
    omit: [omitted],
    doubled: [doubled],
    amount: [less],
    currency: [foreign],
    strangers: 1
  }
  await settle(service, { faults })
  const { currencies } = await ask(service)
  for (const { unexplained } of currencies) t.equal(unexplained, 0)
  const pounds = currencies.find(({ currency }: Found) => currency === 'GBP')
  t.match(pounds.ledger, { count: 7, amount: 1000 + 1001 + 1002 + 1003 + 1004 })
  const reasons = reasonsOf(pounds)
  t.match(reasons.cameToNothing, { count: 2, amount: 0 })
  t.match(reasons.notSettledYet, { count: 1, amount: -1001 })
  t.match(reasons.settledTwice, { count: 1, amount: 1002 })
  t.match(reasons.settledOtherwise, { count: 2, amount: -1 - 1004 })
  t.equal(reasons.unmatched?.count, 1)
  t.equal(reasons.heldMoney, undefined)
  const [other] = currencies.filter(({ currency }: Found) => currency !== 'GBP')
  t.match(other.ledger, { count: 0, amount: 0 })
  t.match(reasonsOf(other).settledOtherwise, { count: 1 })
  t.ok(fine)

  await settle(service)
  const [after] = (await ask(service)).currencies.filter(
    ({ currency }: Found) => currency === 'GBP'
  )
  t.equal(after.unexplained, 0)
  t.equal(reasonsOf(after).notSettledYet, undefined, 'what was left out came in the next report')
})
