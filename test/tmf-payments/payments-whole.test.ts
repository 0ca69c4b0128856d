/** Whatever way a payment came, TMF676 shows it whole, as TM Forum's own swagger asks. */
import t from 'tap'
import { paymentFilters } from '../../src/tmf-payments/tmf-filters.ts'
import { createJudge } from '../contract/document.ts'
import { testService } from '../test-service.ts'
import { base, judgeTmf676, makeEveryKind, page, paymentPost, tmfTools } from './harness.ts'

t.test('payments of every kind, as TM Forum’s clients read them', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, control, until, url, addClient } = service
  const { get, post, addAccount } = tmfTools(service)
  const judge = await judgeTmf676()
  const accountId = await addAccount()
  const made = await makeEveryKind(t, service, accountId)
  const { body: all } = await get(`/payment?account.id=${accountId}&limit=100`)
  const read = async (name: string) => (await get(`/payment/${made[name]}`)).body

  t.test('each is whole, alone and in the list', async (t) => {
    t.ok(Object.keys(made).length >= 14, Object.keys(made).join())
    for (const [name, id] of Object.entries(made)) {
      const one = judge.judge(t, 'Payment', 200, await get(`/payment/${id}`))
      t.equal(one.href, `${url}${base}/payment/${id}`, name)
      const inList = all.find((other: { id: string }) => other.id === id)
      t.same(inList, one, name)
      const { body: view } = await call('GET', `/v1/payments/${id}`)
      t.equal(one.totalAmount.value * 100, view.amount.value)
      t.equal(one.correlatorId ?? null, view.reference)
    }
    judge.judgeList(t, 'Payment', await get('/payment?limit=100'))
  })

  t.test('it is as its own document says, with no member besides', async (t) => {
    const { body: document } = await get('/openapi.json', { key: null })
    const findFaults = createJudge(document)
    const at = (path: string, status: number) =>
      ['paths', `${base}${path}`, 'get', 'responses', String(status), 'content'].concat(
        'application/json',
        'schema'
      )
    // The voucher has a member of its sender's own.
    const own = all.filter(({ id }: { id: string }) => id !== made['posted voucher'])
    for (const one of own) t.same(findFaults(at('/payment/{id}', 200), one), [], one.id)
    t.same(findFaults(at('/payment', 200), own), [])
    const { body: error } = await get('/payment?nothing=1')
    t.same(findFaults(at('/payment', 400), error), [])
  })

  t.test('their statuses are TM Forum’s words', async (t) => {
    const expected = {
      'pending page': 'pendingAuthorization',
      'pending link': 'pendingAuthorization',
      'captured page': 'captured',
      authorised: 'authorized',
      cancelled: 'canceled',
      'registered card': 'captured',
      'recorded captured': 'captured',
      'recorded refused': 'denied',
      'posted page': 'pendingAuthorization',
      'posted link': 'pendingAuthorization',
      'posted card': 'captured',
      'posted record': 'captured',
      'posted voucher': 'captured',
      'posted refusal': 'denied'
    }
    for (const [name, status] of Object.entries(expected)) {
      t.equal((await read(name)).status, status, name)
    }
  })

  t.test('what is paid with is said by type, and by reference where it is ours', async (t) => {
    t.match((await read('pending page')).paymentMethod, { '@type': 'HostedPage' })
    t.match((await read('pending link')).paymentMethod, { '@type': 'PaymentLink' })
    for (const name of ['registered card', 'posted card']) {
      t.match(
        (await read(name)).paymentMethod,
        {
          id: /^crd_/,
          href: /\/tmf-api\/paymentMethod\/v4\/paymentMethod\/crd_/,
          lastFourDigits: /^\d{4}$/,
          '@type': 'PaymentMethodRef',
          '@referredType': 'RegisteredCard'
        },
        name
      )
    }
    t.match((await read('recorded captured')).paymentMethod, {
      name: 'ivr-platform',
      '@type': 'RecordedPaymentMethod'
    })
    t.match((await read('captured page')).paymentMethod, { brand: /./, lastFourDigits: /^\d{4}$/ })
  })

  t.test('it says what the standard has a member for', async (t) => {
    t.match(await read('recorded captured'), {
      authorizationCode: '064913',
      paymentDate: '2026-11-22T09:58:00.000Z',
      channel: { id: 'ivr', '@referredType': 'Channel' },
      account: {
        '@referredType': 'BillingAccount',
        href: new RegExp(`/billingAccount/${accountId}$`)
      }
    })
    t.match(await read('captured page'), {
      correlatorId: 'basket-77',
      description: 'Invoice',
      authorizationCode: /^[A-Z0-9]{16}$/
    })
    t.match(await read('recorded refused'), { statusReason: 'Refused by the processor.' })
  })

  t.test('fields selects each member of the first level, with id, href and @type', async (t) => {
    const whole = await read('captured page')
    for (const name of Object.keys(whole)) {
      const { body } = await get(`/payment/${whole.id}?fields=${name}`)
      t.same(Object.keys(body).sort(), [...new Set(['id', 'href', '@type', name])].sort())
      t.same(body[name], whole[name])
      const list = await get(`/payment?fields=${name}&id=${whole.id}`)
      t.same(list.body, [body])
    }
  })

  t.test('a filter on what a payment says finds it, and another value does not', async (t) => {
    const one = await read('recorded captured')
    const card = await read('posted card')
    const found: ReadonlyArray<readonly [typeof one, string]> = [
      [one, `id=${one.id}`],
      [one, `href=${encodeURIComponent(one.href)}`],
      [one, 'status=captured'],
      [one, `statusDate=${one.statusDate}`],
      [one, `statusDate.gte=${one.statusDate}&statusDate.lte=${one.statusDate}`],
      [one, 'paymentDate=2026-11-22'],
      [one, 'paymentDate=2026-11-22T09:58:00Z'],
      [one, 'paymentDate%3C=2026-11-22'],
      [one, 'authorizationCode=064913'],
      [one, `account.id=${accountId}&channel.id=ivr`],
      [one, 'totalAmount.unit=GBP&totalAmount.value=7'],
      [one, 'totalAmount.value.gt=6.999&totalAmount.value.lt=7.001'],
      [one, 'paymentMethod.@type=RecordedPaymentMethod'],
      [card, `paymentMethod.id=${card.paymentMethod.id}`],
      [await read('captured page'), 'correlatorId=basket-77&description=Invoice'],
      [one, `name=${encodeURIComponent(one.name)}`],
      [await read('posted record'), 'name=Order%209&description=On%20the%20phone']
    ]
    const others = [
      'status=denied,failed',
      'status.ne=captured',
      `statusDate.gt=${one.statusDate}`,
      'paymentDate=2026-11-21,2026-11-23',
      'paymentDate%3E2026-11-22&paymentDate.lt=2026-11-23',
      'authorizationCode=64913',
      'account.id=nobody',
      'totalAmount.unit=JPY',
      'totalAmount.value=7.001',
      'totalAmount.value.gte=7.001&totalAmount.value.lt=8',
      'correlatorId=none',
      'paymentMethod.@type=HostedPage',
      'name=Order%209',
      'description.ne=none&status=denied'
    ]
    const idsOf = async (query: string) => {
      const answer = await get(`/payment?limit=100&${query}`)
      judge.judgeList(t, 'Payment', answer)
      return answer.body.map(({ id }: { id: string }) => id)
    }
    const findEach = async () => {
      for (const [{ id }, query] of found) t.ok((await idsOf(query)).includes(id), query)
      for (const query of others) t.notOk((await idsOf(query)).includes(one.id), query)
    }
    await findEach()
    // Amounts are of no one number of minor units any more.
    await addAccount('JPY')
    await findEach()
  })

  t.test('a reserved payment came to its status when it was reserved', async (t) => {
    const before = await read('authorised')
    await control('PUT', '/_simulator/faults', { webhooks: { delayMs: { ms: 1500 } } })
    const { status } = await call('POST', `/v1/payments/${before.id}/captures`, {
      idempotencyKey: crypto.randomUUID(),
      body: {}
    })
    t.equal(status, 202)
    const after = await read('authorised')
    t.match(after, { status: 'authorized', statusDate: before.statusDate })
    const { body: found } = await get(`/payment?statusDate=${before.statusDate}`)
    t.ok(found.some(({ id }: { id: string }) => id === before.id))
    await control('PUT', '/_simulator/faults', { webhooks: { delayMs: null } })
    await until(before.id, (payment) => payment.status === 'captured')
    t.ok((await read('authorised')).statusDate > before.statusDate)
  })

  t.test('what was recorded late is found by when it was taken, in its place', async (t) => {
    const { body: some } = await get('/payment?paymentDate.lt=2026-11-23&limit=1')
    t.equal(some.length, 1)
    const early = all.filter((one: { paymentDate: string }) => one.paymentDate < '2026-11-23')
    const { body: found, headers } = await get('/payment?paymentDate.lt=2026-11-23')
    t.same(found, early)
    t.equal(headers.get('x-total-count'), String(early.length))
    const sinceThen = await get('/payment?paymentDate.gte=2026-11-23&limit=100')
    t.equal(sinceThen.body.length + early.length, all.length)
  })

  t.test('pages by offset and limit are the list', async (t) => {
    const ids: string[] = []
    let next: string | null = `${base}/payment?account.id=${accountId}&limit=5`
    while (next !== null) {
      const answer = await call('GET', next)
      t.equal(answer.headers.get('x-total-count'), String(all.length))
      ids.push(...answer.body.map(({ id }: { id: string }) => id))
      next = /^<(.*)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? null
    }
    t.same(
      ids,
      all.map(({ id }: { id: string }) => id)
    )
  })

  t.test('beyond its end a list is empty, and says how long it is', async (t) => {
    const whole = await get('/payment?limit=100')
    for (const offset of [1000, 1001, 10_000]) {
      const beyond = await get(`/payment?offset=${offset}`)
      t.same(beyond.body, [])
      t.equal(beyond.headers.get('x-result-count'), '0')
      t.equal(beyond.headers.get('x-total-count'), String(whole.body.length), String(offset))
    }
  })

  t.test('the link to the next page keeps a filter that has a question mark', async (t) => {
    const first = await get(`/payment?name.ne=who?&limit=3&account.id=${accountId}`)
    t.equal(
      first.headers.get('link'),
      `<${base}/payment?name.ne=who%3F&limit=3&account.id=${accountId}&offset=3>; rel="next"`
    )
  })

  t.test(
    'a filter on each value that is shown finds all that show it, and no others',
    async (t) => {
      const own = await addAccount()
      const sent: ReadonlyArray<Record<string, unknown>> = [
        { channel: { id: 'webshop' }, description: 'Paid twice, sorry;' },
        {
          channel: { id: 'Selfcare' },
          correlatorId: 'a,b',
          authorizationCode: 'X;1',
          name: 'So, so'
        },
        { channel: { id: 'selfcare' }, paymentMethod: { id: 'wallet-9', '@type': 'Wallet' } },
        { paymentMethod: { '@type': 'Cash' }, payer: { id: 'C-1' } },
        { ...page, paymentMethod: { '@type': 'HostedPage', id: 'page-1' } }
      ]
      for (const one of sent) t.equal((await post('/payment', paymentPost(own, one))).status, 201)
      type Member = Record<string, unknown>
      const at = (one: Member, path: string): unknown =>
        path.split('.').reduce<unknown>((node, name) => (node as Member | undefined)?.[name], one)
      const { body: shown } = await get('/payment?limit=100')
      const found = async (query: string) => {
        const { body, headers } = await get(`/payment?limit=100&${query}`)
        t.equal(headers.get('x-total-count'), String(body.length), query)
        return body.map(({ id }: { id: string }) => id)
      }
      const texts = ['payer.id', 'statusReason', '@type', '@baseType']
      for (const name of new Set([...Object.keys(paymentFilters.kinds), ...texts])) {
        // Ours are those of what its sender says otherwise, too.
        if (['paymentMethod.@type', 'channel.id'].includes(name)) continue
        const values = shown.map((one: Member) => at(one, name))
        for (const value of new Set(values.filter((one: unknown) => one !== undefined))) {
          const having = shown.filter((one: Member) => at(one, name) === value)
          const query = `${name}=${encodeURIComponent(String(value))}`
          t.same(
            await found(query),
            having.map(({ id }: { id: string }) => id),
            query
          )
        }
      }
      const typed = async (types: string) =>
        (await found(`account.id=${own}&paymentMethod.@type=${types}`)).length
      t.same(
        await Promise.all(['Cash', 'Wallet', 'TokenizedCard', 'None'].map(typed)),
        [1, 1, 2, 0]
      )
      t.same(await Promise.all(['HostedPage', 'HostedPage,Cash'].map(typed)), [1, 2])
      t.equal(await typed('RecordedPaymentMethod'), 4)
      const ofChannel = async (id: string) =>
        (await found(`account.id=${own}&channel.id=${id}`)).length
      t.same(await Promise.all(['webshop', 'Selfcare', 'shop'].map(ofChannel)), [1, 1, 0])
      t.same(await Promise.all(['service', 'selfcare', 'ivr'].map(ofChannel)), [3, 2, 0])
      t.same(await Promise.all(['selfcare,ivr', 'selfcare,service'].map(ofChannel)), [2, 5])
      t.equal((await found(`account.id=${own}&channel.id.ne=service`)).length, 2)
      t.same(await found('description=%2C'), [])
    }
  )

  t.test('every error under /tmf-api is TM Forum’s', async (t) => {
    const reader = await addClient({ scopes: ['accounts:read'] })
    const faults: ReadonlyArray<readonly [number, string, ReturnType<typeof call>]> = [
      [401, 'unauthenticated', get('/payment', { key: null })],
      [403, 'scope_missing', get('/payment', { key: reader })],
      [404, 'payment_not_found', get('/payment/pay_0000000000000000')],
      [404, 'not_found', get('/payments')],
      [405, 'method_not_allowed', call('DELETE', `${base}/payment/x`)],
      [406, 'not_acceptable', get('/payment', { headers: { accept: 'text/html' } })],
      [400, 'request_invalid', get('/payment?nothing=1&limit=x')],
      [400, 'request_invalid', get(`/payment/${made['pending page']}?limit=1`)],
      [400, 'request_invalid', call('POST', `${base}/payment`, { body: '{"account":' })],
      [
        415,
        'content_type_unsupported',
        call('POST', `${base}/payment`, {
          body: '{}',
          headers: { 'content-type': 'text/plain' }
        })
      ],
      [400, 'request_invalid', get('/payment/%zz')]
    ]
    for (const [status, code, answer] of faults) {
      t.match(judge.judge(t, 'Payment', status, await answer), {
        code,
        referenceError: `${url}/docs/problems#${code}`
      })
    }
    const wrong = await get('/payment?nothing=1&limit=x')
    t.match(wrong.body.message, /nothing is no filter|\/nothing.*account\.id/s)
    t.equal(wrong.body.errors.length, 2)
    t.ok((await get('/payment', { key: null })).headers.get('www-authenticate'))
  })

  t.test('it has a document of its own, without a key', async (t) => {
    const { status, body } = await get('/openapi.json', { key: null })
    t.equal(status, 200)
    t.same(Object.keys(body.paths).sort(), [
      `${base}/hub`,
      `${base}/hub/{id}`,
      `${base}/payment`,
      `${base}/payment/{id}`,
      `${base}/refund`,
      `${base}/refund/{id}`
    ])
    t.notMatch(JSON.stringify(body), /"Tmf|#\/components\/schemas\/Tmf/)
    const { body: main } = await call('GET', '/openapi.json', { key: null })
    const names = [Object.keys(main.paths), Object.keys(main.components.schemas)]
    t.notMatch(JSON.stringify(names), /tmf/i)
  })

  t.test('a third party sees its own payments alone', async (t) => {
    const scopes = ['payments:read', 'payments:write'] as const
    const key = await addClient({ scopes, thirdParty: true })
    t.equal((await get(`/payment/${made['captured page']}`, { key })).status, 404)
    const list = await get('/payment', { key })
    t.same(list.body, [])
    t.equal(list.headers.get('x-total-count'), '0')
  })
})
