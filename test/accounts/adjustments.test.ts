import t from 'tap'
import { checkMoney } from '../invariants.ts'
import { newAccountId, testService } from '../test-service.ts'

t.test('adjustments', async (t) => {
  const { call, db } = await testService(t)

  async function newAccount(): Promise<string> {
    const id = newAccountId()
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' } })
    return id
  }
  async function charge(id: string, reference: string, value: number): Promise<string> {
    const body = { amount: { currency: 'GBP', value }, reference, dueAt: '2026-01-01T00:00:00Z' }
    return (await call('POST', `/v1/accounts/${id}/charges`, { body })).body.id
  }
  const adjust = (id: string, changes: Record<string, unknown> = {}, options = {}) =>
    call('POST', `/v1/accounts/${id}/adjustments`, {
      body: {
        amount: { currency: 'GBP', value: 1000 },
        direction: 'credit',
        reference: 'ADJ-1',
        reason: 'Paid by bank transfer',
        ...changes
      },
      ...options
    })
  const gbp = (value: number) => ({ amount: { currency: 'GBP', value } })
  async function balanceOf(id: string) {
    const { balance } = (await call('GET', `/v1/accounts/${id}`)).body
    return { outstanding: balance.outstanding.value, credit: balance.credit.value }
  }
  async function openOf(id: string): Promise<Record<string, number>> {
    const { body } = await call('GET', `/v1/accounts/${id}/charges`)
    const charges: Array<{ reference: string; openAmount: number }> = body.data
    return Object.fromEntries(charges.map((one) => [one.reference, one.openAmount]))
  }

  t.test('201, the same again 200, other content 409', async (t) => {
    const id = await newAccount()
    const chargeId = await charge(id, 'a', 5000)
    const made = await adjust(id)
    t.equal(made.status, 201)
    t.match(made.body, {
      id: /^adj_[0-9a-hjkmnp-tv-z]{16}$/,
      accountId: id,
      ...gbp(1000),
      direction: 'credit',
      reference: 'ADJ-1',
      reason: 'Paid by bank transfer',
      chargeId: null,
      createdAt: /Z$/
    })
    const again = await adjust(id)
    t.equal(again.status, 200)
    t.same(again.body, made.body)
    for (const other of [
      gbp(1001),
      { amount: { currency: 'EUR', value: 1000 } },
      { direction: 'debit' },
      { reason: 'Paid in cash' },
      { chargeId }
    ]) {
      const answer = await adjust(id, other)
      t.equal(answer.status, 409, JSON.stringify(other))
      t.equal(answer.body.code, 'adjustment_conflict')
    }
    t.same(await balanceOf(id), { outstanding: 4000, credit: 0 }, 'posted once')
    const elsewhere = await newAccount()
    t.equal((await adjust(elsewhere)).status, 201, 'a reference is unique an account')
    const storm = await Promise.all(
      Array.from({ length: 10 }, () => adjust(elsewhere, { reference: 'storm' }))
    )
    t.same(storm.map(({ status }) => status).sort(), [...Array(9).fill(200), 201])
    t.same(await balanceOf(elsewhere), { outstanding: 0, credit: 2000 })
  })

  t.test('a credit pays charges, the named one first, in query or not', async (t) => {
    const id = await newAccount()
    await charge(id, 'a', 700)
    const named = await charge(id, 'b', 1000)
    await adjust(id, { ...gbp(700), chargeId: named })
    t.same(await openOf(id), { b: 300, a: 700 }, 'not the one of that amount')
    await call('PATCH', `/v1/accounts/${id}/charges/${named}`, { body: { inQuery: true } })
    await adjust(id, { ...gbp(500), chargeId: named, reference: 'ADJ-2' })
    t.same(await openOf(id), { b: 0, a: 500 }, 'what is left pays the other')
    await adjust(id, { ...gbp(600), reference: 'ADJ-3' })
    t.same(await balanceOf(id), { outstanding: 0, credit: 100 })
  })

  t.test('a debit takes credit, then reopens charges; what is left is owed', async (t) => {
    const id = await newAccount()
    await charge(id, 'a', 700)
    await charge(id, 'b', 300)
    await adjust(id, gbp(1100))
    t.same(await balanceOf(id), { outstanding: 0, credit: 100 })
    const debit = { direction: 'debit', reason: 'The transfer bounced' }
    await adjust(id, { ...gbp(150), ...debit, reference: 'ADJ-2' })
    t.same(await openOf(id), { b: 50, a: 0 }, 'last matched first')
    await adjust(id, { ...gbp(1000), ...debit, reference: 'ADJ-3' })
    t.same(await openOf(id), { b: 300, a: 700 })
    t.same(await balanceOf(id), { outstanding: 1050, credit: 0 }, 'and 50 that no charge had')
    const { balance } = (await call('GET', `/v1/accounts/${id}`)).body
    t.match(balance, { overdue: { value: 1000 }, inQuery: { value: 0 } })
    await adjust(id, { ...gbp(750), reference: 'ADJ-4' })
    t.same(await openOf(id), { b: 300, a: 0 }, 'the 50 are older than every charge')
  })

  t.test('a debit with a charge reopens that charge first', async (t) => {
    const id = await newAccount()
    const named = await charge(id, 'a', 700)
    await charge(id, 'b', 300)
    await adjust(id, gbp(1000))
    const debit = { direction: 'debit', reference: 'ADJ-2', chargeId: named }
    t.match((await adjust(id, { ...gbp(200), ...debit })).body, { chargeId: named })
    t.same(await openOf(id), { b: 0, a: 200 })
    await adjust(id, { ...gbp(600), ...debit, reference: 'ADJ-3' })
    t.same(await openOf(id), { b: 100, a: 700 })
  })

  t.test('the ledger tells what caused it', async (t) => {
    const id = await newAccount()
    const { body: credit } = await adjust(id)
    const { body: debit } = await adjust(id, { direction: 'debit', reference: 'ADJ-2' })
    const { body } = await call('GET', `/v1/accounts/${id}/entries`)
    type Entry = { account: string; direction: string; cause: object; paymentId: null }
    t.same(
      body.data.map((one: Entry) => [one.account, one.direction, one.cause, one.paymentId]),
      [
        ['customer', 'debit', { type: 'adjustment', id: debit.id }, null],
        ['billing', 'credit', { type: 'adjustment', id: debit.id }, null],
        ['billing', 'debit', { type: 'adjustment', id: credit.id }, null],
        ['customer', 'credit', { type: 'adjustment', id: credit.id }, null]
      ]
    )
  })

  t.test('a closed account takes what was settled elsewhere', async (t) => {
    const id = await newAccount()
    await charge(id, 'a', 700)
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP', status: 'closed' } })
    t.equal((await adjust(id)).status, 201)
    t.same(await balanceOf(id), { outstanding: 0, credit: 300 })
  })

  t.test('422 for a charge that there is not, another currency, or out of bounds', async (t) => {
    const [id, other] = [await newAccount(), await newAccount()]
    const elsewhere = await charge(other, 'a', 700)
    for (const [code, body] of [
      ['charge_not_found', { chargeId: elsewhere }],
      ['charge_not_found', { chargeId: 'none', direction: 'debit' }],
      ['currency_mismatch', { amount: { currency: 'EUR', value: 1 } }],
      ['amount_too_large', gbp(1_000_000_000)],
      ['amount_not_representable', { amount: { currency: 'BHD', value: 1001 } }],
      ['card_number_refused', { reason: 'Card 4111 1111 1111 1111' }]
    ] as const) {
      const answer = await adjust(id, body)
      t.equal(answer.status, 422, code)
      t.equal(answer.body.code, code)
    }
    t.same((await call('GET', `/v1/accounts/${id}/adjustments`)).body.data, [])
    t.same(await balanceOf(id), { outstanding: 0, credit: 0 })
    t.equal((await adjust(id, gbp(999_999_999))).status, 201)
  })

  t.test('404 for an account that there is not', async (t) => {
    for (const id of ['99999999', '0', 'abc']) {
      for (const answer of [
        await adjust(id),
        await call('GET', `/v1/accounts/${id}/adjustments`)
      ]) {
        t.equal(answer.status, 404, id)
        t.equal(answer.body.code, 'account_not_known')
      }
    }
  })

  t.test('400 without what it needs', async (t) => {
    const id = await newAccount()
    for (const [body, pointer] of [
      [{ reference: '' }, '/reference'],
      [{ reference: 'x'.repeat(70) }, '/reference'],
      [{ reason: '' }, '/reason'],
      [{ reason: undefined }, '/reason'],
      [{ reason: 'x'.repeat(256) }, '/reason'],
      [{ direction: 'refund' }, '/direction'],
      [{ amount: gbp(0).amount }, '/amount/value'],
      [{ chargeId: null }, '/chargeId'],
      [{ inQuery: true }, '/inQuery']
    ] as const) {
      const answer = await adjust(id, body)
      t.equal(answer.status, 400, pointer)
      t.equal(answer.body.errors[0].pointer, pointer)
    }
  })

  t.test('the list is newest first, by any size of page', async (t) => {
    const id = await newAccount()
    for (const reference of ['a', 'b', 'c']) await adjust(id, { reference })
    const list = async (query: string) => {
      const answer = await call('GET', `/v1/accounts/${id}/adjustments${query}`)
      const data: Array<{ reference: string }> = answer.body.data
      return { answer, references: data.map(({ reference }) => reference) }
    }
    const { answer: all, references } = await list('')
    t.same(references, ['c', 'b', 'a'])
    t.equal(all.body.nextCursor, null)
    const { answer: first, references: shown } = await list('?limit=2')
    t.same(shown, ['c', 'b'])
    t.match(first.headers.get('link'), /adjustments\?.*cursor=.*rel="next"/)
    await adjust(id, { reference: 'd' })
    t.same((await list(`?limit=2&cursor=${first.body.nextCursor}`)).references, ['a'])
    t.equal((await call('GET', `/v1/accounts/${id}/adjustments?cursor=none`)).status, 400)
  })

  t.test('the money is right', (t) => checkMoney(t, db))
})
