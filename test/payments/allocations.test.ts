/** What a payment's answer says of its money: the charges that it pays, and what is left. */
import { parse } from 'csv-parse/sync'
import { sql } from 'kysely'
import t from 'tap'
import { creditPartsColumn } from '../../src/ledger/ledger.store.ts'
import { checkMoney } from '../invariants.ts'
import { registerCard } from '../registered-card.ts'
import { newAccountId, testService } from '../test-service.ts'

const gbp = (value: number) => ({ currency: 'GBP', value })

t.test('every answer says what a payment pays, as it stands now', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, control, createPayment, pay, until, db } = service
  const post = (path: string, body: unknown, headers = {}) =>
    call('POST', path, { body, headers, idempotencyKey: crypto.randomUUID() })
  const addAccount = async () => {
    const id = newAccountId()
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' } })
    return id
  }
  const charge = async (
    accountId: string,
    value: number,
    reference: string,
    dueAt = '2026-01-01'
  ) =>
    (
      await post(`/v1/accounts/${accountId}/charges`, {
        ...{ amount: gbp(value), reference, dueAt: `${dueAt}T00:00:00Z` }
      })
    ).body.id as string
  const read = async (id: string) => await call('GET', `/v1/payments/${id}`)
  const paid = async (changes: object) => {
    const { id } = await createPayment({ ...changes })
    await pay(id)
    return await until(id, ({ status }) => status === 'captured')
  }

  t.test('by the rule, and less once money went back', async (t) => {
    const accountId = await addAccount()
    const old = await charge(accountId, 1500, 'INV-1')
    const young = await charge(accountId, 2000, 'INV-2', '2026-02-01')
    const created = await createPayment({ accountId })
    t.match(created, { allocations: [], amountUnallocated: 0 })
    t.same((await read(created.id)).body, created, 'a pending one pays nothing')
    await pay(created.id)
    const captured = await until(created.id, ({ status }) => status === 'captured')
    const both = [
      { chargeId: old, reference: 'INV-1', amount: 1500 },
      { chargeId: young, reference: 'INV-2', amount: 1000 }
    ]
    t.same([captured.allocations, captured.amountUnallocated], [both, 0])

    const before = await read(created.id)
    const ifMatch = { 'if-match': before.headers.get('etag') ?? '' }
    const refund = await post(`/v1/payments/${created.id}/refunds`, { amount: gbp(700) }, ifMatch)
    t.equal(refund.status, 202, 'If-Match takes what was read')
    await until(created.id, ({ amountRefunded }) => amountRefunded === 700)
    const refunded = await read(created.id)
    t.not(refunded.headers.get('etag'), before.headers.get('etag'))
    const rest = [both[0], { ...both[1], amount: 300 }]
    t.same([refunded.body.allocations, refunded.body.amountUnallocated], [rest, 0])

    const { body: list } = await call('GET', `/v1/payments?accountId=${accountId}`)
    t.same(list.data, [refunded.body], 'a list says the same')
    const csv = await call('GET', `/v1/payments?accountId=${accountId}`, {
      headers: { accept: 'text/csv' }
    })
    const [row] = parse<Record<string, string>>(csv.text, { columns: true })
    t.match(row, { allocations: JSON.stringify(rest), amountUnallocated: '0' })

    await control('POST', `/_simulator/payments/${captured.provider.reference}/dispute`, {
      eventCode: 'CHARGEBACK'
    })
    await until(created.id, ({ amountChargedBack }) => amountChargedBack === 2500)
    t.match((await read(created.id)).body, { allocations: [], amountUnallocated: 0 })
    const { body: events } = await call('GET', `/v1/payments/${created.id}/events?limit=100`)
    const shown = events.data.flatMap((one: { data: { payment: object } }) =>
      Object.keys(one.data.payment)
    )
    t.notOk(shown.includes('allocations'), 'events have the payment as it was')
    t.ok(shown.includes('amountRefundable'))
  })

  t.test('what is left is credit, until a charge takes it', async (t) => {
    const accountId = await addAccount()
    const { id, allocations, amountUnallocated } = await paid({ accountId })
    t.same([allocations, amountUnallocated], [[], 2500])
    const before = await read(id)
    const known = { 'if-none-match': before.headers.get('etag') ?? '' }
    t.equal((await call('GET', `/v1/payments/${id}`, { headers: known })).status, 304)
    const chargeId = await charge(accountId, 900, 'INV-3')
    const after = await call('GET', `/v1/payments/${id}`, { headers: known })
    t.equal(after.status, 200, 'it is another answer, without an event of the payment')
    t.match(after.body, {
      allocations: [{ chargeId, reference: 'INV-3', amount: 900 }],
      amountUnallocated: 1600
    })
  })

  t.test('named charges first; also where the answer comes with the money', async (t) => {
    const accountId = await addAccount()
    const registeredCardId = await registerCard(service, accountId)
    const [{ id: first }] = (await call('GET', `/v1/payments?accountId=${accountId}`)).body.data
    await post(`/v1/payments/${first}/refunds`, { amount: gbp(2500) })
    await until(first, ({ amountRefunded }) => amountRefunded === 2500)
    const old = await charge(accountId, 2500, 'OLD')
    const named = await charge(accountId, 4000, 'NAMED', '2026-03-01')
    const taken = await createPayment({
      ...{ accountId, method: 'registeredCard', registeredCardId, returnUrl: undefined },
      ...{ channel: 'ivr', allocations: [{ chargeId: named, amount: 1000 }] }
    })
    t.match(taken, { status: 'captured', amountUnallocated: 0 })
    t.same(taken.allocations, [
      { chargeId: named, reference: 'NAMED', amount: 1000 },
      { chargeId: old, reference: 'OLD', amount: 1500 }
    ])
    t.same((await read(taken.id)).body.allocations, taken.allocations)

    const record = {
      ...{ accountId, amount: gbp(4500), channel: 'ivr', outcome: 'captured' },
      ...{ processor: { name: 'till', reference: accountId }, takenAt: '2026-01-01T00:00:00Z' }
    }
    const recorded = await call('POST', '/v1/recorded-payments', { body: record })
    t.equal(recorded.status, 201, recorded.text)
    t.match(recorded.body, {
      allocations: [
        { chargeId: old, amount: 1000 },
        { chargeId: named, amount: 3000 }
      ],
      amountUnallocated: 500
    })
    const again = await call('POST', '/v1/recorded-payments', { body: record })
    t.same([again.status, again.body], [200, recorded.body])
  })

  t.test('If-Match takes what a client of ours has read of a refused attempt', async (t) => {
    const { id } = await createPayment()
    await pay(id, 'NOT_ENOUGH_BALANCE')
    await until(id, ({ failure }) => failure?.providerMessage !== undefined)
    const etag = (await read(id)).headers.get('etag') ?? ''
    const answer = await post(`/v1/payments/${id}/cancellation`, {}, { 'if-match': etag })
    t.equal(answer.status, 202, answer.text)
  })

  t.test('nothing is looked for where no money is', async (t) => {
    const { id: pending } = await createPayment()
    const { id: captured } = await paid({})
    for (const [id, isRun] of [
      [pending, false],
      [captured, true]
    ] as const) {
      const { rows } = await sql<{ 'QUERY PLAN': string }>`
        explain (analyze, costs off, timing off) select id, ${sql.raw(creditPartsColumn)}
        from payment where id = ${id}`.execute(db)
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
      t.match(plan, /SubPlan/)
      t.equal(/on ledger_transfer t \(never executed\)/.test(plan), !isRun, plan)
    }
  })

  t.test('ids that cannot be are none', async (t) => {
    for (const id of ['%00', '%F0%9F%92%B3', '"', '%22%5D', 'pay_%5Cu0000', "'"]) {
      t.equal((await read(id)).status, 404, id)
    }
  })

  t.test('the money is right', (t) => checkMoney(t, db))
})
