/**
 * A service that is killed again and again while its statements hold many requests. More often by
 * hand: `KILLS=50 npx tap run --timeout=1200 test/journeys/kills.test.ts`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../feed/consumer.ts'
import { checkMoney } from '../invariants.ts'
import { killable } from '../service-process.ts'
import { type Answer, addClient, newAccountId, paymentBody, toolsOf } from '../test-service.ts'

const kills = Number(process.env.KILLS ?? 3)
const atOnce = 64
const betweenMs = 3
const returnUrl = 'https://selfcare.example/paid'

t.test('SIGKILL in the middle of batches loses nothing and doubles nothing', async (t) => {
  const env = { DUPLICATE_WINDOW_S: '600', ADYEN_TIMEOUT_MS: '1000' }
  const { db, url, simulatorUrl, start } = await killable(t, env)
  const { call, control, pay } = toolsOf(url, simulatorUrl, db, await addClient(db, {}))
  const accountId = newAccountId()
  let running = await start()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const create = (value: number) =>
    call('POST', '/v1/payments', {
      body: { ...paymentBody(accountId), returnUrl, amount: { currency: 'GBP', value } },
      idempotencyKey: `key-${value}`
    })
  /** What was answered, by the amount. */
  const answers = new Map<number, Answer>()
  const paid = new Set<string>()
  for (let round = 0; round < kills; round += 1) {
    // Adyen tells of what is paid meanwhile, until somebody listens.
    const unpaid = [...answers.values()].map(({ body }) => body.id).filter((id) => !paid.has(id))
    const paying = unpaid.slice(0, 20).map((id) => pay(paid.add(id) && id))
    // Somewhere between the first answer and the last one, while others are at every step.
    let left = 1 + Math.floor(Math.random() * atOnce)
    const enough = Promise.withResolvers<void>()
    const asked = Array.from({ length: atOnce }, async (_, place) => {
      const value = 1_000 + round * atOnce + place
      await sleep(place * betweenMs)
      const answer = await create(value).catch(() => undefined)
      if (answer?.status === 201) answers.set(value, answer)
      left -= 1
      if (left === 0) enough.resolve()
    })
    await enough.promise
    await running.kill()
    await Promise.all([...asked, ...paying])
    running = await start()
  }

  let lost = 0
  const values = Array.from({ length: kills * atOnce }, (_, place) => 1_000 + place)
  const untilAnswered = async (value: number) => {
    for (;;) {
      const answer = await create(value)
      if (answer.status === 201) return answer
      if (answer.body.code !== 'idempotency_key_in_flight') throw new Error(answer.text)
      await sleep(200)
    }
  }
  for (let start = 0; start < values.length; start += atOnce) {
    await Promise.all(
      values.slice(start, start + atOnce).map(async (value) => {
        const [known, answer] = [answers.get(value), await untilAnswered(value)]
        if (known === undefined) lost += 1
        if (answer.body.amount.value !== value) t.fail(`${value} got the answer of another`)
        if (known !== undefined && known.text !== answer.text) t.fail(`${value} was answered anew`)
        answers.set(value, answer)
      })
    )
  }
  t.comment(`${values.length} requests, ${lost} without an answer at first, ${paid.size} paid`)
  await eventually(
    () => db.selectFrom('payment').select('id').where('status', '=', 'captured').execute(),
    ({ length }) => length === paid.size
  )
  const made = await db.selectFrom('payment').select(['id', 'amount']).orderBy('amount').execute()
  t.same(
    made,
    values.map((amount) => ({ id: answers.get(amount)?.body.id, amount })),
    'one payment a key'
  )
  const { body } = await control('GET', '/_simulator/sessions')
  const sessions = body.map((one: { request: { reference: string } }) => one.request.reference)
  t.same(sessions.sort(), made.map(({ id }) => id).sort(), 'one page a payment')
  await checkMoney(t, db)
})
