import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import t from 'tap'
import { merchantAccount, newAccountId, testService } from '../test-service.ts'
import { envelope, type Item, item, sender, signed } from './signed-notifications.ts'

t.test('what Adyen sends', async (t) => {
  const service = await testService(t)
  const { call, createPayment, db, until, url } = service
  const send = sender(service)
  const rowOf = async (psp: unknown) =>
    (await call('GET', '/v1/notifications?limit=100')).body.data.find(
      (one: { pspReference: string }) => one.pspReference === psp
    )
  /** The notification once `isDone`; gives up after 5 s. */
  async function settled(
    psp: unknown,
    isDone = (one: { status: string }) => one.status !== 'received'
  ) {
    for (let tries = 0; tries < 500; tries++) {
      const found = await rowOf(psp)
      if (found !== undefined && isDone(found)) return found
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`not in time: ${JSON.stringify(await rowOf(psp))}`)
  }

  t.test('202 [accepted] for a signed item, which is kept and applied', async (t) => {
    const { id } = await createPayment()
    const one = signed(item({ merchantReference: id }))
    const answer = await send(envelope([one]))
    t.equal(answer.status, 202)
    t.equal(answer.text, '[accepted]')
    const payment = await until(id, ({ status }) => status === 'captured')
    t.equal(payment.provider.reference, one.pspReference)
    const kept = await settled(one.pspReference)
    t.match(kept, {
      eventCode: 'AUTHORISATION',
      success: true,
      reference: id,
      merchantAccount,
      live: false,
      status: 'applied',
      fault: null
    })
    t.notMatch(JSON.stringify(kept), 'hmacSignature', 'the signature is nobody’s business')
  })

  t.test('what no database holds does not keep an item from being kept', async (t) => {
    const one = signed(
      item({
        merchantReference: 'a\u0000b',
        reason: 'NUL \u0000, lone \ud800, backslash \\u0000',
        additionalData: { 'n\u0000ame': '\u0000', deep: { list: ['\udc00'] } }
      })
    )
    t.equal((await send(envelope([one]))).status, 202)
    const kept = await settled(one.pspReference)
    t.equal(kept.reference, 'a\ufffdb')
    t.equal(kept.item.reason, 'NUL \ufffd, lone \ufffd, backslash \\u0000')
  })

  t.test('a reference that looks like a card number: accepted, and kept hidden', async (t) => {
    const one = signed(
      item({ additionalData: { networkTxReference: '341111111111111', n: '4111 1111 1111 1111' } })
    )
    t.equal((await send(envelope([one]))).status, 202)
    const kept = await settled(one.pspReference)
    t.match(kept.item.additionalData, {
      networkTxReference: '[card number]',
      n: '[card number]'
    })
  })

  t.test('F7: what is rightly signed is taken in whatever form it comes', async (t) => {
    const forms: Record<string, [type: string, encode: (text: string) => Buffer]> = {
      'ISO-8859-1': ['application/json; charset=ISO-8859-1', (text) => Buffer.from(text, 'latin1')],
      'ISO-8859-1, unsaid': ['application/json', (text) => Buffer.from(text, 'latin1')],
      'UTF-16': ['application/json; charset=utf-16le', (text) => Buffer.from(text, 'utf16le')],
      'UTF-8 that is called otherwise': ['application/json; charset=latin1', Buffer.from],
      'a charset of nobody': ['application/json; charset=x-none', Buffer.from],
      'a byte order mark': ['application/json', (text) => Buffer.from(`\ufeff${text}`)]
    }
    for (const [name, [type, encode]] of Object.entries(forms)) {
      const one = signed(item({ merchantReference: 'Zürich', reason: 'grün' }))
      const answer = await fetch(`${url}/webhooks/adyen`, {
        method: 'POST',
        headers: { 'content-type': type, 'content-encoding': 'gzip' },
        body: new Uint8Array(encode(JSON.stringify(envelope([one]))))
      })
      t.equal(answer.status, 202, name)
      t.match(await settled(one.pspReference), { reference: 'Zürich', item: { reason: 'grün' } })
    }
    const one = signed(item())
    const odd = JSON.stringify(envelope([one])).replace(
      '"reason":',
      '"__proto__":{"a":1},"reason":'
    )
    t.equal((await send(odd)).status, 202)
    t.match(await settled(one.pspReference), { item: { reason: '' } })
  })

  t.test('F3: names are kept hidden like values; only what is signed is identity', async (t) => {
    const number = '4111111111111111'
    const one = signed(
      item({
        pspReference: '4000020000000000',
        additionalData: {
          [number]: 'a',
          deep: [{ [`x ${number}`]: { [`%34${number.slice(1)}`]: 1 } }],
          pspReference: number,
          originalReference: number
        }
      })
    )
    t.equal((await send(envelope([one]))).status, 202)
    const kept = await settled(one.pspReference)
    t.equal(kept.pspReference, '4000020000000000')
    const hidden = '[card number]'
    t.same(kept.item.additionalData, {
      [hidden]: 'a',
      deep: [{ [`x ${hidden}`]: { [hidden]: 1 } }],
      pspReference: hidden,
      originalReference: hidden
    })
  })

  t.test(
    'a number that looks like a card number is kept hidden, other numbers are not',
    async (t) => {
      const numbers = [
        4111111111111111,
        378282246310005,
        Number('4000000000000000006'),
        -4111111111111111,
        4111111111111111.5
      ]
      const others = [4111111111111112, 1769900000000, 2500, 0.5, 1e21]
      const deep = { list: [{ number: 5555555555554444 }], text: 'x\n4111111111111111' }
      const one = signed(
        item({
          amount: { currency: 'GBP', value: 4111111111111111 },
          additionalData: { numbers, others, deep }
        })
      )
      t.equal((await send(envelope([one]))).status, 202)
      const kept = await settled(one.pspReference)
      t.match(kept, { status: 'parked', fault: /amount/ }, 'it is no amount either')
      t.same(kept.item.additionalData, {
        numbers: numbers.map(() => '[card number]'),
        others,
        deep: { list: [{ number: '[card number]' }], text: 'x\n[card number]' }
      })
      const { rows } = await sql`select from notification n
      where n::text ~ '(4111111111111111|5555555555554444)'`.execute(db)
      t.equal(rows.length, 0)
    }
  )

  t.test('text is taken as it was signed, not brought to NFC', async (t) => {
    const one = signed(item({ merchantReference: 'cafe\u0301' }))
    t.equal((await send(envelope([one]))).status, 202)
    t.equal((await settled(one.pspReference)).reference, 'cafe\u0301')
  })

  t.test('success and live may be text or truth values, an amount text or a number', async (t) => {
    for (const changes of [
      { success: true },
      { success: false },
      { success: 'false' },
      { amount: { currency: 'GBP', value: '2500' } }
    ]) {
      const one = signed(item(changes))
      t.equal((await send(envelope([one], false))).status, 202)
      t.equal((await settled(one.pspReference)).success, String(one.success) === 'true')
    }
  })

  t.test('of another merchant account or platform: kept as foreign, not applied', async (t) => {
    const { id } = await createPayment()
    const foreign = signed(item({ merchantReference: id, merchantAccountCode: 'OtherMerchant' }))
    const live = signed(item({ merchantReference: id }))
    const alsoLive = signed(item({ merchantReference: id }))
    t.equal((await send(envelope([foreign]))).status, 202)
    t.equal((await send(envelope([live], 'true'))).status, 202)
    t.equal((await send(envelope([alsoLive], true))).status, 202)
    t.match(await settled(foreign.pspReference), {
      status: 'foreign',
      merchantAccount: 'OtherMerchant'
    })
    t.match(await settled(live.pspReference), { status: 'foreign', live: true })
    t.match(await settled(alsoLive.pspReference), { status: 'foreign', live: true })
    t.equal((await call('GET', `/v1/payments/${id}`)).body.status, 'pending')
  })

  t.test('a code of no effect is ignored, one that is not known is parked', async (t) => {
    const { id } = await createPayment()
    const statusOf = { REPORT_AVAILABLE: 'ignored', SOMETHING_NEW: 'parked' }
    for (const [eventCode, status] of Object.entries(statusOf)) {
      const one = signed(item({ merchantReference: id, eventCode }))
      t.equal((await send(envelope([one]))).status, 202)
      t.match(await settled(one.pspReference), { status, eventCode })
    }
    t.equal((await call('GET', `/v1/payments/${id}`)).body.status, 'pending')
  })

  t.test('for a payment that is not known yet: waiting, then applied once it is', async (t) => {
    const accountId = newAccountId()
    await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
    const known = await createPayment({ accountId })
    const id = 'pay_00000000000later'
    const one = signed(item({ merchantReference: id }))
    t.equal((await send(envelope([one]))).status, 202)
    t.equal((await settled(one.pspReference)).status, 'waiting')
    await db.transaction().execute(async (tx) => {
      await sql`insert into payment select * from jsonb_populate_record(null::payment,
        (select to_jsonb(p) || jsonb_build_object('id', ${id}::text, 'provider_session', 'later')
          from payment p where id = ${known.id}))`.execute(tx)
      await sql`insert into payment_event (payment_id, sequence, type, data)
        values (${id}, 1, 'payment.created', '{}')`.execute(tx)
    })
    const { body } = await call('GET', `/v1/notifications?status=waiting&reference=${id}`)
    await call('POST', `/v1/notifications/${body.data[0].id}/retry`, { idempotencyKey: 'later' })
    t.equal((await settled(one.pspReference, ({ status }) => status === 'applied')).fault, null)
    t.equal((await call('GET', `/v1/payments/${id}`)).body.status, 'captured')
  })

  t.test('20 at once of the same item are one, and move money once', async (t) => {
    const { id, accountId } = await createPayment()
    const one = signed(item({ merchantReference: id }))
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(envelope([one, one]))))
    for (const { status } of answers) t.equal(status, 202)
    await until(id, ({ status }) => status === 'captured')
    const { rows } =
      await sql`select 1 from notification where psp_reference = ${one.pspReference}`.execute(db)
    t.equal(rows.length, 1)
    const { body } = await call('GET', `/v1/accounts/${accountId}`)
    t.equal(body.balance.credit.value, 2500)
  })

  t.test('the same fact with another date or reason is kept beside the first', async (t) => {
    const { id, accountId } = await createPayment()
    const one = item({ merchantReference: id })
    await send(envelope([signed(one)]))
    await send(envelope([signed({ ...one, eventDate: '2026-01-02T00:00:00+01:00' })]))
    await send(envelope([signed({ ...one, reason: 'other' })]))
    await until(id, ({ status }) => status === 'captured')
    const { rows } =
      await sql`select 1 from notification where psp_reference = ${one.pspReference}`.execute(db)
    t.equal(rows.length, 3)
    const { body } = await call('GET', `/v1/accounts/${accountId}`)
    t.equal(body.balance.credit.value, 2500)
  })

  t.test('an item that cannot be applied is parked, the others of its request go on', async (t) => {
    const payments = [await createPayment(), await createPayment(), await createPayment()]
    const items = payments.map(({ id }) => signed(item({ merchantReference: id })))
    const poisonOf = (currency: string, value: number) =>
      signed(item({ merchantReference: payments[1].id, amount: { currency, value } }))
    const noMoney = [poisonOf('POUND', 1), poisonOf('', 1)]
    // It has no amount in our minor units.
    const poison = [poisonOf('ISK', 101)]
    const last = items.pop() as Item
    t.equal((await send(envelope([items[0], ...noMoney, ...poison, items[1], last]))).status, 202)
    for (const { id } of payments) await until(id, ({ status }) => status === 'captured')
    for (const { pspReference } of noMoney) {
      const parked = { status: 'parked', tries: 1, fault: 'Its amount can’t be read.' }
      t.match(await settled(pspReference), parked)
    }
    for (const { pspReference } of poison) {
      t.match(await settled(pspReference), { status: 'parked', tries: 1, fault: /ISK/ })
    }
    t.same(await unbalanced(), [])
  })

  async function unbalanced() {
    const { rows } = await sql`select payment_id from ledger_transfer where posting = 'payment'
      group by 1 having count(*) > 1`.execute(db)
    return rows
  }

  t.test('GET /v1/notifications: newest first, by status, code and reference', async (t) => {
    const { id } = await createPayment()
    const sent = [
      signed(item({ merchantReference: id, success: 'false', reason: 'Refused' })),
      signed(item({ merchantReference: id, eventCode: 'REPORT_AVAILABLE' })),
      signed(item({ merchantReference: id, merchantAccountCode: 'Other' }))
    ]
    for (const one of sent) {
      await send(envelope([one]))
      await settled(one.pspReference)
    }
    const find = async (query: string) =>
      (await call('GET', `/v1/notifications?reference=${id}${query}`)).body.data.map(
        ({ pspReference }: { pspReference: string }) => pspReference
      )
    const [refused, report, foreign] = sent.map(({ pspReference }) => pspReference)
    t.same(await find(''), [foreign, report, refused])
    t.same(await find('&status=ignored'), [report])
    t.same(await find('&status=foreign'), [foreign])
    t.same(await find('&eventCode=AUTHORISATION'), [foreign, refused])
    t.same(await find('&eventCode=AUTHORISATION&status=applied'), [refused])
    t.same(await find('&status=parked'), [])
    t.equal((await call('GET', '/v1/notifications?status=lost')).status, 400)
    const first = await call('GET', `/v1/notifications?reference=${id}&limit=2`)
    t.match(first.headers.get('link'), /rel="next"/)
    t.same(await find(`&limit=2&cursor=${first.body.nextCursor}`), [refused])
  })

  t.test('POST retry: 202 and due at once; 404, 409, 422', async (t) => {
    const one = signed(item({ merchantReference: 'pay_nobodys' }))
    await send(envelope([one]))
    const { id } = await settled(one.pspReference)
    const retry = (of: string, idempotencyKey = 'retry-1') =>
      call('POST', `/v1/notifications/${of}/retry`, { idempotencyKey })
    const first = await retry(id)
    t.equal(first.status, 202)
    t.match(first.body, { id, status: 'received', fault: null, tries: 0 })
    t.equal((await settled(one.pspReference)).status, 'waiting', 'it was tried')
    const again = await retry(id)
    t.equal(again.status, 202)
    t.equal(again.text, first.text)
    t.equal(again.headers.get('idempotent-replayed'), 'true')
    const other = signed(item({ eventCode: 'REPORT_AVAILABLE' }))
    await send(envelope([other]))
    const ignored = await settled(other.pspReference)
    const reused = await retry(ignored.id)
    t.same([reused.status, reused.body.code], [422, 'idempotency_key_reused'])
    const settledAlready = await retry(ignored.id, 'retry-2')
    t.same([settledAlready.status, settledAlready.body.code], [409, 'notification_not_retryable'])
    const unknown = await retry('ntf_0000000000000000', 'retry-3')
    t.same([unknown.status, unknown.body.code], [404, 'notification_not_found'])
    await sql`update notification set status = 'parked', fault = 'a fault', attempts = 6,
      next_attempt_at = null where id = ${id}`.execute(db)
    t.equal((await retry(id, 'retry-4')).status, 202, 'a parked one may be tried too')
    const storm = await Promise.all(Array.from({ length: 10 }, () => retry(id, 'retry-5')))
    for (const { status, body } of storm) {
      t.ok(status === 202 || body.code === 'notification_not_retryable')
    }
  })

  t.test('a parked one is dismissed: ignored, with who and why, and not tried again', async (t) => {
    const odd = signed(item({ eventCode: 'AUTHORISATION', success: 'perhaps' }))
    await send(envelope([odd]))
    const { id } = await settled(odd.pspReference)
    const dismissal = { reason: 'a test', operator: { id: 'night-2' } }
    const dismiss = (idempotencyKey: string) =>
      call('POST', `/v1/notifications/${id}/dismissal`, { idempotencyKey, body: dismissal })
    const fault = 'Its success is neither true nor false. Dismissed by night-2: a test'
    t.match(await dismiss('dismiss-1'), { status: 200, body: { id, status: 'ignored', fault } })
    t.match((await call('GET', '/v1/notifications?limit=1')).body.data, [{ id, fault }])
    t.match(await dismiss('dismiss-2'), { body: { code: 'notification_not_dismissable' } })
    const retry = await call('POST', `/v1/notifications/${id}/retry`, { idempotencyKey: 'dis-3' })
    t.equal(retry.body.code, 'notification_not_retryable')
  })
})

const specs = process.env.ADYEN_SPECS
t.test(
  "every example of Adyen's OpenAPI document of webhooks",
  { skip: specs === undefined && 'ADYEN_SPECS does not name the folder of the documents' },
  async (t) => {
    const { call } = await testService(t)
    const file = join(specs as string, 'Webhooks-v1.json')
    const examples = examplesOf(JSON.parse(await readFile(file, 'utf8')))
    t.ok(examples.length >= 39)
    const findAll = async () => {
      const found: Array<{ pspReference: string; status: string; eventCode: string }> = []
      let next: string | null = '/v1/notifications?limit=100'
      while (next !== null) {
        const { body, headers } = await call('GET', next)
        found.push(...body.data)
        next = /<([^>]+)>/.exec(headers.get('link') ?? '')?.[1] ?? null
      }
      return found
    }
    for (const [mine, live] of [
      [true, 'false'],
      [false, undefined]
    ] as const) {
      for (const { name, body } of examples) {
        const items = body.notificationItems.map(({ NotificationRequestItem: one }) =>
          signed({ ...one, ...(mine && { merchantAccountCode: merchantAccount }) })
        )
        const sent = envelope(items, live ?? body.live)
        const answer = await call('POST', '/webhooks/adyen', { key: null, body: sent })
        t.equal(answer.status, 202, name)
        const found = await findAll()
        for (const { pspReference, eventCode } of items) {
          const kept = found.filter(
            (one) => one.pspReference === pspReference && one.eventCode === eventCode
          )
          t.ok(kept.length > 0, `${name} is kept`)
          if (!mine)
            t.ok(
              kept.some(({ status }) => status === 'foreign'),
              `${name} is foreign`
            )
          else
            t.ok(
              kept.some(({ status }) => status !== 'foreign'),
              `${name} is ours`
            )
        }
      }
    }
    t.same(
      (await findAll()).filter(({ status }) => status === 'parked'),
      []
    )
  }
)

type Example = {
  name: string
  body: { live: unknown; notificationItems: Array<{ NotificationRequestItem: Item }> }
}

/** Every value in the document that is a webhook's body. */
function examplesOf(node: unknown, name = ''): Example[] {
  if (typeof node !== 'object' || node === null) return []
  const { notificationItems } = node as { notificationItems?: unknown }
  if (Array.isArray(notificationItems)) return [{ name, body: node as Example['body'] }]
  return Object.entries(node).flatMap(([key, value]) => examplesOf(value, `${name}/${key}`))
}
