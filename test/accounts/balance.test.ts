import { sql } from 'kysely'
import t from 'tap'
import { newAccountId, testService } from '../test-service.ts'

type Entry = {
  id: string
  account: string
  amount: { currency: string; value: number }
  direction: 'debit' | 'credit'
  cause: { type: string; id: string }
  paymentId: string | null
}

t.test('the balance of an account and its ledger', async (t) => {
  const { call, createPayment, db, pay, until } = await testService(t)

  async function newAccount(): Promise<string> {
    const id = newAccountId()
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' } })
    return id
  }
  async function charge(
    id: string,
    reference: string,
    value: number,
    dueAt = '2026-01-01T00:00:00Z'
  ) {
    const body = { amount: { currency: 'GBP', value }, reference, dueAt }
    return (await call('POST', `/v1/accounts/${id}/charges`, { body })).body
  }
  async function capture(accountId: string, value: number): Promise<string> {
    const { id } = await createPayment({ accountId, amount: { currency: 'GBP', value } })
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
    return id
  }
  async function balanceOf(id: string) {
    const { balance } = (await call('GET', `/v1/accounts/${id}`)).body
    const values = Object.entries(balance as Record<string, { value: number }>)
    return Object.fromEntries(values.map(([name, { value }]) => [name, value]))
  }
  async function entriesOf(id: string, limit = 100): Promise<Entry[]> {
    const entries: Entry[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`
      const { body } = await call('GET', `/v1/accounts/${id}/entries?limit=${limit}${query}`)
      entries.push(...body.data)
      cursor = body.nextCursor
      if (entries.length > 100) throw new Error('the list has no end')
    }
    return entries
  }

  t.test('outstanding, overdue and in query are told apart', async (t) => {
    const id = await newAccount()
    await charge(id, 'past', 1000)
    await charge(id, 'future', 200, '2099-01-01T00:00:00Z')
    const { id: questioned } = await charge(id, 'questioned', 30)
    await call('PATCH', `/v1/accounts/${id}/charges/${questioned}`, { body: { inQuery: true } })
    t.same(await balanceOf(id), { outstanding: 1230, overdue: 1000, inQuery: 30, credit: 0 })
    const { body } = await call('GET', `/v1/accounts/${id}/charges`)
    t.same(
      body.data.map((one: { reference: string; inQuery: boolean }) => [one.reference, one.inQuery]),
      [
        ['questioned', true],
        ['future', false],
        ['past', false]
      ]
    )
    await capture(id, 2000)
    t.same(
      await balanceOf(id),
      { outstanding: 30, overdue: 0, inQuery: 30, credit: 800 },
      'money passes by what is in query'
    )
  })

  t.test('credit that came earlier pays a new charge at once', async (t) => {
    const id = await newAccount()
    await capture(id, 2500)
    t.same(await balanceOf(id), { outstanding: 0, overdue: 0, inQuery: 0, credit: 2500 })
    const paid = await charge(id, 'small', 1000)
    t.match(paid, { openAmount: 0, status: 'paid' })
    const partly = await charge(id, 'large', 4000, '2099-01-01T00:00:00Z')
    t.match(partly, { openAmount: 2500, status: 'open', amount: { value: 4000 } })
    t.same(await balanceOf(id), { outstanding: 2500, overdue: 0, inQuery: 0, credit: 0 })
    const { rows } = await sql`select amount from allocation where account_id = ${Number(id)}
      order by id`.execute(db)
    t.same(rows, [{ amount: 1000 }, { amount: 1500 }])
    const again = await charge(id, 'small', 1000)
    t.same(again, paid, 'a repetition is matched to nothing more')
  })

  t.test('charges by status, newest first, by any size of page', async (t) => {
    const id = await newAccount()
    for (const [at, value] of [100, 200, 300, 400].entries()) await charge(id, `c${at}`, value)
    await capture(id, 300)
    const list = async (query: string) => {
      const { body } = await call('GET', `/v1/accounts/${id}/charges${query}`)
      return body.data.map(({ reference }: { reference: string }) => reference)
    }
    t.same(await list(''), ['c3', 'c2', 'c1', 'c0'])
    t.same(await list('?status=open'), ['c3', 'c1', 'c0'])
    t.same(await list('?status=paid'), ['c2'], 'the charge with exactly that amount')
    t.equal((await call('GET', `/v1/accounts/${id}/charges?status=late`)).status, 400)
    const first = await call('GET', `/v1/accounts/${id}/charges?status=open&limit=2`)
    t.match(first.headers.get('link'), /status=open.*cursor=.*rel="next"/)
    t.same(await list(`?status=open&limit=2&cursor=${first.body.nextCursor}`), ['c0'])
  })

  t.test('every transfer shows its debit and its credit, with what caused it', async (t) => {
    const id = await newAccount()
    const { id: chargeId } = await charge(id, 'a', 1500)
    const paymentId = await capture(id, 2000)
    const entries = await entriesOf(id)
    const money = (value: number) => ({ currency: 'GBP', value })
    t.match(entries, [
      {
        account: 'provider',
        amount: money(2000),
        direction: 'debit',
        cause: { type: 'payment', id: paymentId },
        paymentId
      },
      { account: 'customer', amount: money(2000), direction: 'credit', paymentId },
      {
        account: 'customer',
        amount: money(1500),
        direction: 'debit',
        cause: { type: 'charge', id: chargeId },
        paymentId: null
      },
      { account: 'billing', amount: money(1500), direction: 'credit', paymentId: null }
    ])
    t.equal(new Set(entries.map((entry) => entry.id)).size, 4)
    const sums = new Map<string, number>()
    for (const { id: entryId, direction, amount } of entries) {
      const transfer = entryId.split('.')[0] as string
      const signed = direction === 'debit' ? amount.value : -amount.value
      sums.set(transfer, (sums.get(transfer) ?? 0) + signed)
    }
    t.same([...sums.values()], [0, 0], 'the entries of one transfer add up to nothing')
  })

  t.test('a page may end between the two sides of a transfer', async (t) => {
    const id = await newAccount()
    for (let count = 0; count < 3; count++) await charge(id, `c${count}`, 100 + count)
    const all = await entriesOf(id)
    t.equal(all.length, 6)
    for (const limit of [1, 2, 3, 4, 5, 6])
      t.same(await entriesOf(id, limit), all, `limit ${limit}`)
  })

  t.test('what is added while somebody reads moves no page', async (t) => {
    const id = await newAccount()
    await charge(id, 'a', 100)
    const all = await entriesOf(id)
    const first = await call('GET', `/v1/accounts/${id}/entries?limit=1`)
    await charge(id, 'b', 100)
    const path = `/v1/accounts/${id}/entries?cursor=${first.body.nextCursor}`
    t.same([...first.body.data, ...(await call('GET', path)).body.data], all)
  })

  t.test('the books cannot be rewritten', async (t) => {
    const given = { amount: { currency: 'GBP', value: 100 }, reason: 'goodwill', reference: 'one' }
    const body = { ...given, direction: 'credit' }
    const path = `/v1/accounts/${await newAccount()}/adjustments`
    t.equal((await call('POST', path, { body })).status, 201)
    for (const table of ['ledger_transfer', 'payment_event', 'allocation', 'adjustment']) {
      await t.rejects(sql`delete from ${sql.table(table)}`.execute(db), /append-only/)
      await t.rejects(sql`truncate ${sql.table(table)} cascade`.execute(db), /append-only/)
    }
    await t.rejects(sql`update ledger_transfer set amount = 1`.execute(db), /append-only/)
    await t.rejects(sql`update payment_event set data = '{}'`.execute(db), /append-only/)
  })
})
