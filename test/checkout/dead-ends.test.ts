import { sql } from 'kysely'
import t from 'tap'
import { newAccountId, paymentBody, testService } from '../test-service.ts'

t.test('nothing leads into a dead end', async (t) => {
  const service = await testService(t, { adyenTimeoutMs: 300, duplicateWindowS: 0 })
  const { call, control, createPayment, db, pay, until } = service
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const create = (idempotencyKey: string) =>
    call('POST', '/v1/payments', { body: paymentBody(accountId), idempotencyKey })

  t.test('a payment that ends before its page is known still answers its key', async (t) => {
    await control('PUT', '/_simulator/faults', { api: { hangAfterWork: true } })
    const key = crypto.randomUUID()
    const { paymentId } = (await create(key)).body
    await control('POST', '/_simulator/webhooks', {
      items: [
        {
          eventCode: 'OFFER_CLOSED',
          success: 'true',
          pspReference: 'ABCDEFGH12345678',
          merchantReference: paymentId,
          amount: { currency: 'GBP', value: 2500 }
        }
      ]
    })
    await until(paymentId, ({ status }) => status === 'expired')
    await control('PUT', '/_simulator/faults', { api: { hangAfterWork: false } })
    const first = await create(key)
    t.match(first, { status: 201, body: { id: paymentId, status: 'expired' } })
    const again = await create(key)
    t.equal(again.text, first.text)
    t.equal(again.headers.get('idempotent-replayed'), 'true')
  })

  t.test('a finisher that comes late does not take back the page of another', async (t) => {
    await control('PUT', '/_simulator/faults', {
      api: { delayMs: { ms: 200, times: 1 }, status4xx: { times: 1 } }
    })
    const key = crypto.randomUUID()
    const late = create(key)
    const find = () =>
      db
        .selectFrom('payment')
        .select('id')
        .where('idempotency_key', '=', key)
        .where('provider_session', 'is', null)
        .executeTakeFirst()
    let found = await find()
    while (found === undefined) found = await find()
    await sql`update payment set provider_session = 'CS0', checkout_url = 'https://page.example/',
      next_attempt_at = now() + interval '1 hour' where id = ${found.id}`.execute(db)
    t.match(await late, { status: 201, body: { checkout: { url: 'https://page.example/' } } })
    t.equal((await call('GET', `/v1/payments/${found.id}`)).body.status, 'pending')
  })

  t.test('a payment that somebody holds does not stop the notifications of others', async (t) => {
    const held = await createPayment({ accountId })
    const other = await createPayment({ accountId })
    await db.transaction().execute(async (tx) => {
      await sql`select id from payment where id = ${held.id} for update`.execute(tx)
      await pay(held.id)
      await pay(other.id)
      const paid = await until(other.id, ({ status }) => status === 'captured')
      t.equal(paid.status, 'captured')
    })
    await until(held.id, ({ status }) => status === 'captured')
  })

  t.test('a column that a migration adds does not disturb what is prepared', async (t) => {
    const before = await createPayment({ accountId })
    await call('GET', `/v1/payments/${before.id}`)
    await sql`alter table payment add column added_later text`.execute(db)
    await sql`alter table notification add column added_later text`.execute(db)
    t.equal((await call('GET', `/v1/payments/${before.id}`)).status, 200)
    await pay(before.id)
    await until(before.id, ({ status }) => status === 'captured')
  })
})
