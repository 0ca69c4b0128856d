/** Only what Adyen has signed is accepted; of the rest nothing is kept. */
import { sql } from 'kysely'
import t from 'tap'
import { hmacKey, merchantAccount, testService } from '../test-service.ts'
import { envelope, type Item, item, sender, signatureOf, signed } from './signed-notifications.ts'

const secondKey = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'

const withSignature = (one: Item, hmacSignature: unknown): Item => ({
  ...one,
  additionalData: { hmacSignature }
})

t.test('what is not signed as it should be', async (t) => {
  const service = await testService(t)
  const { db } = service
  const send = sender(service)
  const countRows = async () =>
    (await sql<{ count: number }>`select count(*) from notification`.execute(db)).rows[0]?.count

  t.test('401 where the signature is not that of a current key, and nothing is kept', async (t) => {
    const before = await countRows()
    const one = item()
    const genuine = signatureOf(one)
    const bytes = Buffer.from(genuine, 'base64')
    const wrong: Record<string, unknown> = {
      'another key': signatureOf(one, secondKey),
      'another text': signatureOf({ ...one, success: 'false' }),
      empty: '',
      null: null,
      'a number': 5,
      'a list': [genuine],
      hexadecimal: bytes.toString('hex'),
      base64url: `${genuine.slice(0, -2)}_=`,
      'without padding': genuine.slice(0, -1),
      'with a space': `${genuine} `,
      'with a line feed': `${genuine}\n`,
      'one byte short': bytes.subarray(1).toString('base64'),
      'one byte long': Buffer.concat([bytes, Buffer.of(0)]).toString('base64'),
      // The last character of 32 bytes has bits that lenient decoders pass over.
      'not canonical': genuine.replace(
        /.=$/,
        (end) => `${String.fromCharCode(end.charCodeAt(0) + 1)}=`
      ),
      twice: genuine + genuine
    }
    for (const [name, signature] of Object.entries(wrong)) {
      const answer = await send(envelope([withSignature(one, signature)]))
      t.equal(answer.status, 401, name)
      t.equal(answer.body.code, 'unauthenticated', name)
    }
    for (const additionalData of [undefined, null, {}, 'text', []]) {
      t.equal((await send(envelope([{ ...one, additionalData } as Item]))).status, 401)
    }
    t.equal(await countRows(), before)
  })

  t.test('401 where any of the signed fields was changed', async (t) => {
    const one = signed(item({ originalReference: 'ORIGINAL' }))
    for (const [name, value] of Object.entries({
      pspReference: 'OTHER',
      originalReference: 'OTHER',
      merchantAccountCode: 'OTHER',
      merchantReference: 'OTHER',
      amount: { currency: 'GBP', value: 2501 },
      eventCode: 'REFUND',
      success: 'false'
    })) {
      t.equal((await send(envelope([{ ...one, [name]: value }]))).status, 401, name)
    }
    const other = { ...one, amount: { currency: 'EUR', value: 2500 } }
    t.equal((await send(envelope([other]))).status, 401)
    t.equal(
      (await send(envelope([{ ...one, reason: 'not signed', paymentMethod: 'mc' }]))).status,
      202
    )
  })

  t.test('one bad item of several: 401, and none is kept', async (t) => {
    const before = await countRows()
    for (const place of [0, 1, 2]) {
      const items: unknown[] = [signed(item()), signed(item()), signed(item())]
      items[place] = item()
      t.equal((await send(envelope(items))).status, 401)
      items[place] = null
      t.equal((await send(envelope(items))).status, 401)
    }
    t.equal(await countRows(), before)
    t.equal((await send(envelope([signed(item()), signed(item())]))).status, 202)
    t.equal(await countRows(), (before ?? 0) + 2)
  })

  t.test('401 for a body that is none of the standard ones', async (t) => {
    const before = await countRows()
    const one = signed(item())
    const token = { type: 'recurring.token.created', data: { merchantAccount }, version: '1' }
    const bodies: unknown[] = [
      {},
      '[]',
      'null',
      '"text"',
      '5',
      envelope([]),
      { notificationItems: 'x' },
      { notificationItems: [one] },
      { notificationItems: [null] },
      { notificationItems: [{ NotificationRequestItem: [] }] },
      token,
      envelope([signed(item({ pspReference: ['5'] }))]),
      ...[{ toString: 1 }, ['true'], null, 1].map((success) =>
        envelope([withSignature(item({ success }), signatureOf(item()))])
      ),
      `{"live":"false","notificationItems":${'['.repeat(30_000)}${']'.repeat(30_000)}}`
    ]
    for (const [place, body] of bodies.entries()) {
      t.equal((await send(body)).status, 401, `${place}`)
    }
    t.equal((await send('{broken')).status, 400)
    t.equal((await send('a=b', { headers: { 'content-type': 'text/plain' } })).status, 415)
    t.equal(await countRows(), before)
  })

  t.test('413 above 1 MiB, 202 below it', async (t) => {
    const large = (size: number) =>
      envelope([signed(item({ additionalData: { padding: 'x'.repeat(size) } }))])
    t.equal((await send(large(1024 * 1024))).status, 413)
    t.equal((await send(large(1000 * 1024))).status, 202)
  })
})

t.test('keys are rotated: any current one will do', async (t) => {
  const { call } = await testService(t, { hmacKeys: [secondKey, hmacKey] })
  const send = (one: Item) => call('POST', '/webhooks/adyen', { key: null, body: envelope([one]) })
  t.equal((await send(signed(item(), hmacKey))).status, 202)
  t.equal((await send(signed(item(), secondKey))).status, 202)
  t.equal((await send(signed(item(), hmacKey.replace('a', 'b')))).status, 401)
})

t.test('basic auth, where it is configured', async (t) => {
  const adyen = { webhookUser: 'adyen', webhookPassword: 'pass:word' } as never
  const { call, db } = await testService(t, { adyen })
  const send = (authorization: string | undefined, one = signed(item())) =>
    call('POST', '/webhooks/adyen', {
      key: null,
      body: envelope([one]),
      ...(authorization !== undefined && { headers: { authorization } })
    })
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  const wrong = ['', 'adyen', 'adyen:', 'adyen:pass', 'Adyen:pass:word', ':', 'adyen:pass:word ']
  for (const text of wrong) t.equal((await send(basic(text))).status, 401, text)
  for (const header of [undefined, '', 'Basic', 'Bearer x']) {
    t.equal((await send(header)).status, 401)
  }
  const { rows } = await sql`select 1 from notification`.execute(db)
  t.equal(rows.length, 0)
  t.equal((await send(basic('adyen:pass:word'))).status, 202)
  t.equal((await send(basic('adyen:pass:word'), item())).status, 401, 'and it must be signed')
})
