/** Callers who wait for an outcome: `Prefer: wait=N` (RFC 7240). */
import { sql } from 'kysely'
import t from 'tap'
import { connect } from '../../src/database/database.ts'
import { listen } from '../../src/database/listener.ts'
import { readWait } from '../../src/http/prefer.ts'
import { findPayment } from '../../src/payments/payment.store.ts'
import type { ShownPayment } from '../../src/payments/payment.ts'
import { createWaiters } from '../../src/payments/waiters.commands.ts'
import { cuttable } from '../cuttable.ts'
import { eventually } from '../feed/consumer.ts'
import { testDatabase } from '../test-database.ts'
import { newAccountId, paymentBody, testService } from '../test-service.ts'

t.test('F10: what a caller prefers, as RFC 7240 has it', async (t) => {
  const cases: Array<[string | string[] | undefined, number | undefined]> = [
    [undefined, undefined],
    ['', undefined],
    ['wait=10', 10],
    ['wait=0', 0],
    ['Wait = 5', 5],
    ['respond-async, wait=20', 20],
    [['respond-async', 'wait=7'], 7],
    ['wait="3"', 3],
    ['wait=3; a=b', 3],
    ['wait=31', 30],
    ['wait=999999999', 30],
    ['wait=99999999999999999999', 30],
    ['wait', undefined],
    ['wait=', undefined],
    ['wait=""', undefined],
    ['wait=-1', undefined],
    ['wait=1.5', undefined],
    ['wait=3=4', undefined],
    ['await=5', undefined],
    // What stands in quotation marks is text.
    ['foo="bar, wait=2", wait=1', 1],
    ['foo="bar, wait=2"', undefined],
    ['foo="a\\", wait=2", wait=1', 1],
    ['foo="a\\\\", wait=2', 2],
    ['foo; a="b, wait=2; c", wait=4', 4],
    ['foo="never ends, wait=2', undefined],
    // A parameter is of its preference, and no preference.
    ['foo; wait=2', undefined],
    ['foo=bar; wait=2, wait=3; x="y, wait=9"', 3],
    // The first of several counts, over all fields.
    ['wait=2, wait=9', 2],
    [['wait=2', 'wait=9'], 2],
    ['wait=soon, wait=9', undefined],
    [', ,wait=6,,', 6]
  ]
  for (const [header, seconds] of cases) t.equal(readWait(header), seconds, String(header))
})

t.test('a caller waits for an outcome', async (t) => {
  const service = await testService(t)
  const { call, createPayment, pay } = service
  const wait = async (id: string, seconds: number, headers = {}) => {
    const startedAt = performance.now()
    const answer = await call('GET', `/v1/payments/${id}`, {
      headers: { prefer: `wait=${seconds}`, ...headers }
    })
    return { ...answer, ms: performance.now() - startedAt }
  }

  await t.test('until the payment has finished', async (t) => {
    const { id } = await createPayment()
    const waiting = wait(id, 20)
    await new Promise((resolve) => setTimeout(resolve, 100))
    await pay(id, 'NOT_ENOUGH_BALANCE')
    await pay(id)
    const answer = await waiting
    t.equal(answer.status, 200)
    t.equal(answer.body.status, 'captured', 'a refused attempt is not the end')
    t.equal(answer.headers.get('preference-applied'), 'wait=20')
    t.ok(answer.ms < 15_000, 'it did not wait for time to be up')
  })

  await t.test('until it differs from what is known, else 304', async (t) => {
    const { id } = await createPayment()
    const known = await call('GET', `/v1/payments/${id}`)
    const headers = { 'if-none-match': known.headers.get('etag') ?? '' }
    const same = await wait(id, 1, headers)
    t.equal(same.status, 304)
    t.ok(same.ms >= 950, 'it waited')
    const waiting = wait(id, 20, headers)
    await pay(id, 'NOT_ENOUGH_BALANCE')
    const answer = await waiting
    t.equal(answer.status, 200)
    t.equal(answer.body.failure.code, 'insufficient_funds', 'an attempt is a change')
    t.not(answer.headers.get('etag'), headers['if-none-match'])
  })

  await t.test('and is answered at once where there is nothing to wait for', async (t) => {
    const { id } = await createPayment()
    await pay(id)
    await service.until(id, ({ finished }) => finished)
    t.ok((await wait(id, 20)).ms < 5_000, 'it has finished')
    const changed = await wait(id, 20, { 'if-none-match': '"old"' })
    t.equal(changed.status, 200)
    t.ok(changed.ms < 5_000, 'it has changed')
    const unknown = await wait('pay_0000000000000000', 20)
    t.equal(unknown.status, 404)
    t.ok(unknown.ms < 5_000)
  })

  await t.test('with the present state at the end', async (t) => {
    const { id } = await createPayment()
    const answer = await wait(id, 1)
    t.equal(answer.status, 200)
    t.equal(answer.body.status, 'pending')
    t.equal(answer.headers.get('preference-applied'), 'wait=1')
  })

  await t.test('and a third party waits for its own only', async (t) => {
    const { id } = await createPayment()
    const key = await service.addClient({ scopes: ['payments:read'], thirdParty: true })
    const answer = await call('GET', `/v1/payments/${id}`, { key, headers: { prefer: 'wait=10' } })
    t.equal(answer.status, 404)
  })

  await t.test('and is answered when the service stops', async (t) => {
    const { id } = await createPayment()
    const waiting = wait(id, 30)
    const listening = call('GET', '/v1/events?after=WyI5OTk5OTk5Il0', {
      headers: { prefer: 'wait=30' }
    })
    await new Promise((resolve) => setTimeout(resolve, 200))
    await service.service.close()
    t.equal((await waiting).body.status, 'pending')
    t.same((await listening).body.data, [])
  })
})

t.test('a change at one instance wakes who waits at another', async (t) => {
  const one = await testService(t)
  const other = await testService(t, { databaseUrl: one.databaseUrl })
  const { id } = await one.createPayment()
  const headers = { prefer: 'wait=20' }
  const waiting = other.call('GET', `/v1/payments/${id}`, { key: one.key, headers })
  // Waits for the creation, which is announced a moment later.
  const feed = await other.call('GET', '/v1/events', { key: one.key, headers })
  t.match(feed.body.data, [{ paymentId: id, type: 'payment.created' }])
  const after = `/v1/events?after=${feed.body.nextCursor}`
  const following = Array.from({ length: 3 }, () =>
    other.call('GET', after, { key: one.key, headers })
  )
  await new Promise((resolve) => setTimeout(resolve, 300))
  await one.pay(id)
  t.match(await waiting, { status: 200, body: { status: 'captured' } })
  for (const { body } of await Promise.all(following)) {
    t.match(body.data, [{ paymentId: id, type: 'payment.captured' }])
  }
})

t.test('A8: a change that no event tells wakes who waits, at every instance', async (t) => {
  const one = await testService(t, { simulator: { webhookDelayMs: 1_000 } })
  const other = await testService(t, { databaseUrl: one.databaseUrl })
  const known = async (id: string) => {
    const { headers, body } = await one.call('GET', `/v1/payments/${id}`)
    return { etag: headers.get('etag') ?? '', body }
  }
  /** Waits at both until it is another than is known; answers what came, and after how many ms. */
  async function waitAtBoth(id: string, etag: string) {
    const begun = performance.now()
    const headers = { prefer: 'wait=25', 'if-none-match': etag }
    const answers = await Promise.all(
      [one, other].map(async ({ call }) => {
        const { status, body } = await call('GET', `/v1/payments/${id}`, { key: one.key, headers })
        return { status, body, ms: performance.now() - begun }
      })
    )
    return answers
  }

  await t.test('the card, which the page result did not say', async (t) => {
    const { id } = await one.createPayment()
    const { redirect } = (await one.pay(id)).body
    await fetch(redirect, { redirect: 'manual' })
    const { etag, body } = await known(id)
    t.match(body, { status: 'captured', card: null })
    for (const { status, body, ms } of await waitAtBoth(id, etag)) {
      t.match({ status, body }, { status: 200, body: { card: { lastFour: '1111' } } })
      t.ok(ms < 15_000, `${ms} ms`)
    }
  })

  await t.test('the page, which could not be opened at first', async (t) => {
    await one.control('PUT', '/_simulator/faults', { api: { html500: { times: 1 } } })
    const accountId = newAccountId()
    await one.call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
    const { status, body: problem } = await one.call('POST', '/v1/payments', {
      body: paymentBody(accountId),
      idempotencyKey: 'no-page-yet'
    })
    t.equal(status, 503)
    const { etag, body } = await known(problem.paymentId)
    t.match(body, { status: 'pending', checkout: null })
    for (const { status, body, ms } of await waitAtBoth(problem.paymentId, etag)) {
      t.match({ status, body }, { status: 200, body: { status: 'pending', checkout: {} } })
      t.ok(ms < 15_000, `${ms} ms`)
    }
  })

  await t.test('and what nobody told at all is seen when time is up', async (t) => {
    const { id } = await one.createPayment()
    const { etag } = await known(id)
    const waiting = other.call('GET', `/v1/payments/${id}`, {
      key: one.key,
      headers: { prefer: 'wait=2', 'if-none-match': etag }
    })
    await new Promise((resolve) => setTimeout(resolve, 500))
    await sql`update payment set description = 'another' where id = ${id}`.execute(one.db)
    t.match(await waiting, { status: 200, body: { description: 'another' } })
  })
})

t.test('a listener whose connection falls silent makes another', async (t) => {
  const { db, url } = await testDatabase(t)
  const way = await cuttable(t, url)
  let connected = 0
  const heard: string[] = []
  const hear = (text: string) => void heard.push(text)
  const listener = await listen(way.url, { told: hear }, () => {
    connected += 1
  })
  const tell = (text: string) => sql`select pg_notify('told', ${text})`.execute(db)
  await tell('one')
  await eventually(
    () => heard.length,
    (count) => count === 1
  )
  way.silence()
  await tell('lost')
  await eventually(
    () => connected,
    (count) => count === 2
  )
  await tell('two')
  await eventually(
    () => heard.length,
    (count) => count === 2
  )
  t.same(heard, ['one', 'two'])
  await listener.close()
})

t.test('a change that could not be read at first is read again', async (t) => {
  const service = await testService(t)
  const { id } = await service.createPayment()
  const way = await cuttable(t, service.databaseUrl)
  const db = connect(way.url)
  let faults = 0
  const room = createWaiters(db, () => {
    faults += 1
  })
  const read = async () => (await findPayment(service.db, id, null)) as ShownPayment
  const { signal } = new AbortController()
  const isPaid = ({ status }: ShownPayment) => status === 'captured'
  const waiting = room.wait(id, read, isPaid, 20_000, signal)
  await service.pay(id)
  await service.until(id, ({ status }) => status === 'captured')
  way.cut()
  room.changed([id])
  await eventually(
    () => faults,
    (count) => count > 0
  )
  way.mend()
  t.equal((await waiting).status, 'captured')
  await db.destroy()
})

t.test('nobody waits at an instance that has closed, or for a caller who is gone', async (t) => {
  const { db } = await testDatabase(t)
  const room = createWaiters(db, () => {})
  const read = async () => ({ status: 'pending' }) as ShownPayment
  const gone = AbortSignal.abort()
  await room.wait('one', read, () => false, 100_000, gone)
  room.close()
  await room.wait('one', read, () => false, 100_000, new AbortController().signal)
  t.equal(room.count(), 0)
})
