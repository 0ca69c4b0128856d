import { sql } from 'kysely'
import t from 'tap'
import { checkMoney } from '../invariants.ts'
import { testService } from '../test-service.ts'
import { keysOf, makeDue, openDiscrepancies, paymentsAt, setUp } from './card-payments.ts'

t.test('when Adyen misbehaves with a card payment', async (t) => {
  const service = await testService(t, { adyenTimeoutMs: 400, duplicateWindowS: 0 })
  const { call, control, until, db } = service
  const { payByCard } = await setUp(service)
  const faults = (table: Record<string, unknown>) => control('PUT', '/_simulator/faults', table)
  const statusOf = async (id: string) => (await call('GET', `/v1/payments/${id}`)).body.status

  for (const [name, fault] of [
    ['hangs after doing the work', { hangAfterWork: { times: 1 } }],
    ['cuts the answer in half', { truncate200: { times: 1 } }],
    ['answers with an empty body', { emptyBody: { times: 1 } }],
    ['resets the connection', { resetBeforeHeaders: { times: 2 } }],
    [
      'answers 503 without having tried',
      { status5xx: { times: 1, status: 503, transientError: true } }
    ],
    ['answers 429', { status4xx: { times: 1, status: 429 } }]
  ] as const) {
    t.test(`201 pending, then captured by the same key alone, when it ${name}`, async (t) => {
      await faults({ api: fault, webhooks: { drop: true } })
      const key = crypto.randomUUID()
      const first = await payByCard({}, key)
      t.match(first, { status: 201, body: { status: 'pending', failure: null, checkout: null } })
      const again = await payByCard({}, key)
      t.equal(again.text, first.text)
      t.equal(again.headers.get('idempotent-replayed'), 'true')
      const { id } = first.body
      if ('status4xx' in fault) {
        // The simulator stores it under the key; Adyen's 429 is of the way there.
        await until(id, ({ status }) => status !== 'none')
      } else {
        await until(id, ({ status }) => status === 'captured')
        t.equal((await paymentsAt(service, id)).length, 1)
      }
      t.same([...new Set(await keysOf(service, id))], [`${id}.payment.1`])
      await faults({ webhooks: { drop: false } })
    })
  }

  t.test(
    'a stored 500 is never left behind by a new key: only the notification tells',
    async (t) => {
      await faults({
        api: { status5xx: { times: 1, afterWork: true } },
        webhooks: { delayMs: 1500 }
      })
      const { body } = await payByCard()
      t.equal(body.status, 'pending')
      await until(body.id, ({ status }) => status === 'captured')
      t.same([...new Set(await keysOf(service, body.id))], [`${body.id}.payment.1`])
      await faults({ webhooks: { delayMs: false } })
    }
  )

  t.test('the outcome comes by notification while Adyen still hangs', async (t) => {
    await faults({
      api: { hangAfterWork: { ms: 3_000, times: 1 } },
      webhooks: { delayMs: 1_000 }
    })
    const startedAt = Date.now()
    const key = crypto.randomUUID()
    const first = await payByCard({}, key)
    t.ok(Date.now() - startedAt < 1_000, 'the caller holds the line')
    t.match(first, { status: 201, body: { status: 'pending' } })
    const paid = await until(first.body.id, ({ status }) => status === 'captured')
    t.equal(paid.card.lastFour, '1111')
    t.ok(paid.card.registeredCardId)
    t.equal((await payByCard({}, key)).body.id, first.body.id)
    t.equal((await paymentsAt(service, first.body.id)).length, 1)
    await faults({ webhooks: { delayMs: false } })
  })

  t.test('201 with what the notification said, where it is faster than the answer', async (t) => {
    await faults({ api: { hangAfterWork: { ms: 3_000, times: 1 } } })
    const first = await payByCard()
    t.match(first, { status: 201, body: { status: 'captured' } })
    t.equal((await paymentsAt(service, first.body.id)).length, 1)
  })

  t.test('after a day it is asked no more, and a person must find out', async (t) => {
    await faults({ api: { hangAfterWork: true }, webhooks: { drop: true } })
    const { body } = await payByCard()
    await sql`update payment set created_at = now() - interval '24 hours 1 second',
      next_attempt_at = now()
      where id = ${body.id}`.execute(db)
    const giveUpAt = Date.now() + 5_000
    while ((await openDiscrepancies(service, body.id)).length === 0 && Date.now() < giveUpAt) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    t.same(await openDiscrepancies(service, body.id), ['outcome_unknown'])
    const { next_attempt_at, expires_at } = await db
      .selectFrom('payment')
      .select(['next_attempt_at', 'expires_at'])
      .where('id', '=', body.id)
      .executeTakeFirstOrThrow()
    t.equal(next_attempt_at, null, 'nothing ends it by time')
    t.ok(expires_at)
    t.equal(await statusOf(body.id), 'pending')
    await faults({ api: { hangAfterWork: false }, webhooks: { drop: false } })
  })

  t.test('what somebody cancels is not asked for again meanwhile', async (t) => {
    await faults({ api: { resetBeforeHeaders: true } })
    // While Adyen is taken to be away nothing is written, but for a trial a second.
    let made = await payByCard()
    for (let tries = 0; tries < 50 && made.status === 503; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      made = await payByCard()
    }
    const { body } = made
    await sql`insert into operation (id, kind, payment_id, currency, amount, status)
      values ('can_1', 'cancellation', ${body.id}, 'GBP', 700, 'requested')`.execute(db)
    await faults({ api: { resetBeforeHeaders: false } })
    await makeDue(service, body.id)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    t.equal(await statusOf(body.id), 'pending')
    await sql`delete from operation where id = 'can_1'`.execute(db)
    await until(body.id, ({ status }) => status === 'captured')
  })
})

t.test('a card payment that is cancelled before its outcome is known', async (t) => {
  const service = await testService(t, { adyenTimeoutMs: 400, duplicateWindowS: 0 })
  const { call, control, until, db } = service
  const { payByCard } = await setUp(service)
  const faults = (table: Record<string, unknown>) => control('PUT', '/_simulator/faults', table)
  const cancel = (id: string) =>
    call('POST', `/v1/payments/${id}/cancellation`, {
      body: {},
      idempotencyKey: crypto.randomUUID()
    })
  const eventsOf = async (id: string): Promise<string[]> => {
    const { body } = await call('GET', `/v1/payments/${id}/events`)
    return body.data.map(({ type }: { type: string }) => type)
  }
  const atOnce = ['cancellation.succeeded', 'payment.cancelled']
  const lost = { resetBeforeHeaders: { path: '/payments$' } }
  const unanswered = { hangAfterWork: { path: '/payments$', times: 1 } }
  /** The first of them that is not undefined. */
  const untilFound = async <T>(find: () => Promise<T | undefined>): Promise<T> => {
    const giveUpAt = Date.now() + 10_000
    for (;;) {
      const found = await find()
      if (found !== undefined) return found
      if (Date.now() > giveUpAt) throw new Error('not in time')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  t.test('is cancelled, and never sent again, where Adyen has never seen it', async (t) => {
    await faults({ api: lost })
    const { id } = (await payByCard()).body
    t.match(await cancel(id), { status: 202, body: { status: 'requested' } })
    await faults({ api: { resetBeforeHeaders: false } })
    await until(id, ({ status }) => status === 'cancelled')
    t.same(await eventsOf(id), ['payment.created', 'cancellation.requested', ...atOnce])
    t.equal((await paymentsAt(service, id)).length, 0)
  })

  t.test('is cancelled where Adyen reserved the money and its word of it was lost', async (t) => {
    await faults({ api: unanswered, webhooks: { drop: { eventCode: 'AUTHORISATION' } } })
    const { id } = (await payByCard({ capture: 'manual' })).body
    await cancel(id)
    await until(id, ({ status }) => status === 'cancelled')
    t.same(await eventsOf(id), ['payment.created', 'cancellation.requested', ...atOnce])
    t.match(await paymentsAt(service, id), [{ reference: id }])
    await faults({ webhooks: { drop: false } })
  })

  t.test('is cancelled where Adyen took the money, which goes back when it is told', async (t) => {
    const late = { delayMs: { ms: 2_000, eventCode: 'AUTHORISATION' } }
    await faults({ api: unanswered, webhooks: late })
    const { id } = (await payByCard()).body
    await cancel(id)
    await until(id, ({ status }) => status === 'cancelled')
    await faults({ webhooks: { delayMs: false } })
    await untilFound(async () => (await eventsOf(id)).find((type) => type === 'reversal.succeeded'))
    const after = ['reversal.requested', 'reversal.succeeded']
    t.same(await eventsOf(id), ['payment.created', 'cancellation.requested', ...atOnce, ...after])
    t.match((await call('GET', `/v1/payments/${id}`)).body, {
      status: 'cancelled',
      amountCaptured: 0
    })
  })

  t.test('is sent no more where Adyen did not take its cancellation', async (t) => {
    await faults({ api: { ...lost, status4xx: { path: '/cancels$' } } })
    const { id } = (await payByCard()).body
    await cancel(id)
    await untilFound(async () =>
      (await eventsOf(id)).find((type) => type === 'cancellation.failed')
    )
    await faults({ api: { resetBeforeHeaders: false, status4xx: false } })
    const sent = await keysOf(service, id)
    await makeDue(service, id)
    const hours = await untilFound(async () => {
      const { rows } = await sql<{ hours: number }>`
        select round(extract(epoch from next_attempt_at - created_at) / 3600)::int as hours
        from payment where id = ${id} and next_attempt_at > now() + interval '1 minute'`.execute(db)
      return rows[0]?.hours
    })
    t.equal(hours, 24, 'it is noticed when nobody tells of it')
    t.same(await keysOf(service, id), sent)
    await sql`update payment set created_at = now() - interval '24 hours 1 second',
      next_attempt_at = now()
      where id = ${id}`.execute(db)
    await untilFound(async () => (await openDiscrepancies(service, id))[0])
    t.same(await openDiscrepancies(service, id), ['outcome_unknown'])
    t.equal((await call('GET', `/v1/payments/${id}`)).body.status, 'pending')
    await cancel(id)
    await until(id, ({ status }) => status === 'cancelled')
    t.equal((await paymentsAt(service, id)).length, 0)
  })

  t.test('is sent no more by whoever finishes its create, which is answered', async (t) => {
    await faults({ api: lost })
    const { id } = (await payByCard()).body
    await sql`insert into operation (id, kind, payment_id, currency, amount, status)
      values ('can_3', 'cancellation', ${id}, 'GBP', 700, 'requested')`.execute(db)
    await faults({ api: { resetBeforeHeaders: false } })
    const sent = await keysOf(service, id)
    await sql`update idempotency_key set reply_status = null, reply_body = null,
      next_attempt_at = now()
      where resource_id = ${id}`.execute(db)
    const reply = await untilFound(async () => {
      const { rows } = await sql<{ body: string }>`
        select reply_body as body from idempotency_key
        where resource_id = ${id} and reply_status = 201`.execute(db)
      return rows[0]?.body
    })
    t.match(JSON.parse(reply), { id, status: 'pending' })
    t.same(await keysOf(service, id), sent)
    t.equal((await paymentsAt(service, id)).length, 0)
  })

  t.test('the money is right', (t) => checkMoney(t, db))
})
