import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { methodFilters } from '../../src/tmf-payment-methods/payment-method.ts'
import { cardService, until } from '../cards/harness.ts'
import type { Answer, Call } from '../test-service.ts'
import { checkReading } from '../tmf/conformance.ts'
import { ownDocument, tmfErrorFaults } from '../tmf/own-document.ts'
import { createTmfJudge, type Essentials } from '../tmf/swagger.ts'

const base = '/tmf-api/paymentMethod/v4'
const path = `${base}/paymentMethod`

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Json = any

const essentials: Essentials = {
  ...{ id: 'string', href: 'string', name: 'string', status: 'string', statusDate: 'string' },
  ...{ 'account.0.id': 'string', 'account.0.@type': 'string' },
  ...{ '@type': 'string', '@baseType': 'string', '@schemaLocation': 'string' }
}

t.test('registered cards as payment methods of TMF670', async (t) => {
  const service = await cardService(t)
  const { call, db, url, addClient, addAccount, addCard, type, atAdyen, cardsOf } = service
  const { setFaults, sessionOf, callsTo } = service
  const isOwn = await ownDocument(t, service, `${base}/openapi.json`)
  const { faultsOf } = await createTmfJudge(
    'TMF670-PaymentMethod-v4.0.0.swagger.json',
    { TokenizedCard: essentials },
    // The file lists the types that it has itself; an extension has a name of its own (TMF630).
    (definitions) => delete definitions.PaymentMethod.properties['@type'].enum
  )
  const whole = (body: Json) => t.same(faultsOf('TokenizedCard', body), [], body.status)

  const reads = (t: Test, body: Json) =>
    checkReading(t, service, path, body, Object.keys(methodFilters.kinds))

  const post = async (body: object, options: Call = {}) =>
    isOwn('createPaymentMethod', await call('POST', path, { body, ...options }))
  const get = async (id: string, query = '', options: Call = {}) =>
    isOwn('retrievePaymentMethod', await call('GET', `${path}/${id}${query}`, options))
  const list = async (query: string, options: Call = {}) =>
    isOwn('listPaymentMethod', await call('GET', `${path}${query}`, options))
  const remove = async (id: string, options: Call = {}) =>
    isOwn('deletePaymentMethod', await call('DELETE', `${path}/${id}`, options))
  const idsOf = ({ body }: Answer) => body.map(({ id }: { id: string }) => id)
  const request = (accountId: string, changes: object = {}) => ({
    name: 'My gold card',
    description: 'The one in the drawer',
    account: [{ id: accountId }],
    '@type': 'RegisteredCard',
    ...changes
  })
  const memberOf = ({ characteristic }: Json, name: string) =>
    characteristic?.find((one: Json) => one.name === name)?.value

  t.test('one that is posted is a page, and then the card, under one id', async (t) => {
    const accountId = await addAccount()
    const made = await post(request(accountId))
    t.equal(made.status, 201)
    whole(made.body)
    const { id } = made.body
    t.match(id, /^reg_/)
    t.match(made.body, {
      href: `${url}${path}/${id}`,
      name: 'My gold card',
      description: 'The one in the drawer',
      status: 'pending',
      account: [
        { id: accountId, href: `${url}/tmf-api/accountManagement/v4/billingAccount/${accountId}` }
      ],
      '@type': 'RegisteredCard',
      '@baseType': 'PaymentMethod'
    })
    t.equal(made.headers.get('location'), made.body.href)
    const page = memberOf(made.body, 'checkoutUrl')
    t.match(page, /^http/)
    t.equal(made.headers.get('link'), `<${page}>; rel="payment"`)
    t.strictSame((await get(id)).body, made.body)
    t.same(idsOf(await list(`?account.id=${accountId}`)), [id])
    t.match(await remove(id), { status: 404, body: { code: 'card_not_found' } })

    // Without a place to return to, the customer ends on a page of ours.
    const back = await call('GET', `/return/${id}`, { key: null })
    t.equal(back.status, 303)
    const end = `${url}/card-registered?registrationId=${id}`
    t.equal(back.headers.get('location'), end)
    const read = (language: string) =>
      fetch(end, { headers: { 'accept-language': language } }).then((answer) => answer.text())
    t.match(await read('cy'), /<html lang="cy">[\s\S]*Diolch/)
    t.match(await read('xx'), /<html lang="en">[\s\S]*Thank you/)

    await type(id)
    const { body } = await until(
      () => get(id),
      (answer) => answer.body.status === 'active'
    )
    whole(body)
    const { brand, lastFour, expiryYear } = (await cardsOf(accountId))[0]
    t.match(body, { id, name: 'My gold card', brand, lastFourDigits: lastFour })
    t.match(body.expirationDate, new RegExp(`^${expiryYear}-\\d\\d-(28|29|30|31)T23:59:59.000Z$`))
    t.equal(memberOf(body, 'checkoutUrl'), undefined)
    const cardId = memberOf(body, 'registeredCardId')
    const listed = await list(`?account.id=${accountId}`)
    t.same(idsOf(listed), [cardId], 'the card stands for itself')
    whole(listed.body[0])
    t.match(listed.body[0], { status: 'active', name: 'My gold card' })
    const byCard = await get(cardId)
    t.strictSame(byCard.body, listed.body[0])
    const etag = String(byCard.headers.get('etag'))
    t.equal((await get(cardId, '', { headers: { 'if-none-match': etag } })).status, 304)

    // What was posted here is charged there, by either id.
    for (const named of [id, cardId]) {
      const payment = await call('POST', '/tmf-api/paymentManagement/v4/payment', {
        body: {
          account: { id: accountId },
          paymentMethod: { id: named },
          totalAmount: { unit: 'GBP', value: 11.6 }
        }
      })
      t.match(payment, { status: 201, body: { paymentMethod: { id: named } } })
      const { body: own } = await call('GET', `/v1/payments/${payment.body.id}`)
      t.match(own, { method: 'registeredCard', card: { registeredCardId: cardId } })
    }

    t.equal((await remove(id)).status, 204)
    for (const gone of [id, cardId]) {
      t.match(await get(gone), { status: 404, body: { code: 'payment_method_not_found' } })
      t.equal((await remove(gone)).status, 404)
    }
    t.same((await list(`?account.id=${accountId}`)).body, [])
    t.same(await atAdyen(accountId), [])
    t.same(await cardsOf(accountId), [])
  })

  t.test('under a key it is one page, and goes where the caller says', async (t) => {
    const accountId = await addAccount()
    const returnUrl = 'https://selfcare.example/cards?tab=2'
    const body = request(accountId, {
      characteristic: [
        { name: 'colour', value: { red: 1 } },
        { name: 'returnUrl', value: returnUrl }
      ]
    })
    const headers = { 'idempotency-key': 'one' }
    const [first, again] = [await post(body, { headers }), await post(body, { headers })]
    t.equal(again.headers.get('idempotent-replayed'), 'true')
    t.same(again.body, first.body)
    const back = await call('GET', `/return/${first.body.id}`, { key: null })
    t.match(back.headers.get('location'), `${returnUrl}&registrationId=`)
    const other = await post(request(accountId), { headers })
    t.match(other, { status: 422, body: { code: 'idempotency_key_reused' } })
    const [one, two] = [await post(request(accountId)), await post(request(accountId))]
    t.not(one.body.id, two.body.id, 'without a key each time anew')
    t.equal((await list(`?account.id=${accountId}`)).headers.get('x-total-count'), '3')
  })

  t.test('every kind is whole', async (t) => {
    const accountId = await addAccount()
    const change = (id: string, values: object) =>
      db.updateTable('card_registration').set(values).where('id', '=', id).execute()
    const at = new Date('2026-01-01T00:00:00Z')
    const open = async () => (await post(request(accountId, { description: '' }))).body.id
    const kinds: Record<string, object> = {
      refused: { status: 'refused', finished_at: at },
      registered: { status: 'completed', finished_at: at, card_token: 'elsewhere' },
      expired: { expires_at: at },
      failed: { status: 'failed', finished_at: at, provider_session: null, checkout_url: null }
    }
    const shown: string[] = []
    for (const [status, values] of Object.entries(kinds)) {
      const id = await open()
      await change(id, values)
      const { body } = await get(id)
      whole(body)
      t.match(body, { id, status, statusReason: /\w/ }, status)
      t.equal(memberOf(body, 'checkoutUrl'), undefined)
      if (status === 'refused') await reads(t, body)
      if (status !== 'expired' && status !== 'failed') shown.unshift(id)
    }
    t.same(idsOf(await list(`?account.id=${accountId}`)), shown, 'while their page is open')
    // Of an account that nobody asks the provider about, which would say what is seen of it.
    await sql`insert into card (id, account_id, token)
      values ('crd_000000000000000z', ${Number(await addAccount())}, 'unseen')`.execute(db)
    const { body } = await get('crd_000000000000000z')
    whole(body)
    t.match(body, { name: 'Registered card', status: 'active' })
    await reads(t, body)
    await reads(t, (await get((await addCard(await addAccount())).id)).body)
  })

  t.test('lists by account, by pages, and by what is seen of them', async (t) => {
    const [a, b] = [await addAccount(), await addAccount()]
    const [old, young] = [await addCard(a), await addCard(a, { number: '5555444433331111' })]
    const other = await addCard(b)
    // For a moment the registration that brought a card may not be known to have done so.
    await until(
      () => list(`?account.id=${a},${b}`),
      ({ body }) => body.length === 3
    )
    const both = await list(`?account.id=${a}`)
    t.same(idsOf(both), [young.id, old.id])
    for (const one of both.body) whole(one)
    t.match(both.body[0], { name: `${young.brand} ${young.lastFour}` })
    t.same(idsOf(await list(`?account.id=${a},${b}`)), [other.id, young.id, old.id])
    const page = await list(`?account.id=${a}&limit=1`)
    t.same(idsOf(page), [young.id])
    t.equal(page.headers.get('x-total-count'), '2')
    t.match(page.headers.get('link'), /offset=1>; rel="next"$/)
    const all = await list('?limit=100')
    t.ok(idsOf(all).includes(other.id))
    t.equal(all.headers.get('x-total-count'), String(all.body.length))
    t.same(idsOf(await list('?offset=1&limit=2')), idsOf(all).slice(1, 3))
    t.same((await list('?offset=1000')).body, [])

    const found = `?account.id=${a}&`
    const cases: ReadonlyArray<[query: string, ids: string[]]> = [
      [`?id=${other.id},${old.id}`, [other.id, old.id]],
      [`${found}id=${other.id}`, []],
      [`${found}brand=${young.brand}`, [young.id]],
      [`${found}brand.ne=${young.brand}`, [old.id]],
      [`${found}name=${young.brand}%20${young.lastFour}`, [young.id]],
      [`${found}status=pending`, []],
      [`${found}status=active,pending`, [young.id, old.id]],
      [`${found}statusDate.gt=2020-01-01&expirationDate.lt=2099-01-01`, [young.id, old.id]],
      [`${found}@type=tokenizedCard`, []],
      ['?account.id=abc', []]
    ]
    for (const [query, ids] of cases) t.same(idsOf(await list(query)), ids, query)
    const { body } = await call('GET', `${path}?id=${old.id}&fields=brand,account`)
    t.same(Object.keys(body[0]), ['id', 'href', 'account', 'brand', '@type'])
    const { body: one } = await call('GET', `${path}/${old.id}?fields=status`)
    t.same(Object.keys(one), ['id', 'href', 'status', '@type'])
  })

  t.test('what is wrong is said in TM Forum’s words, all at once', async (t) => {
    const accountId = await addAccount()
    const closed = await addAccount({ status: 'closed' })
    const posts: ReadonlyArray<[body: object, status: number, code: string, pointers: string[]]> = [
      [{}, 400, 'request_invalid', ['/account', '/name']],
      [request('x', { '@type': 'cash' }), 400, 'request_invalid', ['/@type', '/account/0/id']],
      [request(accountId, { account: [] }), 400, 'request_invalid', ['/account']],
      [request(accountId, { name: null }), 400, 'request_invalid', ['/name']],
      [request('99999999'), 422, 'account_not_found', ['/account/0/id']],
      [request(closed), 422, 'account_closed', []],
      [request(accountId, { cvv: '123' }), 400, 'request_invalid', ['/cvv']],
      [
        request(accountId, { cardNumber: '4111111111111111' }),
        ...([422, 'card_number_refused', ['/cardNumber']] as [number, string, string[]])
      ],
      [
        request(accountId, { cardNumber: 4111111111111111 }),
        ...([422, 'card_number_refused', ['/cardNumber']] as [number, string, string[]])
      ],
      [
        request(accountId, { characteristic: [{ name: 'returnUrl', value: 7 }] }),
        ...([400, 'request_invalid', ['/characteristic/0/value']] as [number, string, string[]])
      ],
      [
        request(accountId, { characteristic: [{ name: 'returnUrl', value: 'https://a.example' }] }),
        ...([422, 'return_url_refused', ['/characteristic/0/value']] as [number, string, string[]])
      ]
    ]
    const asked = (await callsTo('/sessions')).length
    for (const [body, status, code, pointers] of posts) {
      const answer = await post(body)
      t.match(answer, { status, body: { code } }, code)
      const at = (answer.body.errors ?? []).map(({ pointer }: { pointer: string }) => pointer)
      t.same(at.sort(), pointers, code)
    }
    const headers = { 'idempotency-key': 'a b' }
    t.match(await post(request(accountId), { headers }), { status: 400 })
    t.equal((await callsTo('/sessions')).length, asked)

    await setFaults({ status4xx: { times: 1, path: '/sessions' } })
    t.match(await post(request(accountId)), { status: 502, body: { code: 'provider_rejected' } })
    await setFaults({ resetBeforeHeaders: true })
    t.match(await post(request(accountId)), { status: 503, body: { code: 'provider_unavailable' } })
    await setFaults({ resetBeforeHeaders: false })

    t.match(await list('?colour=red&limit=1000'), {
      status: 400,
      body: { errors: [{ pointer: '/limit' }, { pointer: '/colour' }] }
    })
    t.match(await list('?name=a%00b'), { status: 400, body: { errors: [{ pointer: '/name' }] } })
    t.match(await get('crd_0000000000000000', '?name=x'), { status: 400 })
    for (const id of ['crd_0000000000000000', 'reg_%00', '../x', '%F0%9F%92%B3']) {
      const answer = await call('GET', `${path}/${encodeURIComponent(id)}`)
      t.match(isOwn('retrievePaymentMethod', answer), { status: 404 }, id)
    }
    t.match(await list('', { key: null }), { status: 401, body: { code: 'unauthenticated' } })
    const key = await addClient({ scopes: ['cards:read'] })
    t.match(await post(request(accountId), { key }), { status: 403 })
    t.match(await remove('crd_0000000000000000', { key }), { status: 403 })
    for (const method of ['PATCH', 'PUT']) {
      const answer = await call(method, `${path}/crd_0000000000000000`, { body: { name: 'B' } })
      t.same(tmfErrorFaults(answer), [])
      t.match(answer, { status: 405, body: { code: 'method_not_allowed' } })
    }
  })

  t.test('a third party sees the registrations that are its own', async (t) => {
    const accountId = await addAccount()
    const client = { thirdParty: true, scopes: ['cards:read', 'cards:write'] as const }
    const [own, other] = [await addClient(client), await addClient(client)]
    const { body } = await post(request(accountId), { key: own })
    t.same(idsOf(await list(`?account.id=${accountId}`, { key: own })), [body.id])
    t.same(idsOf(await list(`?account.id=${accountId}`, { key: other })), [])
    t.equal((await get(body.id, '', { key: own })).status, 200)
    t.equal((await get(body.id, '', { key: other })).status, 404)
    t.equal((await get(body.id)).status, 200)
    t.ok(await sessionOf(body.id))
  })

  t.test('a third party sees the cards of accounts that it names, and no others', async (t) => {
    const accountId = await addAccount()
    const { id: cardId } = await addCard(accountId)
    const key = await addClient({ thirdParty: true, scopes: ['cards:read'] })
    for (const query of ['', '?status=active', '?brand=visa', '?account.id.ne=1', '?offset=1']) {
      const answer = await list(query, { key })
      t.same(answer.body, [], query)
      t.equal(answer.headers.get('x-total-count'), '0', query)
    }
    t.same(idsOf(await list(`?account.id=${accountId}`, { key })), [cardId])
    t.same(idsOf(await list(`?id=${cardId}&status=active`, { key })), [cardId])
  })

  t.test('looks through 1,000 at most', async (t) => {
    const accountId = Number(await addAccount())
    await sql`insert into card (id, account_id, token)
      select 'crd_' || lpad(n::text, 16, '0'), ${accountId}, n::text
      from generate_series(1, 1001) n`.execute(db)
    const refused = await list('?brand=visa')
    t.match(refused, { status: 400, body: { errors: [{ pointer: '/brand' }] } })
    t.match(refused.body.errors[0].detail, /add account.id or id/)
    t.equal((await list(`?account.id=${accountId}`)).body.length, 20)
    t.equal((await list('?limit=1&offset=1000')).body.length, 1)
  })
})
