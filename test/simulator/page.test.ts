import t from 'tap'
import { GOOD_CARD, MERCHANT, startPair, until } from './harness.ts'

t.test('the page shows what is paid to whom, and asks with the right autocomplete', async (t) => {
  const { call, createSession } = await startPair(t)
  const session = await createSession({ reference: '<b>"ref"&</b>' })
  const page = await call('GET', `/pay/${session.id}`)
  t.equal(page.status, 200)
  t.match(page.headers.get('content-type'), 'text/html')
  for (const text of ['£25.00', MERCHANT, '&lt;b&gt;&quot;ref&quot;&amp;&lt;/b&gt;', 'Simulator']) {
    t.match(page.text, text)
  }
  for (const name of ['cc-number', 'cc-exp', 'cc-csc', 'cc-name']) {
    t.match(page.text, `autocomplete="${name}"`)
  }
  t.match(page.text, '<html lang="en">')
  t.match(page.text, '4111 1111 1111 1111', 'the test cards are listed')
  t.match(page.text, `href="/pay/${session.id}/cancel"`)
  t.notMatch(page.text, '<script', 'there is no script')
  t.match(page.headers.get('content-security-policy'), "default-src 'none'")
})

t.test('amounts are written with the decimals of their currency', async (t) => {
  const { call, createSession } = await startPair(t)
  const written: [string, RegExp][] = [
    ['JPY', /JP¥1,234\b/],
    ['KWD', /KWD\s1\.234/],
    ['CLP', /CLP\s12\.34/],
    ['EUR', /€12\.34/]
  ]
  for (const [currency, text] of written) {
    const session = await createSession({ amount: { currency, value: 1234 } })
    t.match((await call('GET', `/pay/${session.id}`)).text, text)
  }
})

t.test('all faults of a card are shown at once, next to their fields', async (t) => {
  const { call, createSession, submit, endpoint } = await startPair(t)
  const session = await createSession()
  const typed = {
    number: '4111 1111 1111 1112',
    expiry: '01/20',
    cvc: '12',
    holderName: 'A. Other'
  }
  const page = await submit(session.id, typed)
  t.equal(page.status, 422)
  for (const field of ['number', 'expiry', 'cvc']) {
    t.match(page.html, `<a href="#${field}">`, `the summary leads to ${field}`)
    t.match(page.html, `id="${field}-error"`)
    t.match(page.html, new RegExp(`id="${field}"[^>]* aria-invalid="true"[^>]*${field}-error"`))
  }
  t.match(page.html, 'value="A. Other"', 'the name need not be typed again')
  t.notMatch(page.html, '4111 1111 1111 1112', 'the number is not sent back')
  t.match(page.html, '<title>Error: ')
  t.same((await call('GET', '/_simulator/sessions')).body[0].attempts, [], 'nothing was attempted')
  t.same(endpoint.received, [])
})

t.test('a shopper who is refused can try again and pay', async (t) => {
  const { createSession, submit, resultOf, endpoint } = await startPair(t)
  const session = await createSession()
  const refused = await submit(session.id, { ...GOOD_CARD, holderName: 'NOT_ENOUGH_BALANCE' })
  t.equal(refused.status, 200)
  t.match(refused.html, 'The payment was refused')
  t.notMatch(refused.html, 'Not enough balance', 'the shopper is not told why')
  const paid = await submit(session.id, { ...GOOD_CARD, holderName: 'J. Smith' })
  t.equal(paid.status, 303)
  const { body } = await resultOf(paid.location ?? '')
  t.equal(body.status, 'completed')
  t.equal(body.payments.length, 1)

  await until(() => endpoint.received.length === 2)
  const items = endpoint.received.map(({ item }) => item)
  const failure = items.find(({ success }) => success === 'false')
  const success = items.find((item) => item.success === 'true')
  t.match(failure, { merchantReference: 'pay_0001', reason: 'Not enough balance' })
  t.match(success, { merchantReference: 'pay_0001', pspReference: body.payments[0].pspReference })
  t.not(failure.pspReference, success.pspReference, 'each attempt has a reference of its own')
})

t.test('a form that is sent twice pays once', async (t) => {
  const { call, createSession, submit } = await startPair(t)
  const session = await createSession()
  const [one, other] = await Promise.all([
    submit(session.id, GOOD_CARD),
    submit(session.id, GOOD_CARD)
  ])
  t.equal(one.status, 303)
  t.equal(other.location, one.location)
  t.equal((await call('GET', '/_simulator/sessions')).body[0].attempts.length, 1)
  t.match((await call('GET', `/pay/${session.id}`)).text, 'This payment is complete')
})

t.test('a shopper who cancels goes back with a result that says so', async (t) => {
  const { simulator, createSession, submit, resultOf } = await startPair(t)
  const session = await createSession()
  const cancel = await fetch(`${simulator.url}/pay/${session.id}/cancel`, { redirect: 'manual' })
  t.equal(cancel.status, 303)
  const location = cancel.headers.get('location') ?? ''
  t.equal((await resultOf(location)).body.status, 'canceled')
  const late = await submit(session.id, GOOD_CARD)
  t.equal(late.location, location, 'it cannot be paid any more')
})

t.test('a returnUrl of any language and with a fragment is kept', async (t) => {
  const { createSession, submit } = await startPair(t)
  const session = await createSession({ returnUrl: 'https://m.example/zurück?a=ü&b=%20#here' })
  const { status, location } = await submit(session.id, GOOD_CARD)
  t.equal(status, 303)
  t.match(location, /^https:\/\/m\.example\/zur%C3%BCck\?a=%C3%BC&b=%20&sessionId=.*#here$/)
})

t.test('after five refusals the session is refused', async (t) => {
  const { createSession, submit, resultOf } = await startPair(t)
  const session = await createSession()
  const card = { ...GOOD_CARD, holderName: 'DECLINED' }
  for (let attempt = 1; attempt < 5; attempt++) {
    t.equal((await submit(session.id, card)).status, 200)
  }
  const last = await submit(session.id, card)
  t.equal(last.status, 303)
  t.match((await resultOf(last.location ?? '')).body, { status: 'refused', payments: [] })
})

t.test('an expired session shows a page that says so', async (t) => {
  const { call, createSession, submit, pay } = await startPair(t)
  const session = await createSession({ expiresAt: new Date(Date.now() + 1100).toISOString() })
  await until(async () =>
    (await call('GET', `/pay/${session.id}`)).text.includes('This payment page has expired')
  )
  t.match((await submit(session.id, GOOD_CARD)).html, 'This payment page has expired')
  t.equal((await pay(session.id)).outcome, 'ended')
  t.equal((await call('GET', '/pay/CSUNKNOWN')).status, 404)
})

t.test('a card is registered when the shopper agrees, and offered next time', async (t) => {
  const { call, createSession, submit, endpoint } = await startPair(t)
  const asking = {
    shopperReference: 'account-1',
    storePaymentMethodMode: 'askForConsent',
    recurringProcessingModel: 'CardOnFile'
  }
  const declined = await createSession(asking)
  await submit(declined.id, { ...GOOD_CARD, number: '5555 5555 5555 4444' })
  const agreed = await createSession(asking)
  await submit(agreed.id, { ...GOOD_CARD, consents: 'yes' })

  const next = await createSession({ shopperReference: 'account-1' })
  const page = (await call('GET', `/pay/${next.id}`)).text
  t.match(page, 'Visa ending 1111')
  t.notMatch(page, 'Mastercard ending')
  const stranger = await createSession({ shopperReference: 'account-2' })
  t.notMatch((await call('GET', `/pay/${stranger.id}`)).text, 'ending 1111')

  const [, card = ''] = /name="card" value="([A-Z0-9]{16})"/.exec(page) ?? []
  t.equal((await submit(next.id, { card, cvc: '12' })).status, 422, 'the code is still asked for')
  t.equal((await submit(next.id, { card, cvc: '737' })).status, 303)

  await until(() => endpoint.received.length === 3)
  const registered = endpoint.received
    .map(({ item }) => item.additionalData)
    .find((data) => data['tokenization.store.operationType'] !== undefined)
  t.match(registered, {
    'tokenization.storedPaymentMethodId': card,
    'tokenization.shopperReference': 'account-1',
    'tokenization.store.operationType': 'created'
  })
})

t.test('with the mode enabled the same card is registered once', async (t) => {
  const { call, createSession, pay, endpoint } = await startPair(t)
  const storing = {
    shopperReference: 'account-1',
    storePaymentMethodMode: 'enabled',
    recurringProcessingModel: 'CardOnFile',
    amount: { currency: 'GBP', value: 0 }
  }
  const operations: string[] = []
  for (const expected of [1, 2]) {
    await pay((await createSession(storing)).id)
    await until(() => endpoint.received.length === expected)
    const data = endpoint.received.at(-1)?.item.additionalData
    operations.push(data['tokenization.store.operationType'])
  }
  t.same(operations, ['created', 'alreadyExisting'])
  const next = await createSession({ shopperReference: 'account-1' })
  const page = (await call('GET', `/pay/${next.id}`)).text
  t.equal(page.match(/ending 1111/g)?.length, 1)
})

t.test('the issuer of some cards asks for a password first', async (t) => {
  const { call, createSession, submit, postForm, pay, endpoint, resultOf } = await startPair(t)
  const session = await createSession()
  const card = { ...GOOD_CARD, number: '4212 3456 7891 0006', holderName: 'J. Smith' }
  const asked = await submit(session.id, card)
  t.equal(asked.status, 303)
  t.match(asked.location, /^\/challenge\/[A-Z0-9]{32}$/)
  t.same(endpoint.received, [], 'nothing is attempted yet')
  const failed = await postForm(asked.location ?? '', { password: 'guess' })
  t.equal(failed.location, `/pay/${session.id}?refused`)
  t.match((await call('GET', failed.location ?? '')).text, 'The payment was refused')
  t.notMatch((await call('GET', `/pay/${session.id}`)).text, 'The payment was refused')

  const quick = await pay(session.id, { number: '4212345678910006' })
  t.match(quick, { outcome: 'challenge', challengeId: /^[A-Z0-9]{32}$/, status: 'active' })
  t.ok(quick.url.endsWith(`/challenge/${quick.challengeId}`))
  const path = `/_simulator/challenges/${quick.challengeId}/answer`
  const { redirect } = (await call('POST', path, { password: 'password' })).body
  t.match((await resultOf(redirect)).body, { status: 'completed' })
  const other = await postForm(asked.location ?? '', { password: 'password' })
  t.equal(other.location, redirect, 'an answered challenge leads on')

  await until(() => endpoint.received.length === 2)
  const items = endpoint.received.map(({ item }) => item)
  t.match(
    items.find(({ success }) => success === 'false'),
    { reason: '3D Not Authenticated', merchantReference: 'pay_0001' }
  )
  t.ok(items.some(({ success }) => success === 'true'))
  t.equal((await call('POST', '/_simulator/challenges/X/answer')).status, 404)
})

t.test('a challenge that outlives its session authorises nothing', async (t) => {
  const { call, createSession, submit, postForm, simulator } = await startPair(t)
  const session = await createSession()
  const asked = await submit(session.id, { ...GOOD_CARD, number: '4212345678910006' })
  await fetch(`${simulator.url}/pay/${session.id}/cancel`, { redirect: 'manual' })
  const late = await postForm(asked.location ?? '', { password: 'password' })
  t.match(late.location, /^https:\/\/merchant\.example\/return/)
  t.same((await call('GET', '/_simulator/payments')).body, [])
  t.same((await call('GET', '/_simulator/sessions')).body[0].attempts, [])
})

t.test('a card number is kept nowhere', async (t) => {
  const { call, createSession, submit } = await startPair(t)
  const session = await createSession()
  const page = await submit(session.id, { ...GOOD_CARD, holderName: '4111 1111 1111 1111' })
  t.notMatch(page.html, 'value="4111', 'nor sent back when it was typed into the wrong field')
  await submit(session.id, GOOD_CARD)
  const asked = await createSession()
  await submit(asked.id, { ...GOOD_CARD, number: '4212 3456 7891 0006' })
  const kept = ['sessions', 'webhooks', 'requests', 'challenges', 'payments', 'storedCards']
  for (const path of kept) {
    const { text } = await call('GET', `/_simulator/${path}`)
    t.notMatch(text.replace(/\s/g, ''), /4111111111111111|4212345678910006/, path)
  }
})
