/** Creates that share a statement: what becomes of one is not what becomes of the others. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { cuttable } from '../cuttable.ts'
import { eventually } from '../feed/consumer.ts'
import { checkMoney } from '../invariants.ts'
import { testDatabase } from '../test-database.ts'
import { type Answer, addClient, newAccountId, paymentBody, testService } from '../test-service.ts'

const { url, db } = await testDatabase(t)
const way = await cuttable(t, url)
const service = await testService(t, { databaseUrl: way.url, adyenTimeoutMs: 1_000 })
const key = await addClient(db, {})
const accountId = newAccountId()
const { call, control } = service
await call('PUT', `/v1/accounts/${accountId}`, { key, body: { currency: 'GBP' } })

/** A create of that amount, under a key that says so. */
const create = (value: number, more: object = {}) =>
  call('POST', '/v1/payments', {
    ...{ key, idempotencyKey: `key-${value}` },
    body: { ...paymentBody(accountId), amount: { currency: 'GBP', value }, ...more }
  })

const amounts = (first: number, count: number) =>
  Array.from({ length: count }, (_, place) => first + place)

/** Repeats what was not answered, until each is; a key has one payment, and one page. */
async function untilMade(values: readonly number[], answers: readonly Answer[]) {
  const repeat = async (value: number, place: number) => {
    let answer = answers[place] as Answer
    while (answer.status !== 201) {
      t.match(answer.body.code, /^(overloaded|idempotency_key_in_flight|provider_unavailable)$/)
      await sleep(100)
      answer = await create(value)
    }
    t.equal(answer.body.amount.value, value, 'its own answer')
    t.equal((await create(value)).text, answer.text, 'which stays')
  }
  await Promise.all(values.map(repeat))
  const made = await db
    .selectFrom('payment')
    .select(['id', 'amount'])
    .where('amount', 'in', values)
    .orderBy('amount')
    .execute()
  t.same(
    made.map(({ amount }) => amount),
    values
  )
  const { body: sessions } = await control('GET', '/_simulator/sessions')
  const references = sessions.map(
    (one: { request: { reference: string } }) => one.request.reference
  )
  for (const { id } of made) {
    t.equal(references.filter((one: string) => one === id).length, 1, 'one page')
  }
}

t.test('one that the database refuses is refused alone', async (t) => {
  await sql`alter table payment add constraint of_this_test check (amount <> 104)`.execute(db)
  const values = amounts(100, 10)
  const answers = await Promise.all(values.map((value) => create(value)))
  t.same(
    answers.map(({ status, body }) => (status === 201 ? body.amount.value : status)),
    values.map((value) => (value === 104 ? 500 : value))
  )
  t.equal((await create(104)).status, 500, 'and its key is free')
  await sql`alter table payment drop constraint of_this_test`.execute(db)
  t.equal((await create(104)).status, 201)
})

t.test('one that is locked, and one whose caller has gone, keep no other waiting', async (t) => {
  const locked = [201, 202]
  await Promise.all(locked.map((value) => create(value)))
  const gone = new AbortController()
  const again = (value: number, signal?: AbortSignal) =>
    fetch(`${service.url}/v1/payments`, {
      method: 'POST',
      headers: {
        ...{ authorization: `Bearer ${key}`, 'idempotency-key': `again-${value}` },
        'content-type': 'application/json'
      },
      body: JSON.stringify({
        ...paymentBody(accountId),
        ...{ amount: { currency: 'GBP', value }, allowDuplicate: true }
      }),
      ...(signal && { signal })
    })
  const values = amounts(210, 12)
  const waiting = await db.transaction().execute(async (tx) => {
    await sql`select from latest_payment where amount in (201, 202) for update`.execute(tx)
    const [waiting, lost] = [again(201), again(202, gone.signal).catch(() => 'gone')]
    const answers = await Promise.all(values.map((value) => create(value)))
    gone.abort()
    t.equal(await lost, 'gone')
    await untilMade(values, answers)
    return waiting
  })
  const { status } = await waiting
  t.ok(status === 201 || status === 503, `${status}`)
  for (const value of locked) {
    const answer = await eventually(
      () => again(value),
      ({ status }) => status === 201
    )
    const { id } = (await answer.json()) as { id: string }
    const made = await db
      .selectFrom('payment')
      .select('id')
      .where('idempotency_key', '=', `again-${value}`)
      .execute()
    t.same(made, [{ id }])
  }
})

t.test('where answers of the database are lost, each finds its own under its key', async (t) => {
  const values = amounts(300, 40)
  const isWritten = async () => {
    const { rows } = await sql`select from payment where amount between 300 and 339`.execute(db)
    return rows.length
  }
  // Over a connection that is open: one that opens now would never hear that it may write.
  t.equal((await create(340)).status, 201)
  way.deafen()
  const asked = values.map((value) => create(value))
  await eventually(isWritten, (count) => count > 0)
  way.cut()
  const answers = await Promise.all(asked)
  const lost = answers.filter(({ status }) => status === 503)
  t.ok(lost.length > 0)
  for (const { body } of lost) t.equal(body.code, 'overloaded')
  way.mend()
  await untilMade(values, answers)
  await checkMoney(t, db)
})
