import { sql } from 'kysely'
import t from 'tap'
import { hmacKey, merchantAccount } from '../test-service.ts'
import { cardService, tokenKey, tokenWebhook, until } from './harness.ts'

const secondKey = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'

let events = 0
function tokenBody(changes: Record<string, unknown> = {}, data: Record<string, unknown> = {}) {
  events += 1
  return {
    type: 'recurring.token.created',
    environment: 'test',
    version: '1',
    eventId: `PSP${events}`,
    createdAt: '2026-03-02T10:15:00+01:00',
    data: {
      merchantAccount,
      shopperReference: 'account-7',
      storedPaymentMethodId: 'M5N7TQ4TG5PFWR50',
      type: 'visastandarddebit',
      operation: 'created',
      ...data
    },
    ...changes
  }
}

t.test('token webhooks', async (t) => {
  const service = await cardService(t, { tokenHmacKeys: [tokenKey, secondKey] })
  const { call, db, notifications, addAccount, callsTo } = service
  const send = (letter: { body: string; headers: Record<string, string> }) =>
    call('POST', '/webhooks/adyen', { key: null, ...letter })
  const count = async () =>
    (await sql<{ count: number }>`select count(*) from notification`.execute(db)).rows[0]?.count
  const settled = (eventCode: string, status: string) =>
    until(
      () => notifications(`eventCode=${eventCode}`),
      (found) => found.some((one) => one.status === status)
    )

  t.test('are kept, acknowledged, and make us ask Adyen', async (t) => {
    const accountId = await addAccount()
    const shopperReference = `account-${accountId}`
    const body = tokenBody({}, { shopperReference })
    const answer = await send(tokenWebhook(body))
    t.same([answer.status, answer.text], [202, '[accepted]'])
    const [kept] = await settled('recurring.token.created', 'applied')
    t.match(kept, {
      eventCode: body.type,
      success: true,
      pspReference: body.eventId,
      originalReference: null,
      reference: shopperReference,
      merchantAccount,
      live: false,
      fault: null
    })
    t.same(kept.item, body)
    await until(
      () => callsTo(`shopperReference=${shopperReference}`, 'GET'),
      (calls) => calls.length > 0
    )
  })

  for (const type of ['updated', 'alreadyExisting', 'disabled']) {
    t.test(`${type} is applied`, async (t) => {
      await send(tokenWebhook(tokenBody({ type: `recurring.token.${type}` })))
      t.match(await settled(`recurring.token.${type}`, 'applied'), [{ reference: 'account-7' }])
    })
  }

  t.test('that come again change nothing', async (t) => {
    const letter = tokenWebhook(tokenBody())
    await send(letter)
    const before = await count()
    t.equal((await send(letter)).status, 202)
    t.equal(await count(), before)
  })

  t.test('are signed over the body as it came, to the byte', async (t) => {
    const body = `\n { "type" : "recurring.token.created",\r\n "eventId":"\\u0050\\/é" }\t`
    const letter = tokenWebhook(body)
    t.equal((await send(letter)).status, 202)
    const spaced = await send({ ...letter, body: JSON.stringify(JSON.parse(body)) })
    t.match(spaced, { status: 401, body: { code: 'unauthenticated' } })
  })

  t.test('may be signed by either of two keys, and by no other', async (t) => {
    t.equal((await send(tokenWebhook(tokenBody(), tokenKey))).status, 202)
    t.equal((await send(tokenWebhook(tokenBody(), secondKey))).status, 202)
    const before = await count()
    const bad = [
      tokenWebhook(tokenBody(), hmacKey),
      tokenWebhook(tokenBody(), '00'.repeat(32)),
      { body: JSON.stringify(tokenBody()), headers: {} },
      { body: JSON.stringify(tokenBody()), headers: { hmacsignature: '' } },
      { ...tokenWebhook(tokenBody()), body: JSON.stringify(tokenBody()) },
      { ...tokenWebhook('{"type":"a"}'), body: '{"type":"b"}' }
    ]
    for (const letter of bad) t.equal((await send(letter)).status, 401)
    const { body, headers } = tokenWebhook(tokenBody())
    const lenient = headers.hmacsignature.replace('=', '')
    t.equal((await send({ body, headers: { hmacsignature: lenient } })).status, 401)
    t.equal(await count(), before, 'and nothing is kept of those')
  })

  t.test('of others are kept and not applied', async (t) => {
    const foreign = [
      tokenBody({}, { merchantAccount: 'Other', shopperReference: 'account-1001' }),
      tokenBody({ environment: 'live' }, { shopperReference: 'account-1002' })
    ]
    for (const body of foreign) t.equal((await send(tokenWebhook(body))).status, 202)
    const kept = await notifications('status=foreign')
    t.equal(kept.length, 2)
  })

  t.test('B1: that are signed and lack what tells what they are wait for a person', async (t) => {
    const bodies = [
      [tokenBody({ type: null }), 'It has no type.'],
      [tokenBody({ type: 7, notificationItems: [] }), 'It has no type.'],
      [tokenBody({ type: undefined, notificationItems: null }), 'It has no type.'],
      [tokenBody({ data: null }), 'It has no merchantAccount.'],
      [tokenBody({}, { merchantAccount: null }), 'It has no merchantAccount.']
    ] as const
    for (const [body, fault] of bodies) {
      t.equal((await send(tokenWebhook(body))).status, 202)
      const [kept] = await notifications('status=parked')
      t.match(kept, { status: 'parked', fault, pspReference: body.eventId }, fault)
    }
    for (const notificationItems of [null, [], {}, 'none']) {
      t.equal((await send(tokenWebhook(tokenBody({ notificationItems })))).status, 202)
    }
    const unsigned = { body: '{"type":null,"notificationItems":[]}', headers: {} }
    t.match(await send(unsigned), { status: 401, body: { title: /key or signature/ } })
  })

  t.test('of a type that is not known, or about nobody of ours, are kept', async (t) => {
    await send(tokenWebhook(tokenBody({ type: 'recurring.token.renamed' })))
    t.equal((await settled('recurring.token.renamed', 'ignored')).length, 1)
    await send(tokenWebhook(tokenBody({}, { shopperReference: 'shopper-7' })))
    await until(
      () => notifications('reference=shopper-7'),
      ([one]) => one?.status === 'ignored'
    )
  })

  t.test('with odd members are kept like any other', async (t) => {
    const { eventId, ...rest } = tokenBody()
    const text = JSON.stringify({ ...rest, note: 'a\u0000b \ud800 4111 1111 1111 1111' })
    const twice = `${text.slice(0, -1)},"eventId":"no","eventId":${JSON.stringify(eventId)}}`
    t.equal((await send(tokenWebhook(twice))).status, 202)
    const [kept] = await until(
      () => notifications('status=applied'),
      ([one]) => one?.pspReference === eventId
    )
    t.notMatch(JSON.stringify(kept), '4111 1111')
  })

  t.test('that are no JSON are refused; what would pollute it is left out', async (t) => {
    t.equal((await send(tokenWebhook('{"type":"recurring'))).status, 400)
    const polluting = '{"type":"polluting","__proto__":{"a":1}}'
    t.equal((await send(tokenWebhook(polluting))).status, 202)
    const [kept] = await settled('polluting', 'parked')
    t.same(kept.item, { type: 'polluting' })
    for (const text of ['[]', '"type"', 'null']) {
      t.equal((await send(tokenWebhook(text))).status, 401, text)
    }
  })

  t.test('do not open the door for standard ones', async (t) => {
    const item = {
      pspReference: 'PSPX',
      merchantAccountCode: merchantAccount,
      merchantReference: 'pay_x',
      amount: { currency: 'GBP', value: 1 },
      eventCode: 'AUTHORISATION',
      eventDate: '2026-01-01T00:00:00Z',
      success: 'true'
    }
    const notificationItems = [{ NotificationRequestItem: item }]
    for (const body of [
      { live: 'false', notificationItems },
      { type: 'recurring.token.created', live: 'false', notificationItems }
    ]) {
      t.equal((await send(tokenWebhook(body))).status, 401)
    }
  })
})

t.test('without keys of their own no token webhook is genuine', async (t) => {
  const { call, notifications } = await cardService(t, { tokenHmacKeys: [] })
  for (const key of [hmacKey, tokenKey, '']) {
    const letter = tokenWebhook(tokenBody(), key)
    const answer = await call('POST', '/webhooks/adyen', { key: null, ...letter })
    t.match(answer, { status: 401, body: { code: 'unauthenticated' } })
  }
  t.same(await notifications(''), [])
})

t.test('user and password come before the signature', async (t) => {
  const { call, service } = await cardService(t, {
    adyen: { webhookUser: 'adyen', webhookPassword: 'secret' } as never,
    simulator: { webhookUser: 'adyen', webhookPassword: 'secret' }
  })
  t.ok(service)
  const { body, headers } = tokenWebhook(tokenBody())
  const basic = `Basic ${Buffer.from('adyen:secret').toString('base64')}`
  const send = (more: Record<string, string>) =>
    call('POST', '/webhooks/adyen', { key: null, body, headers: { ...headers, ...more } })
  t.equal((await send({})).status, 401)
  t.equal((await send({ authorization: basic })).status, 202)
})
