/** Files for the billing system, and what it rejects of them. */
import { sql } from 'kysely'
import t from 'tap'
import { lockUnfiled } from '../../src/billing/billing.store.ts'
import {
  type BillingFile,
  findRejected,
  limitsOf,
  type Rejection,
  toUpload,
  uploadFields,
  within
} from '../../src/billing/billing.ts'
import { listPostings } from '../../src/billing/posting.store.ts'
import type { BillingPosting } from '../../src/billing/posting.ts'
import type { Tx } from '../../src/database/database.ts'
import { insertClients, testDatabase } from '../test-database.ts'
import { newAccountId, type TestService, testService } from '../test-service.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Found = any

const posting = (changes: Partial<BillingPosting> = {}): BillingPosting => ({
  position: 1,
  id: 'txn_1',
  accountId: 10_000_001,
  amount: { currency: 'GBP', value: 2500 },
  direction: 'credit',
  kind: 'payment',
  cause: { type: 'payment', id: 'pay_1' },
  paymentId: 'pay_1',
  paymentReference: 'PSP1',
  externalReference: null,
  cardReference: null,
  channel: 'selfcare',
  occurredAt: new Date('2026-11-22T10:00:00Z'),
  status: 'open',
  reason: null,
  acknowledgedAt: null,
  file: { id: 'bil_1', sequence: 1 },
  ...changes
})

const file = (changes: Partial<BillingFile> = {}): BillingFile => ({
  id: 'bil_1',
  currency: 'GBP',
  transactionType: 'payment',
  recordCount: 1,
  totalAmount: 2500,
  createdAt: new Date('2026-11-22T22:00:00Z'),
  ...changes
})

t.test('a file has the fields of the table, and amounts as Decimal(9,2)', async (t) => {
  const cases: Array<[currency: string, value: number, text: string]> = [
    ['GBP', 1, '0.01'],
    ['GBP', 10, '0.1'],
    ['GBP', 999_999_999, '9999999.99'],
    ['JPY', 2500, '2500'],
    ['KWD', 1230, '1.23']
  ]
  for (const [currency, value, text] of cases) {
    const amount = { currency, value }
    const upload = toUpload(file({ currency, totalAmount: value }), [posting({ amount })])
    t.match(upload, `"amount": ${text},`)
    t.match(upload, `"totalAmount": ${text},`)
  }
  const { details, ...header } = JSON.parse(toUpload(file(), [posting()]))
  t.same(Object.keys(header), Object.keys(uploadFields.header))
  t.same(Object.keys(details[0]), Object.keys(uploadFields.details))
  t.match(header, {
    interfaceCategory: 'Payments',
    interfaceType: 'Upload',
    version: '1.0',
    externalFileName: 'bil_1',
    recordCount: 1,
    isoCurrencyCode: 'GBP',
    paymentSource: 'PAYMENT'
  })
})

t.test('a file holds what CMP can hold', async (t) => {
  t.same(limitsOf('GBP'), { step: 1, amountMax: 999_999_999, totalMax: 99_999_999_999 })
  t.same(limitsOf('JPY'), { step: 1, amountMax: 9_999_999, totalMax: 999_999_999 })
  t.same(limitsOf('KWD'), { step: 10, amountMax: 9_999_999_990, totalMax: 999_999_999_990 })
  const all = [2500, 100, 400].map((value) => posting({ amount: { currency: 'GBP', value } }))
  t.same(within(all, 3000), { taken: all, total: 3000 })
  t.same(within(all, 2999), { taken: all.slice(0, 2), total: 2600 })
  t.same(within(all, 2499), { taken: [], total: 0 })
  t.same(within([], 1), { taken: [], total: 0 })
})

t.test('a rejected detail must be the one in the file', async (t) => {
  const rejection: Rejection = {
    detailSequence: 1,
    accountId: 10_000_001,
    transactionType: 'payment',
    transactionId: 'pay_1',
    reason: 'Archived'
  }
  const judge = (changes: Partial<Rejection>, of = posting()) =>
    findRejected(file(), [of], [{ ...rejection, ...changes }])
  t.match(judge({}), { rejected: [{ said: { outcome: 'rejected', reason: 'Archived' } }] })
  t.match(judge({ transactionId: null, reason: null }), {
    rejected: [{ said: { reason: /no reason/ } }],
    faults: []
  })
  const faults: Array<[Partial<Rejection>, RegExp, BillingPosting?]> = [
    [{ detailSequence: 2 }, /no detail/],
    [{ accountId: 2 }, /of account 10000001/],
    [{ transactionType: 'refund' }, /a payment there/],
    [{ transactionId: 'pay_2' }, /of pay_1/],
    [{}, /as posted/, posting({ status: 'posted', acknowledgedAt: new Date() })]
  ]
  for (const [changes, detail, of] of faults) {
    t.match(judge(changes, of), { rejected: [], faults: [{ at: 0, detail }] })
  }
  t.match(findRejected(file(), [posting()], [rejection, rejection]), {
    faults: [{ at: 1, detail: /before/ }]
  })
})

async function recordSome({ call }: TestService, amounts: readonly number[]): Promise<string> {
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  for (const value of amounts) {
    await call('POST', '/v1/recorded-payments', {
      body: {
        accountId,
        amount: { currency: 'GBP', value },
        channel: 'ivr',
        outcome: 'captured',
        processor: { name: 'ivr', reference: `${accountId}-${value}` },
        takenAt: '2026-01-01T00:00:00Z'
      }
    })
  }
  return accountId
}

async function untilOpen({ call }: TestService, count: number): Promise<Found[]> {
  const giveUpAt = Date.now() + 10_000
  for (;;) {
    const { body } = await call('GET', '/v1/postings?limit=100&status=open')
    if (body.data.length >= count) return body.data
    if (Date.now() > giveUpAt) throw new Error('not in time')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

t.test('every open posting is in one file', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call } = service
  const make = (body: object, idempotencyKey: string = crypto.randomUUID()) =>
    call('POST', '/v1/billing-files', { body, idempotencyKey })
  const payments = { currency: 'GBP', transactionType: 'payment' }
  const reject = (body: object) =>
    call('POST', '/v1/billing-rejections', { body, idempotencyKey: crypto.randomUUID() })
  const accountId = await recordSome(service, [1005, 2000, 30, 4])
  const open = await untilOpen(service, 4)
  await call('POST', `/v1/payments/${open[0].paymentId}/refunds`, {
    body: {
      amount: { currency: 'GBP', value: 5 },
      processor: { name: 'ivr', reference: 'refund' }
    },
    idempotencyKey: 'refund'
  })
  const [, , , , refund] = await untilOpen(service, 5)
  await call('POST', `/v1/postings/${open[3].id}/acknowledgement`, {
    body: { outcome: 'posted' },
    idempotencyKey: 'posted'
  })
  const made = await make(payments, 'first')
  const { id } = made.body

  await t.test('once, of one currency and direction', async (t) => {
    t.equal(made.status, 201)
    t.equal(made.headers.get('location'), `/v1/billing-files/${id}`)
    t.match(made.body, {
      externalFileName: /^[a-zA-Z0-9._-]{1,20}$/,
      transactionType: 'payment',
      recordCount: 3,
      totalAmount: { currency: 'GBP', value: 3035 },
      counts: { open: 3, posted: 0, rejected: 0 }
    })
    t.equal((await make(payments, 'first')).text, made.text, 'the same key is the same file')
    t.match((await make(payments)).body, { recordCount: 0, totalAmount: { value: 0 } })
    const refunds = await make({ ...payments, transactionType: 'refund' })
    t.match(refunds.body, { recordCount: 1, totalAmount: { value: 5 } })
    t.match((await make({ ...payments, currency: 'EUR' })).body, { recordCount: 0 })
    const { body } = await call('GET', `/v1/postings/${refund.id}`)
    t.equal(body.billingFileId, refunds.body.id)
    t.equal((await call('GET', `/v1/postings/${open[3].id}`)).body.billingFileId, null)
  })

  await t.test('which is fetched again byte for byte', async (t) => {
    const answer = await call('GET', `/v1/billing-files/${id}/content`)
    t.equal(answer.headers.get('content-disposition'), `attachment; filename="${id}"`)
    t.match(answer.body, {
      externalFileName: id,
      recordCount: 3,
      isoCurrencyCode: 'GBP',
      totalAmount: 30.35,
      paymentSource: 'PAYMENT',
      details: open.slice(0, 3).map((one: Found, at: number) => ({
        detailSequence: at + 1,
        hierarchyEntity: { accountId: Number(accountId) },
        transactionType: 'PAYMENT',
        transactionId: one.paymentId,
        amount: one.amount.value / 100,
        remark: `recordedPayment ${one.id}`
      }))
    })
    t.equal(answer.body.details.length, 3)
    const cents = answer.body.details.map(({ amount }: Found) => Math.round(amount * 100))
    t.equal(
      cents.reduce((sum: number, one: number) => sum + one, 0),
      3035
    )
    await service.db.transaction().execute(async (tx) => {
      await sql`update payment set reference = 'changed since'`.execute(tx)
    })
    t.equal((await call('GET', `/v1/billing-files/${id}/content`)).text, answer.text)
  })

  await t.test('whose rejections are all taken or none', async (t) => {
    const detail = (detailSequence: number, changes: object = {}) => ({
      detailSequence,
      hierarchyEntity: { accountId: Number(accountId), billingEntity: 'unknown here' },
      transactionType: 'PAYMENT',
      rejectionCode: 17,
      ...changes
    })
    const bad = await reject({
      externalFileName: id,
      details: [detail(1), detail(9), detail(2, { transactionType: 'REFUND' })]
    })
    t.equal(bad.status, 422)
    t.equal(bad.body.code, 'billing_rejections_unmatched')
    t.same(
      bad.body.errors.map(({ pointer }: Found) => pointer),
      ['/details/1', '/details/2']
    )
    const unknown = await reject({ externalFileName: 'other.json', details: [detail(1)] })
    t.same(
      unknown.body.errors.map(({ pointer }: Found) => pointer),
      ['/externalFileName']
    )
    t.match((await call('GET', `/v1/billing-files/${id}`)).body, { counts: { open: 3 } })
    const said = {
      externalFileName: id,
      version: '1.1',
      details: [detail(2, { rejectionReason: 'Archived', transactionId: open[1].paymentId })]
    }
    for (const answer of [await reject(said), await reject(said)]) {
      t.equal(answer.status, 200)
      t.match(answer.body, { id, counts: { open: 2, posted: 0, rejected: 1 } })
    }
    t.match((await call('GET', `/v1/postings/${open[1].id}`)).body, {
      status: 'rejected',
      reason: 'Archived'
    })
    const { body } = await call('GET', '/v1/discrepancies?kind=billing_rejected')
    t.match(body.data, [{ details: { theirs: { billingFileId: id } }, status: 'open' }])
    t.equal(body.data.length, 1)
  })

  await t.test('and whose rest is posted', async (t) => {
    const answer = await call('POST', `/v1/billing-files/${id}/acknowledgement`, {
      body: { outcome: 'posted' },
      idempotencyKey: 'rest'
    })
    t.match(answer.body, { id, counts: { open: 0, posted: 2, rejected: 1 } })
    const { body } = await call('GET', '/v1/billing-files?limit=100')
    t.equal(body.data.at(-1).id, id)
    t.match(body.data.at(-1).counts, { posted: 2 })
  })

  await t.test('also where many ask at once', async (t) => {
    await recordSome(service, [11, 12, 13, 14, 15])
    await untilOpen(service, 5)
    const answers = await Promise.all(Array.from({ length: 6 }, () => make(payments)))
    for (const { status } of answers) t.equal(status, 201)
    const counts = answers.map(({ body }) => body.recordCount).sort()
    t.same(counts, [0, 0, 0, 0, 0, 5])
  })
})

t.test('C5: a file reads what is in none, and a list of what is open nothing posted', async (t) => {
  const { db } = await testDatabase(t)
  await insertClients(db, 'cli')
  const made = 6_000
  await sql`insert into account (id, currency, status) values (1, 'GBP', 'open')`.execute(db)
  await sql`insert into payment (id, client_id, account_id, currency, amount, channel, method,
      capture, save_card, expires_at, status, amount_authorised, amount_captured, finished_at,
      processor_name, processor_reference, taken_at)
    values ('pay_1', 'cli', 1, 'GBP', 100, 'selfcare', 'recorded', 'automatic', 'never', now(),
      'captured', 100, 100, now(), 'till', '1', now())`.execute(db)
  await sql`insert into ledger_transfer (id, account_id, payment_id, debit_account, credit_account,
      currency, amount, posting, fact, cause_type, cause_id)
    select 'txn_' || n, 1, 'pay_1', 'processors', 'customer', 'GBP', 100, 'recordedPayment', n,
      'payment', 'pay_1' from generate_series(1, ${made}::integer) as n`.execute(db)
  await sql`insert into billing_file (id, transaction_type, currency, total_amount, record_count,
      content, created_at) values ('bil_1', 'payment', 'GBP', 1, 1, '', now())`.execute(db)
  // The oldest are posted, then come many in a file that nobody acknowledged, and a few in none.
  await sql`insert into billing_posting (id, status, acknowledged_at, file_id, file_sequence)
    select 'txn_' || n, case when n <= 5700 then 'posted' else 'open' end,
      case when n <= 5700 then now() end, case when n <= ${made - 10}::integer then 'bil_1' end,
      case when n <= ${made - 10}::integer then n end
    from generate_series(1, ${made}::integer) as n`.execute(db)
  await sql`analyze`.execute(db)
  const rowsRead = async (tx: Tx) => {
    const { rows } = await sql<{ read: number }>`
      select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint as read
      from pg_stat_xact_user_tables
      where relname in ('billing_posting', 'ledger_transfer')`.execute(tx)
    return rows[0]?.read ?? 0
  }
  const asked = { currency: 'GBP', transactionType: 'payment' } as const
  const reads: Array<[find: (tx: Tx) => Promise<BillingPosting[]>, found: number]> = [
    [(tx) => lockUnfiled(tx, asked, limitsOf('GBP'), 1_000), 10],
    [(tx) => listPostings(tx, { status: 'open', after: 0, limit: 20 }), 20]
  ]
  for (const [find, found] of reads) {
    // Prepared statements too, which are planned for any values from the sixth time on.
    for (let time = 0; time < 7; time += 1) {
      await db.transaction().execute(async (tx) => {
        const before = await rowsRead(tx)
        t.equal((await find(tx)).length, found)
        t.ok((await rowsRead(tx)) - before <= 100, `${(await rowsRead(tx)) - before} rows`)
      })
    }
  }
})
