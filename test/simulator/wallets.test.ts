/** Cards in wallets, on the simulator's page, and as Adyen spells them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import t from 'tap'
import { startPair, until } from './harness.ts'

const folder = process.env.ADYEN_SPECS ?? ''
const skip = folder === '' && 'ADYEN_SPECS does not name the folder of Webhooks-v1.json'

t.test('cards in wallets', async (t) => {
  const { call, createSession, createLink, pay, endpoint } = await startPair(t)
  const wallets = ['applepay', 'googlepay']

  await t.test('a page has the buttons of what is allowed and not blocked', async (t) => {
    const shown: ReadonlyArray<[changes: object, buttons: string[], hasForm: boolean]> = [
      [{}, wallets, true],
      [{ allowedPaymentMethods: ['scheme'] }, [], true],
      [{ allowedPaymentMethods: ['scheme', 'googlepay'] }, ['googlepay'], true],
      [{ allowedPaymentMethods: ['applepay'] }, ['applepay'], false],
      [{ blockedPaymentMethods: ['applepay'] }, ['googlepay'], true]
    ]
    for (const [changes, buttons, hasForm] of shown) {
      const pages = [`/pay/${(await createSession(changes)).id}`]
      pages.push(`/link/${(await createLink(changes)).id}`)
      for (const page of pages) {
        const { text } = await call('GET', page)
        const found = wallets.filter((one) => text.includes(`name="wallet" value="${one}"`))
        t.same(found, buttons, page)
        t.equal(text.includes('cc-number'), hasForm, page)
        t.notMatch(text, '<script')
      }
    }
  })

  await t.test('what is not offered pays nothing', async (t) => {
    const cards = await createSession({ allowedPaymentMethods: ['scheme'] })
    const apple = await createSession({ allowedPaymentMethods: ['applepay'] })
    for (const [session, input] of [
      [cards, { wallet: 'applepay' }],
      [apple, { wallet: 'googlepay' }],
      [apple, {}]
    ] as const) {
      t.match(await pay(session.id, input), { outcome: 'invalid', status: 'active' })
    }
    t.same(endpoint.received, [])
  })

  await t.test('a wallet is refused like a card, and its card is not kept', async (t) => {
    const storing = { shopperReference: 'account-1', storePaymentMethodMode: 'enabled' }
    const session = await createSession({ ...storing, recurringProcessingModel: 'CardOnFile' })
    const declined = { wallet: 'applepay', holderName: 'DECLINED' }
    t.match(await pay(session.id, declined), { outcome: 'refused', resultCode: 'Refused' })
    t.match(await pay(session.id, { wallet: 'applepay' }), { resultCode: 'Authorised' })
    t.same((await call('GET', '/_simulator/storedCards')).body, [])
    await until(() => endpoint.received.length === 2)
  })

  await t.test('they are spelled as Adyen spells them', async (t) => {
    const session = await createSession()
    const { pspReference } = await pay(session.id, { wallet: 'googlepay' })
    await until(() => endpoint.received.at(-1)?.item.pspReference === pspReference)
    t.match(endpoint.received.at(-1)?.item, {
      paymentMethod: 'mc_googlepay',
      additionalData: {
        ...{ paymentMethodVariant: 'mc_googlepay', cardSummary: '4444' },
        ...{ threeDOffered: 'false', threeDAuthenticated: 'false', liabilityShift: 'true' }
      }
    })
    const { body } = await call('GET', '/_simulator/sessions')
    const { result } = body.find(({ id }: { id: string }) => id === session.id)
    t.same(result.payments[0].paymentMethod, { type: 'googlepay', brand: 'mc_googlepay' })
    await call('POST', '/_simulator/reports', { announce: false })
    const report = await call('GET', '/_simulator/reports/last')
    t.match(report.text, `${pspReference},pay_0001,mc_googlepay,`)
    t.match(report.text, ',mc_googlepay,,1,', 'the variant is the same')
  })

  await t.test('its notifications fit Adyen’s own document', { skip }, async (t) => {
    const ajv = addFormats.default(new Ajv2020({ strict: false }))
    ajv.addSchema(JSON.parse(readFileSync(join(folder, 'Webhooks-v1.json'), 'utf8')), 'adyen')
    const ref = 'adyen#/components/schemas/AuthorisationNotificationRequest'
    const validate = ajv.compile({ $ref: ref })
    // The document lacks the holder's name, which only the refusal has.
    for (const { body } of endpoint.received.filter(({ item }) => item.success === 'true')) {
      t.ok(validate(body), JSON.stringify(validate.errors))
    }
  })
})
