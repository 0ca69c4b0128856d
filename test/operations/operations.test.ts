/** Captures, cancellations and refunds through the API, the wire and Adyen's notifications. */
import t, { type Test } from 'tap'
import { checkMoney } from '../invariants.ts'
import { type Answer, type TestService, testService } from '../test-service.ts'

const price = { currency: 'GBP', value: 2500 }
const part = { currency: 'GBP', value: 1000 }

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Found = any

/** What the tests of this file do over and over. */
function toolsOf(service: TestService) {
  const { call, createPayment, pay, until } = service
  const ask = async (path: string, body: unknown = {}, options = {}) =>
    await call('POST', `/v1/payments/${path}`, {
      body,
      idempotencyKey: crypto.randomUUID(),
      ...options
    })
  const list = async (path: string): Promise<Found[]> =>
    (await call('GET', `/v1/payments/${path}`)).body.data
  const authorise = async (holderName?: string): Promise<Found> => {
    const { id } = await createPayment({ capture: 'manual' })
    await pay(id, holderName)
    return await until(id, ({ status }) => status === 'authorised')
  }
  const capture = async (holderName?: string): Promise<Found> => {
    const { id } = await createPayment()
    await pay(id, holderName)
    return await until(id, ({ status }) => status === 'captured')
  }
  const balanceOf = async (accountId: string) => {
    const { body } = await call('GET', `/v1/accounts/${accountId}`)
    return { outstanding: body.balance.outstanding.value, credit: body.balance.credit.value }
  }
  const untilListed = async (path: string, isDone: (found: Found[]) => boolean) => {
    const giveUpAt = Date.now() + 10_000
    for (;;) {
      const found = await list(path)
      if (isDone(found)) return found
      if (Date.now() > giveUpAt) throw new Error(`not in time: ${JSON.stringify(found)}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const eventsOf = async (id: string) => (await list(`${id}/events`)).map(({ type }) => type)
  return { ask, list, authorise, capture, balanceOf, untilListed, eventsOf }
}

function isProblem(t: Test, answer: Answer, status: number, code: string): void {
  t.equal(answer.status, status, answer.text)
  t.equal(answer.body.code, code)
}

t.test('a reserved payment is captured', async (t) => {
  const service = await testService(t)
  const { ask, list, authorise, balanceOf, eventsOf } = toolsOf(service)

  await t.test('whole, with no body at all', async (t) => {
    const payment = await authorise()
    t.same(await balanceOf(payment.accountId), { outstanding: 0, credit: 0 })
    const answer = await ask(`${payment.id}/captures`, undefined)
    t.equal(answer.status, 202, answer.text)
    t.match(answer.body, {
      id: /^cap_[0-9a-z]{16}$/,
      paymentId: payment.id,
      amount: price,
      status: 'requested',
      failure: null,
      origin: 'client'
    })
    const captured = await service.until(payment.id, ({ status }) => status === 'captured')
    t.match(captured, { amountCaptured: 2500, amountRefundable: 2500, finished: true })
    t.match(await list(`${payment.id}/captures`), [{ id: answer.body.id, status: 'succeeded' }])
    t.same(await balanceOf(payment.accountId), { outstanding: 0, credit: 2500 })
    t.same(await eventsOf(payment.id), [
      'payment.created',
      'payment.authorised',
      'capture.requested',
      'capture.succeeded',
      'payment.captured'
    ])
  })

  await t.test('in part, once: the rest is released', async (t) => {
    const { id, accountId } = await authorise()
    t.equal((await ask(`${id}/captures`, { amount: part })).status, 202)
    const captured = await service.until(id, ({ status }) => status === 'captured')
    t.match(captured, { amountCaptured: 1000, amountRefundable: 1000 })
    t.same(await balanceOf(accountId), { outstanding: 0, credit: 1000 })
    isProblem(t, await ask(`${id}/captures`, { amount: part }), 409, 'payment_not_capturable')
  })

  await t.test('under one key once', async (t) => {
    const { id } = await authorise()
    const options = { idempotencyKey: crypto.randomUUID() }
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ask(`${id}/captures`, { amount: price }, options))
    )
    const done = answers.filter(({ status }) => status === 202)
    t.equal(new Set(done.map(({ body }) => body.id)).size, 1)
    t.equal(done.length, 8, 'each waits for the first')
    const [again] = [await ask(`${id}/captures`, { amount: price }, options)]
    t.equal(again?.headers.get('idempotent-replayed'), 'true')
    isProblem(t, await ask(`${id}/captures`, {}, options), 422, 'idempotency_key_reused')
    await service.until(id, ({ status }) => status === 'captured')
    t.equal((await list(`${id}/captures`)).length, 1)
  })

  await t.test('never above what is reserved, or what is not', async (t) => {
    const { id } = await authorise()
    const above = await ask(`${id}/captures`, { amount: { ...price, value: 2501 } })
    isProblem(t, above, 422, 'capture_exceeds_authorised')
    t.same(above.body.errors[0].pointer, '/amount/value')
    const other = await ask(`${id}/captures`, { amount: { currency: 'EUR', value: 100 } })
    isProblem(t, other, 422, 'currency_mismatch')
    const none = await ask(`${id}/captures`, {}, { idempotencyKey: undefined })
    isProblem(t, none, 400, 'idempotency_key_missing')
    const strange = await ask(`${id}/captures`, { amount: price, status: 'succeeded' })
    isProblem(t, strange, 400, 'request_invalid')
    const unknown = await ask('pay_0000000000000000/captures')
    isProblem(t, unknown, 404, 'payment_not_found')
    const { id: pending } = await service.createPayment({ capture: 'manual' })
    isProblem(t, await ask(`${pending}/captures`), 409, 'payment_not_capturable')
    t.same(await list(`${id}/captures`), [])
  })

  await t.test('again after Adyen has refused it', async (t) => {
    const { id, provider } = await authorise()
    // Somebody in the Customer Area was quicker, and Adyen refuses ours.
    const path = `/_simulator/payments/${provider.reference}/modify`
    await service.control('PUT', '/_simulator/faults', { webhooks: { delayMs: { ms: 400 } } })
    await service.control('POST', path, { kind: 'capture', amount: part })
    await ask(`${id}/captures`, { amount: price })
    const captured = await service.until(id, ({ status }) => status === 'captured')
    t.equal(captured.amountCaptured, 1000)
    const all = await toolsOf(service).untilListed(`${id}/captures`, (found) =>
      found.every(({ status }) => status !== 'requested')
    )
    t.same(
      all.map(({ status, origin, amount }) => [status, origin, amount.value]).sort(),
      [
        ['failed', 'client', 2500],
        ['succeeded', 'provider', 1000]
      ],
      'what was done in the Customer Area is a capture too'
    )
    await service.control('PUT', '/_simulator/faults', { webhooks: { delayMs: null } })
  })

  await checkMoney(t, service.db)
})

t.test('a capture that comes to nothing takes the money from the account again', async (t) => {
  const service = await testService(t)
  const { authorise, ask, balanceOf, capture, eventsOf, list } = toolsOf(service)

  for (const kind of ['manual', 'automatic'] as const) {
    await t.test(`${kind} capture, and a second one brings it back`, async (t) => {
      const { id } =
        kind === 'manual' ? await authorise('capture failed') : await capture('capture failed')
      if (kind === 'manual') await ask(`${id}/captures`)
      const failed = await service.until(id, ({ status }) => status === 'failed')
      t.match(failed, { amountCaptured: 0, failure: { code: 'capture_failed' }, finished: true })
      t.same(await balanceOf(failed.accountId), { outstanding: 0, credit: 0 })
      t.match(await list(`${id}/captures`), [{ status: 'failed' }])
      const { reference } = failed.provider
      await service.control('POST', `/_simulator/payments/${reference}/recapture`, {})
      await service.until(id, ({ status }) => status === 'captured')
      t.same(await balanceOf(failed.accountId), { outstanding: 0, credit: 2500 })
      t.match(await list(`${id}/captures`), [{ status: 'succeeded', failure: null }])
      const events = await eventsOf(id)
      t.same(events.slice(-4), [
        'capture.failed',
        'payment.failed',
        'capture.succeeded',
        'payment.captured'
      ])
    })
  }
  await checkMoney(t, service.db)
})

t.test('a payment is cancelled', async (t) => {
  const service = await testService(t)
  const { ask, authorise, balanceOf, capture, eventsOf } = toolsOf(service)

  await t.test('at once while its page waits, and late money is sent back', async (t) => {
    const { id, accountId } = await service.createPayment()
    const answer = await ask(`${id}/cancellation`, { reason: 'called back' })
    t.equal(answer.status, 202)
    t.match(answer.body, { id: /^can_/, status: 'succeeded', reason: 'called back' })
    const { body } = await service.call('GET', `/v1/payments/${id}`)
    t.match(body, { status: 'cancelled', checkout: null, finished: true })
    await service.pay(id)
    const events = await until(
      () => eventsOf(id),
      (found) => found.includes('reversal.succeeded')
    )
    t.same(events, [
      'payment.created',
      'cancellation.succeeded',
      'payment.cancelled',
      'reversal.requested',
      'reversal.succeeded'
    ])
    t.same(await balanceOf(accountId), { outstanding: 0, credit: 0 })
    t.equal((await service.call('GET', `/v1/payments/${id}`)).body.status, 'cancelled')
  })

  await t.test('at Adyen once it is reserved', async (t) => {
    const { id } = await authorise()
    const answer = await ask(`${id}/cancellation`)
    t.match(answer.body, { status: 'requested', reason: null })
    await service.until(id, ({ status }) => status === 'cancelled')
    isProblem(t, await ask(`${id}/captures`), 409, 'payment_not_capturable')
    isProblem(t, await ask(`${id}/cancellation`), 409, 'payment_not_cancellable')
  })

  await t.test('not once it is captured, nor beside a capture', async (t) => {
    const { id } = await capture()
    isProblem(t, await ask(`${id}/cancellation`), 409, 'payment_not_cancellable')
    const reserved = await authorise()
    await service.control('PUT', '/_simulator/faults', { webhooks: { delayMs: { ms: 500 } } })
    await ask(`${reserved.id}/captures`)
    isProblem(t, await ask(`${reserved.id}/cancellation`), 409, 'payment_not_cancellable')
    await service.control('PUT', '/_simulator/faults', { webhooks: { delayMs: null } })
    await service.until(reserved.id, ({ status }) => status === 'captured')
  })

  await t.test('by somebody in the Customer Area', async (t) => {
    const { id, provider } = await authorise()
    const path = `/_simulator/payments/${provider.reference}/modify`
    await service.control('POST', path, { kind: 'cancel' })
    await service.until(id, ({ status }) => status === 'cancelled')
    t.ok((await eventsOf(id)).includes('cancellation.succeeded'))
  })

  await checkMoney(t, service.db)
})

t.test('captured money is refunded', async (t) => {
  const service = await testService(t)
  const { ask, balanceOf, capture, eventsOf, list, untilListed } = toolsOf(service)
  const isSettled = (found: Found[]) => found.every(({ status }) => status !== 'requested')

  await t.test('in parts, each reserved at once, up to what was captured', async (t) => {
    const { id, accountId } = await capture()
    const first = await ask(`${id}/refunds`, { amount: part, reason: 'paid too much' })
    t.equal(first.status, 202)
    t.match(first.body, { id: /^ref_/, status: 'requested', amount: part, origin: 'client' })
    const { body: now } = await service.call('GET', `/v1/payments/${id}`)
    t.equal(now.amountRefundable, 1500)
    const above = await ask(`${id}/refunds`, { amount: { ...price, value: 1501 } })
    isProblem(t, above, 422, 'refund_exceeds_captured')
    const stale = await ask(`${id}/refunds`, { amount: part, amountRefundable: 2500 })
    isProblem(t, stale, 412, 'precondition_failed')
    const rest = { amount: { ...price, value: 1500 }, amountRefundable: 1500 }
    t.equal((await ask(`${id}/refunds`, rest)).status, 202)
    await untilListed(`${id}/refunds`, isSettled)
    const refunded = await service.until(id, ({ amountRefunded }) => amountRefunded === 2500)
    t.match(refunded, { status: 'captured', amountCaptured: 2500, amountRefundable: 0 })
    t.same(await balanceOf(accountId), { outstanding: 0, credit: 0 })
    const { body } = await service.call('GET', `/v1/refunds/${first.body.id}`)
    t.match(body, { id: first.body.id, status: 'succeeded', reason: 'paid too much' })
    isProblem(t, await service.call('GET', '/v1/refunds/ref_x'), 404, 'refund_not_found')
  })

  await t.test('and reopens the charge that it had paid', async (t) => {
    const { id, accountId } = await capture()
    await service.call('POST', `/v1/accounts/${accountId}/charges`, {
      body: { amount: price, reference: 'INV-1', dueAt: '2030-01-01T00:00:00Z' }
    })
    t.same(await balanceOf(accountId), { outstanding: 0, credit: 0 })
    await ask(`${id}/refunds`, { amount: part })
    await service.until(id, ({ amountRefunded }) => amountRefunded === 1000)
    t.same(await balanceOf(accountId), { outstanding: 1000, credit: 0 })
  })

  await t.test('and comes back where the card’s bank sends it back', async (t) => {
    const { id, accountId } = await capture('refund failed')
    await ask(`${id}/refunds`, { amount: price })
    const found = await untilListed(`${id}/refunds`, ([one]) => one?.status === 'failed')
    t.match(found, [{ status: 'failed', failure: { code: 'provider_error' } }])
    const { body } = await service.call('GET', `/v1/payments/${id}`)
    t.match(body, { amountRefunded: 0, amountRefundable: 2500, status: 'captured' })
    t.same(await balanceOf(accountId), { outstanding: 0, credit: 2500 })
    t.same((await eventsOf(id)).slice(-3), [
      'refund.requested',
      'refund.succeeded',
      'refund.failed'
    ])
  })

  await t.test('by somebody in the Customer Area', async (t) => {
    const { id, provider } = await capture()
    const path = `/_simulator/payments/${provider.reference}/modify`
    await service.control('POST', path, { kind: 'refund', amount: part })
    await service.until(id, ({ amountRefunded }) => amountRefunded === 1000)
    t.match(await list(`${id}/refunds`), [{ origin: 'provider', status: 'succeeded' }])
  })

  await t.test('not before it is captured', async (t) => {
    const { id } = await service.createPayment()
    isProblem(t, await ask(`${id}/refunds`, { amount: part }), 409, 'payment_not_refundable')
  })

  await checkMoney(t, service.db)
})

t.test('a large refund waits for a second operator', async (t) => {
  const service = await testService(t, { refundApprovalAbove: 1000 })
  const { ask, capture, eventsOf } = toolsOf(service)
  const decide = async (id: string, decision: string, operatorId: string, key?: string) =>
    await service.call('POST', `/v1/refunds/${id}/${decision}`, {
      body: { operator: { id: operatorId } },
      idempotencyKey: crypto.randomUUID(),
      ...(key && { key })
    })

  const small = await capture()
  t.equal((await ask(`${small.id}/refunds`, { amount: part })).body.status, 'requested')

  const { id } = await capture()
  const nobody = await ask(`${id}/refunds`, { amount: price })
  isProblem(t, nobody, 400, 'request_invalid')
  t.equal(nobody.body.errors[0].pointer, '/operator')
  const asked = await ask(`${id}/refunds`, { amount: price, operator: { id: 'Agent-7' } })
  t.equal(asked.body.status, 'awaitingApproval')
  const { body: reserved } = await service.call('GET', `/v1/payments/${id}`)
  t.equal(reserved.amountRefundable, 0, 'it reserves while it waits')

  const same = await decide(asked.body.id, 'approval', ' agent-7 ')
  isProblem(t, same, 422, 'approver_is_requester')
  const thirdParty = await service.addClient({ scopes: ['payments:read'], thirdParty: true })
  isProblem(t, await decide(asked.body.id, 'approval', 'x', thirdParty), 403, 'scope_missing')
  const approved = await decide(asked.body.id, 'approval', 'supervisor-2')
  t.equal(approved.status, 200, approved.text)
  t.match(approved.body, {
    status: 'requested',
    operator: { id: 'Agent-7' },
    decision: { operator: { id: 'supervisor-2' }, at: /Z$/ }
  })
  const twice = await decide(asked.body.id, 'approval', 'supervisor-2')
  isProblem(t, twice, 409, 'refund_not_awaiting_approval')
  await service.until(id, ({ amountRefunded }) => amountRefunded === 2500)
  t.same((await eventsOf(id)).slice(-4), [
    'refund.awaitingApproval',
    'refund.approved',
    'refund.requested',
    'refund.succeeded'
  ])

  const other = await capture()
  const waiting = await ask(`${other.id}/refunds`, { amount: price, operator: { id: 'a' } })
  const rejected = await decide(waiting.body.id, 'rejection', 'b')
  t.match(rejected.body, { status: 'rejected', decision: { operator: { id: 'b' } } })
  const { body } = await service.call('GET', `/v1/payments/${other.id}`)
  t.equal(body.amountRefundable, 2500, 'nothing is reserved any more')
  isProblem(t, await decide('ref_x', 'approval', 'b'), 404, 'refund_not_found')
  await checkMoney(t, service.db)
})

t.test(
  'a disputed payment is not refunded, and money taken back reopens what it paid',
  async (t) => {
    const service = await testService(t)
    const { ask, balanceOf, capture, untilListed } = toolsOf(service)
    const { id, accountId, provider } = await capture()
    await service.call('POST', `/v1/accounts/${accountId}/charges`, {
      body: { amount: price, reference: 'INV-1', dueAt: '2030-01-01T00:00:00Z' }
    })
    const tell = async (eventCode: string, more = {}) =>
      await service.control('POST', `/_simulator/payments/${provider.reference}/dispute`, {
        eventCode,
        ...more
      })
    const untilStage = async (stage: string) =>
      await untilListed(`${id}/disputes`, ([one]) => one?.stage === stage)

    await tell('REQUEST_FOR_INFORMATION')
    await untilStage('informationRequest')
    await tell('NOTIFICATION_OF_CHARGEBACK', { defensePeriodEndsAt: '2030-01-01T00:00:00Z' })
    const [notified] = await untilStage('notification')
    t.match(notified, { status: 'open', defendBy: '2030-01-01T00:00:00.000Z', amount: price })
    isProblem(t, await ask(`${id}/refunds`, { amount: part }), 409, 'payment_disputed')

    await tell('CHARGEBACK')
    await untilStage('chargeback')
    const charged = await service.until(id, ({ amountChargedBack }) => amountChargedBack === 2500)
    t.match(charged, { amountRefundable: 0, status: 'captured' })
    t.same(await balanceOf(accountId), { outstanding: 2500, credit: 0 })

    await tell('CHARGEBACK_REVERSED')
    await untilStage('chargebackReversed')
    t.same(await balanceOf(accountId), { outstanding: 0, credit: 0 })
    await tell('SECOND_CHARGEBACK')
    const [lost] = await untilStage('secondChargeback')
    t.match(lost, { status: 'lost', amountChargedBack: 2500 })
    t.same(await balanceOf(accountId), { outstanding: 2500, credit: 0 })
    await checkMoney(t, service.db)
  }
)

t.test('what belongs to another client does not exist for a third party', async (t) => {
  const service = await testService(t)
  const { capture } = toolsOf(service)
  const { id } = await capture()
  const key = await service.addClient({
    scopes: ['payments:read', 'payments:write', 'refunds:write'],
    thirdParty: true
  })
  const idempotencyKey = crypto.randomUUID()
  const body = { amount: part }
  for (const path of ['captures', 'cancellation', 'refunds']) {
    const options = { key, idempotencyKey, body: path === 'cancellation' ? {} : body }
    const answer = await service.call('POST', `/v1/payments/${id}/${path}`, options)
    isProblem(t, answer, 404, 'payment_not_found')
  }
  for (const path of ['captures', 'refunds', 'disputes']) {
    const answer = await service.call('GET', `/v1/payments/${id}/${path}`, { key })
    isProblem(t, answer, 404, 'payment_not_found')
  }
})

async function until<T>(read: () => Promise<T>, isDone: (found: T) => boolean): Promise<T> {
  const giveUpAt = Date.now() + 10_000
  for (;;) {
    const found = await read()
    if (isDone(found)) return found
    if (Date.now() > giveUpAt) throw new Error(`not in time: ${JSON.stringify(found)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
