import t from 'tap'
import { checkMoney } from '../invariants.ts'
import {
  deviceNames,
  devices,
  look,
  openBrowser,
  openShop,
  press,
  skip,
  testCards,
  typeCard
} from './browser.ts'
import { gbp, startJourney } from './journey.ts'

const isPaid = ({ status }: { status: string }) => status === 'captured'

t.test(
  'in a browser: a card is saved with consent, and pays the next time',
  { skip },
  async (t) => {
    const service = await startJourney(t)
    const shop = await openShop(t)
    const browser = await openBrowser(t)
    for (const device of deviceNames) {
      const { accountId } = await service.openAccount({ JAN: 2500, FEB: 1800 })
      const page = await (await browser.newContext(devices[device])).newPage()
      const create = (value: number) =>
        service.createPayment({
          accountId,
          amount: gbp(value),
          saveCard: 'ask',
          returnUrl: `${shop}/paid`
        })

      const first = await create(2500)
      await page.goto(first.checkout.url)
      await typeCard(page)
      const consent = page.getByLabel(/save this card/i)
      t.notOk(await consent.isChecked(), 'nobody consents by doing nothing')
      await consent.check()
      await look(t, page, `${device}-saved-card-1-consent`)
      await press(page, /pay/i)
      await page.waitForURL(`${shop}/paid?paymentId=${first.id}`)
      await service.until(first.id, isPaid)
      await service.untilCards(accountId, ({ length }) => length === 1)

      const second = await create(1800)
      await page.goto(second.checkout.url)
      const saved = page.getByLabel(/visa ending 1111/i)
      t.ok(await saved.isChecked(), 'it is offered first')
      const number = page.locator('input[autocomplete=cc-number]')
      t.notOk(await number.isVisible(), 'nothing is typed again but the code')
      await look(t, page, `${device}-saved-card-2-offered`)
      await page.getByLabel(/a new card/i).check()
      t.ok(await number.isVisible())
      await look(t, page, `${device}-saved-card-3-a-new-one`)
      await saved.check()
      await press(page, /pay/i)
      await look(t, page, `${device}-saved-card-4-no-code`)
      t.match(await page.textContent('[role=alert]'), /security code/i)
      t.ok(await saved.isChecked(), 'the choice stands')
      await page.locator('input[autocomplete=cc-csc]').fill('737')
      await press(page, /pay/i)
      await page.waitForURL(`${shop}/paid?paymentId=${second.id}`)
      const paid = await service.until(second.id, (one) => isPaid(one) && one.card !== null)
      t.match(paid, { card: { brand: 'visa', lastFour: '1111' } })
      t.match(await service.balanceOf(accountId), { outstanding: 0, credit: 0 })
      t.equal((await service.cardsOf(accountId)).length, 1, 'it is not saved twice')
    }
    await checkMoney(t, service.db)
  }
)

t.test('in a browser: a card is registered on a page that takes nothing', { skip }, async (t) => {
  const service = await startJourney(t)
  const shop = await openShop(t)
  const browser = await openBrowser(t)
  for (const device of deviceNames) {
    const { accountId } = await service.openAccount()
    const page = await (await browser.newContext(devices[device])).newPage()
    const path = `/v1/accounts/${accountId}/card-registrations`
    const { id, checkout } = await service.post(path, { returnUrl: `${shop}/cards?tab=2` }, 201)
    await page.goto(checkout.url)
    await look(t, page, `${device}-registration-1-page`)
    const text = await page.textContent('main')
    t.match(text, 'Save your card')
    t.match(text, 'Nothing is taken now')
    t.notMatch(text, /0\.00/, 'no amount')
    await page.locator('input[autocomplete=cc-number]').fill('4111 1111 1111 1112')
    await press(page, /save card/i)
    await look(t, page, `${device}-registration-2-bad-card`)
    await typeCard(page, { holderName: 'DECLINED' })
    await press(page, /save card/i)
    await look(t, page, `${device}-registration-3-refused`)
    t.match(await page.textContent('[role=alert]'), 'The card was refused')
    await typeCard(page)
    await press(page, /save card/i)
    await page.waitForURL(`${shop}/cards?tab=2&registrationId=${id}`)
    const [card] = await service.untilCards(accountId, ({ length }) => length > 0)
    t.match(card, { brand: 'visa', lastFour: '1111', expiryMonth: 3, expiryYear: 2030 })
    await page.goto(checkout.url)
    await look(t, page, `${device}-registration-4-again`)
    t.match(await page.textContent('main'), 'Your card is saved')
    t.same(await service.ledgerOf(accountId), [])
  }
  await checkMoney(t, service.db)
})

t.test('in a browser: the bank of a registered card asks for 3-D Secure', { skip }, async (t) => {
  const service = await startJourney(t)
  const shop = await openShop(t)
  const browser = await openBrowser(t)
  for (const device of deviceNames) {
    const { accountId } = await service.openAccount({ JAN: 2500 })
    const page = await (await browser.newContext(devices[device])).newPage()
    const path = `/v1/accounts/${accountId}/card-registrations`
    const registration = await service.post(path, { returnUrl: `${shop}/cards` }, 201)
    await page.goto(registration.checkout.url)
    await typeCard(page, { number: testCards.challenged })
    await press(page, /save card/i)
    await look(t, page, `${device}-3ds-1-of-registration`)
    t.match(await page.textContent('main'), 'that TestMerchant keeps your card')
    await page.locator('#password').fill('password')
    await press(page, /approve/i)
    await page.waitForURL(`${shop}/cards?**`)
    const [card] = await service.untilCards(accountId, ({ length }) => length > 0)
    const charge = () =>
      service.createPayment({
        ...{ accountId, method: 'registeredCard', registeredCardId: card.id },
        ...{ returnUrl: `${shop}/paid?basket=7`, reference: 'basket-7' }
      })

    const refused = await charge()
    t.match(refused, { status: 'pending', card: { lastFour: '0006' } })
    await page.goto(refused.checkout.url)
    await look(t, page, `${device}-3ds-2-of-payment`)
    t.match(await page.textContent('main'), /25\.00/)
    await page.locator('#password').fill('wrong')
    await press(page, /approve/i)
    await page.waitForURL(`${shop}/paid?basket=7&paymentId=${refused.id}`)
    t.match(await service.until(refused.id, ({ finished }) => finished), {
      status: 'refused',
      failure: { code: 'authentication_failed' },
      amountCaptured: 0
    })
    t.match(await service.balanceOf(accountId), { outstanding: 2500 })

    const paid = await charge()
    await page.goto(paid.checkout.url)
    await page.locator('#password').fill('password')
    await press(page, /approve/i)
    await page.waitForURL(`${shop}/paid?basket=7&paymentId=${paid.id}`)
    const { body: atOnce } = await service.call('GET', `/v1/payments/${paid.id}`)
    t.match(atOnce, { status: 'captured', card: { registeredCardId: card.id } }, 'on the way back')
    t.match(await service.balanceOf(accountId), { outstanding: 0, credit: 0 })
    t.same(await service.ledgerOf(accountId), [
      'charge 2500: customer to billing',
      'payment 2500: provider to customer'
    ])
  }
  await checkMoney(t, service.db)
})
