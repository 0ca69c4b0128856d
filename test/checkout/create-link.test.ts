import { sql } from 'kysely'
import t from 'tap'
import { checkMoney } from '../invariants.ts'
import { newAccountId, type TestService, testService } from '../test-service.ts'

const hourMs = 3_600_000
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString()

async function setUp(service: TestService) {
  const accountId = newAccountId()
  await service.call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const create = (body: Record<string, unknown> = {}, idempotencyKey = crypto.randomUUID()) =>
    service.call('POST', '/v1/payments', {
      body: {
        accountId,
        amount: { currency: 'GBP', value: 2500 },
        channel: 'ivr',
        method: 'paymentLink',
        ...body
      },
      idempotencyKey
    })
  return { accountId, create }
}

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
async function linkOf({ control }: TestService, paymentId: string): Promise<any> {
  const { body } = await control('GET', '/_simulator/links')
  return body.find((one: { request: { reference: string } }) => one.request.reference === paymentId)
}

const payLink = async (service: TestService, paymentId: string, holderName = 'A. Customer') => {
  const { id } = await linkOf(service, paymentId)
  return await service.control('POST', `/_simulator/links/${id}/pay`, { holderName })
}

/** When it is looked after, in minutes from when it was made, or from when it ends. */
async function dueIn({ db }: TestService, id: string, from: 'created_at' | 'expires_at' | 'now()') {
  const { rows } = await sql<{ minutes: number | null }>`
    select round(extract(epoch from next_attempt_at - ${sql.raw(from)}) / 60)::int as minutes
    from payment where id = ${id}`.execute(db)
  return rows[0]?.minutes ?? null
}

/** Looks after the payment now; answers when it has been. */
async function lookAfter({ db }: TestService, id: string) {
  await sql`update payment set next_attempt_at = now() - interval '1 second'
    where id = ${id}`.execute(db)
  for (;;) {
    const { rows } = await sql`select id from payment
      where id = ${id} and (next_attempt_at is null
        or next_attempt_at > now() + interval '30 seconds')`.execute(db)
    if (rows.length > 0) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

t.test('creating a payment link', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, control, until, db } = service
  const { accountId, create } = await setUp(service)

  t.test('201 with a link, for cards only, once, and none of the account', async (t) => {
    const { status, body } = await create({
      description: 'Invoice INV-1',
      customer: { email: 'a@example.com', phone: '+44 20 7946 0000', locale: 'en-GB' },
      metadata: { call: '7' }
    })
    t.equal(status, 201)
    t.match(body, { method: 'paymentLink', status: 'pending', card: null })
    t.match(body.checkout.url, `${service.simulatorUrl}/link/`)
    const lifeMs = Date.parse(body.checkout.expiresAt) - Date.parse(body.createdAt)
    t.equal(lifeMs, 24 * hourMs, 'a day')
    const { request } = await linkOf(service, body.id)
    t.match(request, {
      reference: body.id,
      reusable: false,
      allowedPaymentMethods: ['scheme'],
      captureDelayHours: 0,
      storePaymentMethodMode: 'disabled',
      description: 'Invoice INV-1',
      expiresAt: body.checkout.expiresAt,
      shopperEmail: 'a@example.com',
      telephoneNumber: '+442079460000',
      metadata: { call: '7' }
    })
    for (const field of ['shopperReference', 'manualCapture', 'additionalData']) {
      t.notHas(request, field)
    }
    const { body: requests } = await control('GET', '/_simulator/requests')
    t.equal(requests.at(-1).headers['idempotency-key'], `${body.id}.link.1`)
    t.same((await call('GET', `/v1/payments/${body.id}`)).body, body)
  })

  t.test('201 with what else can be asked for', async (t) => {
    const expiresAt = inMs(69 * 24 * hourMs)
    const { body } = await create({
      capture: 'manual',
      saveCard: 'ask',
      returnUrl: 'http://127.0.0.1:1/thanks',
      expiresAt
    })
    t.equal(body.checkout.expiresAt, expiresAt)
    const { request } = await linkOf(service, body.id)
    t.match(request, {
      manualCapture: true,
      shopperReference: `account-${accountId}`,
      storePaymentMethodMode: 'askForConsent',
      recurringProcessingModel: 'CardOnFile',
      returnUrl: `${service.url}/return/${body.id}`
    })
    t.notHas(request, 'captureDelayHours')
    const back = await fetch(request.returnUrl, { redirect: 'manual' })
    t.equal(back.headers.get('location'), `http://127.0.0.1:1/thanks?paymentId=${body.id}`)
  })

  t.test('400 when it would live too short or too long', async (t) => {
    for (const ms of [30_000, 71 * 24 * hourMs, -1]) {
      const answer = await create({ expiresAt: inMs(ms) })
      t.equal(answer.status, 400)
      t.same(answer.body.errors, [
        { pointer: '/expiresAt', detail: 'It must be 1 minute to 70 days ahead.' }
      ])
    }
  })

  t.test('paid and refused as on a page, told by the notification', async (t) => {
    const { body } = await create()
    await payLink(service, body.id, 'DECLINED')
    const refused = await until(body.id, ({ failure }) => failure !== null)
    t.match(refused, { status: 'pending', failure: { code: 'card_declined' } })
    await payLink(service, body.id)
    const paid = await until(body.id, ({ status }) => status === 'captured')
    t.match(paid, { failure: null, checkout: null, card: { lastFour: '1111' } })
    t.equal(await dueIn(service, body.id, 'now()'), null, 'nobody looks after it any more')
  })

  t.test('503, then the same link, when the answer is lost', async (t) => {
    const key = crypto.randomUUID()
    await control('PUT', '/_simulator/faults', { api: { truncate200: { times: 1 } } })
    const first = await create({}, key)
    t.match(first, { status: 503, body: { code: 'provider_unavailable' } })
    await until(first.body.paymentId, ({ checkout }) => checkout !== null)
    const again = await create({}, key)
    t.equal(again.status, 201)
    const { body } = await control('GET', '/_simulator/links')
    const mine = body.filter(
      (one: { request: { reference: string } }) => one.request.reference === again.body.id
    )
    t.equal(mine.length, 1)
  })

  t.test('the money is right', (t) => checkMoney(t, db))
})

t.test('a link that nobody tells of', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, control, until, db } = service
  const { create } = await setUp(service)
  const statusOf = async (id: string) => (await call('GET', `/v1/payments/${id}`)).body.status
  const polls = async (id: string) => {
    const link = await linkOf(service, id)
    const { body } = await control('GET', '/_simulator/requests')
    return body.filter(
      (one: { method: string; path: string }) =>
        one.method === 'GET' && one.path.endsWith(`/paymentLinks/${link.id}`)
    ).length
  }
  const drop = (webhooks: boolean) =>
    control('PUT', '/_simulator/faults', { webhooks: { drop: webhooks } })
  /** As if it had been made, and would end, so much earlier. */
  const age = async (id: string, hours: number) => {
    await sql`update payment set created_at = created_at - make_interval(hours => ${hours}),
      expires_at = expires_at - make_interval(hours => ${hours}) where id = ${id}`.execute(db)
  }

  const endsIn = async (id: string, interval: string) => {
    await sql`update payment set expires_at = now() + ${interval}::interval
      where id = ${id}`.execute(db)
  }

  t.test('is asked after ten minutes, then every hour, and when it is over', async (t) => {
    const { body } = await create()
    t.equal(await dueIn(service, body.id, 'created_at'), 10)
    await lookAfter(service, body.id)
    t.equal(await polls(body.id), 1)
    t.equal(await dueIn(service, body.id, 'now()'), 60)
    await age(body.id, 23)
    await endsIn(body.id, '30 minutes')
    await lookAfter(service, body.id)
    t.equal(await dueIn(service, body.id, 'expires_at'), 15, 'not while its last attempt may run')
    t.equal(await statusOf(body.id), 'pending')
    const brief = await create({ expiresAt: inMs(120_000) })
    t.equal(await dueIn(service, brief.body.id, 'expires_at'), 15)
  })

  t.test('ends when Adyen says that it has', async (t) => {
    const expired = await create()
    const refused = await create()
    await payLink(service, refused.body.id, 'DECLINED')
    await until(refused.body.id, ({ failure }) => failure !== null)
    for (const { body } of [expired, refused]) {
      const { id } = await linkOf(service, body.id)
      await fetch(`${service.simulatorUrl}/v72/paymentLinks/${id}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json', 'x-api-key': 'test-adyen-api-key' },
        body: '{"status":"expired"}'
      })
      await lookAfter(service, body.id)
    }
    t.equal(await statusOf(expired.body.id), 'expired')
    t.equal(await statusOf(refused.body.id), 'refused')
  })

  t.test('does not end with one visit, whatever Adyen says of that', async (t) => {
    const { body } = await create({ expiresAt: inMs(60 * 24 * hourMs) })
    const pspReference = 'OFFER00000000001'
    const item = { eventCode: 'OFFER_CLOSED', success: 'true', merchantReference: body.id }
    await control('POST', '/_simulator/webhooks', {
      items: [{ ...item, pspReference, amount: { currency: 'GBP', value: 2500 } }]
    })
    for (;;) {
      const { rows } = await sql<{ status: string }>`
        select status from notification where psp_reference = ${pspReference}`.execute(db)
      if (rows[0] !== undefined && rows[0].status !== 'received') break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    t.equal(await statusOf(body.id), 'pending')
    await payLink(service, body.id)
    t.match(await until(body.id, ({ status }) => status !== 'pending'), { status: 'captured' })
  })

  t.test('does not end while Adyen says nothing, even after its time', async (t) => {
    const { body } = await create()
    await endsIn(body.id, '-1 day')
    await control('PUT', '/_simulator/faults', {
      api: { status5xx: { times: 1, path: '/paymentLinks/' } }
    })
    await lookAfter(service, body.id)
    t.equal(await statusOf(body.id), 'pending')
    t.equal(await dueIn(service, body.id, 'now()'), 60)
  })

  t.test('that was paid waits for the money to be told, an hour at most', async (t) => {
    await drop(true)
    const { body } = await create()
    await payLink(service, body.id)
    await lookAfter(service, body.id)
    const pending = await call('GET', `/v1/payments/${body.id}`)
    t.match(pending.body, { status: 'pending', amountCaptured: 0 }, 'no money moves by it')
    t.equal(await dueIn(service, body.id, 'now()'), 60)
    await sql`update payment set next_attempt_at = now(), expires_at = now() - interval '1 day',
      reported_paid_at = now() - interval '1 hour' where id = ${body.id}`.execute(db)
    for (;;) {
      const { rows } = await sql<{ kind: string }>`
        select kind from discrepancy where payment_id = ${body.id}`.execute(db)
      if (rows.length > 0) {
        t.same(rows, [{ kind: 'success_without_reference' }])
        break
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    t.equal(await statusOf(body.id), 'pending', 'it never ends by time')
    t.equal(await dueIn(service, body.id, 'now()'), null)
    await drop(false)
    await control('POST', '/_simulator/webhooks', {
      items: [
        {
          eventCode: 'AUTHORISATION',
          success: 'true',
          pspReference: 'LATE000000000001',
          merchantReference: body.id,
          amount: { currency: 'GBP', value: 2500 }
        }
      ]
    })
    t.match(await until(body.id, ({ status }) => status === 'captured'), { amountCaptured: 2500 })
  })

  t.test('the money is right', (t) => checkMoney(t, db))
})
