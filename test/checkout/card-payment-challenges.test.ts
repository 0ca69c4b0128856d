import { sql } from 'kysely'
import t from 'tap'
import { awaitReturn } from '../../src/checkout/checkout.store.ts'
import { checkMoney } from '../invariants.ts'
import { testService } from '../test-service.ts'
import { keysOf, makeDue, paymentsAt, setUp } from './card-payments.ts'

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
  const { payByCard } = await setUp(service, { challenge: true })

  t.test('201 pending with a page; passed, it is captured when they are back', async (t) => {
    const key = crypto.randomUUID()
    const created = await payByCard({ returnUrl: 'http://127.0.0.1:1/paid?basket=7' }, key)
    t.match(created, { status: 201, body: { status: 'pending' } })
    t.match(created.body.checkout.url, `${service.simulatorUrl}/challenge/`)
    t.equal((await paymentsAt(service, created.body.id)).length, 0, 'nothing is paid yet')
    const back = await follow(await answer(created.body.id, 'password'))
    t.equal(back.status, 303)
    t.equal(
      back.headers.get('location'),
      `http://127.0.0.1:1/paid?basket=7&paymentId=${created.body.id}`
    )
    const { body } = await call('GET', `/v1/payments/${created.body.id}`)
    t.match(body, { status: 'captured', checkout: null }, 'before any notification is needed')
    t.same(await keysOf(service, body.id), [`${body.id}.payment.1`, `${body.id}.details.1`])
    t.equal(
      (await payByCard({ returnUrl: 'http://127.0.0.1:1/paid?basket=7' }, key)).text,
      created.text
    )
  })

  t.test('failed, it is refused; nobody awaits them, and they are told so', async (t) => {
    const created = await payByCard()
    const back = await follow(await answer(created.body.id, 'wrong'))
    t.equal(back.status, 200)
    t.match(back.headers.get('content-type'), 'text/html')
    t.match(await back.text(), '<h1>Your payment was declined</h1>', 'G2')
    const { body } = await call('GET', `/v1/payments/${created.body.id}`)
    t.match(body, { status: 'refused', failure: { code: 'authentication_failed' } })
  })

  t.test('twice back at the same moment is told to Adyen once', async (t) => {
    const created = await payByCard()
    const url = await answer(created.body.id, 'password')
    const answers = await Promise.all([follow(url), follow(url), follow(url)])
    t.same(
      answers.map(({ status }) => status),
      [200, 200, 200]
    )
    await until(created.body.id, ({ status }) => status === 'captured')
    const keys = await keysOf(service, created.body.id)
    t.same(keys, [`${created.body.id}.payment.1`, `${created.body.id}.details.1`])
    t.equal((await paymentsAt(service, created.body.id)).length, 1)
  })

  t.test('the answer is lost: the browser goes on, the same key finds out', async (t) => {
    const created = await payByCard()
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
    t.same([...new Set(keys)], [`${created.body.id}.payment.1`, `${created.body.id}.details.1`])
    t.equal((await paymentsAt(service, created.body.id)).length, 1)
  })

  t.test('what somebody made up changes nothing, and who comes after is heard', async (t) => {
    const created = await payByCard()
    const { id } = created.body
    const url = await answer(id, 'password')
    const madeUp = `made-up-${'x'.repeat(20)}`
    t.equal((await follow(`${service.url}/return/${id}?redirectResult=${madeUp}`)).status, 200)
    const { body } = await call('GET', `/v1/payments/${id}`)
    t.equal(body.status, 'pending')
    await follow(url)
    await until(id, ({ status }) => status === 'captured')
    t.same(await keysOf(service, id), [`${id}.payment.1`, `${id}.details.1`, `${id}.details.2`])
  })

  t.test("what another's customer brought back pays only the other", async (t) => {
    const one = await payByCard()
    const other = await payByCard({ amount: { currency: 'GBP', value: 1 } })
    const query = new URL(await answer(other.body.id, 'password')).search
    await follow(`${service.url}/return/${one.body.id}${query}`)
    await until(other.body.id, ({ status }) => status === 'captured')
    const { body } = await call('GET', `/v1/payments/${one.body.id}`)
    t.match(body, { status: 'pending', amountCaptured: 0 })
    await follow(await answer(one.body.id, 'password'))
    await until(one.body.id, ({ status }) => status === 'captured')
    const { id } = one.body
    t.same(await keysOf(service, id), [`${id}.payment.1`, `${id}.details.1`, `${id}.details.2`])
    t.equal((await paymentsAt(service, id)).length, 1)
  })

  for (const status of [401, 403]) {
    t.test(`what they brought is told again after a ${status}, under the same key`, async (t) => {
      const { id } = (await payByCard()).body
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
    const { id } = (await payByCard()).body
    await sql`insert into operation (id, kind, payment_id, currency, amount, status, failure)
      values ('can_2', 'cancellation', ${id}, 'GBP', 700, 'failed',
        '{"code":"provider_rejected","message":"x","retryable":false}')`.execute(db)
    await follow(await answer(id, 'password'))
    t.same(await keysOf(service, id), [`${id}.payment.1`])
    t.equal((await call('GET', `/v1/payments/${id}`)).body.status, 'pending')
  })

  t.test('an answer that comes late does not take away what was brought since', async (t) => {
    const { id } = (await payByCard()).body
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
    const created = await payByCard()
    const due = await sql<{ minutes: number }>`
      select extract(epoch from next_attempt_at - expires_at) / 60 as minutes from payment
      where id = ${created.body.id}`.execute(db)
    t.equal(Number(due.rows[0]?.minutes), 15)
    await makeDue(service, created.body.id)
    await until(created.body.id, ({ status }) => status === 'expired')
  })

  t.test('the money is right', (t) => checkMoney(t, db))
})
