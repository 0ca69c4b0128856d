import { sql } from 'kysely'
import t from 'tap'
import { failures } from '../../src/provider/failures.ts'
import { type Answer, newAccountId, paymentBody, testService } from '../test-service.ts'

t.test('a third party sees what it created itself, and nothing else', async (t) => {
  const { call, db, addClient, createPayment, pay, until } = await testService(t, {
    duplicateWindowS: 0
  })
  const third = { scopes: ['payments:read', 'payments:write', 'accounts:read'], thirdParty: true }
  const keyA = await addClient(third as never)
  const keyB = await addClient(third as never)
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const ofA = await createPayment(
    { accountId, reference: 'a', metadata: { of: 'x' } },
    { key: keyA }
  )
  const ofB = await createPayment(
    { accountId, amount: { currency: 'GBP', value: 700 }, reference: 'b', metadata: { of: 'x' } },
    { key: keyB }
  )
  for (const { id } of [ofA, ofB]) {
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
  }

  /** The answer but for what differs from request to request. */
  const shapeOf = ({ status, body, headers }: Answer) => {
    const { requestId: _, instance: __, ...rest } = body
    return { status, rest, type: headers.get('content-type'), etag: headers.get('etag') }
  }

  t.test("another client's payment is answered like one that does not exist", async (t) => {
    for (const path of ['', '/events', '/events?limit=1']) {
      const unknown = await call('GET', `/v1/payments/pay_0000000000000000${path}`, { key: keyA })
      const foreign = await call('GET', `/v1/payments/${ofB.id}${path}`, { key: keyA })
      t.equal(foreign.status, 404)
      t.same(shapeOf(foreign), shapeOf(unknown))
      t.notMatch(foreign.text.replace(foreign.body.instance, ''), ofB.id)
      t.equal((await call('GET', `/v1/payments/${ofA.id}${path}`, { key: keyA })).status, 200)
    }
  })

  t.test('If-None-Match tells nothing either', async (t) => {
    const { headers } = await call('GET', `/v1/payments/${ofB.id}`, { key: keyB })
    for (const tag of [String(headers.get('etag')), '*']) {
      const answer = await call('GET', `/v1/payments/${ofB.id}`, {
        key: keyA,
        headers: { 'if-none-match': tag }
      })
      t.equal(answer.status, 404)
    }
  })

  t.test('lists hold its own payments under every filter', async (t) => {
    const filters = [
      '',
      `?accountId=${accountId}`,
      '?status=captured',
      '?channel=selfcare',
      '?metadata.of=x',
      '?createdFrom=2020-01-01T00:00:00Z',
      '?createdTo=2099-01-01T00:00:00Z',
      `?limit=1&cursor=${Buffer.from('["pay_zzzzzzzzzzzzzzzz"]').toString('base64url')}`
    ]
    for (const filter of filters) {
      const { body } = await call('GET', `/v1/payments${filter}`, { key: keyA })
      t.same(
        body.data.map((payment: { id: string }) => payment.id),
        [ofA.id],
        filter
      )
    }
    const { body } = await call('GET', '/v1/payments?reference=b', { key: keyA })
    t.same(body.data, [])
  })

  t.test('the ledger holds its own entries, the account its whole balance', async (t) => {
    const { body } = await call('GET', `/v1/accounts/${accountId}/entries`, { key: keyA })
    t.equal(body.data.length, 2)
    for (const entry of body.data) t.equal(entry.paymentId, ofA.id)
    const pages = await call('GET', `/v1/accounts/${accountId}/entries?limit=1`, { key: keyA })
    const next = await call(
      'GET',
      `/v1/accounts/${accountId}/entries?cursor=${pages.body.nextCursor}`,
      {
        key: keyA
      }
    )
    t.same([...pages.body.data, ...next.body.data], body.data)
    const account = await call('GET', `/v1/accounts/${accountId}`, { key: keyA })
    t.equal(account.body.balance.credit.value, 3200, 'accounts are shared')
  })

  t.test('a client that is no third party sees all of them', async (t) => {
    const { body } = await call('GET', `/v1/payments?accountId=${accountId}`)
    t.same(
      body.data.map((payment: { id: string }) => payment.id),
      [ofB.id, ofA.id]
    )
    const entries = await call('GET', `/v1/accounts/${accountId}/entries`)
    t.equal(entries.body.data.length, 4)
  })

  t.test('one key of two clients stands for two payments', async (t) => {
    const body = paymentBody(accountId)
    const idempotencyKey = 'the-same-key'
    const [one, other] = await Promise.all([
      call('POST', '/v1/payments', { key: keyA, body, idempotencyKey }),
      call('POST', '/v1/payments', {
        key: keyB,
        body: { ...body, amount: { currency: 'GBP', value: 1 } },
        idempotencyKey
      })
    ])
    t.same([one.status, other.status], [201, 201])
    t.not(one.body.id, other.body.id)
  })

  t.test('the database refuses a third party the scopes that it cannot have', async (t) => {
    for (const scope of ['accounts:write', 'refunds:approve', 'reconciliation:read'] as const) {
      await t.rejects(addClient({ thirdParty: true, scopes: [scope] }), /third_party_scopes/)
    }
    const { rows } = await sql`select 1 from client where third_party`.execute(db)
    t.equal(rows.length, 2)
  })
})

t.test(
  'G3: why it was refused is told in our words; those of the provider are for no third party',
  async (t) => {
    const { call, addClient, createPayment, pay, until } = await testService(t)
    const third = { scopes: ['payments:read', 'payments:write'], thirdParty: true }
    const key = await addClient(third as never)
    const { id } = await createPayment({}, { key })
    await pay(id, 'NOT_ENOUGH_BALANCE')
    const { failure } = await until(id, (payment) => payment.failure !== null)
    t.same(failure, {
      code: 'insufficient_funds',
      message: failures.insufficient_funds.tell,
      retryable: true,
      providerMessage: 'Not enough balance'
    })
    const paths = [`/v1/payments/${id}`, '/v1/payments', `/v1/payments/${id}/events`, '/v1/events']
    for (const path of paths) {
      const { text, status } = await call('GET', path, { key })
      t.equal(status, 200)
      t.match(text, failures.insufficient_funds.tell, path)
      t.notMatch(text, /providerMessage|NOT_ENOUGH_BALANCE|Not enough balance/i, path)
    }
  }
)
