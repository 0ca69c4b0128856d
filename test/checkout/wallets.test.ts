/** What a page or a link offers to pay with: what is enabled, and what a create asks for of it. */
import t from 'tap'
import { newAccountId, paymentBody, testService } from '../test-service.ts'

const operator = { id: 'op-1', reason: 'caller' }
const byLink = { method: 'paymentLink', returnUrl: undefined }

t.test('what a page offers', async (t) => {
  const service = await testService(t, {
    paymentMethods: ['scheme', 'applepay'],
    duplicateWindowS: 0
  })
  const { call, control, createPayment } = service
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })

  /** What Adyen was asked to offer last. */
  async function offered(): Promise<string[]> {
    const { body } = await control('GET', '/_simulator/requests')
    return body.at(-1).body.allowedPaymentMethods
  }
  async function offeredFor(body: Record<string, unknown>): Promise<string[]> {
    await createPayment({ accountId, ...body })
    return await offered()
  }
  const refused = async (body: Record<string, unknown>) =>
    await call('POST', '/v1/payments', {
      idempotencyKey: crypto.randomUUID(),
      body: { ...paymentBody(accountId), ...body }
    })

  await t.test('is all that is enabled, or what the create asks for of it', async (t) => {
    for (const method of [{}, byLink]) {
      t.same(await offeredFor(method), ['scheme', 'applepay'])
      t.same(await offeredFor({ ...method, paymentMethods: ['scheme'] }), ['scheme'])
      t.same(await offeredFor({ ...method, paymentMethods: ['applepay'] }), ['applepay'])
    }
  })

  await t.test('is a typed card alone where an operator types it, or it is kept', async (t) => {
    const cases: ReadonlyArray<[Record<string, unknown>, string[]]> = [
      [{ channel: 'agent', operator }, ['scheme']],
      [{ channel: 'agent', operator, ...byLink }, ['scheme', 'applepay']],
      [{ channel: 'selfcare', operator }, ['scheme', 'applepay']],
      [{ saveCard: 'ask' }, ['scheme']],
      [{ saveCard: 'always', ...byLink }, ['scheme']],
      [{ saveCard: 'ask', paymentMethods: ['scheme'] }, ['scheme']]
    ]
    for (const [body, methods] of cases) {
      t.same(await offeredFor(body), methods, JSON.stringify(body))
    }
    const path = `/v1/accounts/${accountId}/card-registrations`
    const { returnUrl } = paymentBody(accountId)
    const answer = await call('POST', path, { body: { returnUrl }, idempotencyKey: 'register' })
    t.equal(answer.status, 201)
    t.same(await offered(), ['scheme'])
  })

  await t.test('is never what cannot be offered: the create is told why, and which', async (t) => {
    const wrong: ReadonlyArray<[Record<string, unknown>, RegExp]> = [
      [{}, /not enabled/],
      [{ channel: 'agent', operator, paymentMethods: ['scheme', 'applepay'] }, /telephone order/],
      [{ saveCard: 'always', paymentMethods: ['scheme', 'applepay'] }, /can be kept/]
    ]
    const { body: before } = await call('GET', `/v1/payments?accountId=${accountId}&limit=1`)
    for (const [body, detail] of wrong) {
      const paymentMethods = ['scheme', 'googlepay']
      const pointer = '/paymentMethods/1'
      t.match(await refused({ paymentMethods, ...body }), {
        status: 422,
        body: { code: 'payment_method_not_offered', errors: [{ pointer, detail }] }
      })
    }
    const { body: all } = await refused({
      amount: { currency: 'GBP', value: 999_999_999_999_999 },
      paymentMethods: ['googlepay', 'scheme']
    })
    t.same(
      all.errors.map(({ pointer }: { pointer: string }) => pointer),
      ['/amount/value', '/paymentMethods/0'],
      'with all that is wrong besides'
    )
    for (const [body, pointer] of [
      [{ paymentMethods: ['scheme', 'paypal'] }, '/paymentMethods/1'],
      [{ paymentMethods: [] }, '/paymentMethods'],
      [{ paymentMethods: ['scheme', 'scheme'] }, '/paymentMethods'],
      [
        { ...byLink, method: 'registeredCard', registeredCardId: 'crd_1', paymentMethods: [] },
        '/paymentMethods'
      ]
    ] as const) {
      const answer = { status: 400, body: { code: 'request_invalid', errors: [{ pointer }] } }
      t.match(await refused(body), answer, JSON.stringify(body))
    }
    const { body: after } = await call('GET', `/v1/payments?accountId=${accountId}&limit=1`)
    t.same(after.data, before.data, 'nothing was written')
  })

  await t.test('is the same when it is asked for again, whoever asks', async (t) => {
    await control('PUT', '/_simulator/faults', { api: { status5xx: { times: 1 } } })
    const body = { ...paymentBody(accountId), paymentMethods: ['applepay'] }
    const create = () => call('POST', '/v1/payments', { body, idempotencyKey: 'again' })
    t.equal((await create()).status, 503)
    t.equal((await create()).status, 201)
    t.same(await offered(), ['applepay'])
  })
})
