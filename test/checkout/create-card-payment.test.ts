import { sql } from 'kysely'
import t from 'tap'
import { checkMoney } from '../invariants.ts'
import { testService } from '../test-service.ts'
import { keysOf, requestOf, setUp } from './card-payments.ts'

t.test('paying with a registered card', async (t) => {
  const service = await testService(t)
  const { call, control, until, db } = service

  t.test('201 captured, with the card, and one payment at Adyen', async (t) => {
    const { accountId, registeredCardId, payByCard } = await setUp(service)
    const answer = await payByCard({
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
    t.same(await keysOf(service, answer.body.id), [`${answer.body.id}.payment.1`])
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
    const { payByCard } = await setUp(service)
    const answer = await payByCard({ capture: 'manual' })
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
      const { payByCard } = await setUp(service, { holderName })
      const key = crypto.randomUUID()
      const answer = await payByCard({}, key)
      t.match(answer, {
        status: 201,
        body: { status: 'refused', finished: true, failure: { code, retryable }, checkout: null }
      })
      const again = await payByCard({}, key)
      t.equal(again.text, answer.text)
      t.equal(again.headers.get('idempotent-replayed'), 'true')
    })
  }

  t.test('201 pending where Adyen has it and will tell', async (t) => {
    const { payByCard } = await setUp(service, { holderName: 'PENDING' })
    await control('PUT', '/_simulator/faults', { page: { authorisationAfterMs: 300 } })
    const answer = await payByCard()
    t.match(answer, { status: 201, body: { status: 'pending', checkout: null } })
    const { rows } = await sql<{ hours: number }>`
      select extract(epoch from next_attempt_at - created_at) / 3600 as hours from payment
      where id = ${answer.body.id}`.execute(db)
    t.equal(Number(rows[0]?.hours), 24, 'it is not asked for again, but noticed')
    await until(answer.body.id, ({ status }) => status === 'captured')
    await control('PUT', '/_simulator/faults', { page: { authorisationAfterMs: false } })
  })

  t.test('502 for ever where Adyen does not know the card any more', async (t) => {
    const { payByCard, accountId } = await setUp(service)
    const { body: stored } = await control('GET', '/_simulator/storedCards')
    const { id } = stored.findLast(
      (one: { shopperReference: string }) => one.shopperReference === `account-${accountId}`
    )
    await sql`update card set token = ${`${id}X`} where token = ${id}`.execute(db)
    const key = crypto.randomUUID()
    const answer = await payByCard({}, key)
    t.match(answer, { status: 502, body: { code: 'provider_rejected' } })
    const { body } = await call('GET', `/v1/payments/${answer.body.paymentId}`)
    t.match(body, { status: 'failed', failure: { code: 'provider_rejected' } })
    t.equal((await payByCard({}, key)).text, answer.text)
  })

  t.test('422 where the account has no such card, and nothing is written', async (t) => {
    const { payByCard } = await setUp(service)
    const other = await setUp(service)
    for (const registeredCardId of ['crd_0000000000000000', other.registeredCardId]) {
      const answer = await payByCard({ registeredCardId, allocations: [] })
      t.match(answer, { status: 422, body: { code: 'registered_card_not_found' } })
      t.equal(answer.body.errors[0].pointer, '/registeredCardId')
    }
  })

  t.test('a removed card pays nothing more; what it paid is still answered', async (t) => {
    const { payByCard, accountId, registeredCardId } = await setUp(service)
    const key = crypto.randomUUID()
    const before = await payByCard({}, key)
    const removed = await call('DELETE', `/v1/accounts/${accountId}/cards/${registeredCardId}`)
    t.equal(removed.status, 204)
    t.match(await payByCard(), { status: 422, body: { code: 'registered_card_not_found' } })
    t.equal((await payByCard({}, key)).text, before.text)
  })

  t.test('400 names what a method needs, and what it can’t have', async (t) => {
    const { payByCard } = await setUp(service)
    const missing = await payByCard({ registeredCardId: undefined })
    t.same(missing.body.errors, [{ pointer: '/registeredCardId', detail: 'is required' }])
    for (const method of ['hostedPage', undefined]) {
      const answer = await payByCard({ method, amount: { currency: 'GBP', value: 0 } })
      t.equal(answer.status, 400)
      t.same(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
        '/amount/value',
        '/registeredCardId',
        '/returnUrl'
      ])
    }
  })

  t.test('the money is right', (t) => checkMoney(t, db))
})
