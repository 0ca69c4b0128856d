import { sql } from 'kysely'
import t from 'tap'
import { newAccountId, paymentBody, testService } from '../test-service.ts'

t.test('the Idempotency-Key', async (t) => {
  const { call, db } = await testService(t, { duplicateWindowS: 0 })
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const body = paymentBody(accountId)
  const create = (idempotencyKey: string, sent: unknown = body) =>
    call('POST', '/v1/payments', { body: sent, idempotencyKey })
  const countKeys = async () =>
    (await sql<{ count: number }>`select count(*) from idempotency_key`.execute(db)).rows[0]?.count

  t.test(
    '400 without one, or with one that is not 1 to 255 visible ASCII characters',
    async (t) => {
      const bad = ['', 'a b', 'a\tb', 'caf\u00e9', '\u0080', 'x'.repeat(256)]
      for (const key of [undefined, ...bad]) {
        const answer = await call('POST', '/v1/payments', {
          body,
          ...(key !== undefined && { idempotencyKey: key })
        })
        t.equal(answer.status, 400)
        t.equal(answer.body.code, 'idempotency_key_missing')
        const retry = await call('POST', '/v1/notifications/ntf_1/retry', {
          ...(key !== undefined && { idempotencyKey: key })
        })
        t.equal(retry.body.code, 'idempotency_key_missing')
      }
      t.equal(await countKeys(), 0)
    }
  )

  t.test('two of them are none', async (t) => {
    const headers = new Headers([
      ['idempotency-key', 'one'],
      ['idempotency-key', 'two']
    ])
    const answer = await call('POST', '/v1/payments', {
      body,
      headers: { 'idempotency-key': String(headers.get('idempotency-key')) }
    })
    t.equal(answer.body.code, 'idempotency_key_missing')
  })

  t.test('any visible ASCII will do, up to 255 characters', async (t) => {
    const visible = Array.from({ length: 94 }, (_, at) => String.fromCharCode(33 + at)).join('')
    for (const key of ['a', visible, 'x'.repeat(255)]) t.equal((await create(key)).status, 201)
  })

  t.test('the same request again is answered byte for byte as the first', async (t) => {
    const first = await create('again')
    t.equal(first.headers.get('idempotent-replayed'), null)
    const again = await create('again')
    t.equal(again.status, 201)
    t.equal(again.text, first.text)
    t.equal(again.headers.get('idempotent-replayed'), 'true')
    t.equal(again.headers.get('location'), first.headers.get('location'))
    t.match(again.headers.get('content-type'), /^application\/json/)
  })

  t.test('the order of members and white space do not matter, what they say does', async (t) => {
    const first = await create('spelling')
    const turned = Object.fromEntries(Object.entries(body).reverse())
    t.equal((await create('spelling', JSON.stringify(turned, null, 4))).text, first.text)
    const escaped = JSON.stringify(body).replace('selfcare', '\\u0073elfcare')
    t.equal((await create('spelling', escaped)).text, first.text)
    for (const other of [
      { ...body, amount: { currency: 'GBP', value: 2501 } },
      { ...body, reference: 'x' },
      { ...body, saveCard: 'never' }
    ]) {
      const answer = await create('spelling', other)
      t.equal(answer.status, 422)
      t.equal(answer.body.code, 'idempotency_key_reused')
    }
    t.equal((await create('spelling')).text, first.text, 'a refusal changes nothing')
  })

  t.test('another path under the key is another request', async (t) => {
    await create('path')
    const answer = await call('POST', '/v1/notifications/ntf_1/retry', { idempotencyKey: 'path' })
    t.equal(answer.status, 422)
    t.equal(answer.body.code, 'idempotency_key_reused')
  })

  t.test('what made nothing is not saved: the key is free', async (t) => {
    const before = await countKeys()
    t.equal((await create('free', {})).status, 400)
    t.equal((await create('free', { ...body, accountId: '7' })).body.code, 'account_not_found')
    t.equal((await create('free', { ...body, returnUrl: 'https://x.example' })).status, 422)
    const retry = await call('POST', '/v1/notifications/ntf_1/retry', { idempotencyKey: 'free' })
    t.equal(retry.status, 404)
    t.equal(await countKeys(), before)
    t.equal((await create('free')).status, 201)
    t.equal((await create('free', { ...body, accountId: '7' })).body.code, 'idempotency_key_reused')
  })

  t.test('many at once make one payment', async (t) => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => create('storm')))
    const made = answers.filter(({ status }) => status === 201)
    t.ok(made.length >= 1)
    t.equal(new Set(made.map(({ body }) => body.id)).size, 1)
    for (const { status, body, headers } of answers) {
      if (status === 201) continue
      t.equal(status, 409)
      t.equal(body.code, 'idempotency_key_in_flight')
      t.match(headers.get('retry-after'), /^\d+$/)
    }
    const { rows } = await sql`select 1 from payment where idempotency_key = 'storm'`.execute(db)
    t.equal(rows.length, 1)
  })

  t.test('a GET needs none and pays no heed to one', async (t) => {
    const { body: payment } = await create('get')
    for (let times = 0; times < 2; times++) {
      const answer = await call('GET', `/v1/payments/${payment.id}`, { idempotencyKey: 'get' })
      t.equal(answer.status, 200)
      t.equal(answer.headers.get('idempotent-replayed'), null)
    }
  })
})
