import t from 'tap'
import { eventOf, GOOD_CARD, linkRequest, MERCHANT, startPair, until } from './harness.ts'

const DAY = 24 * 3_600_000
const inDays = (days: number) => new Date(Date.now() + days * DAY).toISOString()

t.test('a link is created, asked for and revoked', async (t) => {
  const { call, simulator } = await startPair(t)
  const description = 'Invoice 7'
  const created = await call('POST', '/v72/paymentLinks', linkRequest({ description }))
  t.equal(created.status, 201)
  const { body } = created
  t.match(body, { ...linkRequest({ description }), status: 'active', reusable: false })
  t.match(body.id, /^PL[A-Z0-9]{16}$/)
  t.equal(body.url, `${simulator.url}/link/${body.id}`)
  t.match(body.updatedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+01:00$/)
  const life = Date.parse(body.expiresAt) - Date.now()
  t.ok(life > DAY - 5000 && life <= DAY, 'a day, unless it is said otherwise')

  t.strictSame((await call('GET', `/v72/paymentLinks/${body.id}`)).body, body)
  const path = `/v72/paymentLinks/${body.id}`
  const revoked = await call('PATCH', path, { status: 'expired' })
  t.equal(revoked.status, 200)
  t.match(revoked.body, { id: body.id, status: 'expired' })
  t.equal((await call('PATCH', path, { status: 'expired' })).status, 200, 'again is no error')
  t.equal((await call('GET', path)).body.status, 'expired')
  t.match((await call('GET', `/link/${body.id}`)).text, 'This payment link has expired')

  t.equal((await call('PATCH', path, { status: 'active' })).status, 422)
  t.equal((await call('PATCH', path, { amount: {} })).status, 400)
  t.equal((await call('GET', '/v72/paymentLinks/PLUNKNOWN')).status, 404)
  t.equal((await call('PATCH', '/v72/paymentLinks/PLX', { status: 'expired' })).status, 404)
})

t.test('a link lives for at most 70 days, and takes no field of a session', async (t) => {
  const { call } = await startPair(t)
  const create = (changes: object) => call('POST', '/v72/paymentLinks', linkRequest(changes))
  t.equal((await create({ expiresAt: inDays(69.9) })).status, 201)
  const wrong: [object, number][] = [
    [{ expiresAt: inDays(70.1) }, 422],
    [{ expiresAt: inDays(-1) }, 422],
    [{ mode: 'hosted' }, 400],
    [{ channel: 'Web' }, 400],
    [{ shopperInteraction: 'Ecommerce' }, 400],
    [{ manualCapture: 'true' }, 400],
    [{ storePaymentMethodMode: 'enabled', shopperReference: 'account-1' }, 422],
    [{ storePaymentMethodMode: 'askForConsent' }, 422],
    [{ description: 'd'.repeat(281) }, 422],
    [{ returnUrl: `https://m.example/${'x'.repeat(8000)}` }, 422],
    [{ merchantAccount: 'Other' }, 403],
    [{ amount: undefined }, 422],
    [{ reference: undefined }, 422],
    [{ metadata: { key: 'v'.repeat(81) } }, 422],
    [{ captureDelayHours: 673 }, 422]
  ]
  for (const [changes, status] of wrong) {
    t.equal((await create(changes)).status, status, JSON.stringify(changes).slice(0, 60))
  }
})

t.test('under one idempotency key there is one link', async (t) => {
  const { call } = await startPair(t)
  const post = () => call('POST', '/v72/paymentLinks', linkRequest(), { 'idempotency-key': 'l1' })
  t.strictSame((await post()).body, (await post()).body)
  t.equal((await call('GET', '/_simulator/links')).body.length, 1)
})

t.test('a link is paid on its page, which ends with a button to go on', async (t) => {
  const { call, createLink, postForm, endpoint } = await startPair(t)
  const { id } = await createLink({
    description: 'Invoice <7>',
    returnUrl: 'https://merchant.example/thanks?a=1',
    metadata: { channel: 'sms' }
  })
  const page = await call('GET', `/link/${id}`)
  for (const text of ['£25.00', MERCHANT, 'Invoice &lt;7&gt;', `action="/link/${id}"`]) {
    t.match(page.text, text)
  }
  for (const name of ['cc-number', 'cc-exp', 'cc-csc', 'cc-name']) {
    t.match(page.text, `autocomplete="${name}"`)
  }
  t.notMatch(page.text, 'Cancel and return', 'there is nowhere to return to')
  t.notMatch(page.text, '<script')

  const typo = await postForm(`/link/${id}`, { ...GOOD_CARD, cvc: '1' })
  t.equal(typo.status, 422)
  t.match(typo.html, 'Check the security code')
  const refused = await postForm(`/link/${id}`, { ...GOOD_CARD, holderName: 'DECLINED' })
  t.match(refused.html, 'The payment was refused')
  const paid = await postForm(`/link/${id}`, GOOD_CARD)
  t.match(paid, { status: 303, location: `/link/${id}/done` })
  const done = await call('GET', `/link/${id}/done`)
  t.match(done.text, 'Thank you: the payment is complete')
  t.match(done.text, '£25.00')
  t.match(done.text, 'href="https://merchant.example/thanks?a=1">Continue</a>')
  t.match((await call('GET', `/link/${id}`)).text, 'Thank you: the payment is complete')

  const isPaid = ({ success }: { success: string }) => success === 'true'
  t.match(await eventOf(endpoint, 'AUTHORISATION', isPaid), {
    merchantReference: 'link_0001',
    amount: { currency: 'GBP', value: 2500 },
    additionalData: { paymentLinkId: id, 'metadata.channel': 'sms' }
  })
  await until(() => endpoint.received.length === 2)
  const data = endpoint.received.map(({ item }) => item.additionalData)
  t.notOk(data.some((one) => 'checkoutSessionId' in one))
})

t.test('a paid link is completed: it is not paid twice, and not revoked', async (t) => {
  const { call, createLink, postForm } = await startPair(t)
  const { id } = await createLink()
  const [one, other] = await Promise.all([
    postForm(`/link/${id}`, GOOD_CARD),
    postForm(`/link/${id}`, GOOD_CARD)
  ])
  t.equal(one.location, other.location)
  t.equal((await call('GET', '/_simulator/payments')).body.length, 1)
  t.equal((await call('GET', `/v72/paymentLinks/${id}`)).body.status, 'completed')
  const revoked = await call('PATCH', `/v72/paymentLinks/${id}`, { status: 'expired' })
  t.equal(revoked.status, 422)
  t.match(revoked.body, { errorType: 'validation' })
  t.equal((await call('GET', `/v72/paymentLinks/${id}`)).body.status, 'completed')
  t.notMatch((await call('GET', `/link/${id}/done`)).text, 'Continue', 'there is no returnUrl')
})

t.test('a reusable link is paid again and again', async (t) => {
  const { call, createLink, postForm } = await startPair(t)
  const { id } = await createLink({ reusable: true })
  for (const expected of [1, 2]) {
    const { location } = await postForm(`/link/${id}`, GOOD_CARD)
    t.equal(location, `/link/${id}/done`)
    t.match((await call('GET', `/link/${id}/done`)).text, 'the payment is complete')
    t.equal((await call('GET', '/_simulator/payments')).body.length, expected)
  }
  t.equal((await call('GET', `/v72/paymentLinks/${id}`)).body.status, 'active')
  t.match((await call('GET', `/link/${id}`)).text, 'Pay £25.00')
})

t.test('a link that expires by itself says so', async (t) => {
  const { call, createLink, postForm } = await startPair(t)
  const { id } = await createLink({ expiresAt: new Date(Date.now() + 1100).toISOString() })
  await until(async () => (await call('GET', `/v72/paymentLinks/${id}`)).body.status === 'expired')
  t.match((await call('GET', `/link/${id}`)).text, 'This payment link has expired')
  t.match((await postForm(`/link/${id}`, GOOD_CARD)).html, 'This payment link has expired')
  t.match((await call('GET', '/_simulator/links')).body, [{ status: 'expired' }])
  const missing = await call('GET', '/link/PLUNKNOWN')
  t.equal(missing.status, 404)
  t.match(missing.text, 'There is no such payment')
})

t.test('a link is captured by request, or later, if it says so', async (t) => {
  const { call, createLink } = await startPair(t)
  for (const capture of [{ manualCapture: true }, { captureDelayHours: 2 }, {}]) {
    const { id } = await createLink(capture)
    await call('POST', `/_simulator/links/${id}/pay`)
  }
  const payments = (await call('GET', '/_simulator/payments')).body
  t.match(payments, [
    { captured: 0, capturedAt: null },
    { captured: 0, capturedAt: String },
    { captured: 2500 }
  ])
})

t.test('a link can be paid and refused without its page', async (t) => {
  const { call, createLink } = await startPair(t)
  const { id } = await createLink()
  const path = `/_simulator/links/${id}/pay`
  const refused = (await call('POST', path, { holderName: 'DECLINED' })).body
  t.match(refused, { outcome: 'refused', status: 'active', resultCode: 'Refused' })
  const pending = (await call('POST', path, { holderName: 'PENDING' })).body
  t.match(pending, { outcome: 'ended', status: 'paymentPending', redirect: null })
  t.match((await call('GET', `/link/${id}/done`)).text, 'The payment is being processed')
  t.equal((await call('POST', '/_simulator/links/PLX/pay', {})).status, 404)
})

t.test('a link offers no stored card to whoever opens it, but can save one', async (t) => {
  const { call, createLink, postForm, storeCard, endpoint } = await startPair(t)
  await storeCard()
  const storing = {
    shopperReference: 'account-1',
    storePaymentMethodMode: 'askForConsent',
    recurringProcessingModel: 'CardOnFile'
  }
  const { id } = await createLink(storing)
  const page = (await call('GET', `/link/${id}`)).text
  t.notMatch(page, 'ending 1111')
  t.match(page, 'Save this card for later payments')
  await postForm(`/link/${id}`, { ...GOOD_CARD, number: '5555555555554444', consents: 'yes' })
  const isLink = (item: { merchantReference: string }) => item.merchantReference === 'link_0001'
  t.match(await eventOf(endpoint, 'AUTHORISATION', isLink), {
    additionalData: {
      'tokenization.shopperReference': 'account-1',
      'tokenization.store.operationType': 'created'
    }
  })
  t.equal((await call('GET', '/_simulator/storedCards')).body.length, 2)
})

t.test('the issuer is asked on a link too', async (t) => {
  const { call, createLink, postForm } = await startPair(t)
  const { id } = await createLink()
  const card = { ...GOOD_CARD, number: '5000 5500 0000 0029' }
  const first = await postForm(`/link/${id}`, card)
  t.match(first.location, /^\/challenge\/[A-Z0-9]{32}$/)
  const failed = await postForm(first.location ?? '', { password: 'no' })
  t.equal(failed.location, `/link/${id}?refused`)
  t.match((await call('GET', failed.location ?? '')).text, 'The payment was refused')
  const second = await postForm(`/link/${id}`, card)
  const passed = await postForm(second.location ?? '', { password: 'password' })
  t.equal(passed.location, `/link/${id}/done`)
  t.equal((await call('GET', `/v72/paymentLinks/${id}`)).body.status, 'completed')
})
