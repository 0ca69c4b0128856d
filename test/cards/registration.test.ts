import { sql } from 'kysely'
import t from 'tap'
import { cardService, until } from './harness.ts'

t.test('a customer registers a card and pays nothing', async (t) => {
  const { addAccount, register, sessionOf, type, cardsOf, callsTo, notifications, db, call } =
    await cardService(t)
  const accountId = await addAccount()
  const customer = { email: 'a@b.example', locale: 'en-GB' }
  const { status, body } = await register(accountId, { customer })
  t.equal(status, 201)
  t.match(body.id, /^reg_[0-9a-z]{16}$/)
  t.match(body, { accountId, status: 'pending', registeredCardId: null })
  const lifeMs = Date.parse(body.checkout.expiresAt) - Date.now()
  t.ok(lifeMs > 3_540_000 && lifeMs <= 3_600_000, 'the page lives for an hour')

  const [asked] = await callsTo('/sessions', 'POST')
  t.equal(asked.headers['idempotency-key'], `${body.id}.registration.1`)
  t.match(asked.body, {
    amount: { currency: 'GBP', value: 0 },
    reference: body.id,
    shopperReference: `account-${accountId}`,
    storePaymentMethodMode: 'enabled',
    recurringProcessingModel: 'CardOnFile',
    allowedPaymentMethods: ['scheme'],
    expiresAt: body.checkout.expiresAt,
    shopperEmail: 'a@b.example',
    shopperLocale: 'en-GB'
  })
  t.equal((await sessionOf(body.id)).url ?? body.checkout.url, body.checkout.url)

  const { body: paid } = await type(body.id, { holderName: 'A. Customer' })
  const back = new URL(paid.redirect)
  t.match(back.pathname, `/return/${body.id}`)
  const answer = await call('GET', `${back.pathname}${back.search}`, { key: null })
  t.equal(answer.status, 303)
  t.equal(
    answer.headers.get('location'),
    `http://127.0.0.1:1/cards?tab=2&registrationId=${body.id}`
  )
  const cards = await until(
    () => cardsOf(accountId),
    (found) => found.length > 0
  )
  t.match(cards, [{ brand: 'visa', lastFour: '1111', expiryMonth: 3, expiryYear: 2030 }])

  const told = await until(
    () => notifications(`reference=${body.id}&eventCode=AUTHORISATION`),
    ([one]) => one !== undefined && one.status !== 'received'
  )
  t.match(told, [{ status: 'applied', fault: null, success: true }])
  const row = await db.selectFrom('card_registration').selectAll().executeTakeFirstOrThrow()
  t.match(row, { id: body.id, status: 'completed', account_id: Number(accountId) })
  t.ok(row.finished_at)
  const account = await call('GET', `/v1/accounts/${accountId}`)
  t.match(account.body.balance, { outstanding: { value: 0 }, credit: { value: 0 } })
  const payments = await call('GET', `/v1/payments?accountId=${accountId}`)
  t.same(payments.body.data, [], 'there is no payment')
})

t.test('the page itself registers a card', async (t) => {
  const { addAccount, register, cardsOf } = await cardService(t)
  const accountId = await addAccount()
  const { body } = await register(accountId)
  const { url } = body.checkout
  const page = await fetch(url)
  t.equal(page.status, 200)
  const [, action] = /<form[^>]* action="([^"]+)"/.exec(await page.text()) ?? []
  const typed = { number: '4111 1111 1111 1111', expiry: '03/30', cvc: '737', holderName: 'A. B' }
  const paid = await fetch(new URL(action ?? '', url), {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams(typed)
  })
  t.equal(paid.status, 303)
  const back = await fetch(paid.headers.get('location') ?? '', { redirect: 'manual' })
  t.equal(back.status, 303)
  t.match(back.headers.get('location'), `registrationId=${body.id}`)
  await until(
    () => cardsOf(accountId),
    (found) => found.length === 1
  )
})

t.test('an attempt that is refused, and the next one', async (t) => {
  const { addAccount, register, type, cardsOf, db, atAdyen } = await cardService(t)
  const accountId = await addAccount()
  const { body } = await register(accountId)
  const rowWhere = (status: string) =>
    until(
      () =>
        db.selectFrom('card_registration').selectAll().where('id', '=', body.id).executeTakeFirst(),
      (row) => row?.status === status
    )
  await type(body.id, { holderName: 'NOT_ENOUGH_BALANCE' })
  const refused = await rowWhere('refused')
  t.ok(refused?.finished_at)
  t.same(await atAdyen(accountId), [])
  t.same(await cardsOf(accountId), [])
  await type(body.id)
  await rowWhere('completed')
  await until(
    () => cardsOf(accountId),
    (found) => found.length === 1
  )
})

t.test('G8: what became of a registration can be asked', async (t) => {
  const service = await cardService(t)
  const { addAccount, addClient, register, type, cardsOf, call, setFaults, db } = service
  const accountId = await addAccount()
  const read = async (id: string, options = {}) =>
    await call('GET', `/v1/accounts/${accountId}/card-registrations/${id}`, options)
  const untilStatus = (id: string, status: string) =>
    until(
      async () => (await read(id)).body,
      (body) => body.status === status && (status !== 'completed' || body.registeredCardId)
    )

  await t.test('pending, refused, and completed with its card', async (t) => {
    const made = await register(accountId)
    const { id } = made.body
    const path = `/v1/accounts/${accountId}/card-registrations/${id}`
    t.equal(made.headers.get('location'), path)
    const pending = await read(id)
    t.same(pending.body, made.body)
    await type(id, { holderName: 'NOT_ENOUGH_BALANCE' })
    t.match(await untilStatus(id, 'refused'), { checkout: null, registeredCardId: null })
    await type(id)
    const completed = await untilStatus(id, 'completed')
    const [card] = await cardsOf(accountId)
    t.same(completed, {
      ...{ id, accountId, status: 'completed', checkout: null },
      registeredCardId: card.id
    })
    t.not((await read(id)).headers.get('etag'), pending.headers.get('etag'))
    // The same card once more: it is the one that the account has.
    const again = (await register(accountId)).body.id
    await type(again)
    t.equal((await untilStatus(again, 'completed')).registeredCardId, card.id)
    await call('DELETE', `/v1/accounts/${accountId}/cards/${card.id}`)
    t.equal((await read(id)).body.registeredCardId, null, 'it was removed')
  })

  await t.test('expired, a while after its page has closed', async (t) => {
    const { id } = (await register(accountId)).body
    const closeBefore = (minutes: number) =>
      db
        .updateTable('card_registration')
        .set({ expires_at: sql`now() - make_interval(mins => ${minutes})` })
        .where('id', '=', id)
        .execute()
    await closeBefore(14)
    t.match((await read(id)).body, { status: 'pending', checkout: null })
    await closeBefore(16)
    t.match((await read(id)).body, { status: 'expired', checkout: null })
  })

  await t.test('pending without a page, and failed', async (t) => {
    const ofKey = async (key: string) =>
      (
        await db
          .selectFrom('card_registration')
          .select('id')
          .where('idempotency_key', '=', key)
          .executeTakeFirstOrThrow()
      ).id
    await setFaults({ status5xx: { times: 1, path: '/sessions', transientError: true } })
    t.equal((await register(accountId, {}, 'no-page')).status, 503)
    t.match((await read(await ofKey('no-page'))).body, { status: 'pending', checkout: null })
    await setFaults({ status4xx: { times: 1, path: '/sessions' } })
    t.equal((await register(accountId, {}, 'failed')).status, 502)
    t.match((await read(await ofKey('failed'))).body, { status: 'failed', checkout: null })
  })

  await t.test('of its own account, and by a third party of its own only', async (t) => {
    const key = await addClient({ scopes: ['cards:read', 'cards:write'], thirdParty: true })
    const path = `/v1/accounts/${accountId}/card-registrations`
    const own = await call('POST', path, {
      ...{ key, idempotencyKey: 'own', body: { returnUrl: 'https://selfcare.example/cards' } }
    })
    t.equal((await read(own.body.id, { key })).status, 200)
    t.equal((await read(own.body.id)).status, 200)
    const { id } = (await register(accountId)).body
    const other = `/v1/accounts/${await addAccount()}/card-registrations/${id}`
    for (const answer of [await read(id, { key }), await read('reg_1'), await call('GET', other)]) {
      t.match(answer, { status: 404, body: { code: 'registration_not_found' } })
    }
  })
})

t.test('the way back from the page', async (t) => {
  const { addAccount, register, cardsOf, callsTo, call, db, createPayment } = await cardService(t, {
    simulator: { webhookDelayMs: 60_000 }
  })
  const go = (path: string) => call('GET', path, { key: null })

  t.test('proves nothing, and makes us ask Adyen once', async (t) => {
    const accountId = await addAccount()
    const { body } = await register(accountId)
    const path = `/return/${body.id}?sessionId=CS1&sessionResult=forged`
    t.equal((await go(path)).status, 303)
    await until(
      () => callsTo('storedPaymentMethods'),
      (calls) => calls.length === 1
    )
    await db.deleteFrom('card_sync').execute()
    t.equal((await go(path)).status, 303)
    t.same(await db.selectFrom('card_sync').selectAll().execute(), [])
    t.same(await cardsOf(accountId), [])
  })

  t.test('finds the card without any webhook', async (t) => {
    const service = await cardService(t, { simulator: { webhookDelayMs: 60_000 } })
    const accountId = await service.addAccount()
    const { body } = await service.register(accountId)
    const { redirect } = (await service.type(body.id)).body
    t.same(await service.cardsOf(accountId), [])
    t.equal((await fetch(redirect, { redirect: 'manual' })).status, 303)
    await until(
      () => service.cardsOf(accountId),
      (found) => found.length === 1
    )
  })

  t.test('keeps every character of the returnUrl', async (t) => {
    const accountId = await addAccount()
    const urls = {
      'http://127.0.0.1:1/a': '?registrationId=',
      'http://127.0.0.1:1/a?': '&registrationId=',
      'http://127.0.0.1:1/a?b=%7e+c&d': '&registrationId=',
      'http://127.0.0.1:1/a?b#c?d': null
    }
    for (const [returnUrl, added] of Object.entries(urls)) {
      const { id } = (await register(accountId, { returnUrl })).body
      const location = (await go(`/return/${id}`)).headers.get('location')
      const expected =
        added === null
          ? `http://127.0.0.1:1/a?b&registrationId=${id}#c?d`
          : `${returnUrl}${added}${id}`
      t.equal(location, expected)
    }
  })

  t.test('of what is not known is 404, and of a payment is its own', async (t) => {
    for (const id of ['reg_0000000000000000', 'reg_', 'reg_%00', 'reg_x%2Fy']) {
      const answer = await go(`/return/${id}`)
      t.match(answer, { status: 404, body: { code: 'registration_not_found' } }, id)
    }
    const payment = await createPayment()
    const answer = await go(`/return/${payment.id}`)
    t.equal(answer.status, 303)
    t.match(answer.headers.get('location'), `paymentId=${payment.id}`)
    t.equal((await go('/return/pay_0000000000000000')).body.code, 'payment_not_found')
  })
})

t.test('a registration is made once under its key', async (t) => {
  const { addAccount, register, sessionOf, callsTo, setFaults, call, control, db } =
    await cardService(t, { adyenTimeoutMs: 400 })
  const accountId = await addAccount()
  const opened = async () => (await control('GET', '/_simulator/sessions')).body.length as number
  t.afterEach(async () => {
    await setFaults({ status5xx: null, status4xx: null, hangAfterWork: null, delayMs: null })
  })

  t.test('and is answered the same, byte for byte', async (t) => {
    const first = await register(accountId, {}, 'key-1')
    const second = await register(accountId, {}, 'key-1')
    t.same([second.status, second.text], [201, first.text])
    t.equal(first.headers.get('idempotent-replayed'), null)
    t.equal(second.headers.get('idempotent-replayed'), 'true')
    t.match(second.headers.get('content-type'), 'application/json')
    const other = await register(accountId, { customer: {} }, 'key-1')
    t.match(other, { status: 422, body: { code: 'idempotency_key_reused' } })
    const elsewhere = await register(await addAccount(), {}, 'key-1')
    t.match(elsewhere, { status: 422, body: { code: 'idempotency_key_reused' } })
    await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP', status: 'closed' } })
    t.equal((await register(accountId, {}, 'key-1')).text, first.text, 'whatever happened since')
    await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP', status: 'open' } })
  })

  t.test('by whoever comes first, while others wait', async (t) => {
    const before = await opened()
    await setFaults({ delayMs: { ms: 150, times: 1, path: '/sessions' } })
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => register(accountId, {}, 'key-2'))
    )
    const made = answers.filter(({ status }) => status === 201)
    t.equal(new Set(made.map(({ body }) => body.id)).size, 1)
    for (const { status, body, headers } of answers) {
      if (status === 201) continue
      t.match({ status, body }, { status: 409, body: { code: 'idempotency_key_in_flight' } })
      t.ok(Number(headers.get('retry-after')) >= 1)
    }
    t.equal(await opened(), before + 1)
  })

  t.test('also where Adyen did the work and did not say so', async (t) => {
    const before = await opened()
    await setFaults({ hangAfterWork: { times: 1, path: '/sessions' } })
    const first = await register(accountId, {}, 'key-3')
    t.match(first, { status: 503, body: { code: 'provider_unavailable' } })
    t.ok(Number(first.headers.get('retry-after')) >= 1)
    const second = await register(accountId, {}, 'key-3')
    t.equal(second.status, 201)
    t.equal(second.headers.get('idempotent-replayed'), null)
    t.equal(await opened(), before + 1)
    const keys = (await callsTo('/sessions', 'POST')).slice(-2)
    const key = `${second.body.id}.registration.1`
    t.match(keys, [
      { headers: { 'idempotency-key': key } },
      { headers: { 'idempotency-key': key } }
    ])
    t.ok(await sessionOf(second.body.id))
  })

  t.test('under a new key at Adyen where it stored its error under the old one', async (t) => {
    await setFaults({ status5xx: { times: 1, path: '/sessions' } })
    t.equal((await register(accountId, {}, 'key-4')).status, 503)
    const { status, body } = await register(accountId, {}, 'key-4')
    t.equal(status, 201)
    const [last] = (await callsTo('/sessions', 'POST')).slice(-1)
    t.equal(last.headers['idempotency-key'], `${body.id}.registration.2`)
  })

  t.test('after a process died in the middle', async (t) => {
    await setFaults({ status5xx: { times: 1, path: '/sessions', transientError: true } })
    t.equal((await register(accountId, {}, 'key-5')).status, 503)
    const inAMinute = new Date(Date.now() + 60_000)
    const [row] = await db
      .updateTable('card_registration')
      .set({ lease: crypto.randomUUID(), leased_until: inAMinute })
      .where('idempotency_key', '=', 'key-5')
      .returning('id')
      .execute()
    const early = await register(accountId, {}, 'key-5')
    t.match(early, { status: 409, body: { code: 'idempotency_key_in_flight' } })
    await db
      .updateTable('card_registration')
      .set({ leased_until: new Date(0) })
      .where('lease', 'is not', null)
      .execute()
    const late = await register(accountId, {}, 'key-5')
    t.match(late, { status: 201, body: { id: row?.id } })
  })

  t.test('and fails for good where Adyen refuses it', async (t) => {
    await setFaults({ status4xx: { times: 1, path: '/sessions' } })
    const first = await register(accountId, {}, 'key-6')
    t.match(first, { status: 502, body: { code: 'provider_rejected' } })
    const again = await register(accountId, {}, 'key-6')
    t.same([again.status, again.text], [502, first.text])
    t.match(again.headers.get('content-type'), 'application/problem+json')
    t.equal(again.headers.get('idempotent-replayed'), 'true')
    const row = await db
      .selectFrom('card_registration')
      .selectAll()
      .where('idempotency_key', '=', 'key-6')
      .executeTakeFirstOrThrow()
    t.match(row, { status: 'failed', checkout_url: null })
    t.ok(row.finished_at)
  })
})

t.test('what is refused makes nothing', async (t) => {
  const { addAccount, register, call, callsTo, db } = await cardService(t)
  const accountId = await addAccount()
  const closed = await addAccount({ status: 'closed' })
  const path = `/v1/accounts/${accountId}/card-registrations`
  const cases: ReadonlyArray<[name: string, answer: ReturnType<typeof register>, problem: object]> =
    [
      ['an account that is unknown', register('99999999'), { code: 'account_not_known' }],
      ['one that cannot be', register('abc'), { code: 'account_not_known' }],
      ['one that is closed', register(closed), { code: 'account_closed', status: 422 }],
      [
        'an origin that was not given',
        register(accountId, { returnUrl: 'https://evil.example/' }),
        { code: 'return_url_refused', status: 422, errors: [{ pointer: '/returnUrl' }] }
      ],
      [
        'no key',
        call('POST', path, { body: { returnUrl: 'https://selfcare.example/' } }),
        { code: 'idempotency_key_missing', status: 400 }
      ],
      [
        'several faults, all told',
        register(accountId, { returnUrl: 7, card: {}, customer: { email: 'x' } }),
        {
          code: 'request_invalid',
          status: 400,
          errors: [{ pointer: '/card' }, { pointer: '/returnUrl' }, { pointer: '/customer/email' }]
        }
      ],
      [
        'a card number',
        register(accountId, { customer: { reference: '4111 1111 1111 1111' } }),
        { code: 'card_number_refused', status: 422 }
      ]
    ]
  for (const [name, answer, problem] of cases) {
    const { body, headers } = await answer
    const byPointer = (one: { pointer: string }, other: { pointer: string }) =>
      one.pointer < other.pointer ? -1 : 1
    body.errors?.sort(byPointer)
    const { errors, ...rest } = problem as { errors?: { pointer: string }[] }
    t.match(body, { ...rest, ...(errors && { errors: errors.sort(byPointer) }) }, name)
    t.match(headers.get('content-type'), 'application/problem+json')
  }
  t.same(await db.selectFrom('card_registration').selectAll().execute(), [])
  t.same(await db.selectFrom('idempotency_key').selectAll().execute(), [])
  t.same(await callsTo('/sessions'), [])
})

t.test('in an account of another currency, and by a third party', async (t) => {
  const { addAccount, addClient, call, callsTo } = await cardService(t)
  const accountId = await addAccount({ currency: 'JPY' })
  const key = await addClient({ thirdParty: true, scopes: ['cards:write'] })
  const answer = await call('POST', `/v1/accounts/${accountId}/card-registrations`, {
    key,
    idempotencyKey: 'a',
    body: { returnUrl: 'https://selfcare.example/cards' }
  })
  t.equal(answer.status, 201)
  const [asked] = await callsTo('/sessions', 'POST')
  t.same(asked.body.amount, { currency: 'JPY', value: 0 })
})
