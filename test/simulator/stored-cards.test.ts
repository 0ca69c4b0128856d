import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import hmacValidator from '@adyen/api-library/lib/src/utils/hmacValidator.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import t, { type Test } from 'tap'
import { GOOD_CARD, MERCHANT, type Received, STORING, startPair, until } from './harness.ts'

const HmacValidator = hmacValidator.default
const TOKEN_KEY = 'fedcba9876543210'.repeat(4)
const folder = process.env.ADYEN_SPECS ?? ''
const skip = folder === '' && 'ADYEN_SPECS does not name the folder of Adyen'

/** A pair that sends token webhooks. */
async function startTokenPair(t: Test, options: object = {}) {
  const pair = await startPair(t, { tokenHmacKey: TOKEN_KEY, ...options })
  const { endpoint } = pair
  return {
    ...pair,
    tokenWebhook: async (type: string): Promise<Received> => {
      const find = () => endpoint.received.find(({ body }) => body.type === type)
      await until(() => find() !== undefined)
      return find() as Received
    },
    disable: (id: string, shopperReference = 'account-1') => {
      const query = `shopperReference=${shopperReference}&merchantAccount=${MERCHANT}`
      return pair.call('DELETE', `/v72/storedPaymentMethods/${id}?${query}`)
    },
    list: async (shopperReference = 'account-1') => {
      const query = `shopperReference=${shopperReference}&merchantAccount=${MERCHANT}`
      return (await pair.call('GET', `/v72/storedPaymentMethods?${query}`)).body
    }
  }
}

t.test('stored cards are listed by shopper, with a short year', async (t) => {
  const { list, storeCard, call } = await startTokenPair(t)
  const id = await storeCard({ holderName: 'J. Smith' })
  const body = await list()
  t.match(body, { merchantAccount: MERCHANT, shopperReference: 'account-1' })
  t.equal(body.storedPaymentMethods.length, 1)
  t.match(body.storedPaymentMethods[0], {
    id,
    type: 'scheme',
    name: 'Visa',
    brand: 'visa',
    lastFour: '1111',
    expiryMonth: '03',
    holderName: 'J. Smith',
    shopperReference: 'account-1',
    supportedRecurringProcessingModels: ['CardOnFile', 'Subscription', 'UnscheduledCardOnFile']
  })
  t.equal(body.storedPaymentMethods[0].expiryYear, '30')
  t.same((await list('account-2')).storedPaymentMethods, [])
  const path = '/v72/storedPaymentMethods?shopperReference=account-1'
  t.equal((await call('GET', path)).status, 422)
  t.equal((await call('GET', `${path}&merchantAccount=Other`)).status, 403)
})

t.test('only the shopper it belongs to can have a card deleted', async (t) => {
  const { list, storeCard, call, disable, endpoint, tokenWebhook } = await startTokenPair(t)
  const id = await storeCard()
  const unknown = { status: 422, errorCode: '803', message: 'PaymentDetail not found' }
  t.match((await disable(id, 'account-2')).body, unknown)
  t.match((await disable('UNKNOWN000000000')).body, unknown)
  for (const query of ['', '?shopperReference=account-1', `?merchantAccount=${MERCHANT}`]) {
    const answer = await call('DELETE', `/v72/storedPaymentMethods/${id}${query}`)
    t.equal(answer.status, 422, query)
    t.match(answer.body.message, /Required field '\w+' is not provided/)
  }
  t.equal((await list()).storedPaymentMethods.length, 1)
  t.notOk(endpoint.received.some(({ body }) => body.type === 'recurring.token.disabled'))

  const deleted = await disable(id)
  t.equal(deleted.status, 204)
  t.equal(deleted.text, '')
  t.same((await list()).storedPaymentMethods, [])
  t.match((await disable(id)).body, unknown)
  const { body } = await tokenWebhook('recurring.token.disabled')
  t.match(body.data, { storedPaymentMethodId: id, shopperReference: 'account-1' })
  t.notOk('operation' in body.data)
})

t.test('a DELETE with the header of JSON but without a body is taken', async (t) => {
  const { storeCard, simulator } = await startTokenPair(t)
  const id = await storeCard()
  const query = `shopperReference=account-1&merchantAccount=${MERCHANT}`
  const answer = await fetch(`${simulator.url}/v72/storedPaymentMethods/${id}?${query}`, {
    method: 'DELETE',
    headers: { 'x-api-key': 'secret', 'content-type': 'application/json' }
  })
  t.equal(answer.status, 204)
})

t.test('a session without an amount saves a card', async (t) => {
  const { call, createSession, submit, resultOf, endpoint } = await startTokenPair(t)
  const session = await createSession({ ...STORING, storePaymentMethodMode: 'askForConsent' })
  const page = (await call('GET', `/pay/${session.id}`)).text
  t.match(page, '<title>Save your card')
  t.match(page, '>Save card</button>')
  t.notMatch(page, '£0.00')
  t.notMatch(page, 'name="consents"', 'the button is the consent')
  const refused = await submit(session.id, { ...GOOD_CARD, holderName: 'DECLINED' })
  t.match(refused.html, 'The card was refused')
  const saved = await submit(session.id, GOOD_CARD)
  t.equal(saved.status, 303)
  t.match((await resultOf(saved.location ?? '')).body, { status: 'completed' })
  t.match((await call('GET', `/pay/${session.id}`)).text, 'Your card is saved')

  await until(() => endpoint.received.some(({ item }) => item?.success === 'true'))
  const item = endpoint.received.find((one) => one.item?.success === 'true')?.item
  const [stored] = (await call('GET', '/_simulator/storedCards')).body
  t.match(item, {
    eventCode: 'AUTHORISATION',
    amount: { currency: 'GBP', value: 0 },
    additionalData: {
      'tokenization.storedPaymentMethodId': stored.id,
      'tokenization.shopperReference': 'account-1',
      'tokenization.store.operationType': 'created',
      'recurring.recurringDetailReference': stored.id
    }
  })
  const report = await call('POST', '/_simulator/reports')
  t.match(report.body, { lines: 0 }, 'it took nothing, so that nothing is settled')
})

t.test('what becomes of a token is told in webhooks signed in a header', async (t) => {
  const { storeCard, call, tokenWebhook, endpoint } = await startTokenPair(t)
  const id = await storeCard()
  const { headers, raw, body } = await tokenWebhook('recurring.token.created')
  t.match(body, {
    type: 'recurring.token.created',
    environment: 'test',
    version: '1',
    eventId: /^[A-Z0-9]{16}$/,
    createdAt: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+01:00$/
  })
  t.strictSame(body.data, {
    merchantAccount: MERCHANT,
    storedPaymentMethodId: id,
    type: 'visastandardcredit',
    shopperReference: 'account-1',
    operation: 'created'
  })
  t.equal(headers.protocol, 'HmacSHA256')
  const key = Buffer.from(TOKEN_KEY, 'hex')
  t.equal(headers.hmacsignature, createHmac('sha256', key).update(raw).digest('base64'))
  const signature = String(headers.hmacsignature)
  t.ok(new HmacValidator().validateHMACSignature(TOKEN_KEY, signature, raw))
  await until(() => endpoint.received.length === 2)
  const authorised = endpoint.received.find(({ item }) => item !== undefined)
  t.equal(authorised?.item.pspReference, body.eventId, 'the attempt that saved it')
  t.equal(authorised?.headers.hmacsignature, undefined)

  await storeCard()
  const same = await tokenWebhook('recurring.token.alreadyExisting')
  t.match(same.body.data, { storedPaymentMethodId: id, operation: 'alreadyExisting' })
  const renewed = { expiryYear: '2033' }
  t.equal((await call('PATCH', `/_simulator/storedCards/${id}`, renewed)).status, 200)
  const updated = await tokenWebhook('recurring.token.updated')
  t.match(updated.body.data, { storedPaymentMethodId: id, operation: 'updated' })
  t.equal((await call('PATCH', '/_simulator/storedCards/X', renewed)).status, 404)
})

t.test('token webhooks are tried again, doubled and forged like the others', async (t) => {
  const { storeCard, setFaults, endpoint, call } = await startTokenPair(t, { retryDelaysMs: [10] })
  const eventCode = 'recurring.token.created'
  await setFaults({
    webhooks: {
      duplicate: { times: 1, eventCode },
      forge: { times: 1, eventCode, alter: ['signature'] },
      unsignedToo: { times: 1, eventCode }
    }
  })
  const tokens = () => endpoint.received.filter(({ body }) => body.type === eventCode)
  const isGenuine = ({ raw, headers }: Received) => {
    const hmac = createHmac('sha256', Buffer.from(TOKEN_KEY, 'hex')).update(raw)
    return hmac.digest('base64') === headers.hmacsignature
  }
  let isBroken = true
  endpoint.answerWith = (one) => {
    if (one.item !== undefined) return 202
    return isBroken || !isGenuine(one) ? 401 : 202
  }
  await storeCard()
  await until(() => tokens().length >= 4)
  isBroken = false
  await until(async () => {
    const { body } = await call('GET', '/_simulator/webhooks')
    return body.every(({ kind, status }: { kind: string; status: string }) =>
      kind === 'genuine' ? status === 'delivered' : status === 'sent'
    )
  })
  const signatures = tokens().map(({ headers }) => headers.hmacsignature)
  t.equal(new Set(signatures).size, 3, 'genuine, forged and none')
  t.equal(new Set(tokens().map(({ raw }) => raw)).size, 1)
  t.ok(tokens().filter(isGenuine).length >= 3, 'tried again, and doubled')
})

t.test('token webhooks are valid against the OpenAPI file of Adyen', { skip }, async (t) => {
  const spec = JSON.parse(readFileSync(join(folder, 'TokenizationNotification-v1.json'), 'utf8'))
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  ajv.addSchema(spec, 'adyen')
  const { storeCard, call, tokenWebhook, disable } = await startTokenPair(t)
  const id = await storeCard()
  await storeCard()
  await call('PATCH', `/_simulator/storedCards/${id}`, { expiryYear: '2033' })
  await disable(id)
  for (const what of ['Created', 'AlreadyExisting', 'Updated', 'Disabled']) {
    const name = `${what[0]?.toLowerCase()}${what.slice(1)}`
    const { body } = await tokenWebhook(`recurring.token.${name}`)
    const schema = `adyen#/components/schemas/Tokenization${what}DetailsNotificationRequest`
    const validate = ajv.compile({ $ref: schema })
    t.ok(validate(body), `${what} ${JSON.stringify(validate.errors)}`)
  }
})

t.test('without their key there are no token webhooks, and a wrong key is refused', async (t) => {
  const { storeCard, endpoint } = await startPair(t)
  await storeCard()
  await until(() => endpoint.received.length === 1)
  t.equal(endpoint.received[0]?.item.eventCode, 'AUTHORISATION')
  await t.rejects(startPair(t, { tokenHmacKey: 'secret' }), /64 hex digits/)
})

t.test('a card with 3-D Secure is saved after its challenge', async (t) => {
  const { storeCard, call, createSession, submit, postForm, list } = await startTokenPair(t)
  await storeCard({ number: '4212 3456 7891 0006' })
  t.match((await call('GET', '/_simulator/storedCards')).body, [{ card: { challenge: true } }])

  const session = await createSession({ shopperReference: 'account-1' })
  const [{ id: card }] = (await list()).storedPaymentMethods
  const asked = await submit(session.id, { card, cvc: '737' })
  t.match(asked.location, /^\/challenge\//)
  const failed = await postForm(asked.location ?? '', { password: '1234' })
  t.equal(failed.location, `/pay/${session.id}?refused`)
  t.match((await call('GET', failed.location ?? '')).text, 'The payment was refused')
  const again = await submit(session.id, { card, cvc: '737' })
  const passed = await postForm(again.location ?? '', { password: 'password' })
  t.match(passed.location, /^https:\/\/merchant\.example\/return/)
})
