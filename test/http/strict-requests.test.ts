import { sql } from 'kysely'
import t from 'tap'
import { csvOf } from '../settlement/generated.ts'
import { newAccountId, paymentBody, testService } from '../test-service.ts'
import { pathOf, routes } from './routes.ts'

t.test('nothing is coerced, dropped or let through', async (t) => {
  const { call, db, createPayment, url, key } = await testService(t, { duplicateWindowS: 0 })
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const valid = paymentBody(accountId)
  const create = (body: unknown, headers = {}) =>
    call('POST', '/v1/payments', { body, headers, idempotencyKey: crypto.randomUUID() })
  const pointersOf = (answer: { body: { errors?: Array<{ pointer: string }> } }) =>
    (answer.body.errors ?? []).map(({ pointer }) => pointer)
  const countPayments = async () =>
    (await sql<{ count: number }>`select count(*) from payment`.execute(db)).rows[0]?.count

  t.test('400 for an amount that is no integer of at least 1', async (t) => {
    const dueAt = '"dueAt":"2026-01-01T00:00:00Z"'
    const before = await countPayments()
    for (const value of [
      '"2500"',
      'true',
      'null',
      '[5]',
      '{}',
      '1e98',
      '1.5',
      '-1',
      '0',
      '1e400'
    ]) {
      const body = JSON.stringify(valid).replace('2500', value)
      const answer = await create(body)
      t.equal(answer.status, 400, value)
      t.same([...new Set(pointersOf(answer))], ['/amount/value'], value)
      const charge = await call('POST', `/v1/accounts/${accountId}/charges`, {
        body: `{"amount":{"currency":"GBP","value":${value}},"reference":"x",${dueAt}}`
      })
      t.equal(charge.status, 400, value)
    }
    t.equal(await countPayments(), before)
  })

  t.test('400 for a field that is not known, on every level', async (t) => {
    const own = ['status', 'clientId', 'id', 'version', 'amountCaptured', 'finished', 'eventCount']
    for (const name of own) {
      const answer = await create({ ...valid, [name]: 'x' })
      t.equal(answer.status, 400)
      t.same(pointersOf(answer), [`/${name}`])
    }
    const nested = await create({
      ...valid,
      amount: { currency: 'GBP', value: 1, minor: true },
      customer: { name: 'x' },
      operator: { id: 'a', reason: 'b', role: 'c' }
    })
    t.same(pointersOf(nested).sort(), ['/amount/minor', '/customer/name', '/operator/role'])
    const account = await call('PUT', `/v1/accounts/${newAccountId()}`, {
      body: { currency: 'GBP', balance: 5 }
    })
    t.same([account.status, pointersOf(account)], [400, ['/balance']])
    const query = await call('GET', '/v1/payments?offset=5&clientId=x')
    t.same([query.status, pointersOf(query).sort()], [400, ['/clientId', '/offset']])
  })

  t.test('400 lists all missing fields at once', async (t) => {
    const answer = await create({})
    t.equal(answer.status, 400)
    t.same(pointersOf(answer).sort(), ['/accountId', '/amount', '/channel', '/returnUrl'])
    const charge = await call('POST', `/v1/accounts/${accountId}/charges`, { body: {} })
    t.same(pointersOf(charge).sort(), ['/amount', '/dueAt', '/reference'])
    const agent = await create({ ...valid, channel: 'agent' })
    t.same(pointersOf(agent), ['/operator'], 'whoever acts for the customer is named')
  })

  t.test('400 for a null where a value belongs', async (t) => {
    for (const name of ['accountId', 'amount', 'channel', 'returnUrl', 'reference', 'metadata']) {
      const answer = await create({ ...valid, [name]: null })
      t.equal(answer.status, 400, name)
    }
  })

  const bad = {
    NUL: '\u0000',
    'a control character': '\u0007',
    'a line feed': 'a\nb',
    DEL: '\u007f',
    'a C1 control': '\u0085',
    'a bidi override': 'a\u202eb',
    'a bidi isolate': '\u2066',
    'a bidi mark': '\u200f'
  }
  for (const [name, text] of Object.entries(bad)) {
    t.test(`400 for ${name} in any text`, async (t) => {
      const fields = {
        '/reference': { reference: text },
        '/description': { description: text },
        '/operator/id': { operator: { id: text, reason: 'b' } },
        '/operator/reason': { operator: { id: 'a', reason: text } },
        '/customer/reference': { customer: { reference: text } },
        '/customer/email': { customer: { email: `${text}@a.example` } },
        '/customer/phone': { customer: { phone: `+4420794600${text}` } },
        '/customer/locale': { customer: { locale: text } },
        '/metadata/a': { metadata: { a: text } },
        [`/metadata/${text}`]: { metadata: { [text]: 'a' } },
        '/returnUrl': { returnUrl: `https://selfcare.example/${text}` },
        '/accountId': { accountId: text }
      }
      for (const [pointer, field] of Object.entries(fields)) {
        const answer = await create({ ...valid, ...field })
        t.equal(answer.status, 400, pointer)
        t.ok(pointersOf(answer).includes(pointer), pointer)
      }
      const account = await call('PUT', `/v1/accounts/${newAccountId()}`, {
        body: { currency: 'GBP', name: text }
      })
      t.equal(account.status, 400)
      const charge = await call('POST', `/v1/accounts/${accountId}/charges`, {
        body: {
          amount: { currency: 'GBP', value: 1 },
          reference: `x${text}`,
          dueAt: '2026-01-01T00:00:00Z'
        }
      })
      t.equal(charge.status, 400)
      const encoded = encodeURIComponent(text)
      for (const query of [
        `payments?reference=a${encoded}`,
        `payments?metadata.a=${encoded}`,
        `payments?metadata.${encoded}=a`,
        `notifications?reference=${encoded}`,
        `notifications?eventCode=${encoded}`
      ]) {
        t.equal((await call('GET', `/v1/${query}`)).status, 400, query)
      }
    })
  }

  t.test('A15: 400 for what cannot be seen in the name of a person or a processor', async (t) => {
    const unseen = [
      ...['\u200b', '\u00ad', '\u2066', '\ufe0f'],
      ...['\u3164', '\u00a0', '\u2028', '\u{e0041}']
    ]
    const recorded = {
      ...{ accountId, amount: valid.amount, channel: 'ivr', outcome: 'captured' },
      takenAt: '2026-11-22T09:58:00Z'
    }
    const named = (id: string): Array<[path: string, body: object, pointer: string]> => [
      ['/v1/payments', { ...valid, operator: { id, reason: 'x' } }, '/operator/id'],
      ['/v1/payments/pay_1/refunds', { amount: valid.amount, operator: { id } }, '/operator/id'],
      ['/v1/refunds/ref_1/approval', { operator: { id } }, '/operator/id'],
      ['/v1/refunds/ref_1/rejection', { operator: { id } }, '/operator/id'],
      [
        '/v1/discrepancies/dis_1/resolution',
        { resolution: 'acknowledged', reason: 'x', operator: { id } },
        '/operator/id'
      ],
      [
        '/v1/payments/pay_1/refunds',
        { amount: valid.amount, processor: { name: 'ivr', reference: id } },
        '/processor/reference'
      ],
      [
        '/v1/recorded-payments',
        { ...recorded, processor: { name: id, reference: '1' }, operator: { id: 'agent-7' } },
        '/processor/name'
      ]
    ]
    for (const id of [...unseen.map((one) => `agent-7${one}`), '  ']) {
      for (const [path, body, pointer] of named(id)) {
        const answer = await call('POST', path, { body, idempotencyKey: crypto.randomUUID() })
        const name = `${path} ${encodeURIComponent(id)}`
        t.equal(answer.status, 400, name)
        const detail = 'must be of characters that can be seen, and plain spaces'
        t.same(answer.body.errors, [{ pointer, detail }], name)
      }
    }
    const plain = await create({
      ...valid,
      operator: { id: 'Zoë Straße 7', reason: 'x' },
      allowDuplicate: true
    })
    t.equal(plain.body.operator.id, 'Zoë Straße 7', 'and kept as it was given')
  })

  t.test('B8: 400 for a country or language that there is not', async (t) => {
    const codes = {
      countryCode: ['UK', 'EU', 'XX', 'AN', 'gb', 'GBR', 'G', '', 'ＧＢ'],
      locale: ['en-UK', 'xx-GB', 'xx', 'en_GB', 'EN-gb', 'english', 'en-', '', 'en-GB-x']
    }
    const saying = { countryCode: /ISO 3166-1/, locale: /ISO 639-1/ }
    const register = `/v1/accounts/${accountId}/card-registrations`
    for (const [field, values] of Object.entries(codes) as Array<['locale', string[]]>) {
      for (const value of values) {
        const customer = { [field]: value }
        const answers = [
          await create({ ...valid, customer }),
          await call('POST', register, {
            body: { returnUrl: valid.returnUrl, customer },
            idempotencyKey: crypto.randomUUID()
          })
        ]
        for (const { status, body } of answers) {
          t.equal(status, 400, `${field} ${value}`)
          t.match(body.errors, [{ pointer: `/customer/${field}`, detail: saying[field] }])
        }
      }
    }
    const customer = { countryCode: 'GB', locale: 'no-NO' }
    t.equal((await create({ ...valid, customer, allowDuplicate: true })).status, 201)
  })

  t.test('400 for a lone surrogate', async (t) => {
    for (const escaped of ['\\ud800', '\\udfff', 'a\\ud83db']) {
      const body = JSON.stringify({ ...valid, reference: 'XX' }).replace('XX', escaped)
      t.equal((await create(body)).status, 400)
      const named = JSON.stringify({ ...valid, metadata: { XX: 'a' } }).replace('XX', escaped)
      t.equal((await create(named)).status, 400)
    }
  })

  t.test('accents and emoji pass, and are kept in NFC', async (t) => {
    const payment = await createPayment({
      accountId,
      reference: 'Cafe\u0301',
      metadata: { 'nai\u0308ve': '👍🏽 e\u0301' }
    })
    t.equal(payment.reference, 'Caf\u00e9')
    t.same(payment.metadata['nai\u0308ve'] ?? payment.metadata['na\u00efve'], '👍🏽 \u00e9')
    const found = await call('GET', `/v1/payments?reference=${encodeURIComponent('Cafe\u0301')}`)
    t.equal(found.body.data[0]?.id, payment.id, 'however it is spelt')
    const account = await call('PUT', `/v1/accounts/${accountId}`, {
      body: { currency: 'GBP', name: 'Zoe\u0308' }
    })
    t.equal(account.body.name, 'Zo\u00eb')
  })

  t.test('413 for a body above 64 KiB, whatever it says', async (t) => {
    for (const body of [{ ...valid, description: 'x'.repeat(70_000) }, 'x'.repeat(70_000)]) {
      const answer = await create(body)
      t.equal(answer.status, 413)
      t.equal(answer.body.code, 'body_too_large')
    }
  })

  t.test('400 for what is not JSON', async (t) => {
    const texts = ['{', '{"a":1,}', "{'a':1}", 'undefined', 'NaN', '{"a":01}', '\u0000', '{}{}', '']
    for (const text of texts) {
      const answer = await create(text)
      t.equal(answer.status, 400, text)
      t.equal(answer.body.code, 'request_invalid')
    }
  })

  t.test('400 for JSON that is no object', async (t) => {
    for (const text of ['null', '[]', '"a"', '5', 'true']) {
      t.equal((await create(text)).status, 400, text)
    }
    const answer = await call('POST', '/v1/payments', { idempotencyKey: 'without-a-body' })
    t.equal(answer.status, 400)
  })

  t.test('415 for another content type', async (t) => {
    for (const type of [
      'text/plain',
      'application/xml',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'json',
      'application/jsonp',
      'application/json-patch+json'
    ]) {
      const answer = await create(JSON.stringify(valid), { 'content-type': type })
      t.equal(answer.status, 415, type)
      t.equal(answer.body.code, 'content_type_unsupported', type)
    }
    const utf8 = await create(valid, { 'content-type': 'application/json; charset=utf-8' })
    t.equal(utf8.status, 201)
  })

  t.test('F7: bodies are UTF-8, and not compressed', async (t) => {
    const before = await countPayments()
    const text = JSON.stringify({ ...valid, reference: 'Zürich' })
    const latin = Buffer.from(text, 'latin1')
    const utf16 = Buffer.from(`\ufeff${text}`, 'utf16le')
    async function send(body: Buffer, type: string, headers = {}, path = '/v1/payments') {
      const answer = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'idempotency-key': crypto.randomUUID(),
          'content-type': type,
          ...headers
        },
        body: new Uint8Array(body)
      })
      const { code, reference } = (await answer.json()) as Record<string, unknown>
      const takes = answer.headers.get('accept-encoding')
      return { status: answer.status, of: code ?? reference, takes }
    }
    const unsupported = { status: 415, of: 'content_type_unsupported' }
    const json = 'application/json'
    for (const charset of [
      ...['iso-8859-1', 'utf-16', 'UTF-16LE', '"windows-1252"', 'utf-7', 'x', ''],
      ...['utf-8; charset=latin1', 'latin1; charset=utf-8', '"utf-8"; Charset = "latin1"'],
      ...['utf-8; x="\\"; charset=latin1', 'utf-8; x=";"; charset=latin1']
    ]) {
      for (const body of [latin, utf16, Buffer.from(text)]) {
        t.match(await send(body, `${json}; charset=${charset}`), unsupported, charset)
      }
    }
    const broken = ['80', 'c3', 'c0af', 'eda080', 'f5808080', 'ff'].map((hex) =>
      Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.from(`${hex}227d`, 'hex')])
    )
    for (const body of [latin, utf16, utf16.subarray(2), ...broken]) {
      t.match(await send(body, json), { status: 400, of: 'request_invalid' }, body.toString('hex'))
    }
    for (const encoding of ['gzip', 'br', 'deflate', 'identity, gzip', 'aws-chunked']) {
      const headers = { 'content-encoding': encoding }
      const answer = await send(Buffer.from(text), json, headers)
      t.match(answer, { ...unsupported, takes: 'identity' }, encoding)
    }
    t.equal(await countPayments(), before)
    const taken = { status: 201, of: 'Zürich' }
    t.match(await send(Buffer.from(text), `${json};charset="UTF-8"`), taken)
    t.match(await send(Buffer.from(`\ufeff${text}`), json), taken, 'with a byte order mark')
    const quoted = `${json}; x="; charset=latin1"; charset=utf-8`
    t.match(await send(Buffer.from(text), quoted), taken, 'no charset is within quotes')
    const hidden = `${json}; x="; charset=utf-8"; charset=latin1`
    t.match(await send(Buffer.from(text), hidden), unsupported, 'nor here')
    for (const encoding of ['identity', 'Identity']) {
      t.match(await send(Buffer.from(text), json, { 'content-encoding': encoding }), taken)
    }

    const upload = (body: Buffer, type: string, headers = {}) =>
      send(body, type, headers, '/v1/settlement-reports')
    const csv = Buffer.from(`\ufeff${csvOf([{ 'Merchant Reference': 'Zürich' }])}`)
    t.match(await upload(csv, 'text/csv; charset=iso-8859-1'), unsupported)
    t.match(await upload(csv, 'text/csv', { 'content-encoding': 'gzip' }), unsupported)
    const report = Buffer.from(csv.toString(), 'latin1')
    t.match(await upload(report, 'text/csv'), { status: 400, of: 'request_invalid' })
    const cut = csv.subarray(0, csv.indexOf('ü') + 1)
    t.match(await upload(cut, 'text/csv'), { status: 400 }, 'in the middle of a character')
    const kept = await sql<{ count: number }>`
      select count(*) from settlement_content`.execute(db)
    t.equal(kept.rows[0]?.count, 0, 'nothing of them is kept')
    t.match(await upload(csv, 'text/csv; charset=utf-8'), { status: 202 })
  })

  t.test('400 for JSON that is nested deeply, in a body of any size', async (t) => {
    for (const depth of [20, 200, 30_000]) {
      const deep = '['.repeat(depth) + ']'.repeat(depth)
      for (const path of ['/v1/payments', `/v1/accounts/${accountId}/charges`]) {
        const answer = await call('POST', path, { body: `{"a":${deep}}`, idempotencyKey: 'deep' })
        t.equal(answer.status, 400, `${depth}`)
      }
      const objects = `${'{"a":'.repeat(depth / 4)}1${'}'.repeat(depth / 4)}`
      t.equal((await create(objects)).status, 400)
    }
  })

  t.test('400 for what would reach the prototypes', async (t) => {
    for (const text of [
      '{"__proto__":{"polluted":1}}',
      '{"constructor":{"prototype":{"polluted":1}}}',
      '{"amount":{"__proto__":{"value":1}}}',
      '{"metadata":{"__proto__":"a"}}',
      '{"constructor":1,"toString":2,"hasOwnProperty":3}'
    ]) {
      const body = `${JSON.stringify(valid).slice(0, -1)},${text.slice(1)}`
      t.equal((await create(body)).status, 400, text)
    }
    t.equal(({} as Record<string, unknown>).polluted, undefined)
    const payment = await createPayment({
      accountId,
      metadata: { constructor: 'a', toString: 'b' }
    })
    t.same(payment.metadata, { constructor: 'a', toString: 'b' }, 'mere names are names')
    const filter = await call('GET', '/v1/payments?metadata.__proto__=a&metadata.constructor=a')
    t.equal(filter.status, 200)
  })

  t.test('of members that are there twice the last one counts, everywhere', async (t) => {
    const body = JSON.stringify(valid).replace('"value":2500', '"value":2500,"value":7')
    const answer = await create(body)
    t.equal(answer.status, 201)
    t.equal(answer.body.amount.value, 7)
    const { body: found } = await call('GET', `/v1/payments/${answer.body.id}`)
    t.equal(found.amount.value, 7)
  })

  t.test('400 for a moment that no calendar has, or that is out of reach', async (t) => {
    const moments = [
      '2016-12-31T23:59:60Z',
      '2026-02-30T00:00:00Z',
      '2026-13-01T00:00:00Z',
      '2026-01-01',
      '2026-01-01T00:00:00',
      '0000-01-01T00:00:00Z',
      '9999-12-31T23:59:59-23:00',
      'tomorrow',
      ''
    ]
    for (const moment of moments) {
      const charge = await call('POST', `/v1/accounts/${accountId}/charges`, {
        body: { amount: { currency: 'GBP', value: 1 }, reference: 'm', dueAt: moment }
      })
      t.same([charge.status, pointersOf(charge)], [400, ['/dueAt']], moment)
      t.equal((await create({ ...valid, expiresAt: moment })).status, 400, moment)
      for (const name of ['createdFrom', 'createdTo']) {
        const list = await call('GET', `/v1/payments?${name}=${encodeURIComponent(moment)}`)
        t.equal(list.status, 400, `${name} ${moment}`)
      }
    }
  })

  t.test('404 for a path that no route has', async (t) => {
    for (const [method, path] of [
      ['OPTIONS', '/v1/nothing'],
      ['POST', '/v1/payments/'],
      ['GET', '//'],
      ['GET', '/v2/payments'],
      ['GET', '/v1/payments/a/b/c'],
      ['GET', '/../etc/passwd'],
      ['GET', '/docs/../../../etc/passwd'],
      ['GET', '/docs/static/..%2f..%2f..%2fpackage.json'],
      ['GET', '/metrics']
    ] as const) {
      const answer = await call(method, path)
      t.equal(answer.status, 404, `${method} ${path}`)
    }
  })

  t.test('400 for a path that is no URL, 404 for an id that cannot exist', async (t) => {
    for (const path of ['/v1/payments/%zz', '/v1/payments/%', '/%e0%a4%a', '/return/%ff']) {
      const answer = await call('GET', path)
      t.equal(answer.status, 400, path)
      t.equal(answer.body.code, 'request_invalid', path)
      t.equal(answer.headers.get('x-request-id'), answer.body.requestId)
      t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    }
    const ids = [
      '%00',
      '%20',
      '%0a',
      'a'.repeat(100),
      'a'.repeat(5000),
      'pay_%2e%2e',
      "'--",
      '\u00e9'
    ]
    const named = routes.filter(({ template }) => template.includes('{'))
    for (const id of ids) {
      const asked = named.map((route) => [route.method, pathOf(route, id), route.body] as const)
      for (const [method, path, body] of [...asked, ['GET', `/return/${id}`] as const]) {
        const answer = await call(method, path, { body, idempotencyKey: 'x' })
        t.equal(answer.status, 404, `${method} ${path.slice(0, 60)}`)
      }
    }
  })

  t.test('F11: 400 for an integer that is not written in decimal digits alone', async (t) => {
    const lists = routes.filter(({ template }) => /\/(payments|events|postings)$/.test(template))
    for (const template of new Set(lists.map((one) => one.template.replace('{id}', 'pay_1')))) {
      for (const limit of ['0x10', '1e1', '%205', '5%20', '%2B5', '05', '5.0', '', '5,', 'true']) {
        const answer = await call('GET', `${template}?limit=${limit}`)
        t.same([answer.status, pointersOf(answer)], [400, ['/limit']], `${template} ${limit}`)
      }
    }
    t.equal((await call('GET', '/v1/payments?limit=5')).status, 200)
  })

  t.test('F11: 400 for a parameter that is sent twice, whatever it says', async (t) => {
    for (const query of ['limit=5&limit=5', 'reference=a&reference=a', 'cursor=a&cursor=a']) {
      const answer = await call('GET', `/v1/payments?${query}`)
      t.same([answer.status, pointersOf(answer).length], [400, 1], query)
    }
    const answer = await call('GET', '/v1/payments?metadata.a=b&metadata.a=c')
    t.equal(answer.status, 400)
  })

  t.test('F11: 400 for an Idempotency-Key that is sent twice', async (t) => {
    const headers = new Headers({ authorization: `Bearer ${key}`, 'idempotency-key': 'a' })
    headers.append('idempotency-key', 'b')
    headers.set('content-type', 'application/json')
    const body = JSON.stringify(valid)
    const answer = await fetch(`${url}/v1/payments`, { method: 'POST', headers, body })
    t.equal(answer.status, 400)
    t.match(await answer.json(), { code: 'idempotency_key_missing' })
  })

  t.test('after all this there is no payment but those that were answered 201', async (t) => {
    t.equal(await countPayments(), 11)
  })
})
