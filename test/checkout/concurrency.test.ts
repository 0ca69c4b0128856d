import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { registerCard } from '../registered-card.ts'
import { type Answer, newAccountId, paymentBody, testService } from '../test-service.ts'

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

t.test('A9: of all answers under a key exactly one is unmarked', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, createPayment, pay, until } = service
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  type Request = [path: string, body: object]

  /** Sends each request under a key of its own, four times at once and once more. */
  async function check(t: Test, success: number, requests: readonly Request[]): Promise<void> {
    const keyed = requests.map((request) => ({ request, idempotencyKey: crypto.randomUUID() }))
    /** A burst may be more than can be answered soon: of that nothing was begun. */
    const send = async (one: (typeof keyed)[number], tries = 20): Promise<Answer> => {
      const { request, idempotencyKey } = one
      const [path, body] = request
      const answer = await call('POST', path, { body, idempotencyKey })
      return answer.body.code === 'overloaded' && tries > 0 ? await send(one, tries - 1) : answer
    }
    const atOnce = await Promise.all(
      keyed.map((one) => Promise.all([1, 2, 3, 4].map(() => send(one))))
    )
    const isMarked = ({ headers }: Answer) => headers.get('idempotent-replayed') === 'true'
    for (const [place, one] of keyed.entries()) {
      const answers = atOnce[place] as Answer[]
      const last = await send(one)
      t.ok(isMarked(last), 'a later one is marked')
      const made = answers.filter(({ status }) => status === success)
      t.equal(made.filter((answer) => !isMarked(answer)).length, 1, 'one is unmarked')
      for (const answer of made) t.equal(answer.text, last.text)
      for (const answer of answers.filter((answer) => !made.includes(answer))) {
        t.match(answer, { status: 409, body: { code: 'idempotency_key_in_flight' } })
        t.match(answer.headers.get('retry-after'), /^\d+$/)
      }
    }
  }
  const each = (count: number, request: Request): Request[] => Array(count).fill(request)
  const captured = async (body: object): Promise<string> => {
    const { id } = await createPayment({ accountId, ...body })
    await pay(id)
    await until(id, ({ status }) => ['authorised', 'captured'].includes(status))
    return id
  }

  await t.test('of creates with a page', async (t) => {
    await check(t, 201, each(30, ['/v1/payments', paymentBody(accountId)]))
  })
  await t.test('of creates with a registered card', async (t) => {
    const registeredCardId = await registerCard(service, accountId)
    const { returnUrl: _, ...body } = paymentBody(accountId)
    const request = { ...body, method: 'registeredCard', registeredCardId }
    await check(t, 201, each(8, ['/v1/payments', request]))
  })
  await t.test('of registrations', async (t) => {
    const path = `/v1/accounts/${accountId}/card-registrations`
    await check(t, 201, each(12, [path, { returnUrl: 'http://127.0.0.1:1/cards' }]))
  })
  await t.test('of webhook endpoints', async (t) => {
    const body = { url: 'http://127.0.0.1:9/hook', events: ['*'] }
    await check(t, 201, each(6, ['/v1/webhook-endpoints', body]))
  })
  await t.test('of captures, refunds and cancellations', async (t) => {
    const amount = { currency: 'GBP', value: 100 }
    const [paid, reserved] = [await captured({}), await captured({ capture: 'manual' })]
    const { id: waiting } = await createPayment({ accountId })
    await check(t, 202, [
      ...each(6, [`/v1/payments/${paid}/refunds`, { amount }]),
      [`/v1/payments/${reserved}/captures`, {}],
      [`/v1/payments/${waiting}/cancellation`, {}]
    ])
  })

  await t.test('of a recorded payment one is 201, without a key', async (t) => {
    const body = {
      ...{ accountId, amount: { currency: 'GBP', value: 700 }, channel: 'ivr' },
      ...{ outcome: 'captured', takenAt: '2026-11-22T09:58:00Z' },
      processor: { name: 'ivr-platform', reference: '417' }
    }
    const record = () => call('POST', '/v1/recorded-payments', { body })
    const answers = await Promise.all([1, 2, 3, 4].map(record))
    t.same(answers.map(({ status }) => status).sort(), [200, 200, 200, 201])
    t.equal(new Set(answers.map(({ body }) => body.id)).size, 1)
  })
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
