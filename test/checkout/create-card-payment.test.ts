import { sql } from 'kysely'
import t from 'tap'
import { awaitReturn } from '../../src/checkout/card-payment.store.ts'
import { checkMoney } from '../invariants.ts'
import { registerCard } from '../registered-card.ts'
import { newAccountId, type TestService, testService } from '../test-service.ts'

async function setUp(service: TestService, changes: Record<string, unknown> = {}) {
  const accountId = newAccountId()
  await service.call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const registeredCardId = await registerCard(service, accountId, changes)
  const charge = (body: Record<string, unknown> = {}, idempotencyKey = crypto.randomUUID()) =>
    service.call('POST', '/v1/payments', {
      body: {
        accountId,
        amount: { currency: 'GBP', value: 700 },
        channel: 'ivr',
        method: 'registeredCard',
        registeredCardId,
        allowDuplicate: true,
        ...body
      },
      idempotencyKey
    })
  return { accountId, registeredCardId, charge }
}

/** What was asked of the simulator about the payment, by its key. */
async function keysOf({ control }: TestService, paymentId: string): Promise<string[]> {
  const { body } = await control('GET', '/_simulator/requests')
  return body
    .map((one: { headers: Record<string, string> }) => one.headers['idempotency-key'] ?? '')
    .filter((key: string) => key.startsWith(paymentId))
}

async function requestOf({ control }: TestService, paymentId: string) {
  const { body } = await control('GET', '/_simulator/requests')
  return body.find((one: { body?: { reference?: string } }) => one.body?.reference === paymentId)
}

async function paymentsAt({ control }: TestService, paymentId: string): Promise<unknown[]> {
  const { body } = await control('GET', '/_simulator/payments')
  return body.filter((one: { reference: string }) => one.reference === paymentId)
}

async function openDiscrepancies({ db }: TestService, paymentId: string): Promise<string[]> {
  const { rows } = await sql<{ kind: string }>`
    select kind from discrepancy where payment_id = ${paymentId}`.execute(db)
  return rows.map(({ kind }) => kind)
}

const makeDue = async ({ db }: TestService, paymentId: string) => {
  await sql`update payment set next_attempt_at = now() where id = ${paymentId}`.execute(db)
}

t.test('charging a registered card', async (t) => {
  const service = await testService(t)
  const { call, control, until, db } = service

  t.test('201 captured, with the card, and one charge at Adyen', async (t) => {
    const { accountId, registeredCardId, charge } = await setUp(service)
    const answer = await charge({
      reference: 'ivr-77',
      metadata: { call: '77' },
      customer: { email: 'a@example.com' }
    })
    t.match(answer, {
      status: 201,
      body: {
        accountId,
        method: 'registeredCard',
        status: 'captured',
        finished: true,
        checkout: null,
        amountCaptured: 700,
        card: { lastFour: '1111', registeredCardId }
      }
    })
    t.equal(answer.headers.get('location'), `/v1/payments/${answer.body.id}`)
    t.ok(answer.body.provider.reference)
    t.same(await keysOf(service, answer.body.id), [`${answer.body.id}.charge.1`])
    const request = await requestOf(service, answer.body.id)
    t.match(request, {
      path: '/v72/payments',
      body: {
        reference: answer.body.id,
        amount: { currency: 'GBP', value: 700 },
        shopperReference: `account-${accountId}`,
        shopperInteraction: 'ContAuth',
        recurringProcessingModel: 'CardOnFile',
        captureDelayHours: 0,
        returnUrl: `${service.url}/return/${answer.body.id}`,
        metadata: { call: '77' },
        shopperEmail: 'a@example.com'
      }
    })
    t.notHas(request.body, 'additionalData')
    await until(answer.body.id, ({ status }) => status === 'captured')
    const { body: account } = await call('GET', `/v1/accounts/${accountId}`)
    t.equal(account.balance.credit.value, 2500 + 700, 'once, although the notification came too')
    const { body: events } = await call('GET', `/v1/payments/${answer.body.id}/events`)
    t.same(
      events.data.map(({ type }: { type: string }) => type),
      ['payment.created', 'payment.captured']
    )
  })

  t.test('201 authorised with manual capture', async (t) => {
    const { charge } = await setUp(service)
    const answer = await charge({ capture: 'manual' })
    t.match(answer, { status: 201, body: { status: 'authorised', amountCaptured: 0 } })
    const { body } = await requestOf(service, answer.body.id)
    t.match(body.additionalData, { manualCapture: 'true' })
    t.notHas(body, 'captureDelayHours')
  })

  for (const [holderName, code, retryable] of [
    ['DECLINED', 'card_declined', true],
    ['NOT_ENOUGH_BALANCE', 'insufficient_funds', true],
    ['CARD_EXPIRED', 'card_expired', false],
    ['BLOCK_CARD', 'card_blocked', false],
    ['FRAUD', 'fraud_suspected', false],
    ['AUTHENTICATION_REQUIRED', 'authentication_required', true],
    ['ISSUER_UNAVAILABLE', 'issuer_unavailable', true],
    ['ERROR', 'provider_error', true],
    ['UNKNOWN', 'unknown', true]
  ] as const) {
    t.test(`201 refused as ${code} where Adyen says ${holderName}`, async (t) => {
      const { charge } = await setUp(service, { holderName })
      const key = crypto.randomUUID()
      const answer = await charge({}, key)
      t.match(answer, {
        status: 201,
        body: { status: 'refused', finished: true, failure: { code, retryable }, checkout: null }
      })
      const again = await charge({}, key)
      t.equal(again.text, answer.text)
      t.equal(again.headers.get('idempotent-replayed'), 'true')
    })
  }

  t.test('201 pending where Adyen has it and will tell', async (t) => {
    const { charge } = await setUp(service, { holderName: 'PENDING' })
    await control('PUT', '/_simulator/faults', { page: { authorisationAfterMs: 300 } })
    const answer = await charge()
    t.match(answer, { status: 201, body: { status: 'pending', checkout: null } })
    const { rows } = await sql<{ hours: number }>`
      select extract(epoch from next_attempt_at - created_at) / 3600 as hours from payment
      where id = ${answer.body.id}`.execute(db)
    t.equal(Number(rows[0]?.hours), 24, 'it is not asked for again, but noticed')
    await until(answer.body.id, ({ status }) => status === 'captured')
    await control('PUT', '/_simulator/faults', { page: { authorisationAfterMs: false } })
  })

  t.test('502 for ever where Adyen does not know the card any more', async (t) => {
    const { charge, accountId } = await setUp(service)
    const { body: stored } = await control('GET', '/_simulator/storedCards')
    const { id } = stored.findLast(
      (one: { shopperReference: string }) => one.shopperReference === `account-${accountId}`
    )
    await sql`update card set token = ${`${id}X`} where token = ${id}`.execute(db)
    const key = crypto.randomUUID()
    const answer = await charge({}, key)
    t.match(answer, { status: 502, body: { code: 'provider_rejected' } })
    const { body } = await call('GET', `/v1/payments/${answer.body.paymentId}`)
    t.match(body, { status: 'failed', failure: { code: 'provider_rejected' } })
    t.equal((await charge({}, key)).text, answer.text)
  })

  t.test('422 where the account has no such card, and nothing is written', async (t) => {
    const { charge } = await setUp(service)
    const other = await setUp(service)
    for (const registeredCardId of ['crd_0000000000000000', other.registeredCardId]) {
      const answer = await charge({ registeredCardId, allocations: [] })
      t.match(answer, { status: 422, body: { code: 'registered_card_not_found' } })
      t.equal(answer.body.errors[0].pointer, '/registeredCardId')
    }
  })

  t.test('a removed card charges nothing more; what it paid is still answered', async (t) => {
    const { charge, accountId, registeredCardId } = await setUp(service)
    const key = crypto.randomUUID()
    const before = await charge({}, key)
    const removed = await call('DELETE', `/v1/accounts/${accountId}/cards/${registeredCardId}`)
    t.equal(removed.status, 204)
    t.match(await charge(), { status: 422, body: { code: 'registered_card_not_found' } })
    t.equal((await charge({}, key)).text, before.text)
  })

  t.test('400 names what a method needs, and what it can’t have', async (t) => {
    const { charge } = await setUp(service)
    const missing = await charge({ registeredCardId: undefined })
    t.same(missing.body.errors, [{ pointer: '/registeredCardId', detail: 'is required' }])
    for (const method of ['hostedPage', undefined]) {
      const answer = await charge({ method, amount: { currency: 'GBP', value: 0 } })
      t.equal(answer.status, 400)
      t.same(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
        '/amount/value',
        '/registeredCardId',
        '/returnUrl'
      ])
    }
  })

  await checkMoney(t, db)
})

t.test('3-D Secure', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, control, until, db } = service
  const challengeOf = async (paymentId: string) => {
    const { body } = await control('GET', '/_simulator/challenges')
    return body.findLast(
      (one: { purchase: { reference: string } }) => one.purchase.reference === paymentId
    )
  }
  const answer = async (paymentId: string, password?: string): Promise<string> => {
    const { id } = await challengeOf(paymentId)
    const { body } = await control('POST', `/_simulator/challenges/${id}/answer`, { password })
    return body.redirect
  }
  const follow = (url: string) => fetch(url, { redirect: 'manual' })
  const { charge } = await setUp(service, { challenge: true })

  t.test('201 pending with a page; passed, it is captured when they are back', async (t) => {
    const key = crypto.randomUUID()
    const created = await charge({ returnUrl: 'http://127.0.0.1:1/paid?basket=7' }, key)
    t.match(created, { status: 201, body: { status: 'pending' } })
    t.match(created.body.checkout.url, `${service.simulatorUrl}/challenge/`)
    t.equal((await paymentsAt(service, created.body.id)).length, 0, 'nothing is charged yet')
    const back = await follow(await answer(created.body.id, 'password'))
    t.equal(back.status, 303)
    t.equal(
      back.headers.get('location'),
      `http://127.0.0.1:1/paid?basket=7&paymentId=${created.body.id}`
    )
    const { body } = await call('GET', `/v1/payments/${created.body.id}`)
    t.match(body, { status: 'captured', checkout: null }, 'before any notification is needed')
    t.same(await keysOf(service, body.id), [`${body.id}.charge.1`, `${body.id}.details.1`])
    t.equal(
      (await charge({ returnUrl: 'http://127.0.0.1:1/paid?basket=7' }, key)).text,
      created.text
    )
  })

  t.test('failed, it is refused; nobody awaits them, and they are told so', async (t) => {
    const created = await charge()
    const back = await follow(await answer(created.body.id, 'wrong'))
    t.equal(back.status, 200)
    t.match(back.headers.get('content-type'), 'text/html')
    t.match(await back.text(), 'You can close this window')
    const { body } = await call('GET', `/v1/payments/${created.body.id}`)
    t.match(body, { status: 'refused', failure: { code: 'authentication_failed' } })
  })

  t.test('twice back at the same moment is told to Adyen once', async (t) => {
    const created = await charge()
    const url = await answer(created.body.id, 'password')
    const answers = await Promise.all([follow(url), follow(url), follow(url)])
    t.same(
      answers.map(({ status }) => status),
      [200, 200, 200]
    )
    await until(created.body.id, ({ status }) => status === 'captured')
    const keys = await keysOf(service, created.body.id)
    t.same(keys, [`${created.body.id}.charge.1`, `${created.body.id}.details.1`])
    t.equal((await paymentsAt(service, created.body.id)).length, 1)
  })

  t.test('the answer is lost: the browser goes on, the same key finds out', async (t) => {
    const created = await charge()
    const url = await answer(created.body.id, 'password')
    await control('PUT', '/_simulator/faults', {
      api: { hangAfterWork: { ms: 4_000, times: 1, path: '/payments/details' } },
      webhooks: { drop: true }
    })
    const startedAt = Date.now()
    t.equal((await follow(url)).status, 200)
    t.ok(Date.now() - startedAt < 3_000, 'within 3 s')
    const pending = await call('GET', `/v1/payments/${created.body.id}`)
    t.equal(pending.body.status, 'pending')
    await until(created.body.id, ({ status }) => status === 'captured')
    await control('PUT', '/_simulator/faults', { webhooks: { drop: false } })
    const keys = await keysOf(service, created.body.id)
    t.same([...new Set(keys)], [`${created.body.id}.charge.1`, `${created.body.id}.details.1`])
    t.equal((await paymentsAt(service, created.body.id)).length, 1)
  })

  t.test('what somebody made up changes nothing, and who comes after is heard', async (t) => {
    const created = await charge()
    const { id } = created.body
    const url = await answer(id, 'password')
    t.equal((await follow(`${service.url}/return/${id}?redirectResult=made-up`)).status, 200)
    const { body } = await call('GET', `/v1/payments/${id}`)
    t.equal(body.status, 'pending')
    await follow(url)
    await until(id, ({ status }) => status === 'captured')
    t.same(await keysOf(service, id), [`${id}.charge.1`, `${id}.details.1`, `${id}.details.2`])
  })

  t.test("what another's customer brought back pays only the other", async (t) => {
    const one = await charge()
    const other = await charge({ amount: { currency: 'GBP', value: 1 } })
    const query = new URL(await answer(other.body.id, 'password')).search
    await follow(`${service.url}/return/${one.body.id}${query}`)
    await until(other.body.id, ({ status }) => status === 'captured')
    const { body } = await call('GET', `/v1/payments/${one.body.id}`)
    t.match(body, { status: 'pending', amountCaptured: 0 })
    await follow(await answer(one.body.id, 'password'))
    await until(one.body.id, ({ status }) => status === 'captured')
    const { id } = one.body
    t.same(await keysOf(service, id), [`${id}.charge.1`, `${id}.details.1`, `${id}.details.2`])
    t.equal((await paymentsAt(service, id)).length, 1)
  })

  for (const status of [401, 403]) {
    t.test(`what they brought is told again after a ${status}, under the same key`, async (t) => {
      const { id } = (await charge()).body
      const url = await answer(id, 'password')
      const notAllowed = { status, transientError: true, times: 1, path: '/payments/details' }
      await control('PUT', '/_simulator/faults', { api: { status4xx: notAllowed } })
      await follow(url)
      await until(id, (payment) => payment.status === 'captured')
      const [, ...keys] = await keysOf(service, id)
      t.same(keys, [`${id}.details.1`, `${id}.details.1`])
      t.equal((await paymentsAt(service, id)).length, 1)
    })
  }

  t.test('what they bring after a cancellation was asked for is not told to Adyen', async (t) => {
    const { id } = (await charge()).body
    await sql`insert into operation (id, kind, payment_id, currency, amount, status, failure)
      values ('can_2', 'cancellation', ${id}, 'GBP', 700, 'failed',
        '{"code":"provider_rejected","message":"x","retryable":false}')`.execute(db)
    await follow(await answer(id, 'password'))
    t.same(await keysOf(service, id), [`${id}.charge.1`])
    t.equal((await call('GET', `/v1/payments/${id}`)).body.status, 'pending')
  })

  t.test('an answer that comes late does not take away what was brought since', async (t) => {
    const { id } = (await charge()).body
    await sql`update payment set redirect_result = 'since', returned_at = now(),
      provider_key = ${`${id}.details.2`}, next_attempt_at = now() + interval '1 hour'
      where id = ${id}`.execute(db)
    await awaitReturn(db, id, `${id}.details.1`, `${id}.details.2`)
    const { rows } = await sql`select redirect_result from payment where id = ${id}`.execute(db)
    t.same(rows, [{ redirect_result: 'since' }])
    await awaitReturn(db, id, `${id}.details.2`, `${id}.details.3`)
    const now = await sql`select redirect_result from payment where id = ${id}`.execute(db)
    t.same(now.rows, [{ redirect_result: null }])
  })

  t.test('they never come back: it ends by time like a page', async (t) => {
    const created = await charge()
    const due = await sql<{ minutes: number }>`
      select extract(epoch from next_attempt_at - expires_at) / 60 as minutes from payment
      where id = ${created.body.id}`.execute(db)
    t.equal(Number(due.rows[0]?.minutes), 15)
    await makeDue(service, created.body.id)
    await until(created.body.id, ({ status }) => status === 'expired')
  })

  await checkMoney(t, db)
})

t.test('when Adyen misbehaves with a charge', async (t) => {
  const service = await testService(t, { adyenTimeoutMs: 400, duplicateWindowS: 0 })
  const { call, control, until, db } = service
  const { charge } = await setUp(service)
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
      const first = await charge({}, key)
      t.match(first, { status: 201, body: { status: 'pending', failure: null, checkout: null } })
      const again = await charge({}, key)
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
      t.same([...new Set(await keysOf(service, id))], [`${id}.charge.1`])
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
      const { body } = await charge()
      t.equal(body.status, 'pending')
      await until(body.id, ({ status }) => status === 'captured')
      t.same([...new Set(await keysOf(service, body.id))], [`${body.id}.charge.1`])
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
    const first = await charge({}, key)
    t.ok(Date.now() - startedAt < 1_000, 'the caller holds the line')
    t.match(first, { status: 201, body: { status: 'pending' } })
    const paid = await until(first.body.id, ({ status }) => status === 'captured')
    t.equal(paid.card.lastFour, '1111')
    t.ok(paid.card.registeredCardId)
    t.equal((await charge({}, key)).body.id, first.body.id)
    t.equal((await paymentsAt(service, first.body.id)).length, 1)
    await faults({ webhooks: { delayMs: false } })
  })

  t.test('201 with what the notification said, where it is faster than the answer', async (t) => {
    await faults({ api: { hangAfterWork: { ms: 3_000, times: 1 } } })
    const first = await charge()
    t.match(first, { status: 201, body: { status: 'captured' } })
    t.equal((await paymentsAt(service, first.body.id)).length, 1)
  })

  t.test('after a day it is asked no more, and a person must find out', async (t) => {
    await faults({ api: { hangAfterWork: true }, webhooks: { drop: true } })
    const { body } = await charge()
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

  t.test('what somebody cancels is not charged again meanwhile', async (t) => {
    await faults({ api: { resetBeforeHeaders: true } })
    const { body } = await charge()
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

t.test('a charge that is cancelled before its outcome is known', async (t) => {
  const service = await testService(t, { adyenTimeoutMs: 400, duplicateWindowS: 0 })
  const { call, control, until, db } = service
  const { charge } = await setUp(service)
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
    const { id } = (await charge()).body
    t.match(await cancel(id), { status: 202, body: { status: 'requested' } })
    await faults({ api: { resetBeforeHeaders: false } })
    await until(id, ({ status }) => status === 'cancelled')
    t.same(await eventsOf(id), ['payment.created', 'cancellation.requested', ...atOnce])
    t.equal((await paymentsAt(service, id)).length, 0)
  })

  t.test('is cancelled where Adyen reserved the money and its word of it was lost', async (t) => {
    await faults({ api: unanswered, webhooks: { drop: { eventCode: 'AUTHORISATION' } } })
    const { id } = (await charge({ capture: 'manual' })).body
    await cancel(id)
    await until(id, ({ status }) => status === 'cancelled')
    t.same(await eventsOf(id), ['payment.created', 'cancellation.requested', ...atOnce])
    t.match(await paymentsAt(service, id), [{ reference: id }])
    await faults({ webhooks: { drop: false } })
  })

  t.test('is cancelled where Adyen took the money, which goes back when it is told', async (t) => {
    const late = { delayMs: { ms: 2_000, eventCode: 'AUTHORISATION' } }
    await faults({ api: unanswered, webhooks: late })
    const { id } = (await charge()).body
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
    const { id } = (await charge()).body
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
    const { id } = (await charge()).body
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

  await checkMoney(t, db)
})
