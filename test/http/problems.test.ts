import t from 'tap'
import { problems } from '../../src/problems/problems.ts'
import { newAccountId, paymentBody, testService } from '../test-service.ts'

t.test('every error is a problem document', async (t) => {
  const service = await testService(t)
  const { call, url } = service
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const create = (body: unknown, headers = {}) =>
    call('POST', '/v1/payments', { body, headers, idempotencyKey: crypto.randomUUID() })

  const met: Record<string, () => ReturnType<typeof call>> = {
    unauthenticated: () => call('GET', '/v1/payments', { key: null }),
    scope_missing: async () =>
      call('GET', '/v1/payments', {
        key: await service.addClient({ scopes: ['accounts:read'] })
      }),
    not_found: () => call('GET', '/v1/nothing'),
    payment_not_found: () => call('GET', '/v1/payments/pay_0000000000000000'),
    account_not_known: () => call('GET', '/v1/accounts/7'),
    notification_not_found: () =>
      call('POST', '/v1/notifications/ntf_1/retry', { idempotencyKey: 'a' }),
    request_invalid: () => create({}),
    idempotency_key_missing: () => call('POST', '/v1/payments', { body: paymentBody(accountId) }),
    body_too_large: () => create({ description: 'x'.repeat(70_000) }),
    content_type_unsupported: () => create('<a/>', { 'content-type': 'application/xml' }),
    account_not_found: () => create(paymentBody('7')),
    currency_mismatch: () =>
      create({ ...paymentBody(accountId), amount: { currency: 'EUR', value: 1 } }),
    amount_too_large: () =>
      create({ ...paymentBody(accountId), amount: { currency: 'GBP', value: 1_000_000_000 } }),
    amount_not_representable: () =>
      create({ ...paymentBody(accountId), amount: { currency: 'BHD', value: 1001 } }),
    return_url_refused: () =>
      create({ ...paymentBody(accountId), returnUrl: 'https://elsewhere.example/' }),
    card_number_refused: () => create({ ...paymentBody(accountId), reference: '4111111111111111' }),
    account_currency_fixed: () =>
      call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'EUR' } })
  }
  for (const [code, meet] of Object.entries(met)) {
    t.test(`${code}: every field, and the page that tells its cause and cure`, async (t) => {
      const { status, body, headers } = await meet()
      const kind = problems[code as keyof typeof problems]
      t.match(headers.get('content-type'), /^application\/problem\+json\b/)
      t.equal(status, kind.status)
      t.match(body, { status, code, title: kind.title, type: `${url}/docs/problems#${code}` })
      t.ok(body.detail.length > 0)
      t.match(body.instance, /^\/v1\//)
      t.equal(body.requestId, headers.get('x-request-id'))
      const known = 'type title status detail code instance requestId errors paymentId'.split(' ')
      t.same(
        Object.keys(body).filter((name) => !known.includes(name)),
        [],
        'nothing else'
      )
    })
  }

  t.test('the page of the problems has an anchor, cause and cure for every code', async (t) => {
    const { status, text, headers } = await call('GET', '/docs/problems', { key: null })
    t.equal(status, 200)
    t.match(headers.get('content-type'), /^text\/html\b/)
    t.match(headers.get('content-security-policy'), /default-src 'none'/)
    for (const [code, { cure }] of Object.entries(problems)) {
      t.ok(text.includes(`id="${code}"`), code)
      t.ok(text.includes(cure.split(/[<>&'"]/, 1)[0] as string), code)
    }
  })

  t.test('all faults of a request are told at once, each with its pointer', async (t) => {
    const { body } = await create({
      accountId: 7,
      amount: { currency: 'XXX', value: '2500', extra: 1 },
      channel: 'fax',
      operator: { id: '' },
      metadata: { [`${'k'.repeat(21)}`]: 'v', ok: 5 },
      customer: { email: 'nobody', 'a/b~c': 1 },
      unknown: true
    })
    t.same(
      [...new Set(body.errors.map(({ pointer }: { pointer: string }) => pointer))].sort(),
      [
        '/accountId',
        '/amount/currency',
        '/amount/extra',
        '/amount/value',
        '/channel',
        '/customer/a~1b~0c',
        '/customer/email',
        `/metadata/${'k'.repeat(21)}`,
        '/metadata/ok',
        '/operator/id',
        '/operator/reason',
        '/returnUrl',
        '/unknown'
      ].sort()
    )
    for (const { detail } of body.errors) t.ok(detail.length > 0)
  })

  t.test('the pointer to a card number is one too, whatever the name', async (t) => {
    const { body } = await create({ customer: { 'a/b~c': '4111 1111 1111 1111' } })
    t.same(
      body.errors.map(({ pointer }: { pointer: string }) => pointer),
      ['/customer/a~1b~0c']
    )
  })

  t.test('what a schema cannot say is told at once, under the code of the first', async (t) => {
    const { status, body } = await create({
      ...paymentBody(accountId),
      amount: { currency: 'BHD', value: 10_000_000_001 },
      returnUrl: 'https://elsewhere.example/',
      expiresAt: '2020-01-01T00:00:00Z'
    })
    t.equal(status, 422)
    t.equal(body.code, 'amount_too_large')
    t.same(
      body.errors.map(({ pointer }: { pointer: string }) => pointer),
      ['/amount/value', '/amount/value', '/returnUrl', '/expiresAt']
    )
  })

  t.test('a 415 says what the route takes', async (t) => {
    const text = { body: 'a', headers: { 'content-type': 'text/plain' }, idempotencyKey: 'a' }
    for (const [path, type] of [
      ['/v1/payments', 'application/json'],
      ['/v1/webhook-endpoints/a/test', 'application/json'],
      ['/v1/settlement-reports', 'text/csv']
    ] as const) {
      const { body } = await call('POST', path, text)
      t.equal(body.detail, `Send ${type}.`)
    }
  })

  t.test('400 for a day that no calendar has, or that is out of reach', async (t) => {
    const days = ['0000-01-01', '0000-12-31', '2026-02-30', '10000-01-01', '2026-1-1', 'today', '']
    for (const day of [...days, '2026-01-01T00:00:00Z', '2026-01-01Z']) {
      const answer = await call('GET', `/v1/reconciliation/summary?date=${day}`)
      t.same([answer.status, answer.body.errors?.[0].pointer], [400, '/date'], day)
    }
    for (const day of ['0001-01-01', '9999-12-31']) {
      t.equal((await call('GET', `/v1/reconciliation/summary?date=${day}`)).status, 200, day)
    }
  })

  t.test('F7: 400 for a query that is no URL, but to whoever comes back', async (t) => {
    for (const query of ['reference=%ff', 'reference=%zz', 'metadata.%c0=a', 'limit=5&%', 'a=%2']) {
      const answer = await call('GET', `/v1/payments?${query}`)
      t.match(answer, { status: 400, body: { code: 'request_invalid' } }, query)
      t.match(answer.body.errors, [{ detail: 'is not percent-encoded UTF-8' }], query)
    }
    const { id } = await service.createPayment()
    t.equal((await call('GET', `/return/${id}?a=%ff`, { key: null })).status, 303)
  })

  t.test('no answer tells of the database or of the code', async (t) => {
    for (const path of [
      '/v1/payments/%00',
      "/v1/payments/'; drop table payment",
      '/v1/payments/%'
    ]) {
      const { status, text } = await call('GET', path)
      t.ok(status === 404 || status === 400)
      t.notMatch(text, /select|postgres|kysely|node_modules|src\/|stack/i)
    }
  })
})
