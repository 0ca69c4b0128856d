import t from 'tap'
import { adyenApiKey, merchantAccount, type TestService } from '../test-service.ts'
import { cardService, until } from './harness.ts'

/** What somebody does at Adyen without us. */
const removeAtAdyen = ({ simulatorUrl }: TestService, accountId: string, token: string) =>
  fetch(
    `${simulatorUrl}/v72/storedPaymentMethods/${token}` +
      `?shopperReference=account-${accountId}&merchantAccount=${merchantAccount}`,
    { method: 'DELETE', headers: { 'x-api-key': adyenApiKey } }
  )

for (const [name, options] of Object.entries({
  'with token webhooks': {},
  'without them': { tokenHmacKeys: [] },
  'without additional data': { tokenHmacKeys: [], simulator: { additionalData: false } }
})) {
  t.test(`a card that the customer agrees to keep while paying, ${name}`, async (t) => {
    const {
      addAccount,
      createPayment,
      type,
      cardsOf,
      db,
      until: paid
    } = await cardService(t, options)
    const accountId = await addAccount()
    const asks = { accountId, saveCard: 'ask' }
    const one = await createPayment(asks)
    await type(one.id, { consents: true })
    const cards = await until(
      () => cardsOf(accountId),
      (found) => found.length > 0
    )
    t.match(cards, [{ brand: 'visa', lastFour: '1111', expiryMonth: 3, expiryYear: 2030 }])
    await paid(one.id, ({ status }) => status === 'captured')

    const no = await createPayment({ ...asks, amount: { currency: 'GBP', value: 1 } })
    await type(no.id, { consents: false, number: '5555 4444 3333 1111' })
    await paid(no.id, ({ status }) => status === 'captured')
    await until(
      () => db.selectFrom('card_sync').selectAll().execute(),
      ([row]) => row === undefined || row.looks > 0
    )
    t.same(await cardsOf(accountId), cards, 'and none without consent')
  })
}

t.test('a card that is always kept, one that never is', async (t) => {
  const { addAccount, createPayment, type, cardsOf, db, until: paid } = await cardService(t)
  const accountId = await addAccount()
  const never = await createPayment({ accountId })
  await type(never.id)
  await paid(never.id, ({ status }) => status === 'captured')
  t.same(await db.selectFrom('card_sync').selectAll().execute(), [], 'nothing to ask for')
  const always = await createPayment({ accountId, saveCard: 'always', allowDuplicate: true })
  await type(always.id)
  await until(
    () => cardsOf(accountId),
    (found) => found.length === 1
  )
})

t.test('what changes at Adyen changes here', async (t) => {
  const service = await cardService(t)
  const { addAccount, addCard, cardsOf, atAdyen, control } = service
  const accountId = await addAccount()
  const card = await addCard(accountId)
  const [stored] = await atAdyen(accountId)

  await control('PATCH', `/_simulator/storedCards/${stored.id}`, {
    lastFour: '4321',
    expiryYear: '2035'
  })
  const renewed = await until(
    () => cardsOf(accountId),
    ([one]) => one?.lastFour === '4321'
  )
  t.same(renewed, [{ ...card, lastFour: '4321', expiryYear: 2035 }], 'it is the same card')

  t.equal((await removeAtAdyen(service, accountId, stored.id)).status, 204)
  await until(
    () => cardsOf(accountId),
    (found) => found.length === 0
  )
  const path = `/v1/accounts/${accountId}/cards/${card.id}`
  t.equal((await service.call('DELETE', path)).status, 404)
})

for (const [name, fault] of Object.entries({
  fails: { status5xx: { path: 'GET /v72/storedPaymentMethods' } },
  refuses: { status4xx: { status: 403, path: 'GET /v72/storedPaymentMethods' } },
  'answers with nothing': { emptyBody: { path: 'GET /v72/storedPaymentMethods' } }
})) {
  t.test(`cards are kept while Adyen ${name}, and asked for again`, async (t) => {
    const { addAccount, addCard, cardsOf, register, type, setFaults, callsTo } =
      await cardService(t)
    const accountId = await addAccount()
    const card = await addCard(accountId)
    await setFaults(fault)
    const before = (await callsTo('storedPaymentMethods', 'GET')).length
    const { body } = await register(accountId)
    await type(body.id, { number: '5555 4444 3333 1111' })
    await until(
      () => callsTo('storedPaymentMethods', 'GET'),
      (calls) => calls.length > before
    )
    t.match(await cardsOf(accountId), [{ id: card.id }])
    await setFaults(Object.fromEntries(Object.keys(fault).map((kind) => [kind, null])))
    const cards = await until(
      () => cardsOf(accountId),
      (found) => found.length === 2
    )
    t.match(cards, [{ brand: 'mc' }, { id: card.id }])
  })
}

t.test('what is not signed is a hint and no more', async (t) => {
  const { addAccount, addCard, createPayment, cardsOf, control, callsTo, notifications } =
    await cardService(t)
  const accountId = await addAccount()
  const card = await addCard(accountId)
  const other = await addAccount()
  const payment = await createPayment({ accountId: other })
  const asked = () => callsTo(`shopperReference=account-${other}`, 'GET')
  const send = (item: object) =>
    control('POST', '/_simulator/webhooks', {
      items: [
        {
          pspReference: crypto.randomUUID().slice(0, 16).toUpperCase(),
          merchantReference: payment.id,
          amount: { currency: 'GBP', value: 2500 },
          success: 'true',
          ...item
        }
      ]
    })

  // It names the card and the account of somebody else.
  const additionalData = {
    'tokenization.storedPaymentMethodId': card.id,
    'recurring.shopperReference': `account-${accountId}`
  }
  await send({ eventCode: 'AUTHORISATION', additionalData })
  await until(asked, (calls) => calls.length > 0)
  t.same(await cardsOf(other), [])
  t.match(await cardsOf(accountId), [{ id: card.id }])

  const before = (await asked()).length
  await send({ eventCode: 'RECURRING_CONTRACT' })
  await until(asked, (calls) => calls.length > before)
  t.match(await notifications('eventCode=RECURRING_CONTRACT'), [{ status: 'applied' }])
  t.same(await cardsOf(other), [])

  await send({ eventCode: 'RECURRING_CONTRACT', merchantReference: 'somebody' })
  await until(
    () => notifications('reference=somebody'),
    ([one]) => one?.status === 'ignored'
  )
})

t.test('two customers keep the same card, each on their own account', async (t) => {
  const service = await cardService(t)
  const { addAccount, addCard, cardsOf, call, atAdyen } = service
  const [one, two] = [await addAccount(), await addAccount()]
  const first = await addCard(one)
  const second = await addCard(two)
  t.not(first.id, second.id)
  t.equal((await call('DELETE', `/v1/accounts/${one}/cards/${first.id}`)).status, 204)
  t.match(await cardsOf(two), [{ id: second.id }])
  t.equal((await atAdyen(two)).length, 1)
})
