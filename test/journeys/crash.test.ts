import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { registerCard } from '../registered-card.ts'
import { killable } from '../service-process.ts'
import { addClient, newAccountId, paymentBody, toolsOf } from '../test-service.ts'

/** A service that can be killed, and an account whose payments it makes. */
async function setUp(t: Test, adyenTimeoutMs = 2_000) {
  const { db, databaseUrl, url, simulatorUrl, start } = await killable(t, {
    ADYEN_TIMEOUT_MS: String(adyenTimeoutMs)
  })
  const key = await addClient(db, { returnOrigins: ['https://selfcare.example'] })
  const tools = toolsOf(url, simulatorUrl, db, key)
  const accountId = newAccountId()
  const create = (idempotencyKey: string) =>
    tools.call('POST', '/v1/payments', {
      body: { ...paymentBody(accountId), returnUrl: 'https://selfcare.example/paid' },
      idempotencyKey
    })
  const untilAnswered = async (idempotencyKey: string) => {
    for (;;) {
      const answer = await create(idempotencyKey)
      if (answer.status !== 409) return answer
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
  const running = await start()
  await tools.call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  return { ...tools, db, databaseUrl, start, running, accountId, create, untilAnswered }
}

async function sessionsAt(control: (method: string, path: string) => Promise<{ body: unknown }>) {
  const { body } = await control('GET', '/_simulator/sessions')
  return body as Array<{ request: { reference: string } }>
}

t.test('SIGKILL while Adyen has done the work and its answer is on the way', async (t) => {
  const { control, create, running, start, untilAnswered, db } = await setUp(t)
  await control('PUT', '/_simulator/faults', { api: { hangAfterWork: { ms: 5_000, times: 1 } } })
  const lost = create('key-1').catch(() => 'lost')
  while ((await sessionsAt(control)).length === 0)
    await new Promise((resolve) => setTimeout(resolve, 10))
  await running.kill()
  t.equal(await lost, 'lost')

  await start()
  const answer = await untilAnswered('key-1')
  t.equal(answer.status, 201)
  const sessions = await sessionsAt(control)
  t.equal(sessions.length, 1, 'one session')
  t.equal(sessions[0]?.request.reference, answer.body.id)
  t.equal((await db.selectFrom('payment').select('id').execute()).length, 1, 'one payment')
  t.equal((await create('key-1')).text, answer.text, 'the same answer again')
})

t.test("SIGKILL between Adyen's answer and our commit", async (t) => {
  const { control, create, running, start, untilAnswered, db } = await setUp(t)
  await control('PUT', '/_simulator/faults', { api: { delayMs: { ms: 300, times: 1 } } })
  const lost = create('key-2').catch(() => 'lost')
  const find = () => db.selectFrom('payment').select(['id']).executeTakeFirst()
  while ((await find()) === undefined) await new Promise((resolve) => setTimeout(resolve, 5))

  // Somebody holds the row, so that the outcome waits although Adyen has answered.
  await db.transaction().execute(async (tx) => {
    await sql`select id from payment for update`.execute(tx)
    while ((await sessionsAt(control)).length === 0)
      await new Promise((resolve) => setTimeout(resolve, 5))
    const blocked = sql<{ n: number }>`
      select count(*) as n from pg_stat_activity
      where wait_event_type = 'Lock' and query like '%set provider_session = session%'`
    while ((await blocked.execute(db)).rows[0]?.n === 0)
      await new Promise((resolve) => setTimeout(resolve, 5))
    await running.kill()
    // PostgreSQL notices a client that is gone only when it speaks to it.
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where wait_event_type = 'Lock' and query like '%set provider_session = session%'`.execute(db)
  })
  t.equal(await lost, 'lost')

  await start()
  const answer = await untilAnswered('key-2')
  t.equal(answer.status, 201)
  t.equal((await sessionsAt(control)).length, 1, 'one session')
  t.equal((await db.selectFrom('payment').select('id').execute()).length, 1, 'one payment')
})

t.test(
  'without a retry of the caller, the background work finishes what was interrupted',
  async (t) => {
    const { control, create, running, start, db } = await setUp(t)
    await control('PUT', '/_simulator/faults', { api: { hangAfterWork: { ms: 5_000, times: 1 } } })
    const lost = create('key-3').catch(() => 'lost')
    while ((await sessionsAt(control)).length === 0)
      await new Promise((resolve) => setTimeout(resolve, 10))
    await running.kill()
    await lost
    const find = () =>
      db.selectFrom('payment').select(['checkout_url', 'idempotency_key']).executeTakeFirstOrThrow()
    t.equal((await find()).checkout_url, null)

    await start()
    while ((await find()).checkout_url === null)
      await new Promise((resolve) => setTimeout(resolve, 50))
    const answer = await create('key-3')
    t.equal(answer.status, 201)
    t.equal(answer.headers.get('idempotent-replayed'), 'true')
    t.equal((await sessionsAt(control)).length, 1)
  }
)

t.test('SIGKILL while a card is charged: it is charged once, whoever asks again', async (t) => {
  for (const retries of [true, false]) {
    const { control, call, running, start, db, accountId, ...tools } = await setUp(t)
    const registeredCardId = await registerCard({ call, control, ...tools }, accountId)
    const charge = () =>
      call('POST', '/v1/payments', {
        body: {
          accountId,
          amount: { currency: 'GBP', value: 700 },
          channel: 'ivr',
          method: 'registeredCard',
          registeredCardId
        },
        idempotencyKey: 'key-charge'
      })
    const charges = async () => {
      const { body } = await control('GET', '/_simulator/payments')
      return body.filter((one: { amount: { value: number } }) => one.amount.value === 700)
    }
    await control('PUT', '/_simulator/faults', {
      api: { hangAfterWork: { ms: 5_000, times: 1 } },
      webhooks: { drop: { times: 1 } }
    })
    const lost = charge().catch(() => 'lost')
    while ((await charges()).length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    await running.kill()
    t.equal(await lost, 'lost')

    await start()
    const find = () =>
      db
        .selectFrom('payment')
        .select(['id', 'status'])
        .where('idempotency_key', '=', 'key-charge')
        .executeTakeFirstOrThrow()
    if (retries) {
      let answer = await charge()
      while (answer.status === 409) {
        await new Promise((resolve) => setTimeout(resolve, 200))
        answer = await charge()
      }
      t.match(answer, { status: 201, body: { id: (await find()).id } })
    }
    while ((await find()).status !== 'captured')
      await new Promise((resolve) => setTimeout(resolve, 50))
    const answer = await charge()
    t.equal(answer.status, 201)
    t.equal(answer.headers.get('idempotent-replayed'), 'true')
    t.equal((await charges()).length, 1)
    const { body } = await call('GET', `/v1/accounts/${accountId}`)
    t.equal(body.balance.credit.value, 2500 + 700)
  }
})

t.test('what was acknowledged before SIGKILL is applied after it', async (t) => {
  const { call, control, create, running, start, pay, until, db, accountId } = await setUp(t)
  const { body: payment } = await create('key-4')
  // The worker can't apply while somebody holds the payment, so the kill comes before it has.
  await db.transaction().execute(async (tx) => {
    await sql`select id from payment for update`.execute(tx)
    await pay(payment.id)
    const stored = () => db.selectFrom('notification').select('id').execute()
    while ((await stored()).length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    const isTold = async () => {
      const { body } = await control('GET', '/_simulator/webhooks')
      return body[0]?.attempts[0]?.status === 202
    }
    while (!(await isTold())) await new Promise((resolve) => setTimeout(resolve, 10))
    await running.kill()
  })
  const { body: webhooks } = await control('GET', '/_simulator/webhooks')
  t.equal(webhooks[0].attempts[0].status, 202, 'Adyen was told that we have it')

  await start()
  await until(payment.id, ({ status }) => status === 'captured')
  const { body } = await call('GET', `/v1/accounts/${accountId}`)
  t.equal(body.balance.credit.value, 2500)
})

t.test('SIGTERM under load: what was accepted is answered, and it ends with 0', async (t) => {
  const { create, running, control, db } = await setUp(t, 6_000)
  await control('PUT', '/_simulator/faults', { api: { delayMs: { ms: 2_000 } } })
  let answered = 0
  const answers = Array.from({ length: 20 }, async (_, place) => {
    const { status } = await create(`term-${place}`)
    answered += 1
    return status
  })
  // Only what has been written down was surely accepted.
  const begun = db.selectFrom('payment').select('id')
  while ((await begun.execute()).length < answers.length) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  t.ok(answered < answers.length, 'it is stopped while callers wait')
  t.equal(await running.stop(), 0)
  t.same(
    await Promise.all(answers),
    answers.map(() => 201)
  )
})
