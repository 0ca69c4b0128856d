import { Writable } from 'node:stream'
import { sql } from 'kysely'
import { pino } from 'pino'
import t from 'tap'
import type { Db } from '../../src/database/database.ts'
import { logOptions } from '../../src/logger.ts'
import { envelope, item, sender, signed } from '../adyen/signed-notifications.ts'
import { eventually } from '../feed/consumer.ts'
import { csvOf } from '../settlement/generated.ts'
import { findFreePort, newAccountId, paymentBody, testService } from '../test-service.ts'
import { capture, deskOf, subscribe } from '../webhooks/receivers.ts'

/** First digits and a length of each scheme. */
const schemes: ReadonlyArray<readonly [prefix: string, length: number]> = [
  ['4', 13],
  ['4', 16],
  ['4', 19],
  ['51', 16],
  ['55', 16],
  ['2221', 16],
  ['2720', 16],
  ['34', 15],
  ['37', 15],
  ['36', 14],
  ['38', 16],
  ['305', 19],
  ['35', 16],
  ['50', 16],
  ['6011', 16],
  ['62', 19],
  ['69', 18]
]

/** A number of that scheme, valid by Luhn; `seed` makes it another. */
function cardNumber(prefix: string, length: number, seed: number): string {
  const rest = Array.from(
    { length: length - prefix.length - 1 },
    (_, at) => (seed * 7 + at * 3) % 10
  )
  const digits = prefix + rest.join('')
  const sum = [...digits].reverse().reduce((total, digit, place) => {
    const weighted = Number(digit) * (place % 2 === 0 ? 2 : 1)
    return total + (weighted > 9 ? weighted - 9 : weighted)
  }, 0)
  return digits + ((10 - (sum % 10)) % 10)
}

const spaced = (number: string) => number.replace(/(....)(?=.)/g, '$1 ')
const dashed = (number: string) => number.replace(/(....)(?=.)/g, '$1-')

const spellings = schemes.flatMap(([prefix, length], at) => {
  const number = cardNumber(prefix, length, at)
  return length === 13 ? [number] : [number, spaced(number), dashed(number)]
})
const sent: string[] = []
/** What endpoints of clients were sent. */
const received: unknown[] = []

/** Every text of every table of the database. */
async function dump(db: Db): Promise<string> {
  const { rows: tables } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables where table_schema = current_schema()
    `.execute(db)
  const texts: string[] = []
  for (const { name } of tables) {
    const { rows } = await sql<{ text: string }>`
      select to_jsonb(t)::text as text from ${sql.table(name)} t`.execute(db)
    texts.push(...rows.map(({ text }) => text))
  }
  return texts.join('\n')
}

t.test('no card number comes in, and none is kept, logged or repeated', async (t) => {
  const lines: string[] = []
  const stream = new Writable({
    write(chunk, _, done) {
      lines.push(String(chunk))
      done()
    }
  })
  const log = pino(logOptions('trace'), stream)
  const metricsPort = await findFreePort()
  const tested = await testService(t, { duplicateWindowS: 0, metricsPort, log })
  const { call, db, service } = tested
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const valid = paymentBody(accountId)

  type Request = Parameters<typeof call>[2]
  async function refused(method: string, path: string, request: Request, number: string) {
    sent.push(number)
    const answer = await call(method, path, { idempotencyKey: crypto.randomUUID(), ...request })
    const headers = JSON.stringify([...answer.headers])
    const digits = number.replace(/[^0-9]/g, '')
    const flat = (answer.text + headers).replace(/%20|[ -]/g, '')
    return { status: answer.status, code: answer.body.code, repeats: flat.includes(digits) }
  }
  const refusal = { status: 422, code: 'card_number_refused', repeats: false }

  t.test('in any spelling of any scheme', async (t) => {
    for (const number of spellings) {
      const request = { body: { ...valid, description: `my card is ${number}, thanks` } }
      t.same(
        await refused('POST', '/v1/payments', request, number),
        refusal,
        number.length.toString()
      )
    }
  })

  const number = spaced(cardNumber('4', 16, 5))
  const plain = number.replaceAll(' ', '')
  const fields: Record<string, Record<string, unknown>> = {
    accountId: { accountId: plain },
    reference: { reference: number },
    description: { description: `a ${number} b` },
    'the currency': { amount: { currency: number, value: 1 } },
    channel: { channel: plain },
    'operator.id': { operator: { id: number, reason: 'x' } },
    'operator.reason': { operator: { id: 'x', reason: number } },
    'a metadata value': { metadata: { a: number } },
    'a metadata key': { metadata: { [plain]: 'a' } },
    'customer.reference': { customer: { reference: number } },
    'customer.email': { customer: { email: `${plain}@a.example` } },
    'customer.locale': { customer: { locale: plain } },
    'the path of returnUrl': { returnUrl: `https://selfcare.example/${plain}/a` },
    'the query of returnUrl': { returnUrl: `https://selfcare.example/?c=${plain}` },
    'an encoded query of returnUrl': {
      returnUrl: `https://selfcare.example/?c=${encodeURIComponent(number)}`
    },
    'a form-encoded query of returnUrl': {
      returnUrl: `https://selfcare.example/?c=${number.replaceAll(' ', '+')}`
    },
    'a returnUrl that is encoded twice': {
      returnUrl: `https://selfcare.example/?c=${encodeURIComponent(encodeURIComponent(number))}`
    },
    'a returnUrl with spaces that do not break': {
      returnUrl: `https://selfcare.example/${number.replaceAll(' ', '%C2%A0')}`
    },
    'a text with spaces that do not break': { reference: number.replaceAll(' ', '\u00a0') },
    'full-width digits': {
      reference: plain.replace(/./g, (digit) => String.fromCodePoint(0xff10 + Number(digit)))
    },
    'customer.phone': { customer: { phone: number } },
    'percent-encoded digits of returnUrl': {
      returnUrl: `https://selfcare.example/?c=%3${plain[0]}${plain.slice(1)}`
    },
    'a field that is not known': { note: number },
    'the name of a field that is not known': { [plain]: 1 },
    'a list in a field that is not known': { notes: [{ deep: [number] }] },
    expiresAt: { expiresAt: plain }
  }
  for (const [name, field] of Object.entries(fields)) {
    t.test(`in ${name} of a payment`, async (t) => {
      t.same(
        await refused('POST', '/v1/payments', { body: { ...valid, ...field } }, number),
        refusal
      )
    })
  }

  t.test('in an account and in a charge', async (t) => {
    const account = { body: { currency: 'GBP', name: number } }
    t.same(await refused('PUT', `/v1/accounts/${accountId}`, account, number), refusal)
    const amount = { currency: 'GBP', value: 1 }
    const charge = { body: { amount, reference: `INV ${number}`, dueAt: '2026-01-01T00:00:00Z' } }
    t.same(await refused('POST', `/v1/accounts/${accountId}/charges`, charge, number), refusal)
  })

  t.test('in a query', async (t) => {
    for (const query of [
      `payments?reference=${encodeURIComponent(number)}`,
      `payments?reference=${number.replaceAll(' ', '+')}`,
      `payments?metadata.a=${plain}`,
      `payments?metadata.${plain}=a`,
      `payments?${plain}=a`,
      `payments?cursor=${plain}`,
      `payments?status=${plain}`,
      `notifications?reference=${plain}`,
      `notifications?eventCode=${plain}`,
      `accounts/${accountId}/charges?cursor=${plain}`,
      `payments?reference=${encodeURIComponent(encodeURIComponent(number))}`,
      `payments?reference=${number.replaceAll(' ', '%C2%A0')}`
    ]) {
      t.same(await refused('GET', `/v1/${query}`, {}, number), refusal, query.replace(/=.*/, ''))
    }
  })

  t.test('in a path: refused or not found, never repeated', async (t) => {
    for (const path of [
      `/v1/payments/${plain}`,
      `/v1/payments/${encodeURIComponent(number)}`,
      `/v1/payments/${dashed(plain)}/events`,
      `/v1/accounts/${plain}`,
      `/v1/nothing/${plain}`,
      `/${encodeURIComponent(number)}`,
      `/v1/nothing/${number.replaceAll(' ', '%C2%A0')}`,
      `/v1/payments/${encodeURIComponent(encodeURIComponent(number))}`,
      `/v1/payments/${number.replaceAll(' ', '%E2%80%91')}`,
      `/return/${plain}`,
      `/v1/payments/%zz/${plain}`,
      `/v1/payments/${'a'.repeat(100)}-${plain}`
    ]) {
      const { status, repeats } = await refused('GET', path, {}, number)
      t.ok([400, 404, 422].includes(status), path)
      t.notOk(repeats, path)
    }
    const retry = `/v1/notifications/${plain}/retry`
    t.same(await refused('POST', retry, {}, number), refusal)
  })

  t.test('F1: nobody’s body is looked into before they are known, or for no route', async (t) => {
    const request = { body: { note: number, dashes: '-'.repeat(60_000) } }
    t.match(await refused('POST', '/v1/nothing', request, number), { status: 404, repeats: false })
    const unknown = await refused('POST', '/v1/payments', { ...request, key: null }, number)
    t.match(unknown, { status: 401, repeats: false })
  })

  t.test('in Idempotency-Key', async (t) => {
    const twice = number.replaceAll(' ', '%2520')
    for (const idempotencyKey of [plain, dashed(plain), `key.${plain}`, twice]) {
      const request = { body: valid, idempotencyKey }
      t.same(await refused('POST', '/v1/payments', request, plain), refusal)
    }
  })

  t.test('an X-Request-Id that is one is not taken', async (t) => {
    for (const id of [plain, dashed(plain), `a.${plain}`]) {
      const { repeats } = await refused(
        'GET',
        '/v1/payments/a',
        { headers: { 'x-request-id': id } },
        id
      )
      t.notOk(repeats)
    }
  })

  t.test('in other headers it is neither kept nor repeated', async (t) => {
    const headers = { 'user-agent': plain, referer: plain, authorization: `Bearer ${plain}` }
    const { status, repeats } = await refused('GET', '/v1/payments', { key: null, headers }, plain)
    t.equal(status, 401)
    t.notOk(repeats)
    const traced = { traceparent: `00-${'0'.repeat(31)}1-${plain}-01` }
    t.notOk((await refused('GET', '/v1/payments/a', { headers: traced }, plain)).repeats)
  })

  t.test('as a number, where a text belongs', async (t) => {
    for (const field of [
      { reference: Number(plain) },
      { amount: { currency: 'GBP', value: Number(plain) } }
    ]) {
      const request = { body: { ...valid, ...field } }
      const { status, repeats } = await refused('POST', '/v1/payments', request, plain)
      t.ok(status === 400 || status === 422)
      t.notOk(repeats)
    }
  })

  t.test('in a body that is broken', async (t) => {
    const request = { body: `{"reference": "${plain}", ` }
    const { status, repeats } = await refused('POST', '/v1/payments', request, plain)
    t.equal(status, 400)
    t.notOk(repeats)
  })

  t.test('F3: customer.phone has 15 digits at most', async (t) => {
    const answer = (phone: string) =>
      call('POST', '/v1/payments', {
        body: { ...valid, customer: { phone } },
        idempotencyKey: crypto.randomUUID()
      })
    for (const phone of ['+49 1511 2345678', '+4915112345678', '00 (44) 20 7946-0958', '0151']) {
      t.equal((await answer(phone)).status, 201, phone)
    }
    for (const phone of ['1234567890123456', '1234 5678 9012 3456', '+1234567890123456', '12']) {
      const { status, body } = await answer(phone)
      t.equal(status, 400, phone)
      t.equal(body.errors[0].pointer, '/customer/phone')
    }
  })

  t.test('what Adyen sends is kept without it, in names and in values', async (t) => {
    sent.push(number)
    const text = `see ${number}`
    const additionalData = { [plain]: text, a: [{ [number]: Number(plain) }], pspReference: plain }
    const one = signed(item({ merchantReference: text, reason: text, additionalData }))
    t.equal((await sender(tested)(envelope([one]))).status, 202)
    await eventually(
      async () => (await call('GET', '/v1/notifications')).text,
      (text) => text.includes(String(one.pspReference)) && text.includes('[card number]')
    )
  })

  t.test('a settlement report is kept without it, also one that cannot be read', async (t) => {
    const headers = { 'content-type': 'text/csv' }
    const cells = { 'Merchant Reference': number, Type: `Fee ${number}` }
    for (const csv of [csvOf([cells]), `${csvOf([{}])}${number}"x"`]) {
      const answer = await call('POST', '/v1/settlement-reports', { body: csv, headers })
      t.equal(answer.status, 202)
      const path = `/v1/settlement-reports/${answer.body.id}`
      await eventually(
        async () => (await call('GET', path)).body,
        ({ status }) => status === 'refused' || status === 'done'
      )
    }
    const named = `/v1/settlement-reports?fileName=${plain}.csv`
    t.equal((await call('POST', named, { body: csvOf([{}]), headers })).status, 422)
  })

  t.test('what endpoints of clients answer is kept without it', async (t) => {
    const body = `no: ${number}, ${encodeURIComponent(number)}`
    const consumer = await subscribe(t, deskOf(tested), () => ({ status: 200, body }))
    received.push(consumer.seen)
    await capture(tested, { headers: { 'user-agent': plain } })
    await eventually(
      () => consumer.events().length,
      (count) => count > 1
    )
  })

  t.test('what is none passes', async (t) => {
    const harmless = [
      '9b2f7a34-4111-4111-8111-111111111111',
      'c56a4180-65aa-42ec-a945-5fd21dec0538',
      'INV-2026-000123456',
      'INV4111111111111111',
      '4111111111111112',
      '41111111111111110000',
      'GB33BUKB20201555555555',
      'GB82 WEST 1234 5698 7654 32',
      'DE89 3704 0044 0532 0130 00',
      '2026-11-22T21:44:54.802Z',
      '1763847894802',
      '20261122214454',
      '+44 20 7946 0000',
      '5012345678900',
      '1234567890123456',
      '0000 0000 0000 0000',
      '7999 9999 9999 9999',
      'x4111111111111111y'
    ]
    for (const reference of harmless) {
      const answer = await call('POST', '/v1/payments', {
        body: { ...valid, reference },
        idempotencyKey: `key-${reference.replace(/[^\x21-\x7e]/g, '')}`,
        headers: { 'x-request-id': reference.replace(/[^A-Za-z0-9._-]/g, '') }
      })
      t.equal(answer.status, 201, reference)
      t.equal(answer.body.reference, reference)
    }
  })

  t.test('in an error of somebody else it is not logged', async (t) => {
    const before = lines.length
    log.error({ err: new Error(`invalid input syntax: "${number}"`), text: [plain] }, 'a fault')
    t.match(JSON.parse(lines.slice(before).join('')), {
      msg: 'a fault',
      text: ['[card number]'],
      err: { message: 'invalid input syntax: "[card number]"' }
    })
  })

  t.test('neither database, log, metrics nor webhooks hold one', async (t) => {
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
    t.match(metrics, 'http_server_request_duration_seconds', 'the metrics were read')
    await service.close()
    const logged = lines.join('')
    t.ok(lines.length > 100, 'the log was captured')
    t.match(logged, /card number/, 'what was hidden says so')
    const kept = await dump(db)
    t.match(kept, /payment.created/, 'the tables were read')
    const told = JSON.stringify(received)
    t.match(told, /payment.captured/, 'webhooks were received')
    const digits = [...new Set(sent.map((one) => one.replace(/[^0-9]/g, '')))]
    t.ok(digits.length > 10, 'card numbers were planted')
    for (const [name, text] of Object.entries({ logged, kept, told, metrics })) {
      const flat = text.normalize('NFKC').replace(/%(?:25)*(?:20|3|C2%A0)|[\s\p{Pd}+]/gu, '')
      t.same(
        digits.filter((one) => flat.includes(one)),
        [],
        name
      )
    }
  })
})
