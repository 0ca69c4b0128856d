import t from 'tap'
import { until } from '../cards/harness.ts'
import { checkMoney } from '../invariants.ts'
import { browse, gbp, goodCard, offeredOn, startJourney } from './journey.ts'

t.test(
  'a customer of the app saves a card, pays with it again, and gets a part back',
  async (t) => {
    const service = await startJourney(t)
    const { call, control, createPayment, post, openAccount, addClient } = service
    const { accountId, charges } = await openAccount({ JAN: 2500, FEB: 1800, MAR: 1200 })
    const key = await addClient({
      name: 'app',
      scopes: [
        ...(['payments:read', 'payments:write', 'refunds:write'] as const),
        ...(['accounts:read', 'cards:read', 'cards:write'] as const)
      ],
      thirdParty: true
    })
    const create = (value: number, body: object = {}) =>
      createPayment(
        {
          accountId,
          amount: gbp(value),
          returnUrl: 'https://selfcare.example/paid?basket=7',
          ...body
        },
        { key }
      )
    const backAt = (id: string) => `https://selfcare.example/paid?basket=7&paymentId=${id}`
    // What Adyen tells of the card comes with its notification, which the browser may outrun.
    const paidBy = async (id: string) =>
      await service.until(id, ({ status, card }) => status === 'captured' && card !== null)

    // The first time the card is typed; it is refused, then taken, and kept with consent.
    const first = await create(2500, { saveCard: 'ask' })
    const page = await browse(first.checkout.url)
    t.match(page.html, /25\.00/)
    t.match(page.html, 'Save this card')
    t.same(offeredOn(page), [], 'the customer has no card yet')
    const refused = await browse(first.checkout.url, { ...goodCard, holderName: 'DECLINED' })
    t.match(refused.html, 'The payment was refused')
    const back = await browse(first.checkout.url, { ...goodCard, consents: 'yes' })
    t.equal(back.url, backAt(first.id), 'the browser is back at the app')
    t.match(await paidBy(first.id), { card: { brand: 'visa', lastFour: '1111' }, failure: null })
    const [card] = await service.untilCards(accountId, ({ length }) => length > 0)
    const face = { brand: 'visa', lastFour: '1111', expiryMonth: 3, expiryYear: 2030 }
    t.match(await service.cardsOf(accountId, key), [{ id: card.id, ...face }])

    // The next page offers it; only its security code is asked for.
    const second = await create(1800)
    const offered = offeredOn(await browse(second.checkout.url))
    t.equal(offered.length, 1)
    const paid = await browse(second.checkout.url, { card: offered[0] as string, cvc: '737' })
    t.equal(paid.url, backAt(second.id))
    t.match(await paidBy(second.id), { card: { lastFour: '1111' } })

    // Or the app charges it: the bank asks, the customer answers, and comes back to the app.
    await control('PATCH', `/_simulator/storedCards/${offered[0]}`, { challenge: true })
    const third = await create(1200, {
      method: 'registeredCard',
      registeredCardId: card.id,
      allocations: [{ chargeId: charges.MAR, amount: 1200 }]
    })
    t.match(third, { status: 'pending', card: { registeredCardId: card.id } })
    t.match((await browse(third.checkout.url)).html, '3-D Secure')
    t.equal((await browse(third.checkout.url, { password: 'password' })).url, backAt(third.id))
    t.match(await paidBy(third.id), { card: { registeredCardId: card.id, lastFour: '1111' } })
    t.match(await service.balanceOf(accountId, key), { outstanding: 0, credit: 0 })

    // A part of the second is given back: what it had paid is owed again.
    const refund = await post(
      `/v1/payments/${second.id}/refunds`,
      { amount: gbp(700), reason: 'billed twice', amountRefundable: 1800 },
      202,
      { key }
    )
    const refunded = await service.until(second.id, ({ amountRefunded }) => amountRefunded === 700)
    t.match(refunded, { status: 'captured', amountCaptured: 1800, amountRefundable: 1100 })
    const { body: asked } = await call('GET', `/v1/refunds/${refund.id}`, { key })
    t.match(asked, { status: 'succeeded', amount: gbp(700), reason: 'billed twice' })
    t.match(await service.balanceOf(accountId, key), { outstanding: 700, credit: 0 })
    t.same(await service.openAmountsOf(accountId), { JAN: 0, FEB: 700, MAR: 0 })

    // The ledger: what was charged, paid three times, and given back.
    const ledger = await service.ledgerOf(accountId)
    const theirs = [
      'payment 2500: provider to customer',
      'payment 1800: provider to customer',
      'payment 1200: provider to customer',
      'refund 700: customer to provider'
    ]
    t.same(ledger, [
      'charge 2500: customer to billing',
      'charge 1800: customer to billing',
      'charge 1200: customer to billing',
      ...theirs
    ])
    t.same(await service.ledgerOf(accountId, key), theirs, 'the app sees what it has done')

    // The customer takes the card out: it is gone here, at Adyen and from the page.
    const removed = await call('DELETE', `/v1/accounts/${accountId}/cards/${card.id}`, { key })
    t.equal(removed.status, 204)
    t.same(await service.cardsOf(accountId, key), [])
    await until(
      async () => (await control('GET', '/_simulator/storedCards')).body,
      (stored) => stored.length === 0
    )
    const fourth = await create(700)
    t.same(offeredOn(await browse(fourth.checkout.url)), [])
    await checkMoney(t, service.db)
  }
)

t.test('without consent no card is kept, and a cancelled page moves nothing', async (t) => {
  const service = await startJourney(t)
  const { accountId } = await service.openAccount({ JAN: 2500 })
  const returnUrl = 'https://selfcare.example/paid'
  const cancelled = await service.createPayment({ accountId, saveCard: 'ask', returnUrl })
  const back = await browse(`${cancelled.checkout.url}/cancel`)
  t.equal(back.url, `${returnUrl}?paymentId=${cancelled.id}`)
  await service.until(cancelled.id, ({ status }) => status === 'cancelled')
  const { id, checkout } = await service.createPayment({ accountId, saveCard: 'ask', returnUrl })
  await browse(checkout.url, goodCard)
  await service.until(id, ({ status }) => status === 'captured')
  t.same((await service.control('GET', '/_simulator/storedCards')).body, [])
  t.same(await service.cardsOf(accountId), [])
  t.same(await service.ledgerOf(accountId), [
    'charge 2500: customer to billing',
    'payment 2500: provider to customer'
  ])
  await checkMoney(t, service.db)
})
