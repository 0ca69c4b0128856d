/** Whatever is rightly signed is kept: applied as far as it can be read, else parked. */
import { sql } from 'kysely'
import t from 'tap'
import { testService } from '../test-service.ts'
import { envelope, type Item, item, sender, signed } from './signed-notifications.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Found = any

t.test('what is rightly signed', async (t) => {
  const service = await testService(t)
  const { call, control, createPayment, db, pay, until } = service
  const send = sender(service)

  /** What became of what was sent last, once it is settled. */
  async function sendOne(body: unknown): Promise<Found> {
    const answer = await send(body)
    if (answer.status !== 202) throw new Error(`${answer.status} ${answer.text}`)
    for (let tries = 0; tries < 500; tries += 1) {
      const [last] = (await call('GET', '/v1/notifications?limit=1')).body.data
      if (last !== undefined && last.status !== 'received') return last
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error('not in time')
  }
  const sendItem = (changes: Item) => sendOne(envelope([signed(item(changes))]))

  /** A member that is not there, or null. */
  const without = (name: string, how: 'absent' | 'null', from = item()): Item => {
    const { [name]: _, ...rest } = from
    return how === 'absent' ? rest : { ...rest, [name]: null }
  }

  t.test('B1: a missing or null member is empty, and what it leaves is kept', async (t) => {
    const becomes: Record<string, [status: string, fault: RegExp | null]> = {
      pspReference: ['parked', /has no pspReference/],
      originalReference: ['waiting', null],
      merchantAccountCode: ['parked', /has no merchantAccountCode/],
      merchantReference: ['waiting', null],
      amount: ['parked', /amount can’t be read/],
      eventCode: ['parked', /has no eventCode/],
      eventDate: ['waiting', null],
      success: ['parked', /neither true nor false/]
    }
    for (const [name, [status, fault]] of Object.entries(becomes)) {
      for (const how of ['absent', 'null'] as const) {
        const kept = await sendOne(envelope([signed(without(name, how))]))
        t.match(kept, { status, fault }, `${name} ${how}`)
      }
    }
    for (const name of ['currency', 'value']) {
      for (const how of ['absent', 'null'] as const) {
        const amount = without(name, how, { currency: 'GBP', value: 2500 })
        t.match(await sendItem({ amount }), { status: 'parked', fault: /amount/ }, `${name} ${how}`)
      }
    }
  })

  t.test('B1: a report without merchantReference is taken', async (t) => {
    const fileName = 'settlement_detail_report_batch_1413_20261123.csv'
    const told = await sendItem({
      eventCode: 'REPORT_AVAILABLE',
      pspReference: fileName,
      merchantReference: null,
      amount: { currency: 'EUR', value: 0 },
      reason: `http://127.0.0.1:9/reports/download/MerchantAccount/TestMerchant/${fileName}`
    })
    t.match(told, { status: 'ignored', reference: '', eventCode: 'REPORT_AVAILABLE' })
  })

  t.test('B1: a member that its code does not need may be missing', async (t) => {
    const { id } = await createPayment({ capture: 'manual' })
    await pay(id)
    const { provider } = await until(id, ({ status }) => status === 'authorised')
    const { amount: _, ...cancellation } = item({
      eventCode: 'CANCELLATION',
      originalReference: provider.reference,
      merchantReference: null
    })
    t.match(await sendOne(envelope([signed(cancellation)])), { status: 'applied', fault: null })
    t.equal((await call('GET', `/v1/payments/${id}`)).body.status, 'cancelled')
  })

  t.test('B1: success is a truth value or its text', async (t) => {
    for (const [success, is] of [
      [true, true],
      ['TRUE', true],
      [false, false],
      ['False', false]
    ]) {
      t.equal((await sendItem({ success })).success, is)
    }
    for (const success of ['maybe', 1, '']) {
      t.match(await sendItem({ success }), { status: 'parked', fault: /neither/ })
    }
  })

  t.test('B2: what is not signed may be anything, and changes nothing', async (t) => {
    const nested = (depth: number) => JSON.parse(`${'['.repeat(depth)}1${']'.repeat(depth)}`)
    const odd: Array<[name: string, changes: Item]> = [
      ['nested', { additionalData: { deep: nested(400) } }],
      ['types', { reason: { toString: 1 }, eventDate: [null], paymentMethod: { a: 1 } }],
      ['numbers', { additionalData: { a: 1e308, b: -0, c: 5e-324, d: 2 ** 70 } }],
      ['surrogates', { reason: '\ud800', additionalData: { '\udfff': '\ud800x' } }],
      ['NUL', { reason: '\0', additionalData: { 'a\0b': '\0' }, 'x\0': 1 }],
      ['long', { reason: 'x'.repeat(100_000), paymentMethod: 'y'.repeat(100_000) }],
      ['many', { additionalData: Object.fromEntries([...Array(5_000)].map((_, n) => [n, n])) }],
      ['card numbers', { additionalData: { '4111 1111 1111 1111': '5555555555554444' } }]
    ]
    for (const [name, changes] of odd) {
      const { id } = await createPayment()
      const kept = await sendItem({ merchantReference: id, ...changes })
      t.match(kept, { status: 'applied', fault: null }, name)
      t.equal((await call('GET', `/v1/payments/${id}`)).body.status, 'captured', name)
      t.notMatch(JSON.stringify(kept), /4111 1111|5555555555554444/)
    }
  })

  t.test('B2: JSON that no library writes is read as it was signed', async (t) => {
    const text = (one: Item, changes: Array<[from: string | RegExp, to: string]>) =>
      changes.reduce((json, [from, to]) => json.replace(from, to), JSON.stringify(envelope([one])))
    const { id } = await createPayment()
    const one = () => signed(item({ merchantReference: id }))
    const deep = `"deep":${'['.repeat(5_000)}${']'.repeat(5_000)},"hmacSignature"`
    const reason = `"reason":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)},"x":`
    const proto = '"__proto__":{"a":1},"constructor":{"prototype":{"b":1}},"hmacSignature"'
    const twice = '"hmacSignature":"first","hmacSignature"'
    for (const more of [deep, proto, twice, '"huge":1e400,"hmacSignature"']) {
      t.match(await sendOne(text(one(), [['"hmacSignature"', more]])), { status: 'applied' })
    }
    t.match(await sendOne(text(one(), [['"reason":', reason]])), { status: 'applied' })
    for (const [value, status, amount] of [
      ['2500.0', 'applied', 2500],
      ['25e2', 'applied', 2500],
      ['12345678901234567890', 'parked', 0],
      ['1e400', 'parked', 0]
    ] as const) {
      const asText = signed(item({ merchantReference: id, amount: { currency: 'GBP', value } }))
      const kept = await sendOne(text(asText, [[`"${value}"`, value]]))
      t.match(kept, { status }, value)
      const { rows } = await sql<Found>`
        select amount from notification where id = ${kept.id}`.execute(db)
      t.equal(rows[0].amount, amount)
    }
  })

  t.test('B2: signed texts without end are kept as far as they go', async (t) => {
    const random = () => [...Array(4_000)].map(() => crypto.randomUUID()).join('')
    for (const name of ['pspReference', 'originalReference', 'merchantReference', 'eventCode']) {
      const kept = await sendItem({ [name]: random() })
      t.match(kept, { status: 'parked', fault: `Its ${name} is longer than any can be.` })
    }
    const foreign = await sendItem({ merchantAccountCode: random() })
    t.match(foreign, { status: 'foreign' })
  })

  t.test('B2: thousands of items in one body', async (t) => {
    const items = Array.from({ length: 2_000 }, () => signed(item()))
    t.equal((await send(envelope(items))).status, 202)
    const { rows } = await sql`
      select from notification where psp_reference = any(${items.map((one) => one.pspReference)})
    `.execute(db)
    t.equal(rows.length, items.length)
    await sql`update notification set status = 'ignored', next_attempt_at = null
      where next_attempt_at is not null`.execute(db)
  })

  t.test('B2: what is nested without end and signed by nobody is refused', async (t) => {
    const { status } = await send(`${'['.repeat(500_000)}`)
    t.ok(status === 400 || status === 401)
    const whole = `{"notificationItems":${'['.repeat(400_000)}${']'.repeat(400_000)}}`
    t.equal((await send(whole)).status, 401)
  })

  t.test('B10: a test of the endpoint is ignored, and says so', async (t) => {
    const told = await control('POST', '/_simulator/test-notification', {})
    t.equal(told.status, 200)
    const { id } = await createPayment()
    for (const pspReference of ['test_AUTHORISATION_1', 'testNotification7', 'TEST_CUSTOM_X']) {
      // Even one that names a payment of ours moves no money.
      const kept = await sendItem({ pspReference, merchantReference: id })
      t.match(kept, { status: 'ignored', fault: /^A test of the endpoint/ })
      const retry = await call('POST', `/v1/notifications/${kept.id}/retry`, {
        idempotencyKey: kept.id
      })
      t.match(retry, { status: 409, body: { code: 'notification_not_retryable' } })
    }
    t.equal((await call('GET', `/v1/payments/${id}`)).body.status, 'pending')
    const { rows } = await sql<Found>`
      select status from notification where psp_reference ~* '^test' and status <> 'ignored'
    `.execute(db)
    t.same(rows, [])
  })
})
