import t from 'tap'
import { newAccountId, paymentBody, type TestService, testService } from '../test-service.ts'

async function addAccount({ call }: TestService, body: Record<string, unknown> = {}) {
  const id = newAccountId()
  await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP', ...body } })
  return id
}

const newKey = () => crypto.randomUUID()

t.test('creating a payment', async (t) => {
  const service = await testService(t, { paymentMaxValue: 100_000, duplicateWindowS: 0 })
  const { call, control, db } = service
  const accountId = await addAccount(service)
  const create = (body: Record<string, unknown>, idempotencyKey = newKey()) =>
    call('POST', '/v1/payments', { body: { ...paymentBody(accountId), ...body }, idempotencyKey })

  t.test('201 with the payment, its place, and a page to send the customer to', async (t) => {
    const answer = await create({
      reference: 'basket-77',
      metadata: { shop: 'north' },
      saveCard: 'ask',
      customer: {
        email: 'a@example.com',
        locale: 'en-GB',
        countryCode: 'GB',
        phone: '+44 20 7946 0000'
      }
    })
    t.equal(answer.status, 201)
    const payment = answer.body
    t.match(payment.id, /^pay_[0-9a-hjkmnp-tv-z]{16}$/)
    t.equal(answer.headers.get('location'), `/v1/payments/${payment.id}`)
    t.match(payment, {
      accountId,
      amount: { currency: 'GBP', value: 2500 },
      status: 'pending',
      finished: false,
      failure: null,
      reference: 'basket-77',
      metadata: { shop: 'north' },
      amountCaptured: 0
    })
    t.ok(payment.checkout.url.startsWith(service.simulatorUrl))
    const found = await call('GET', `/v1/payments/${payment.id}`)
    t.same(found.body, payment, 'what was answered is what is read')

    const { body: sessions } = await control('GET', '/_simulator/sessions')
    t.match(sessions.at(-1).request, {
      reference: payment.id,
      mode: 'hosted',
      allowedPaymentMethods: ['scheme'],
      captureDelayHours: 0,
      storePaymentMethodMode: 'askForConsent',
      shopperReference: `account-${accountId}`,
      shopperEmail: 'a@example.com',
      telephoneNumber: '+442079460000'
    })
  })

  t.test('201 with manual capture asks Adyen not to capture', async (t) => {
    const answer = await create({ capture: 'manual' })
    t.equal(answer.status, 201)
    const { body: sessions } = await control('GET', '/_simulator/sessions')
    t.match(sessions.at(-1).request.additionalData, { manualCapture: 'true' })
    t.notHas(sessions.at(-1).request, 'captureDelayHours')
  })

  t.test('201 again, byte for byte, when the key is repeated in another spelling', async (t) => {
    const key = newKey()
    const first = await create({ metadata: { a: '1', b: '2' } }, key)
    const rest = JSON.stringify(paymentBody(accountId)).slice(1)
    const spelled = `{ "metadata": {"b":"2","a":"1"}, ${rest}`
    const again = await call('POST', '/v1/payments', { body: spelled, idempotencyKey: key })
    t.equal(again.status, 201)
    t.equal(again.text, first.text)
    t.equal(again.headers.get('idempotent-replayed'), 'true')
    t.equal(again.headers.get('location'), first.headers.get('location'))
    t.equal(first.headers.get('idempotent-replayed'), null)
  })

  t.test('the same key of another client is another payment', async (t) => {
    const key = newKey()
    const other = await service.addClient({})
    const first = await create({}, key)
    const second = await call('POST', '/v1/payments', {
      body: paymentBody(accountId),
      idempotencyKey: key,
      key: other
    })
    t.equal(second.status, 201)
    t.not(second.body.id, first.body.id)
  })

  t.test('422 when the key was used with another body', async (t) => {
    const key = newKey()
    await create({}, key)
    const other = await create({ amount: { currency: 'GBP', value: 2501 } }, key)
    t.equal(other.status, 422)
    t.equal(other.body.code, 'idempotency_key_reused')
  })

  t.test('400 without a key', async (t) => {
    const answer = await call('POST', '/v1/payments', { body: paymentBody(accountId) })
    t.equal(answer.status, 400)
    t.equal(answer.body.code, 'idempotency_key_missing')
  })

  t.test('400 names all faults of the fields at once', async (t) => {
    const answer = await create({
      amount: { currency: 'GBP', value: '2500' },
      channel: 'pigeon',
      status: 'captured',
      reference: ''
    })
    t.equal(answer.status, 400)
    t.same(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
      '/amount/value',
      '/channel',
      '/reference',
      '/status'
    ])
  })

  t.test('400 when an agent does not say who acts', async (t) => {
    const answer = await create({ channel: 'agent' })
    t.equal(answer.status, 400)
    t.same(answer.body.errors, [{ pointer: '/operator', detail: 'is required' }])
    const named = await create({ channel: 'agent', operator: { id: 'op-1', reason: 'caller' } })
    t.equal(named.status, 201)
    const { body: sessions } = await control('GET', '/_simulator/sessions')
    t.equal(sessions.at(-1).request.shopperInteraction, 'Ecommerce', 'unless MOTO is switched on')
    t.same(named.body.operator, { id: 'op-1', reason: 'caller' })
  })

  t.test('400 when the page would close too early or too late', async (t) => {
    const inMs = (ms: number) => new Date(Date.now() + ms).toISOString()
    for (const expiresAt of [inMs(30_000), inMs(25 * 3_600_000), inMs(-1)]) {
      const answer = await create({ expiresAt })
      t.equal(answer.status, 400)
      t.equal(answer.body.errors[0].pointer, '/expiresAt')
    }
    const expiresAt = inMs(3 * 3_600_000)
    t.equal((await create({ expiresAt })).body.checkout.expiresAt, expiresAt)
  })

  t.test('422 when the account is not known, and the key stays free', async (t) => {
    const unknown = newAccountId()
    const key = newKey()
    const refused = await create({ accountId: unknown }, key)
    t.equal(refused.status, 422)
    t.equal(refused.body.code, 'account_not_found')
    await call('PUT', `/v1/accounts/${unknown}`, { body: { currency: 'GBP' } })
    t.equal((await create({ accountId: unknown }, key)).status, 201)
  })

  t.test('422 when the account is closed; what was made before is still answered', async (t) => {
    const closing = await addAccount(service)
    const key = newKey()
    const before = await create({ accountId: closing }, key)
    await call('PUT', `/v1/accounts/${closing}`, { body: { currency: 'GBP', status: 'closed' } })
    const refused = await create({ accountId: closing })
    t.equal(refused.status, 422)
    t.equal(refused.body.code, 'account_closed')
    t.equal((await create({ accountId: closing }, key)).text, before.text)
  })

  t.test("422 when the currency is not the account's", async (t) => {
    const answer = await create({ amount: { currency: 'EUR', value: 2500 } })
    t.equal(answer.status, 422)
    t.equal(answer.body.code, 'currency_mismatch')
  })

  t.test('422 when the amount is above the limit', async (t) => {
    const answer = await create({ amount: { currency: 'GBP', value: 100_001 } })
    t.equal(answer.status, 422)
    t.equal(answer.body.code, 'amount_too_large')
  })

  t.test('422 when the amount has a third decimal, or none at Adyen', async (t) => {
    for (const amount of [
      { currency: 'KWD', value: 1001 },
      { currency: 'IDR', value: 150 }
    ]) {
      const answer = await create({ amount })
      t.equal(answer.status, 422)
      t.equal(answer.body.code, 'amount_not_representable')
    }
  })

  t.test('422 when the browser would return to a foreign place', async (t) => {
    const answer = await create({ returnUrl: 'https://evil.example/' })
    t.equal(answer.status, 422)
    t.equal(answer.body.code, 'return_url_refused')
    t.equal((await create({ returnUrl: 'https://selfcare.example/x' })).status, 201)
  })

  t.test('422 when a field holds a card number, which is stored nowhere', async (t) => {
    const answer = await create({ description: 'card 4111 1111 1111 1111' })
    t.equal(answer.status, 422)
    t.equal(answer.body.code, 'card_number_refused')
    t.notMatch(answer.text, '1111')
    const rows = await db
      .selectFrom('payment')
      .select('id')
      .where('description', 'like', '%1111%')
      .execute()
    t.equal(rows.length, 0)
  })
})

t.test('when Adyen misbehaves', async (t) => {
  const service = await testService(t, { adyenTimeoutMs: 400, duplicateWindowS: 0 })
  const { call, control, until } = service
  const accountId = await addAccount(service)
  const create = (idempotencyKey: string) =>
    call('POST', '/v1/payments', { body: paymentBody(accountId), idempotencyKey })
  const faults = (api: Record<string, unknown>) => control('PUT', '/_simulator/faults', { api })
  const sessionsOf = async (paymentId: string) => {
    const { body } = await control('GET', '/_simulator/sessions')
    return body.filter(
      (one: { request: { reference: string } }) => one.request.reference === paymentId
    )
  }
  const keysOf = async (paymentId: string) => {
    const { body } = await control('GET', '/_simulator/requests')
    return body
      .filter((one: { body: { reference: string } }) => one.body?.reference === paymentId)
      .map((one: { headers: Record<string, string> }) => one.headers['idempotency-key'])
  }

  for (const [name, fault] of [
    ['hangs after doing the work', { hangAfterWork: { times: 1 } }],
    ['cuts the answer in half', { truncate200: { times: 1 } }],
    ['answers with an empty body', { emptyBody: { times: 1 } }],
    ['resets the connection', { resetBeforeHeaders: { times: 2 } }],
    [
      'answers 503 without having tried',
      { status5xx: { times: 1, status: 503, transientError: true } }
    ]
  ] as const) {
    t.test(`B5: 503, then the same payment with one session, when it ${name}`, async (t) => {
      await faults(fault)
      const key = newKey()
      const first = await create(key)
      t.equal(first.status, 503)
      t.equal(first.body.code, 'provider_unavailable')
      t.equal(first.headers.get('retry-after'), '2')
      const { paymentId } = first.body

      const second = await create(key)
      t.equal(second.status, 201, 'nobody is at it: it is asked for again at once')
      t.equal(second.body.id, paymentId)
      t.equal((await sessionsOf(paymentId)).length, 1)
      t.same([...new Set(await keysOf(paymentId))], [`${paymentId}.session.1`], 'one key for all')
    })
  }

  t.test('B5: 409 while somebody is at it, and no longer', async (t) => {
    await faults({ hangAfterWork: { ms: 200, times: 1 } })
    const key = newKey()
    const answers = await Promise.all([create(key), create(key)])
    const [made, waiting] = answers.sort((one, other) => one.status - other.status)
    t.equal(made?.status, 201)
    t.match(waiting, { status: 409, body: { code: 'idempotency_key_in_flight' } })
    t.equal(waiting?.headers.get('retry-after'), '1')
    t.equal((await create(key)).text, made?.text)
  })

  t.test('a stored 500 is left behind by a new key of the same payment', async (t) => {
    await faults({ status5xx: { times: 1 } })
    const key = newKey()
    const { body } = await create(key)
    t.match(body, { code: 'provider_unavailable', detail: /an error of its own \(500\)/ })
    await until(body.paymentId, (payment) => payment.checkout !== null)
    t.same(await keysOf(body.paymentId), [
      `${body.paymentId}.session.1`,
      `${body.paymentId}.session.2`
    ])
  })

  t.test('502 when it refuses, for ever, and the payment has failed', async (t) => {
    await faults({ status4xx: { times: 1 } })
    const key = newKey()
    const first = await create(key)
    t.equal(first.status, 502)
    t.equal(first.body.code, 'provider_rejected')
    t.match(first.headers.get('content-type'), 'application/problem+json')
    const payment = await call('GET', `/v1/payments/${first.body.paymentId}`)
    t.match(payment.body, {
      status: 'failed',
      finished: true,
      failure: { code: 'provider_rejected', retryable: false }
    })
    const again = await create(key)
    t.equal(again.status, 502)
    t.equal(again.text, first.text)
    t.equal(again.headers.get('idempotent-replayed'), 'true')
  })
})

t.test('where the account allows MOTO, an agent types what the customer tells', async (t) => {
  const adyen = { moto: true } as never
  const { control, createPayment } = await testService(t, { adyen, duplicateWindowS: 0 })
  const operator = { id: 'op-1', reason: 'caller' }
  const interactionOf = async (body: Record<string, unknown>) => {
    await createPayment(body)
    const { body: sessions } = await control('GET', '/_simulator/sessions')
    return sessions.at(-1).request.shopperInteraction
  }
  t.equal(await interactionOf({ channel: 'agent', operator }), 'Moto')
  t.equal(await interactionOf({ channel: 'selfcare' }), 'Ecommerce')
  t.equal(await interactionOf({ channel: 'ivr', operator }), 'Ecommerce')
})
