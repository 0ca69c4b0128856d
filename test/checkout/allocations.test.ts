import t from 'tap'
import { newAccountId, paymentBody, testService } from '../test-service.ts'

t.test('a payment may name what it pays', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, pay, until, db } = service
  const addAccount = async () => {
    const id = newAccountId()
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' } })
    return id
  }
  const accountId = await addAccount()
  const push = async (account: string, value: number, reference: string) => {
    const body = { amount: { currency: 'GBP', value }, reference, dueAt: '2026-01-01T00:00:00Z' }
    return (await call('POST', `/v1/accounts/${account}/charges`, { body })).body.id as string
  }
  const create = (allocations: unknown) =>
    call('POST', '/v1/payments', {
      body: { ...paymentBody(accountId), allocations },
      idempotencyKey: crypto.randomUUID()
    })
  const [old, exact, young] = [
    await push(accountId, 1000, 'OLD'),
    await push(accountId, 2500, 'EXACT'),
    await push(accountId, 2000, 'YOUNG')
  ] as [string, string, string]

  t.test('and they are paid before any other', async (t) => {
    const { status, body } = await create([{ chargeId: young, amount: 1900 }])
    t.equal(status, 201)
    const stored = await db
      .selectFrom('payment')
      .select('allocations')
      .where('id', '=', body.id)
      .executeTakeFirstOrThrow()
    t.same(stored.allocations, [{ chargeId: young, amount: 1900 }])
    await pay(body.id)
    await until(body.id, ({ status }) => status === 'captured')
    const { body: list } = await call('GET', `/v1/accounts/${accountId}/charges`)
    const open = Object.fromEntries(
      list.data.map((one: { id: string; openAmount: unknown }) => [one.id, one.openAmount])
    )
    t.equal(open[young], 100)
    t.equal(open[old], 400, 'the rest goes by the rule')
    t.equal(open[exact], 2500)
  })

  t.test('422 when they are more than the amount', async (t) => {
    const answer = await create([
      { chargeId: old, amount: 2500 },
      { chargeId: young, amount: 1 }
    ])
    t.match(answer, { status: 422, body: { code: 'allocations_exceed_amount' } })
    t.equal(answer.body.errors[0].pointer, '/allocations')
  })

  t.test('422 when the account has no such charge, and each is named', async (t) => {
    const foreign = await push(await addAccount(), 100, 'FOREIGN')
    const answer = await create([
      { chargeId: foreign, amount: 1 },
      { chargeId: old, amount: 1 },
      { chargeId: 'chg_0000000000000000', amount: 1 }
    ])
    t.match(answer, { status: 422, body: { code: 'charge_not_found' } })
    t.same(
      answer.body.errors.map(({ pointer }: { pointer: string }) => pointer),
      ['/allocations/0/chargeId', '/allocations/2/chargeId']
    )
  })

  t.test('400 when one is named twice, or is no allocation', async (t) => {
    const twice = await create([
      { chargeId: old, amount: 1 },
      { chargeId: old, amount: 1 }
    ])
    t.match(twice, { status: 400, body: { code: 'request_invalid' } })
    t.equal(twice.body.errors[0].pointer, '/allocations/1/chargeId')
    const wrong: Array<[unknown, string]> = [
      [[{ chargeId: old, amount: 0 }], '/allocations/0/amount'],
      [[{ chargeId: old, amount: 1.5 }], '/allocations/0/amount'],
      [[{ chargeId: old, amount: '1' }], '/allocations/0/amount'],
      [[{ chargeId: old, amount: { currency: 'GBP', value: 1 } }], '/allocations/0/amount'],
      [[{ chargeId: old }], '/allocations/0/amount'],
      [[{ amount: 1 }], '/allocations/0/chargeId'],
      [[{ chargeId: old, amount: 1, note: 'x' }], '/allocations/0/note'],
      [{}, '/allocations'],
      [Array.from({ length: 101 }, () => ({ chargeId: old, amount: 1 })), '/allocations']
    ]
    for (const [allocations, pointer] of wrong) {
      const answer = await create(allocations)
      t.equal(answer.status, 400, pointer)
      t.equal(answer.body.errors[0].pointer, pointer)
    }
  })

  t.test('none at all is the rule alone', async (t) => {
    t.equal((await create([])).status, 201)
  })
})
