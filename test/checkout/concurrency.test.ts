import { sql } from 'kysely'
import t from 'tap'
import { newAccountId, paymentBody, testService } from '../test-service.ts'

t.test('16 identical creates at once make one payment and one session, and no 5xx', async (t) => {
  const { call, control, db } = await testService(t, { duplicateWindowS: 0 })
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  await control('PUT', '/_simulator/faults', { api: { delayMs: { ms: 100 } } })
  const idempotencyKey = crypto.randomUUID()
  const create = () =>
    call('POST', '/v1/payments', { body: paymentBody(accountId), idempotencyKey })

  const answers = await Promise.all(Array.from({ length: 16 }, create))
  const made = answers.filter(({ status }) => status === 201)
  t.ok(made.length >= 1)
  for (const answer of answers) {
    if (answer.status === 201) t.equal(answer.text, made[0]?.text)
    else t.match(answer, { status: 409, body: { code: 'idempotency_key_in_flight' } })
  }
  const last = await create()
  t.equal(last.text, made[0]?.text)

  const payments = await db.selectFrom('payment').select('id').execute()
  t.equal(payments.length, 1)
  const { body: sessions } = await control('GET', '/_simulator/sessions')
  t.equal(sessions.length, 1)
})

t.test('two payments of one charge at once: one pays it, the other is credit', async (t) => {
  const { call, createPayment, pay, until } = await testService(t, { duplicateWindowS: 0 })
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const amount = { currency: 'GBP', value: 2500 }
  const charge = { amount, reference: 'INV-1', dueAt: '2026-01-01T00:00:00Z' }
  await call('POST', `/v1/accounts/${accountId}/charges`, { body: charge })
  const payments = await Promise.all([1, 2, 3, 4].map(() => createPayment({ accountId })))
  await Promise.all(payments.map(({ id }) => pay(id)))
  await Promise.all(payments.map(({ id }) => until(id, ({ status }) => status === 'captured')))
  const { body } = await call('GET', `/v1/accounts/${accountId}`)
  t.match(body.balance, { outstanding: { value: 0 }, credit: { value: 7500 } })
})

t.test('a page result and its notification at once credit the account once', async (t) => {
  const { call, control, createPayment, pay, until, db } = await testService(t, {
    duplicateWindowS: 0
  })
  for (let round = 0; round < 8; round++) {
    const { id, accountId } = await createPayment()
    await control('PUT', '/_simulator/faults', {
      webhooks: { duplicate: { copies: 3, concurrently: true } }
    })
    const { body } = await pay(id)
    const returns = await Promise.all(
      [1, 2, 3].map(() => fetch(body.redirect, { redirect: 'manual' }))
    )
    for (const back of returns) {
      t.equal(back.status, 303)
      t.equal(back.headers.get('location'), `http://127.0.0.1:1/paid?basket=7&paymentId=${id}`)
    }
    const paid = await until(id, (payment) => payment.card !== null)
    t.match(paid, { status: 'captured', card: { lastFour: '1111' } })
    const account = await call('GET', `/v1/accounts/${accountId}`)
    t.equal(account.body.balance.credit.value, 2500)
  }
  const { rows } = await sql<{ waiting: number }>`
    select count(*) as waiting from notification where status <> 'applied'`.execute(db)
  t.equal(rows[0]?.waiting, 0)
})
