/** Whatever happens to a consumer or the service, it ends with exactly the events of the feed. */
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { killable } from '../service-process.ts'
import { addClient, newAccountId, paymentBody, type TestService, toolsOf } from '../test-service.ts'
import { deskOf, quickService, subscribe } from '../webhooks/receivers.ts'
import { type Answering, type Consumer, eventually, type Found, startConsumer } from './consumer.ts'

type Feed = () => Promise<Found[]>

/** The consumer has taken each event of the feed, those of a payment in their order. */
async function untilComplete(t: Test, consumer: Consumer, feed: Feed, count: number) {
  const found = await eventually(feed, (events) => events.length >= count, 60)
  await eventually(
    () => consumer.events().length,
    (taken) => taken >= found.length,
    60
  )
  const taken = consumer.events()
  t.equal(found.length, count)
  t.same(taken.map(({ id }) => id).sort(), found.map(({ id }) => id).sort())
  t.same(
    taken.map(({ event }) => event).sort(byId),
    [...found].sort(byId),
    'each as the feed shows it'
  )
  for (const own of Map.groupBy(taken, ({ event }) => event.paymentId).values()) {
    const sequences = own.map(({ event }) => event.sequence)
    t.same(sequences, [...sequences].sort(), 'in order')
  }
  t.same(consumer.faults, [], 'all signed')
}

const byId = (one: Found, other: Found) => (one.id < other.id ? -1 : 1)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Pays that many payments, each after one refused attempt: three events. */
async function payMany(
  { createPayment, pay }: Pick<TestService, 'createPayment' | 'pay'>,
  count: number,
  body: object = {}
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async (_, place) => {
      await pause(place * 40)
      const { id } = await createPayment({ ...body })
      await pay(id, 'NOT_ENOUGH_BALANCE')
      await pay(id)
    })
  )
}

t.test('a consumer that is killed, slow, fails half of the time, and restarts', async (t) => {
  const service = await quickService(t, { duplicateWindowS: 0 })
  const desk = deskOf(service)
  const half: Answering = (_, n) => (n % 2 === 0 ? 500 : 200)
  const consumer = await subscribe(t, desk, half)
  const steady = await subscribe(t, desk)
  const paying = payMany(service, 15)
  await eventually(
    () => consumer.seen.length,
    (found) => found > 5
  )
  await consumer.kill()
  await pause(300)
  await consumer.start()
  consumer.state.answering = async (_, n) => {
    await pause(30)
    return n % 2 === 0 ? 500 : 200
  }
  await eventually(
    () => consumer.seen.length,
    (found) => found > 25
  )
  await consumer.kill()
  await paying
  await consumer.start()
  consumer.state.answering = half
  await untilComplete(t, consumer, desk.feed, 45)
  await untilComplete(t, steady, desk.feed, 45)
})

t.test('SIGKILL of the service in the middle loses none', async (t) => {
  const { db, url, simulatorUrl, start } = await killable(t, { WEBHOOKS_ALLOW_LOOPBACK: 'true' })
  let running = await start()
  const key = await addClient(db, {})
  const tools = toolsOf(url, simulatorUrl, db, key)
  const desk = deskOf(tools as TestService)
  const consumer = await subscribe(t, desk, async () => {
    await pause(20)
    return 200
  })
  const accountId = newAccountId()
  await tools.call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const body = { ...paymentBody(accountId), returnUrl: 'https://selfcare.example/paid' }
  const count = 8
  const ids: string[] = []
  for (let n = 0; n < count; n += 1) ids.push((await tools.createPayment(body)).id)

  // Killed while attempts are under way, twice: they were sent, and never answered.
  consumer.state.answering = () => new Promise(() => {})
  const pays = ids.map(async (id) => {
    await tools.pay(id, 'NOT_ENOUGH_BALANCE')
    await tools.pay(id)
  })
  for (let kills = 0; kills < 2; kills += 1) {
    const before = consumer.seen.length
    await eventually(
      () => consumer.seen.length - before,
      (sent) => sent > 2,
      30
    )
    await running.kill()
    running = await start()
  }
  await Promise.all(pays)
  consumer.state.answering = () => 200
  await untilComplete(t, consumer, desk.feed, count * 3)
  t.ok(consumer.seen.length > consumer.events().length, 'some came twice')
  await eventually(
    () => desk.deliveries(consumer.id, '?status=pending'),
    (found) => found.length === 0
  )
})

t.test('SIGTERM while an attempt is under way: it is given back, and comes at once', async (t) => {
  const service = await quickService(t)
  const consumer = await startConsumer(t, () => new Promise(() => {}))
  await deskOf(service).add(consumer.url)
  await service.createPayment()
  await eventually(
    () => consumer.seen.length,
    (found) => found === 1
  )
  const begun = Date.now()
  await service.service.close()
  t.ok(Date.now() - begun < 5_000)
  const { rows } = await sql`
    select status, lease, next_attempt_at <= now() as due from webhook_delivery`.execute(service.db)
  t.same(rows, [{ status: 'pending', lease: null, due: true }])
})
