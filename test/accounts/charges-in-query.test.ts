import t from 'tap'
import { checkMoney } from '../invariants.ts'
import { newAccountId, testService } from '../test-service.ts'

t.test('charges in query', async (t) => {
  const { call, createPayment, db, pay, until } = await testService(t)
  const change = (accountId: string, chargeId: string, body: unknown, options = {}) =>
    call('PATCH', `/v1/accounts/${accountId}/charges/${chargeId}`, { body, ...options })

  async function newAccount(): Promise<string> {
    const id = newAccountId()
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' } })
    return id
  }
  async function charge(id: string, reference: string, value: number) {
    const body = { amount: { currency: 'GBP', value }, reference, dueAt: '2026-01-01T00:00:00Z' }
    return (await call('POST', `/v1/accounts/${id}/charges`, { body })).body
  }
  async function capture(accountId: string, value: number): Promise<void> {
    const { id } = await createPayment({ accountId, amount: { currency: 'GBP', value } })
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
  }
  async function balanceOf(id: string) {
    const { balance } = (await call('GET', `/v1/accounts/${id}`)).body
    const values = Object.entries(balance as Record<string, { value: number }>)
    return Object.fromEntries(values.map(([name, { value }]) => [name, value]))
  }

  t.test('200 the charge, the same when it is said again', async (t) => {
    const id = await newAccount()
    const made = await charge(id, 'a', 1000)
    const first = await change(id, made.id, { inQuery: true })
    t.equal(first.status, 200)
    t.same(first.body, { ...made, inQuery: true })
    t.same((await change(id, made.id, { inQuery: true })).body, first.body)
    t.same(await balanceOf(id), { outstanding: 1000, overdue: 0, inQuery: 1000, credit: 0 })
    t.same((await change(id, made.id, { inQuery: false })).body, made)
    t.same((await change(id, made.id, { inQuery: false })).body, made)
    t.same(await balanceOf(id), { outstanding: 1000, overdue: 1000, inQuery: 0, credit: 0 })
    const { body } = await call('GET', `/v1/accounts/${id}/charges`)
    t.same(body.data, [made])
  })

  t.test('what was paid is kept; waiting credit pays it once it is not in query', async (t) => {
    const id = await newAccount()
    const { id: chargeId } = await charge(id, 'a', 1000)
    await capture(id, 400)
    t.match((await change(id, chargeId, { inQuery: true })).body, { openAmount: 600 })
    await capture(id, 700)
    t.same(await balanceOf(id), { outstanding: 600, overdue: 0, inQuery: 600, credit: 700 })
    const { body } = await change(id, chargeId, { inQuery: false })
    t.match(body, { openAmount: 0, inQuery: false, status: 'paid' }, 'at once')
    t.same(await balanceOf(id), { outstanding: 0, overdue: 0, inQuery: 0, credit: 100 })
    t.match((await change(id, chargeId, { inQuery: true })).body, { openAmount: 0, status: 'paid' })
  })

  t.test('a closed account says the same of its charges', async (t) => {
    const id = await newAccount()
    const { id: chargeId } = await charge(id, 'a', 1000)
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP', status: 'closed' } })
    t.match(await change(id, chargeId, { inQuery: true }), { status: 200, body: { inQuery: true } })
  })

  t.test("404 for a charge that there is not, or is another account's", async (t) => {
    const [id, other] = [await newAccount(), await newAccount()]
    const { id: chargeId } = await charge(other, 'a', 1000)
    for (const none of [chargeId, 'chg_0000000000000000', 'none', '%00', 'x'.repeat(100)]) {
      const answer = await change(id, none, { inQuery: true })
      t.equal(answer.status, 404, none)
      t.equal(answer.body.code, 'charge_not_known', none)
    }
    for (const account of ['99999999', '0', 'abc']) {
      const answer = await change(account, chargeId, { inQuery: true })
      t.equal(answer.status, 404, account)
      t.equal(answer.body.code, 'account_not_known', account)
    }
    t.match((await call('GET', `/v1/accounts/${other}/charges`)).body.data, [{ inQuery: false }])
  })

  t.test('400 for anything but inQuery, true or false', async (t) => {
    const id = await newAccount()
    const { id: chargeId } = await charge(id, 'a', 1000)
    for (const [body, pointer] of [
      [{}, '/inQuery'],
      [{ inQuery: 'true' }, '/inQuery'],
      [{ inQuery: null }, '/inQuery'],
      [{ inQuery: true, openAmount: 0 }, '/openAmount']
    ] as const) {
      const answer = await change(id, chargeId, body)
      t.equal(answer.status, 400)
      t.equal(answer.body.errors[0].pointer, pointer)
    }
  })

  t.test('the money is right', (t) => checkMoney(t, db))
})
