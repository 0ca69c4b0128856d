/** The feed of postings, and what the billing system says of them. */
import { sql } from 'kysely'
import t from 'tap'
import { findMoneyFaults } from '../invariants.ts'
import { newAccountId, type TestService, testService } from '../test-service.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Found = any

/** Everything from `after` on, page by page. */
async function readFeed({ call }: TestService, query = '', limit = 7): Promise<Found[]> {
  const found: Found[] = []
  let after = ''
  for (;;) {
    const { status, body, text } = await call('GET', `/v1/postings?limit=${limit}${after}${query}`)
    if (status !== 200) throw new Error(text)
    found.push(...body.data)
    if (body.data.length === 0) return found
    after = `&after=${body.nextCursor}`
  }
}

async function untilPosted(service: TestService, count: number, query = ''): Promise<Found[]> {
  const giveUpAt = Date.now() + 10_000
  for (;;) {
    const found = await readFeed(service, query, 100)
    if (found.length >= count) return found
    if (Date.now() > giveUpAt) throw new Error(`only ${found.length} in time`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function capture(service: TestService, body: object = {}): Promise<Found> {
  const payment = await service.createPayment({ ...body })
  await service.pay(payment.id)
  return await service.until(payment.id, ({ status }) => status === 'captured')
}

function acknowledge({ call }: TestService, id: string, body: object, idempotencyKey?: string) {
  return call('POST', `/v1/postings/${id}/acknowledgement`, {
    body,
    idempotencyKey: idempotencyKey ?? crypto.randomUUID()
  })
}

t.test('what payments move on accounts is told to billing, and nothing else', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, db, until } = service
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  await call('POST', `/v1/accounts/${accountId}/charges`, {
    body: {
      amount: { currency: 'GBP', value: 900 },
      reference: 'INV-1',
      dueAt: '2026-01-01T00:00:00Z'
    }
  })
  const payment = await capture(service, { accountId, reference: 'basket-77' })
  const refund = await call('POST', `/v1/payments/${payment.id}/refunds`, {
    body: { amount: { currency: 'GBP', value: 700 } },
    idempotencyKey: 'refund'
  })
  await until(payment.id, ({ amountRefunded }) => amountRefunded === 700)
  const recorded = await call('POST', '/v1/recorded-payments', {
    body: {
      accountId,
      amount: { currency: 'GBP', value: 1200 },
      channel: 'ivr',
      outcome: 'captured',
      processor: { name: 'ivr-platform', reference: 'x'.repeat(41) },
      takenAt: '2026-01-01T00:00:00Z'
    }
  })
  const found = await untilPosted(service, 3)

  await t.test('in the order in which it happened, as CMP can hold it', async (t) => {
    const shared = {
      accountId,
      paymentId: payment.id,
      transactionReference: payment.id,
      paymentReference: payment.provider.reference,
      externalReference: 'basket-77',
      cardReference: null,
      channel: 'selfcare',
      status: 'open',
      acknowledgedAt: null,
      reason: null,
      billingFileId: null
    }
    t.match(found, [
      {
        ...shared,
        amount: { currency: 'GBP', value: 2500 },
        direction: 'credit',
        kind: 'payment',
        cause: { type: 'payment', id: payment.id }
      },
      {
        ...shared,
        amount: { currency: 'GBP', value: 700 },
        direction: 'debit',
        kind: 'refund',
        cause: { type: 'refund', id: refund.body.id }
      },
      {
        paymentId: recorded.body.id,
        direction: 'credit',
        kind: 'recordedPayment',
        channel: 'ivr',
        paymentReference: null,
        externalReference: null
      }
    ])
    t.equal(found.length, 3)
    for (const one of found) {
      t.ok(one.transactionReference.length <= 20)
      t.same((await call('GET', `/v1/postings/${one.id}`)).body, one)
    }
  })

  await t.test('whatever the pages are, and its end is a place to ask again from', async (t) => {
    t.same(await readFeed(service, '', 1), found)
    const { body } = await call('GET', '/v1/postings?limit=100')
    const again = await call('GET', `/v1/postings?after=${body.nextCursor}`)
    t.same(again.body, { data: [], nextCursor: body.nextCursor })
    const refused = await call('GET', '/v1/postings?after=x')
    t.equal(refused.body.code, 'request_invalid')
  })

  await t.test(
    'a registered card is named, and the ledger is unchanged by all of it',
    async (t) => {
      await sql`update payment set card = '{"registeredCardId": "crd_1"}'
      where id = ${payment.id}`.execute(db)
      t.match(await readFeed(service), [{ cardReference: 'crd_1' }])
      await sql`update payment set card = null where id = ${payment.id}`.execute(db)
      t.same(await findMoneyFaults(db, [Number(accountId)]), [])
    }
  )
})

t.test('a posting that is still committing comes after those that are shown', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { db } = service
  const payments = [await service.createPayment(), await service.createPayment()]
  const [early, late] = payments.map(({ id, accountId }) => ({
    id: `txn_of_${id.slice(-12)}`,
    write: (tx: typeof db) =>
      sql`
      with moved as (
        insert into ledger_transfer (id, account_id, debit_account, credit_account, currency,
          amount, posting, fact, cause_type, cause_id, payment_id)
        values (${`txn_of_${id.slice(-12)}`}, ${Number(accountId)}, 'provider', 'customer', 'GBP',
          2500, 'payment', ${id}, 'payment', ${id}, ${id})
        returning id
      ) insert into posting_outbox (transfer_id) select id from moved`.execute(tx)
  })) as [Writer, Writer]
  type Writer = { id: string; write: (tx: typeof db) => Promise<unknown> }
  await db.transaction().execute(async (tx) => {
    await early.write(tx)
    await late.write(db)
    t.match(await untilPosted(service, 1), [{ id: late.id }])
  })
  const found = await untilPosted(service, 2)
  t.same(
    found.map(({ id }) => id),
    [late.id, early.id]
  )
})

t.test('what many write at once is told once, each account in its order', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, db } = service
  const accountIds = [newAccountId(), newAccountId(), newAccountId()]
  for (const id of accountIds) {
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' } })
  }
  const seen: string[] = []
  let stop = false
  const reader = (async () => {
    let after = ''
    for (;;) {
      const isLast = stop
      const { body } = await call('GET', `/v1/postings?limit=100${after}`)
      seen.push(...body.data.map(({ id }: Found) => id))
      after = `&after=${body.nextCursor}`
      if (isLast && body.data.length === 0) return
    }
  })()
  const record = (n: number) =>
    call('POST', '/v1/recorded-payments', {
      body: {
        accountId: accountIds[n % 3],
        amount: { currency: 'GBP', value: 100 + n },
        channel: 'ivr',
        outcome: 'captured',
        processor: { name: 'ivr', reference: `A${n}` },
        takenAt: '2026-01-01T00:00:00Z'
      }
    })
  for (let round = 0; round < 6; round += 1) {
    await Promise.all(Array.from({ length: 25 }, (_, n) => record(round * 25 + n)))
  }
  const all = await untilPosted(service, 150)
  stop = true
  await reader
  t.same(
    seen,
    all.map(({ id }) => id),
    'who reads along misses none'
  )
  t.equal(new Set(seen).size, 150)
  for (const accountId of accountIds) {
    const own = all.filter((one) => one.accountId === accountId).map(({ id }) => id)
    const { rows } = await sql<{ id: string }>`
      select id from ledger_transfer where account_id = ${Number(accountId)}
      order by id`.execute(db)
    t.same(
      own,
      rows.map(({ id }) => id)
    )
  }
})

t.test('what billing says of a posting', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, db } = service
  const payments = [await capture(service), await capture(service), await capture(service)]
  const [first, second, third] = (await untilPosted(service, 3)) as [Found, Found, Found]

  await t.test('posted stays posted', async (t) => {
    const answer = await acknowledge(service, first.id, { outcome: 'posted' }, 'first')
    t.equal(answer.status, 200)
    t.match(answer.body, { ...first, status: 'posted', acknowledgedAt: /Z$/, reason: null })
    const replayed = await acknowledge(service, first.id, { outcome: 'posted' }, 'first')
    t.equal(replayed.headers.get('idempotent-replayed'), 'true')
    t.equal(replayed.text, answer.text)
    const again = await acknowledge(service, first.id, { outcome: 'posted' })
    t.same(again.body, answer.body, 'the same under another key changes nothing')
    const refused = await acknowledge(service, first.id, { outcome: 'rejected', reason: 'x' })
    t.equal(refused.status, 409)
    t.equal(refused.body.code, 'posting_acknowledged')
    t.same((await call('GET', `/v1/postings/${first.id}`)).body, answer.body)
  })

  await t.test('rejected has a reason and is shown to a person, once', async (t) => {
    const refused = await acknowledge(service, second.id, { outcome: 'rejected' })
    t.equal(refused.status, 400)
    t.same(
      refused.body.errors.map(({ pointer }: Found) => pointer),
      ['/reason']
    )
    const said = { outcome: 'rejected', reason: 'The account is archived' }
    const answer = await acknowledge(service, second.id, said)
    t.match(answer.body, { status: 'rejected', reason: said.reason, acknowledgedAt: /Z$/ })
    const other = await acknowledge(service, second.id, { ...said, reason: 'Still archived' })
    t.same(other.body, answer.body)
    const { rows } = await sql<Found>`
      select * from discrepancy where kind = 'billing_rejected'`.execute(db)
    t.match(rows, [
      {
        fact: second.id,
        payment_id: second.paymentId,
        status: 'open',
        details: {
          postingId: second.id,
          accountId: second.accountId,
          ours: { posted: true, kind: 'payment', direction: 'credit', amount: { value: 2500 } },
          theirs: { posted: false, reason: said.reason, billingFileId: null }
        }
      }
    ])
    t.equal(rows.length, 1)
    const { body } = await call('GET', `/v1/payments/${second.paymentId}/events`)
    t.match(body.data.at(-1), {
      type: 'discrepancy.opened',
      sequence: body.data.length,
      data: { discrepancy: { kind: 'billing_rejected' } }
    })
  })

  await t.test('and may be posted after all, which closes that', async (t) => {
    const answer = await acknowledge(service, second.id, { outcome: 'posted' })
    t.match(answer.body, { status: 'posted', reason: null })
    const { rows } = await sql<Found>`
      select status, resolution from discrepancy where fact = ${second.id}`.execute(db)
    t.same(rows, [{ status: 'resolved', resolution: 'settled' }])
    const { body } = await call('GET', `/v1/payments/${second.paymentId}/events`)
    t.match(body.data.at(-1), { type: 'discrepancy.resolved' })
  })

  await t.test('is counted once, however many say it at once', async (t) => {
    const said = { outcome: 'rejected', reason: 'No such account' }
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => acknowledge(service, third.id, said))
    )
    for (const { status } of answers) t.equal(status, 200)
    const { rows } = await sql`select from discrepancy where fact = ${third.id}`.execute(db)
    t.equal(rows.length, 1)
  })

  await t.test('can be listed by it', async (t) => {
    const idsOf = async (status: string) =>
      (await readFeed(service, `&status=${status}`, 1)).map(({ id }) => id)
    t.same(await idsOf('posted'), [first.id, second.id])
    t.same(await idsOf('rejected'), [third.id])
    t.same(await idsOf('open'), [])
  })

  await t.test('of none that is unknown', async (t) => {
    const answer = await acknowledge(service, 'txn_none', { outcome: 'posted' })
    t.equal(answer.body.code, 'posting_not_found')
    const accounts = payments.map(({ accountId }) => Number(accountId))
    t.same(await findMoneyFaults(db, accounts), [])
  })
})
