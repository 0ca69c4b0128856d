import t from 'tap'
import { accountFilters } from '../../src/tmf-accounts/billing-account.ts'
import { type Call, newAccountId, testService } from '../test-service.ts'
import { checkReading } from '../tmf/conformance.ts'
import { ownDocument, tmfErrorFaults } from '../tmf/own-document.ts'
import { createTmfJudge, type Essentials } from '../tmf/swagger.ts'

const base = '/tmf-api/accountManagement/v4'
const path = `${base}/billingAccount`

const essentials: Essentials = {
  ...{ id: 'string', href: 'string', name: 'string', state: 'string', lastModified: 'string' },
  ...{ 'relatedParty.0.id': 'string', 'relatedParty.0.name': 'string' },
  ...{ 'relatedParty.0.@referredType': 'string', 'accountBalance.0.balanceType': 'string' },
  ...{ 'accountBalance.3.amount.unit': 'string', 'accountBalance.3.amount.value': 'number' },
  ...{ 'accountBalance.3.validFor.startDateTime': 'string', 'accountBalance.3.@type': 'string' },
  ...{ '@type': 'string', '@baseType': 'string' }
}

t.test('accounts as billing accounts of TMF666', async (t) => {
  const service = await testService(t)
  const { call, db, url, addClient } = service
  const isOwn = await ownDocument(t, service, `${base}/openapi.json`)
  const { faultsOf } = await createTmfJudge('TMF666-Account-v4.0.0.swagger.json', {
    BillingAccount: essentials
  })
  const get = async (id: string, query = '', options: Call = {}) =>
    isOwn('retrieveBillingAccount', await call('GET', `${path}/${id}${query}`, options))
  const list = async (query = '', options: Call = {}) =>
    isOwn('listBillingAccount', await call('GET', `${path}${query}`, options))

  async function push(body: object = {}): Promise<string> {
    const id = newAccountId()
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP', ...body } })
    return id
  }
  const charge = async (id: string, value: number, currency = 'GBP', dueAt = '2020-01-01') =>
    (
      await call('POST', `/v1/accounts/${id}/charges`, {
        body: {
          amount: { currency, value },
          reference: crypto.randomUUID(),
          dueAt: `${dueAt}T00:00:00Z`
        }
      })
    ).body.id
  /** As the digits stand in the answer. */
  const amountsOf = (text: string) => [...text.matchAll(/"value":([\d.]+)/g)].map(([, n]) => n)

  const owing = await push({ name: 'A. Customer' })
  await charge(owing, 1160)
  await charge(owing, 30, 'GBP', '2090-01-01')
  const asked = await charge(owing, 5)
  await call('PATCH', `/v1/accounts/${owing}/charges/${asked}`, { body: { inQuery: true } })
  const rich = await push({ status: 'closed' })
  const yen = await push({ currency: 'JPY', name: 'Z' })
  await charge(yen, 9_007_199, 'JPY', '2090-01-01')

  t.test('has what is owed as balances, in exact decimals', async (t) => {
    const { body, text } = await get(owing)
    t.same(faultsOf('BillingAccount', body), [])
    const { accountBalance, lastModified, ...rest } = body
    t.strictSame(rest, {
      id: owing,
      href: `${url}${path}/${owing}`,
      name: 'A. Customer',
      state: 'Active',
      paymentStatus: 'in arrears',
      relatedParty: [
        {
          id: owing,
          name: 'A. Customer',
          role: 'customer',
          '@type': 'RelatedParty',
          '@baseType': 'EntityRef',
          '@referredType': 'Customer'
        }
      ],
      '@type': 'BillingAccount',
      '@baseType': 'PartyAccount'
    })
    t.ok(Date.parse(lastModified) > Date.now() - 60_000)
    t.same(
      accountBalance.map((one: { balanceType: string }) => one.balanceType),
      ['outstanding', 'overdue', 'inQuery', 'credit']
    )
    t.same(amountsOf(text), ['11.95', '11.6', '0.05', '0'])
    t.same(amountsOf((await get(yen)).text), ['9007199', '0', '0', '0'])
  })

  t.test('and money that is there as credit', async (t) => {
    await call('PUT', `/v1/accounts/${rich}`, { body: { currency: 'GBP', status: 'open' } })
    await call('POST', `/v1/accounts/${rich}/adjustments`, {
      body: {
        amount: { currency: 'GBP', value: 700 },
        direction: 'credit',
        reference: 'ADJ-1',
        reason: 'goodwill'
      }
    })
    await call('PUT', `/v1/accounts/${rich}`, { body: { currency: 'GBP', status: 'closed' } })
    const { body, text } = await get(rich)
    t.same(faultsOf('BillingAccount', body), [])
    t.match(body, { name: `Account ${rich}`, state: 'Closed', paymentStatus: 'paid' })
    t.same(amountsOf(text), ['0', '0', '0', '7'])
  })

  t.test('is read and found by each of its attributes', async (t) => {
    for (const id of [owing, rich, yen]) {
      const { body } = await get(id)
      // A balance is of the moment at which it is read.
      const { accountBalance: _, ...rest } = body
      await checkReading(t, service, path, rest, Object.keys(accountFilters.kinds))
    }
  })

  t.test('is listed by ids, by pages, and by what it is', async (t) => {
    const idsOf = async (query: string) => {
      const { body, headers } = await list(query)
      t.equal(headers.get('x-result-count'), String(body.length), query)
      for (const one of body) t.same(faultsOf('BillingAccount', one), [])
      return { ids: body.map(({ id }: { id: string }) => id), headers }
    }
    t.same((await idsOf(`?id=${yen},${owing}`)).ids, [owing, yen])
    t.same((await idsOf(`?id=${yen}&id=${owing},abc,99999999`)).ids, [owing, yen])
    const all = await idsOf('')
    t.same(all.ids, [owing, rich, yen])
    t.equal(all.headers.get('x-total-count'), '3')
    const page = await idsOf('?offset=1&limit=1')
    t.same(page.ids, [rich])
    t.equal(page.headers.get('x-total-count'), '3')
    t.equal(page.headers.get('link'), `<${path}?offset=2&limit=1>; rel="next"`)
    t.same((await idsOf('?offset=2')).headers.get('link'), null)
    const cases: ReadonlyArray<[query: string, ids: string[]]> = [
      ['?state=Closed', [rich]],
      ['?state.ne=Closed', [owing, yen]],
      ['?paymentStatus=due', [yen]],
      ['?name=A.%20Customer,Z', [owing, yen]],
      ['?lastModified.gt=2020-01-01', [owing, rich, yen]],
      ['?lastModified.lt=2020-01-01', []],
      ['?accountBalance.balanceType=credit&state=Closed', [rich]],
      ['?id=abc', []],
      ['?@type=BillingAccount&limit=1', [owing]]
    ]
    for (const [query, ids] of cases) t.same((await idsOf(query)).ids, ids, query)
    const { body } = await call('GET', `${path}?id=${owing}&fields=name,state`)
    t.same(Object.keys(body[0]), ['id', 'href', 'name', 'state', '@type'])
    const { body: one } = await call('GET', `${path}/${owing}?fields=accountBalance`)
    t.same(Object.keys(one), ['id', 'href', 'accountBalance', '@type'])
  })

  t.test('a third party sees the accounts that it names, and no others', async (t) => {
    const key = await addClient({ thirdParty: true, scopes: ['accounts:read'] })
    for (const query of ['', '?state=Active', '?id.ne=1', '?name=Z', '?offset=1']) {
      const answer = await list(query, { key })
      t.same(answer.body, [], query)
      t.equal(answer.headers.get('x-total-count'), '0', query)
    }
    t.equal((await list(`?id=${yen},${owing}`, { key })).body.length, 2)
    t.equal((await get(yen, '', { key })).status, 200)
  })

  t.test('refuses what it can’t answer, in TM Forum’s words', async (t) => {
    for (const id of ['99999999', 'abc', '0', '%00', '1'.repeat(90)]) {
      t.match(await get(id), { status: 404, body: { code: 'account_not_known' } }, id)
    }
    const long = await call('GET', `${path}/${'1'.repeat(300)}`)
    t.match(long, { status: 404, body: { code: 'not_found', '@type': 'Error' } })
    const refused = await list('?limit=0&offset=x&currency=GBP&state=Open')
    t.match(refused, { status: 400, body: { code: 'request_invalid' } })
    t.same(refused.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
      ...['/currency', '/limit', '/offset', '/state']
    ])
    t.match(await get(owing, '?name=x'), { status: 400 })
    t.match(await get(owing, '', { key: null }), { status: 401, body: { code: 'unauthenticated' } })
    const key = await addClient({ scopes: ['payments:read'] })
    t.match(await list('', { key }), { status: 403, body: { code: 'scope_missing' } })
    for (const [method, at] of [
      ['POST', path],
      ['PATCH', `${path}/${owing}`],
      ['DELETE', `${path}/${owing}`]
    ] as const) {
      const answer = await call(method, at, { body: { name: 'B', relatedParty: [] } })
      t.same(tmfErrorFaults(answer), [])
      t.match(answer, { status: 405, body: { code: 'method_not_allowed' } }, method)
      t.match(answer.headers.get('allow'), /GET/)
    }
    t.match(await call('GET', `${base}/partyAccount`), { status: 404, body: { '@type': 'Error' } })
  })

  t.test('looks through 1,000 accounts at most', async (t) => {
    await db
      .insertInto('account')
      .values(
        Array.from({ length: 1_000 }, (_, n) => ({ id: n + 1, currency: 'GBP', status: 'open' }))
      )
      .execute()
    const { body } = await list('?name=A.%20Customer&state=Active')
    t.match(body, {
      code: 'request_invalid',
      errors: [{ pointer: '/name' }, { pointer: '/state' }]
    })
    t.match(body.errors[0].detail, /add id/)
    t.match(await list(`?name=A.%20Customer&id=${owing}`), { status: 200, body: [{ id: owing }] })
    t.equal((await list('?limit=2&state=Active')).body.length, 2)
    t.equal((await list('?limit=1')).headers.get('x-total-count'), null)
  })
})
