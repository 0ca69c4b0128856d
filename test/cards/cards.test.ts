import t from 'tap'
import { cardService, until } from './harness.ts'

t.test('the cards of an account', async (t) => {
  const service = await cardService(t)
  const { call, addAccount, addCard, cardsOf, atAdyen } = service
  const accountId = await addAccount()
  const list = (id: string) => call('GET', `/v1/accounts/${id}/cards`)
  const remove = (id: string, cardId: string) =>
    call('DELETE', `/v1/accounts/${id}/cards/${cardId}`)

  t.test('are none at first', async (t) => {
    const answer = await list(accountId)
    t.equal(answer.status, 200)
    t.same(answer.body, { data: [] })
  })

  t.test('show their face and not the name that Adyen has for them', async (t) => {
    const card = await addCard(accountId)
    const { createdAt, id, ...face } = card
    t.same(face, {
      brand: 'visa',
      lastFour: '1111',
      expiryMonth: 3,
      expiryYear: 2030,
      funding: null
    })
    t.match(id, /^crd_[0-9a-z]{16}$/)
    t.ok(Math.abs(Date.now() - Date.parse(createdAt)) < 60_000)
    const [stored] = await atAdyen(accountId)
    t.notMatch((await list(accountId)).text, stored.id)
  })

  t.test('are listed newest first', async (t) => {
    const newer = await addCard(accountId, { number: '5555 4444 3333 1111' })
    t.match(newer, { brand: 'mc', lastFour: '1111' })
    t.match(await cardsOf(accountId), [{ id: newer.id }, { brand: 'visa' }])
  })

  t.test('are seen by no other account, nor removed by it', async (t) => {
    const otherId = await addAccount()
    const [card] = await cardsOf(accountId)
    t.same(await cardsOf(otherId), [])
    const answer = await remove(otherId, card.id)
    t.match(answer, { status: 404, body: { code: 'card_not_found' } })
    t.equal((await cardsOf(accountId)).length, 2)
    t.equal((await atAdyen(accountId)).length, 2)
  })

  t.test('are shared by clients, third parties too, by scope alone', async (t) => {
    const reader = await service.addClient({ thirdParty: true, scopes: ['cards:read'] })
    const path = `/v1/accounts/${accountId}/cards`
    t.equal((await call('GET', path, { key: reader })).body.data.length, 2)
    const refused = await call('DELETE', `${path}/crd_0`, { key: reader })
    t.match(refused, { status: 403, body: { code: 'scope_missing' } })
    const post = await call('POST', `/v1/accounts/${accountId}/card-registrations`, {
      key: reader,
      body: { returnUrl: 'https://selfcare.example/' }
    })
    t.match(post, { status: 403, body: { code: 'scope_missing' } })
    const writer = await service.addClient({ thirdParty: true, scopes: ['cards:write'] })
    t.equal((await call('GET', path, { key: writer })).status, 403)
    t.equal((await call('GET', path, { key: null })).status, 401)
  })

  t.test('are removed here and at Adyen', async (t) => {
    const [card] = await cardsOf(accountId)
    const answer = await remove(accountId, card.id)
    t.equal(answer.status, 204)
    t.equal(answer.text, '')
    t.match(await cardsOf(accountId), [{ brand: 'visa' }])
    t.match(await atAdyen(accountId), [{ card: { brand: 'visa' } }], 'when it is answered')
    t.match(await remove(accountId, card.id), { status: 404, body: { code: 'card_not_found' } })
  })

  t.test('registered anew after that are other cards', async (t) => {
    const [card] = await cardsOf(accountId)
    await remove(accountId, card.id)
    const again = await addCard(accountId)
    t.not(again.id, card.id)
    t.match(again, { brand: card.brand, lastFour: card.lastFour })
    t.equal((await remove(accountId, card.id)).status, 404)
    t.match(await cardsOf(accountId), [{ id: again.id }])
  })

  t.test('of an account that is closed can still be removed', async (t) => {
    const closing = await addAccount()
    const card = await addCard(closing)
    await call('PUT', `/v1/accounts/${closing}`, { body: { currency: 'GBP', status: 'closed' } })
    t.match(await cardsOf(closing), [{ id: card.id }])
    t.equal((await remove(closing, card.id)).status, 204)
  })

  t.test('of an account that there is not', async (t) => {
    for (const id of ['99999999', '0', '007', '123456789', 'abc', '%00']) {
      t.match(await list(id), { status: 404, body: { code: 'account_not_known' } }, id)
    }
    const answer = await remove('99999999', 'crd_0000000000000000')
    t.match(answer, { status: 404, body: { code: 'card_not_found' } })
    t.match(await remove('abc', 'crd_0'), { status: 404, body: { code: 'account_not_known' } })
    for (const cardId of ['crd_0000000000000000', 'x', '%00', "'"]) {
      t.match(await remove(accountId, cardId), { status: 404, body: { code: 'card_not_found' } })
    }
  })
})

t.test('a card is gone from here before Adyen has answered', async (t) => {
  const service = await cardService(t, { adyenTimeoutMs: 1_000 })
  const { call, addAccount, addCard, cardsOf, atAdyen, setFaults } = service
  const accountId = await addAccount()
  const path = async () => `/v1/accounts/${accountId}/cards/${(await addCard(accountId)).id}`
  const only = { path: 'DELETE' }

  t.test('which takes its time', async (t) => {
    const card = await path()
    await setFaults({ delayMs: { ms: 700, times: 1, ...only } })
    const removing = call('DELETE', card)
    await until(
      () => cardsOf(accountId),
      (cards) => cards.length === 0
    )
    t.equal((await atAdyen(accountId)).length, 1)
    t.equal((await call('DELETE', card)).status, 404)
    t.equal((await removing).status, 204)
    // Where Adyen took too long, it is asked again.
    await until(
      () => atAdyen(accountId),
      (cards) => cards.length === 0
    )
  })

  for (const [name, fault] of Object.entries({
    'fails and is asked again': { status5xx: { times: 1, ...only } },
    'refuses and is asked again': { status4xx: { status: 403, times: 1, ...only } },
    'hangs and is asked again': { hangAfterWork: { times: 1, ...only } }
  })) {
    t.test(`which ${name}`, async (t) => {
      const card = await path()
      await setFaults(fault)
      t.equal((await call('DELETE', card)).status, 204)
      t.same(await cardsOf(accountId), [])
      await until(
        () =>
          service.db
            .selectFrom('card')
            .selectAll()
            .where('next_attempt_at', 'is not', null)
            .execute(),
        (due) => due.length === 0
      )
      t.same(await atAdyen(accountId), [])
      t.same(await cardsOf(accountId), [])
      t.equal((await call('DELETE', card)).status, 404)
    })
  }
})

t.test('a list that was read before a removal does not bring the card back', async (t) => {
  const service = await cardService(t)
  const { call, addAccount, addCard, cardsOf, setFaults, callsTo, type, register } = service
  const accountId = await addAccount()
  const card = await addCard(accountId)
  const other = await register(accountId)
  const calls = (await callsTo('storedPaymentMethods', 'GET')).length
  // Adyen's answer is of now, and comes when the card is gone.
  await setFaults({ hangAfterWork: { ms: 800, path: 'GET /v72/storedPaymentMethods' } })
  await type(other.body.id, { number: '5555 4444 3333 1111' })
  await until(
    () => callsTo('storedPaymentMethods', 'GET'),
    (found) => found.length > calls
  )
  t.equal((await call('DELETE', `/v1/accounts/${accountId}/cards/${card.id}`)).status, 204)
  const cards = await until(
    () => cardsOf(accountId),
    (found) => found.length > 0
  )
  t.match(cards, [{ brand: 'mc' }])
  t.equal(cards.length, 1)
})
