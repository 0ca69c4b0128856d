import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import t from 'tap'
import { type Answer, linkRequest, MERCHANT, startPair } from './harness.ts'

const folder = process.env.ADYEN_SPECS ?? ''
const skip = folder === '' && 'ADYEN_SPECS does not name the folder of CheckoutService-v72.json'

t.test('answers are valid against the OpenAPI file of Adyen', { skip }, async (t) => {
  const spec = JSON.parse(readFileSync(join(folder, 'CheckoutService-v72.json'), 'utf8'))
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  ajv.addSchema(spec, 'adyen')
  const check = ({ body }: Answer, name: string) => {
    const validate = ajv.compile({ $ref: `adyen#/components/schemas/${name}` })
    t.ok(validate(body), `${name} ${JSON.stringify(validate.errors)}`)
  }

  const { authorise, call, storeCard } = await startPair(t)
  const merchantAccount = MERCHANT
  const amount = { currency: 'GBP', value: 100 }
  const echoed = { merchantAccount, reference: 'm-1', applicationInfo: {} }
  const paths = `/v72/payments/${await authorise()}`
  check(
    await call('POST', `${paths}/amountUpdates`, { ...echoed, amount }),
    'PaymentAmountUpdateResponse'
  )
  check(await call('POST', `${paths}/captures`, { ...echoed, amount }), 'PaymentCaptureResponse')
  check(await call('POST', `${paths}/refunds`, { ...echoed, amount }), 'PaymentRefundResponse')
  check(await call('POST', `${paths}/cancels`, echoed), 'PaymentCancelResponse')
  check(await call('POST', `${paths}/reversals`, echoed), 'PaymentReversalResponse')
  const paymentReference = 'pay_0001'
  const cancel = await call('POST', '/v72/cancels', { ...echoed, paymentReference })
  check(cancel, 'StandalonePaymentCancelResponse')

  const link = await call('POST', '/v72/paymentLinks', linkRequest({ description: 'Invoice' }))
  check(link, 'PaymentLinkResponse')
  const path = `/v72/paymentLinks/${link.body.id}`
  check(await call('GET', path), 'PaymentLinkResponse')
  check(await call('PATCH', path, { status: 'expired' }), 'PaymentLinkResponse')

  const charge = (storedPaymentMethodId: string) =>
    call('POST', '/v72/payments', {
      ...{ merchantAccount, amount, reference: 'c-1', returnUrl: 'https://merchant.example/' },
      paymentMethod: { type: 'scheme', storedPaymentMethodId },
      shopperReference: 'account-1'
    })
  const token = await storeCard()
  check(await charge(token), 'PaymentResponse')
  await call('PATCH', `/_simulator/storedCards/${token}`, { holderName: 'DECLINED' })
  check(await charge(token), 'PaymentResponse')
  const asked = await charge(await storeCard({ number: '4212345678910006' }))
  check(asked, 'PaymentResponse')
  const challenge = `/_simulator/challenges/${asked.body.action.url.split('/').at(-1)}/answer`
  const { redirect } = (await call('POST', challenge, { password: 'password' })).body
  const redirectResult = new URL(redirect).searchParams.get('redirectResult')
  const details = await call('POST', '/v72/payments/details', { details: { redirectResult } })
  check(details, 'PaymentDetailsResponse')

  const owner = `shopperReference=account-1&merchantAccount=${MERCHANT}`
  const list = await call('GET', `/v72/storedPaymentMethods?${owner}`)
  check(list, 'ListStoredPaymentMethodsResponse')
  t.equal(list.body.storedPaymentMethods.length, 2)
})
