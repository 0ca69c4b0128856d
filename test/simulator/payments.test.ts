import t, { type Test } from 'tap'
import { outcomeFor, outcomeForCode, REFUSAL_TRIGGERS } from '../../sandbox/simulator/test-data.ts'
import { eventOf, MERCHANT, sleep, startPair, until } from './harness.ts'

const CHALLENGED = '4212 3456 7891 0006'

/** A pair whose shopper `account-1` pays with stored cards. */
async function startShop(t: Test, options: object = {}) {
  const pair = await startPair(t, options)
  const request = (storedPaymentMethodId: string, changes: object = {}) => ({
    merchantAccount: MERCHANT,
    amount: { currency: 'GBP', value: 1200 },
    reference: 'charge_0001',
    paymentMethod: { type: 'scheme', storedPaymentMethodId },
    shopperReference: 'account-1',
    shopperInteraction: 'ContAuth',
    recurringProcessingModel: 'CardOnFile',
    returnUrl: 'https://merchant.example/return?keep=a%20b#top',
    ...changes
  })
  return {
    ...pair,
    request,
    charge: (token: string, changes: object = {}, headers: Record<string, string> = {}) =>
      pair.call('POST', '/v72/payments', request(token, changes), headers),
    details: (redirectResult: string, headers: Record<string, string> = {}) =>
      pair.call('POST', '/v72/payments/details', { details: { redirectResult } }, headers),
    /** From now on payments with this card end as the name says. */
    rename: (token: string, holderName: string) =>
      pair.call('PATCH', `/_simulator/storedCards/${token}`, { holderName }),
    ofCharge: (eventCode = 'AUTHORISATION') =>
      eventOf(pair.endpoint, eventCode, (item) => item.merchantReference === 'charge_0001')
  }
}

/** A challenge that waits for the shopper. */
async function startChallenge(t: Test, changes: object = {}) {
  const shop = await startShop(t)
  const token = await shop.storeCard({ number: CHALLENGED })
  const { body } = await shop.charge(token, changes)
  const path = new URL(body.action.url).pathname
  const answer = async (form: Record<string, string>) => {
    const { location } = await shop.postForm(path, form)
    const result = new URL(location ?? '').searchParams.get('redirectResult') ?? ''
    return { location: location ?? '', result }
  }
  return { ...shop, token, body, path, answer }
}

t.test('a stored card is charged, and the webhook follows', async (t) => {
  const { charge, storeCard, ofCharge, call } = await startShop(t)
  const token = await storeCard({ holderName: 'J. Smith' })
  const { status, body } = await charge(token, { metadata: { channel: 'ivr' } })
  t.equal(status, 200)
  t.match(body, {
    pspReference: /^[A-Z0-9]{16}$/,
    resultCode: 'Authorised',
    merchantReference: 'charge_0001',
    amount: { currency: 'GBP', value: 1200 },
    additionalData: {
      cardSummary: '1111',
      expiryDate: '03/2030',
      cardHolderName: 'J. Smith',
      paymentMethod: 'visa',
      paymentMethodVariant: 'visastandardcredit',
      fundingSource: 'CREDIT',
      'tokenization.storedPaymentMethodId': token
    }
  })
  t.notOk('refusalReason' in body)
  t.match(await ofCharge(), {
    success: 'true',
    pspReference: body.pspReference,
    amount: { currency: 'GBP', value: 1200 },
    additionalData: {
      'metadata.channel': 'ivr',
      shopperReference: 'account-1',
      recurringProcessingModel: 'CardOnFile',
      'tokenization.storedPaymentMethodId': token
    }
  })
  const amount = { currency: 'GBP', value: 1200 }
  const refund = { merchantAccount: MERCHANT, amount, reference: 'charge_0001' }
  await call('POST', `/v72/payments/${body.pspReference}/refunds`, refund)
  t.match(await ofCharge('REFUND'), { success: 'true' }, 'which is known to modifications')
})

t.test('a charge can be captured by request', async (t) => {
  const { charge, storeCard, call } = await startShop(t)
  await charge(await storeCard(), { additionalData: { manualCapture: 'true' } })
  const payments = (await call('GET', '/_simulator/payments')).body
  t.match(payments.at(-1), { captured: 0, capturable: 1200 })
})

t.test('the name on the stored card decides the outcome', async (t) => {
  const { charge, storeCard, rename, ofCharge, call } = await startShop(t)
  const token = await storeCard()
  await rename(token, 'NOT_ENOUGH_BALANCE')
  const refused = await charge(token)
  t.equal(refused.status, 200, 'a refusal is no error')
  t.match(refused.body, {
    resultCode: 'Refused',
    refusalReason: 'Not enough balance',
    refusalReasonCode: '12',
    merchantReference: 'charge_0001'
  })
  t.match(await ofCharge(), {
    success: 'false',
    reason: 'Not enough balance',
    pspReference: refused.body.pspReference
  })
  const known = (await call('GET', '/_simulator/payments')).body
  t.notOk(known.some(({ id }: { id: string }) => id === refused.body.pspReference))

  const others = { ERROR: ['Error', '4'], FRAUD_CANCELLED: ['Cancelled', '22'] }
  for (const [name, [resultCode, refusalReasonCode]] of Object.entries(others)) {
    await rename(token, name)
    t.match((await charge(token)).body, { resultCode, refusalReasonCode })
  }
  await rename(token, 'PENDING')
  const pending = (await charge(token)).body
  t.equal(pending.resultCode, 'Received')
  t.notOk('refusalReasonCode' in pending)
})

t.test('every refusal has the code of the table', async (t) => {
  const codes = REFUSAL_TRIGGERS.map((name) => Number(outcomeFor(name).refusalReasonCode))
  const known = [2, 3, ...Array.from({ length: 8 }, (_, index) => index + 5), 14, 15, 16, 17, 18]
  known.push(19, 20, 21, 23, 24, 25, 26, 27, 31, 32, 33, 38, 39, 42, 46)
  t.strictSame(codes, known)
  t.match(outcomeForCode('6'), { resultCode: 'Refused', reason: 'Expired Card' })
  t.match(outcomeForCode('22'), { resultCode: 'Cancelled' })
  t.match(outcomeForCode('13'), { resultCode: 'Received' })
  t.match(outcomeForCode('1'), { resultCode: 'Authorised' })
  t.equal(outcomeForCode(undefined), undefined)
})

t.test('a test code in additionalData decides before the name', async (t) => {
  const { charge, storeCard } = await startShop(t)
  const token = await storeCard()
  const additionalData = { RequestedTestAcquirerResponseCode: '38' }
  t.match((await charge(token, { additionalData })).body, {
    resultCode: 'Refused',
    refusalReason: 'Authentication required'
  })
})

t.test('test errors are stored under the key, but for the transient one', async (t) => {
  const { charge, storeCard } = await startShop(t)
  const token = await storeCard()
  const asking = (RequestedTestErrorResponseCode: string, key: string) =>
    charge(
      token,
      { additionalData: { RequestedTestErrorResponseCode } },
      { 'idempotency-key': key }
    )
  const transient = await asking('NO_CONNECTION_AVAILABLE', 'a')
  t.equal(transient.status, 500)
  t.equal(transient.headers.get('transient-error'), 'true')
  const stored = await asking('IOEXCEPTION_RECEIVED', 'b')
  t.equal(stored.status, 500)
  t.equal(stored.headers.get('transient-error'), null)
  t.equal((await charge(token, {}, { 'idempotency-key': 'a' })).status, 200)
  t.strictSame((await charge(token, {}, { 'idempotency-key': 'b' })).body, stored.body)
})

t.test("only the shopper's own stored cards can be charged", async (t) => {
  const { charge, storeCard, call, request } = await startShop(t)
  const token = await storeCard()
  const unknown = { status: 422, errorCode: '803', message: 'PaymentDetail not found' }
  t.match((await charge('UNKNOWN000000000')).body, unknown)
  t.match((await charge(token, { shopperReference: 'account-2' })).body, unknown)

  const number = '4111111111111111'
  const raw = { type: 'scheme', number, expiryMonth: '03', expiryYear: '2030', cvc: '737' }
  const refused = await charge(token, { paymentMethod: raw })
  t.match(refused.body, { status: 403, errorCode: '010', errorType: 'security' })
  t.notMatch((await call('GET', '/_simulator/requests')).text, number, 'nor is it logged')
  const sealed = { type: 'scheme', encryptedCardNumber: 'test_4111' }
  t.equal((await charge(token, { paymentMethod: sealed })).status, 403)
  t.match((await charge(token, { paymentMethod: { type: 'ideal' } })).body, { errorCode: '905' })

  const wrong: [object, number][] = [
    [{ merchantAccount: 'Other' }, 403],
    [{ returnUrl: undefined }, 422],
    [{ amount: undefined }, 422],
    [{ reference: 'r'.repeat(81) }, 422],
    [{ shopperReference: undefined }, 422],
    [{ paymentMethod: undefined }, 422],
    [{ paymentMethod: { type: 'scheme' } }, 422],
    [{ shopperInteraction: 'Phone' }, 422],
    [{ captureDelayHours: 673 }, 422],
    [{ mode: 'hosted' }, 400]
  ]
  for (const [changes, status] of wrong) {
    const answer = await call('POST', '/v72/payments', request(token, changes))
    t.equal(answer.status, status, JSON.stringify(changes))
    t.equal(answer.body.status, status)
  }
})

t.test('under one idempotency key there is one charge', async (t) => {
  const { charge, storeCard, call } = await startShop(t)
  const token = await storeCard()
  const first = await charge(token, {}, { 'idempotency-key': 'c1' })
  const again = await charge(token, {}, { 'idempotency-key': 'c1' })
  t.strictSame(again.body, first.body)
  t.equal((await call('GET', '/_simulator/payments')).body.length, 2, 'and the saved card')
})

t.test('a charge can be lost, while refunds and details go on', async (t) => {
  const { charge, storeCard, setFaults, call, details, endpoint } = await startShop(t)
  const token = await storeCard()
  await setFaults({ api: { hangAfterWork: { ms: 800, times: 1, path: 'POST /v72/payments$' } } })
  const before = Date.now()
  t.equal((await details('unknown')).status, 422)
  const path = '/v72/payments/UNKNOWN000000000/cancels'
  t.equal((await call('POST', path, { merchantAccount: MERCHANT })).status, 422)
  t.ok(Date.now() - before < 700, 'other calls are not held up')

  const start = Date.now()
  const hanging = charge(token)
  await until(() => endpoint.received.length === 2)
  t.ok(Date.now() - start < 700, 'the work is done first')
  t.equal((await hanging).body.resultCode, 'Authorised')
  t.ok(Date.now() - start >= 798)

  await setFaults({ api: { status5xx: { status: 503, transientError: true, path: '/refunds' } } })
  t.equal((await charge(token)).status, 200)
  const refund = await call('POST', '/v72/payments/X/refunds', { merchantAccount: MERCHANT })
  t.equal(refund.status, 503)
  t.equal(refund.headers.get('transient-error'), 'true')
})

t.test('a card with 3-D Secure sends the shopper to the issuer first', async (t) => {
  const { body, path, call, answer, details, ofCharge, endpoint } = await startChallenge(t)
  t.match(body, {
    resultCode: 'RedirectShopper',
    action: { type: 'redirect', method: 'GET', paymentMethodType: 'scheme' }
  })
  const page = await call('GET', path)
  t.match(page.text, '<title>3-D Secure - ExampleShop</title>')
  for (const text of ['£12.00', 'ending 0006', '<label for="password">', '>Cancel</button>']) {
    t.match(page.text, text)
  }
  t.match(page.text, /<input type="password" id="password" name="password"/)
  t.notMatch(page.text, '<script')

  const { location, result } = await answer({ password: 'password' })
  t.match(location, /^https:\/\/merchant\.example\/return\?keep=a%20b&redirectResult=[^&]+#top$/)
  await sleep(30)
  const before = endpoint.received.filter((one) => one.item.merchantReference === 'charge_0001')
  t.same(before, [], 'nothing is authorised before the details come')

  const done = await details(result)
  t.equal(done.status, 200)
  t.match(done.body, {
    pspReference: /^[A-Z0-9]{16}$/,
    resultCode: 'Authorised',
    merchantReference: 'charge_0001',
    amount: { currency: 'GBP', value: 1200 },
    additionalData: { cardSummary: '0006' }
  })
  t.not(done.body.pspReference, body.pspReference)
  t.match(await ofCharge(), { success: 'true', pspReference: done.body.pspReference })
})

t.test('details are taken once, unless under the same key', async (t) => {
  const { answer, details, call } = await startChallenge(t)
  const { result } = await answer({ password: 'password' })
  const key = { 'idempotency-key': 'd1' }
  const first = await details(result, key)
  t.strictSame((await details(result, key)).body, first.body)
  t.match((await details(result)).body, {
    status: 422,
    errorCode: '704',
    message: 'request already processed or in progress'
  })
  t.equal((await details('made-up')).status, 422)
  t.equal((await details(encodeURIComponent(result))).status, 422, 'it must be decoded')
  const bare = await call('POST', '/v72/payments/details', { details: {} })
  t.equal(bare.status, 422)
  t.equal((await call('GET', '/_simulator/payments')).body.length, 2)
})

t.test('a shopper who fails or cancels the challenge is refused', async (t) => {
  for (const form of [{ password: '1234' }, { cancel: 'yes', password: 'password' }]) {
    const { answer, details, ofCharge } = await startChallenge(t)
    const { result } = await answer(form)
    const { status, body } = await details(result)
    t.equal(status, 200)
    t.match(body, {
      resultCode: 'Refused',
      refusalReason: '3D Not Authenticated',
      refusalReasonCode: '11'
    })
    t.match(await ofCharge(), { success: 'false', pspReference: body.pspReference })
  }
})

t.test('a challenge is answered once; going back leads to the same address', async (t) => {
  const { answer, path, simulator, details } = await startChallenge(t)
  const { location, result } = await answer({ password: 'wrong' })
  t.equal((await answer({ password: 'password' })).location, location)
  const again = await fetch(`${simulator.url}${path}`, { redirect: 'manual' })
  t.equal(again.headers.get('location'), location)
  t.equal((await details(result)).body.resultCode, 'Refused')
  t.equal((await fetch(`${simulator.url}/challenge/UNKNOWN`)).status, 404)
})

t.test('a card passes the challenge and is refused all the same', async (t) => {
  const { answer, details, rename, charge, token, call } = await startChallenge(t)
  await rename(token, 'DECLINED')
  const id = new URL((await charge(token)).body.action.url).pathname.split('/').at(-1)
  const quick = await call('POST', `/_simulator/challenges/${id}/answer`, { password: 'password' })
  const result = new URL(quick.body.redirect).searchParams.get('redirectResult') ?? ''
  t.match((await details(result)).body, { resultCode: 'Refused', refusalReasonCode: '2' })
  const first = await answer({ password: 'password' })
  t.match((await details(first.result)).body, { resultCode: 'Authorised' }, 'as it was then')
})
