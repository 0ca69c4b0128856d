/** Paid from a wallet: what is the card's is found as any card's, and the books agree. */
import { parse } from 'csv-parse/sync'
import t from 'tap'
import { checkMoney } from '../invariants.ts'
import { registerCard } from '../registered-card.ts'
import { download, makeReport, read } from '../settlement/reports.ts'
import { adyenApiKey } from '../test-service.ts'
import { browse, goodCard, startJourney } from './journey.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a journey finds is what it asserts.
type Found = any
const paymentMethods = ['scheme', 'applepay', 'googlepay'] as const

t.test('a page and a link are paid from wallets, and what follows', async (t) => {
  const service = await startJourney(t, { paymentMethods: [...paymentMethods] })
  const { call, control, createPayment, until, list, post } = service
  const { accountId } = await service.openAccount({ JAN: 2500, FEB: 2500 })
  const create = (body: object = {}) =>
    createPayment({ accountId, allowDuplicate: true, returnUrl: service.url, ...body })
  const isShown = ({ card, authentication }: Found) => card?.lastFour && authentication

  const apple = await create()
  t.match((await browse(apple.checkout.url)).html, 'Pay with Apple Pay')
  await browse(apple.checkout.url, { wallet: 'applepay' })
  const link = await create({ channel: 'ivr', method: 'paymentLink', returnUrl: undefined })
  const done = await browse(link.checkout.url, { wallet: 'googlepay' })
  t.match(done.html, 'Thank you: the payment is complete')

  await t.test('the payment shows the card, the wallet and who bears a fraud', async (t) => {
    const inWallet = { threeDSecure: 'none', liabilityShift: true, exemptionRequested: null }
    const expiry = { expiryMonth: 3, expiryYear: 2030, registeredCardId: null }
    t.match(await until(apple.id, isShown), {
      ...{ status: 'captured', authentication: inWallet },
      card: { brand: 'visa', lastFour: '1111', wallet: 'applepay', ...expiry }
    })
    t.match(await until(link.id, isShown), {
      ...{ status: 'captured', authentication: inWallet },
      card: { brand: 'mc', lastFour: '4444', wallet: 'googlepay', ...expiry }
    })
    const [created, paid] = await list(`/v1/payments/${link.id}/events`)
    t.match(created.data.payment, { card: null, authentication: null })
    t.match(paid.data.payment, { card: { wallet: 'googlepay' }, authentication: inWallet })
  })

  await t.test('a typed card has no wallet, and says what 3-D Secure came to', async (t) => {
    const typed = await create()
    await browse(typed.checkout.url, goodCard)
    t.match(await until(typed.id, isShown), {
      card: { brand: 'visa', wallet: null },
      authentication: {
        threeDSecure: 'none',
        liabilityShift: false,
        exemptionRequested: 'lowValue'
      }
    })
    const asked = await create()
    const question = await browse(asked.checkout.url, { ...goodCard, number: '4212345678910006' })
    await browse(question.url, { password: 'password' })
    const authenticated = { threeDSecure: 'authenticated', liabilityShift: true }
    t.match(await until(asked.id, isShown), {
      authentication: { ...authenticated, exemptionRequested: null }
    })

    const registeredCardId = await registerCard(service, accountId)
    const charge = { method: 'registeredCard', registeredCardId, returnUrl: undefined }
    const charged = await create({ ...charge, channel: 'ivr' })
    t.match(charged, { status: 'captured', card: { registeredCardId, wallet: null } })
    t.match(charged.authentication, { threeDSecure: 'none', liabilityShift: false }, 'at once')
  })

  await t.test('nothing is said where Adyen says nothing', async (t) => {
    await control('PUT', '/_simulator/settings', { additionalData: false })
    const { id, checkout } = await create()
    await browse(checkout.url, { wallet: 'applepay' })
    const paid = await until(id, ({ card }) => card !== null)
    await control('PUT', '/_simulator/settings', { additionalData: true })
    t.match(paid, { authentication: null, card: { brand: 'visa', wallet: 'applepay' } })
  })

  await t.test('a search by brand finds it, and the file names the wallet', async (t) => {
    const path = `/v1/payments?accountId=${accountId}&cardBrand`
    const found = async (brand: string) =>
      (await list(`${path}=${brand}`)).map(({ id }: Found) => id)
    t.ok((await found('visa')).includes(apple.id))
    t.same(await found('mc'), [link.id])
    t.same(await found('visa_applepay'), [])
    const csv = await call('GET', `${path}=mc`, { headers: { accept: 'text/csv' } })
    t.match(parse(csv.text, { columns: true }), [
      {
        ...{ cardBrand: 'mc', cardWallet: 'googlepay', threeDSecure: 'none' },
        ...{ liabilityShift: 'true', exemptionRequested: '' }
      }
    ])
  })

  await t.test('refund, chargeback and settlement go on as for any card', async (t) => {
    const { provider } = await until(link.id, ({ status }) => status === 'captured')
    await post(`/v1/payments/${apple.id}/refunds`, { amount: { currency: 'GBP', value: 700 } }, 202)
    await until(apple.id, ({ amountRefunded }) => amountRefunded === 700)
    const dispute = `/_simulator/payments/${provider.reference}/dispute`
    await control('POST', dispute, { eventCode: 'CHARGEBACK' })
    await until(link.id, ({ amountChargedBack }) => amountChargedBack === 2500)

    const { url } = await makeReport(service, { announce: false })
    const report = await download(url, adyenApiKey)
    t.match(report, ',visa_applepay,')
    t.match(report, ',mc_googlepay,')
    t.match(await read(service, report), { status: 'done' })
    t.same(await list('/v1/discrepancies?status=open'), [])
    const { body } = await call('GET', `/v1/payments/${apple.id}`)
    t.match(body, { settlement: { gross: 2500 }, card: { wallet: 'applepay' } })
    const { body: threeWay } = await call('GET', '/v1/reconciliation/three-way')
    const [{ provider: settled, ledger, differences }] = threeWay.currencies
    t.same(settled, ledger, 'what was settled is what the ledger has')
    t.same(differences.provider, [])
  })

  await checkMoney(t, service.db)
})
