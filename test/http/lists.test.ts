import { sql } from 'kysely'
import t from 'tap'
import type { Db } from '../../src/database/database.ts'
import {
  listPayments,
  noFilter,
  type PaymentFilter
} from '../../src/payments/payment-search.store.ts'
import { insertClients, testDatabase } from '../test-database.ts'
import { newAccountId, testService } from '../test-service.ts'

type Row = { id: string; status: string; reference: string | null }

t.test('lists', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, createPayment, db } = service
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const made: string[] = []
  for (let count = 0; count < 25; count++) {
    const { id } = await createPayment({
      accountId,
      channel: count % 5 === 0 ? 'ivr' : 'selfcare',
      reference: `ref-${count % 10}`,
      metadata: { parity: count % 2 === 0 ? 'even' : 'odd', all: 'yes' }
    })
    made.push(id)
  }
  const newestFirst = [...made].reverse()
  const idsOf = (rows: Row[]) => rows.map(({ id }) => id)

  /** Every page, by Link headers, as a caller follows them. */
  async function follow(path: string, onPage = async () => {}): Promise<Row[][]> {
    const pages: Row[][] = []
    let next: string | null = path
    while (next !== null) {
      const { status, body, headers } = await call('GET', next)
      t.equal(status, 200)
      pages.push(body.data)
      const link: string | null = headers.get('link')
      t.equal(link === null, body.nextCursor === null)
      next = link === null ? null : (/^<([^>]+)>; rel="next"$/.exec(link)?.[1] ?? 'no link')
      await onPage()
      if (pages.length > 100) throw new Error('the list has no end')
    }
    return pages
  }

  t.test('the newest come first, 20 unless told otherwise', async (t) => {
    const { body, headers } = await call('GET', '/v1/payments')
    t.same(idsOf(body.data), newestFirst.slice(0, 20))
    t.type(body.nextCursor, 'string')
    t.ok(headers.get('link')?.includes(`cursor=${body.nextCursor}`))
  })

  t.test('400 for a limit that is not 1 to 100', async (t) => {
    for (const limit of ['0', '-1', '101', '1.5', 'ten', '', 'NaN', '1e9', '5&limit=6', '%00']) {
      const answer = await call('GET', `/v1/payments?limit=${limit}`)
      t.equal(answer.status, 400, limit)
      t.same(answer.body.errors[0].pointer, '/limit')
    }
    t.equal((await call('GET', '/v1/payments?limit=1')).body.data.length, 1)
    t.equal((await call('GET', '/v1/payments?limit=100')).body.data.length, 25)
    t.equal((await call('GET', '/v1/payments?limit=25')).body.nextCursor, null, 'no empty page')
  })

  t.test('following the links meets every payment once, with any size of page', async (t) => {
    for (const limit of [1, 2, 7, 24, 25, 26]) {
      const pages = await follow(`/v1/payments?limit=${limit}`)
      t.same(idsOf(pages.flat()), newestFirst, `limit ${limit}`)
      t.equal(pages.length, Math.ceil(25 / limit))
    }
  })

  t.test('links keep the filters', async (t) => {
    const pages = await follow(`/v1/payments?limit=2&channel=ivr&accountId=${accountId}`)
    t.equal(pages.flat().length, 5)
    t.equal(pages.length, 3)
  })

  t.test('what is added while somebody reads moves no page', async (t) => {
    const added: string[] = []
    const pages = await follow('/v1/payments?limit=5', async () => {
      added.push((await createPayment({ accountId })).id)
    })
    t.same(idsOf(pages.flat()), newestFirst)
    t.equal(added.length, 5)
    await sql`delete from idempotency_key where resource_id = any(${added})`.execute(db)
    made.push(...added)
    newestFirst.unshift(...added.reverse())
  })

  t.test('400 for a cursor that this list did not answer', async (t) => {
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const cursors = [
      'x',
      '',
      '%00',
      '....',
      encode('text'),
      encode(null),
      encode({}),
      encode([]),
      encode([1]),
      encode(['a', 'b', 'c']),
      encode(['']),
      encode(['\u0000']),
      encode(['x'.repeat(81)]),
      'x'.repeat(300)
    ]
    const { body: document } = await call('GET', '/openapi.json', { key: null })
    type Operation = { parameters?: Array<{ $ref?: string }> }
    const lists = Object.entries(document.paths as Record<string, { get?: Operation }>)
      .filter(([, { get }]) => get?.parameters?.some(({ $ref }) => $ref?.endsWith('/Cursor')))
      .map(([path]) => path.replace('{accountId}', accountId).replace('{id}', made[0] as string))
    t.ok(lists.length >= 9, lists.join(' '))
    for (const list of lists) {
      for (const cursor of cursors) {
        const answer = await call('GET', `${list}?cursor=${cursor}`)
        t.equal(answer.status, 400, `${list} ${cursor.slice(0, 20)}`)
        t.equal(answer.body.errors[0].pointer, '/cursor')
      }
    }
    for (const position of ['abc', '-1', '1.5', '99999999999', 'NaN', "1'"]) {
      const answer = await call(
        'GET',
        `/v1/payments/${made[0]}/events?cursor=${encode([position])}`
      )
      t.equal(answer.status, 400, `an event has no number ${position}`)
    }
  })

  t.test('payments by accountId, status, channel, reference and metadata', async (t) => {
    const other = await createPayment({ reference: 'ref-3', metadata: { all: 'yes' } })
    const find = async (query: string) =>
      idsOf((await call('GET', `/v1/payments?${query}`)).body.data)
    const only = (test: (count: number) => boolean) =>
      made
        .slice(0, 25)
        .filter((_, count) => test(count))
        .reverse()
    t.same(await find(`accountId=${other.accountId}`), [other.id])
    t.same(
      await find('channel=ivr'),
      only((count) => count % 5 === 0)
    )
    t.same(await find('reference=ref-3'), [other.id, ...only((count) => count % 10 === 3)])
    t.same(
      await find(`reference=ref-3&accountId=${accountId}`),
      only((count) => count % 10 === 3),
      'filters narrow each other'
    )
    t.same(
      await find('metadata.parity=odd&limit=100'),
      only((count) => count % 2 === 1)
    )
    t.same(
      await find('metadata.parity=even&metadata.all=yes&channel=ivr'),
      only((count) => count % 10 === 0)
    )
    t.same(await find('metadata.parity=none'), [])
    t.same(await find('metadata.nothing=odd'), [])
    t.same(await find('status=captured'), [])
    t.equal((await find('status=pending&limit=100')).length, 31)
    t.same(await find('accountId=7'), [], 'an account that nobody knows has no payments')
  })

  t.test('payments by the time they were created: from, and to but not at', async (t) => {
    const { rows } = await sql<{ id: string; at: string }>`
      select id, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at
      from payment where account_id = ${accountId} order by id`.execute(db)
    const at = rows[10]?.at as string
    const find = async (query: string) =>
      idsOf((await call('GET', `/v1/payments?limit=100&accountId=${accountId}&${query}`)).body.data)
    const from = await find(`createdFrom=${at}`)
    const to = await find(`createdTo=${at}`)
    t.ok(from.includes(rows[10]?.id as string))
    t.equal(from.length + to.length, rows.length)
    t.same([...from, ...to], newestFirst)
    t.same(await find(`createdFrom=${at}&createdTo=${at}`), [])
    const zone = at.replace('Z', encodeURIComponent('+00:00'))
    t.same(await find(`createdFrom=${zone}`), from)
    t.same(await find('createdFrom=2099-01-01T00:00:00Z'), [])
    t.same(await find('createdTo=1990-01-01T00:00:00Z'), [])
  })

  t.test('400 for a filter that no payment can match', async (t) => {
    for (const [query, pointer] of [
      ['accountId=0', '/accountId'],
      ['accountId=123456789', '/accountId'],
      ['accountId=abc', '/accountId'],
      ['status=paid', '/status'],
      ['channel=fax', '/channel'],
      ['status=pending,paid', '/status'],
      ['status=', '/status'],
      ['channel=ivr&channel=fax', '/channel'],
      ['method=cash', '/method'],
      ['reference=', '/reference'],
      [`reference=${'x'.repeat(70)}`, '/reference'],
      ['createdFrom=yesterday', '/createdFrom'],
      [`metadata.a=${'x'.repeat(81)}`, '/metadata.a'],
      [`metadata.${'k'.repeat(21)}=a`, `/metadata.${'k'.repeat(21)}`],
      ['metadata.=a', '/metadata.'],
      ['metadata=a', '/metadata'],
      ['amountFrom=-1', '/amountFrom'],
      ['amountTo=1.5', '/amountTo'],
      ['amountFrom=2&amountTo=1', '/amountFrom'],
      ['amountFrom=9007199254740992', '/amountFrom'],
      ['createdFrom=2026-01-02T00:00:00Z&createdTo=2026-01-01T00:00:00Z', '/createdFrom'],
      ['currency=pounds', '/currency'],
      ['lastFour=12345', '/lastFour'],
      ['cardBrand=', '/cardBrand'],
      ['operator=', '/operator'],
      [`providerReference=${'x'.repeat(81)}`, '/providerReference'],
      ['nothing=a', '/nothing']
    ] as const) {
      const answer = await call('GET', `/v1/payments?${query}`)
      t.equal(answer.status, 400, query)
      t.equal(answer.body.errors[0].pointer, pointer, query)
    }
    const most = await call('GET', `/v1/payments?amountFrom=${Number.MAX_SAFE_INTEGER}`)
    t.same([most.status, most.body.data], [200, []], 'the largest amount that there is')
    const times = 'createdFrom=2026-01-01T01:00:00%2B01:00&createdTo=2025-12-31T23:59:59Z'
    const discrepancies = await call('GET', `/v1/discrepancies?${times}`)
    t.match(discrepancies, { status: 400, body: { errors: [{ pointer: '/createdFrom' }] } })
  })

  t.test(
    'G7: every fault of a search is told at once, and none repeats what was sent',
    async (t) => {
      const { status, body } = await call(
        'GET',
        '/v1/payments?lastFour=secret&amountFrom=much&status=paid,gone&currency=pounds&operator='
      )
      t.equal(status, 400)
      t.same([...new Set(body.errors.map(({ pointer }: { pointer: string }) => pointer))].sort(), [
        '/amountFrom',
        '/currency',
        '/lastFour',
        '/operator',
        '/status'
      ])
      t.notMatch(JSON.stringify(body), /secret|much|gone|pounds/)
      const card = await call('GET', '/v1/payments?providerReference=4111111111111111')
      t.equal(card.body.code, 'card_number_refused')
    }
  )

  t.test('G7: payments by what people know of them', async (t) => {
    const own = newAccountId()
    await call('PUT', `/v1/accounts/${own}`, { body: { currency: 'GBP' } })
    const of = (value: number, more: object = {}) =>
      createPayment({ accountId: own, amount: { currency: 'GBP', value }, ...more })
    const small = await of(1_001)
    const agent = { channel: 'agent', operator: { id: 'Agent-Näße', reason: 'caller' } }
    const large = await of(900_001, agent)
    const link = await of(1_002, { channel: 'ivr', method: 'paymentLink', returnUrl: undefined })
    await service.pay(small.id)
    const paid = await service.until(
      small.id,
      ({ status, card }) => status === 'captured' && card !== null
    )
    await service.pay(large.id, 'NOT_ENOUGH_BALANCE')
    const { reference: psp } = paid.provider
    const { body: refund } = await call('POST', `/v1/payments/${small.id}/refunds`, {
      idempotencyKey: crypto.randomUUID(),
      body: { amount: { currency: 'GBP', value: 1 } }
    })
    await service.until(small.id, ({ amountRefunded }) => amountRefunded === 1)
    const { rows } = await sql<{ refunded: string; refused: string }>`
      select provider_reference as refunded, (
        select reference from authorisation where payment_id = ${large.id}) as refused
      from operation where id = ${refund.id}`.execute(db)
    const recorded = await call('POST', '/v1/recorded-payments', {
      body: {
        accountId: own,
        amount: { currency: 'GBP', value: 300 },
        channel: 'service',
        outcome: 'captured',
        processor: { name: 'till', reference: 'TILL-77' },
        card: { brand: 'amex', lastFour: '0005' },
        takenAt: '2026-01-01T00:00:00Z'
      }
    })
    const searches: Array<[query: string, found: Array<{ id: string }>]> = [
      [`providerReference=${psp}`, [small]],
      [`providerReference=${rows[0]?.refunded}`, [small]],
      [`providerReference=${rows[0]?.refused}`, [large]],
      ['providerReference=TILL-77', [recorded.body]],
      ['providerReference=NOBODYS', []],
      ['amountFrom=1001&amountTo=1001&currency=GBP', [small]],
      ['amountFrom=1001&amountTo=1002', [link, small]],
      ['amountFrom=900000', [large]],
      ['amountTo=300&currency=GBP', [recorded.body]],
      ['amountTo=300&currency=EUR', []],
      ['lastFour=1111&cardBrand=VISA', [small]],
      ['lastFour=0005', [recorded.body]],
      ['cardBrand=amex', [recorded.body]],
      ['cardBrand=mc', []],
      ...[' agent-näße', 'AGENT-NÄSSE', 'Agent-nässe', 'Ａgent-Näße '].map(
        (one): [string, unknown[]] => [`operator=${encodeURIComponent(one)}`, [large]]
      ),
      ['operator=agent-8', []],
      ['method=paymentLink', [link]],
      ['method=recorded,paymentLink', [recorded.body, link]],
      ['channel=agent,ivr&method=hostedPage', [large]],
      ['channel=agent&channel=ivr', [link, large]],
      ['status=captured,pending&amountFrom=300', [recorded.body, link, large, small]],
      ['status=captured&status=captured&lastFour=1111', [small]],
      ['status=pending&channel=agent&operator=agent-n%C3%A4sse&amountFrom=900001', [large]]
    ]
    for (const [query, found] of searches) {
      const { status, body } = await call('GET', `/v1/payments?accountId=${own}&${query}`)
      t.equal(status, 200, query)
      t.same(idsOf(body.data), idsOf(found as Row[]), query)
    }
    const pages = await follow(`/v1/payments?accountId=${own}&status=captured,pending&limit=1`)
    t.same(idsOf(pages.flat()), idsOf([recorded.body, link, large, small]))
  })

  t.test('an ETag stands for a state of the payment', async (t) => {
    const { id } = await createPayment({ reference: 'etag' })
    const first = await call('GET', `/v1/payments/${id}`)
    const etag = String(first.headers.get('etag'))
    t.match(etag, /^"[^"]+"$/)
    const ask = (tag: string) =>
      call('GET', `/v1/payments/${id}`, { headers: { 'if-none-match': tag } })
    for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const answer = await ask(tag)
      t.equal(answer.status, 304, tag)
      t.equal(answer.text, '')
      t.equal(answer.headers.get('etag'), etag)
    }
    for (const tag of ['"x"', etag.slice(1, -1), `${etag}x`, '']) {
      t.equal((await ask(tag)).status, 200, tag)
    }
    await service.pay(id, 'NOT_ENOUGH_BALANCE')
    const refused = await service.until(id, ({ failure }) => failure !== null)
    const second = await ask(etag)
    t.equal(second.status, 200, 'an attempt is an event')
    t.not(second.headers.get('etag'), etag)
    t.same(second.body, refused)
    await service.pay(id)
    await service.until(id, ({ status }) => status === 'captured')
    t.equal((await ask(`${etag}, ${second.headers.get('etag')}`)).status, 200)
  })

  t.test('events come oldest first, without holes, by any size of page', async (t) => {
    const { body } = await call('GET', '/v1/payments?reference=etag')
    const [{ id }] = body.data
    const pages = await follow(`/v1/payments/${id}/events?limit=1`)
    t.same(
      pages.flat().map((event) => (event as unknown as { sequence: number }).sequence),
      [1, 2, 3]
    )
  })

  t.test('every other list has pages and links as well', async (t) => {
    const id = newAccountId()
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' } })
    const recorded = await call('POST', '/v1/recorded-payments', {
      body: {
        accountId: id,
        amount: { currency: 'GBP', value: 300 },
        channel: 'ivr',
        outcome: 'captured',
        processor: { name: 'ivr-platform', reference: 'A1' },
        takenAt: '2026-01-01T00:00:00Z'
      }
    })
    const amount = { currency: 'GBP', value: 100 }
    for (const reference of ['A', 'B', 'C']) {
      const pushed = [
        await call('POST', `/v1/accounts/${id}/charges`, {
          body: { amount, reference, dueAt: '2026-01-01T00:00:00Z' }
        }),
        await call('POST', `/v1/accounts/${id}/adjustments`, {
          body: { amount, reference, direction: 'debit', reason: 'x' }
        }),
        await call('POST', `/v1/payments/${recorded.body.id}/refunds`, {
          body: { amount, processor: { name: 'ivr-platform', reference } },
          idempotencyKey: crypto.randomUUID()
        })
      ]
      t.same(
        pushed.map(({ status }) => status),
        [201, 201, 202]
      )
    }
    for (const path of [
      `/v1/accounts/${id}/charges`,
      `/v1/accounts/${id}/adjustments`,
      `/v1/accounts/${id}/entries`,
      `/v1/payments/${recorded.body.id}/refunds`
    ]) {
      const { body } = await call('GET', `${path}?limit=100`)
      t.ok(body.data.length >= 3, path)
      for (const limit of [1, 2]) {
        const pages = await follow(`${path}?limit=${limit}`)
        t.same(pages.flat(), body.data, `${path} by ${limit}`)
      }
    }
  })
})

/** Of these payments few, and only old ones, are what is searched for: `n` up to 30. */
async function insertMany(db: Db, made: number): Promise<void> {
  await insertClients(db, 'cli')
  await sql`insert into account (id, currency, status) values (1, 'GBP', 'open')`.execute(db)
  await sql`insert into payment (id, client_id, idempotency_key, account_id, currency, amount,
      channel, method, capture, save_card, return_url, expires_at, status, provider_key, operator)
    select 'pay_' || lpad(n::text, 16, '0'), 'cli', 'k' || n, 1, 'GBP', 7, 'agent',
      'hostedPage', 'automatic', 'never', 'https://a.example', now(), 'pending', 'k',
      '{"id": "Agent-7"}'
    from generate_series(1, 30) as n`.execute(db)
  await sql`insert into payment (id, client_id, account_id, currency, amount, channel, method,
      capture, save_card, expires_at, status, amount_authorised, amount_captured, finished_at,
      processor_name, processor_reference, taken_at, card, operator)
    select 'pay_' || lpad(n::text, 16, '0'), 'cli', 1, 'GBP', 1000 + n, 'selfcare', 'recorded',
      'automatic', 'never', now(), 'captured', 1000 + n, 1000 + n, now(), 'till', n, now(),
      jsonb_build_object('lastFour', case when n < 61 then '0005' else '1111' end,
        'brand', case when n < 61 then 'amex' else 'visa' end),
      case when n % 2 = 0 then '{"id": "agent-1"}'::jsonb end
    from generate_series(31, ${sql.lit(made)}) as n`.execute(db)
  await sql`analyze payment`.execute(db)
}

const searches: Record<string, Partial<PaymentFilter>> = {
  'what is pending': { statuses: ['pending'] },
  'several statuses': { statuses: ['pending', 'failed', 'refused'] },
  'all that is paid': { statuses: ['captured', 'authorised'] },
  'a rare channel': { channels: ['agent'] },
  'channels that nobody uses': { channels: ['ivr', 'service'] },
  'a rare method': { methods: ['hostedPage'] },
  'a method that nobody uses': { methods: ['paymentLink', 'registeredCard'] },
  'one amount': { amountFrom: 7, amountTo: 7 },
  'a few amounts': { amountFrom: 1, amountTo: 10 },
  'nearly all amounts': { amountFrom: 1, currency: 'GBP' },
  'no amount': { amountFrom: 2, amountTo: 3 },
  'a rare card': { lastFour: '0005' },
  'a card that nobody has': { lastFour: '9999' },
  'the usual card': { lastFour: '1111' },
  'a rare brand': { cardBrand: 'AMEX' },
  'a brand that nobody has': { cardBrand: 'mc' },
  'a rare operator': { operatorId: 'agent-7' },
  'an operator who is nobody': { operatorId: 'agent-8' },
  'a reference': { providerReference: '40' },
  'a reference that nobody has': { providerReference: 'NOBODYS' },
  'several at once': { statuses: ['pending', 'captured'], channels: ['agent'], amountFrom: 7 }
}

t.test('G7: a search reads what it shows and little else, whatever was before', async (t) => {
  const { db } = await testDatabase(t)
  await insertMany(db, 20_000)
  for (const [name, own] of Object.entries(searches)) {
    const first = await countRead(db, { ...noFilter, ...own, limit: 20 })
    t.ok(first.read <= 150, `${name}: ${first.ids.length} shown, ${first.read} read`)
    const last = first.ids.at(-1)
    if (last === undefined) continue
    const next = await countRead(db, { ...noFilter, ...own, limit: 20, before: last })
    t.ok(next.read <= 150, `${name}, the next page: ${next.read} read`)
    t.ok(next.ids.every((id) => id < last))
  }
  const { ids } = await countRead(db, { ...noFilter, statuses: ['pending'], limit: 20 })
  t.same(
    ids,
    Array.from({ length: 20 }, (_, n) => `pay_${String(30 - n).padStart(16, '0')}`)
  )
})

async function countRead(db: Db, filter: PaymentFilter): Promise<{ ids: string[]; read: number }> {
  return await db.transaction().execute(async (tx) => {
    const count = async () => {
      const { rows } = await sql<{ read: number }>`
        select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint as read
        from pg_stat_xact_user_tables where relname = 'payment'`.execute(tx)
      return rows[0]?.read ?? 0
    }
    const before = await count()
    const payments = await listPayments(tx, filter)
    return { ids: payments.map(({ id }) => id), read: (await count()) - before }
  })
}
