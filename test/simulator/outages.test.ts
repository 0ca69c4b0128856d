import t from 'tap'
import { linkRequest, MERCHANT, sessionRequest, sleep, startPair, startShop } from './harness.ts'

const key = { 'idempotency-key': 'k1' }

t.test('a revoked key is refused before anything else, and nothing is stored', async (t) => {
  const { call, setFaults } = await startPair(t)
  const create = () => call('POST', '/v72/sessions', sessionRequest(), key)
  await setFaults({ api: { revokedKey: { times: 1 } } })
  const unknown = await create()
  t.equal(unknown.status, 401)
  t.match(unknown.body, { status: 401, errorCode: '000', errorType: 'security' })
  t.notOk('pspReference' in unknown.body || unknown.headers.has('pspreference'))
  await setFaults({ api: { revokedKey: { status: 403, times: 1 } } })
  const forbidden = await create()
  t.equal(forbidden.status, 403)
  t.match(forbidden.body, { status: 403, errorCode: '010', errorType: 'security' })
  t.equal((await create()).status, 201)
  t.equal((await call('GET', '/_simulator/sessions')).body.length, 1)
})

t.test('the address of a page can be one of a stranger', async (t) => {
  const { call, createSession, createLink, storeCard, setFaults } = await startPair(t)
  await setFaults({ api: { foreignUrl: { url: 'javascript:alert(1)', times: 1 } } })
  t.equal((await createSession()).url, 'javascript:alert(1)')
  await setFaults({ api: { foreignUrl: { path: 'POST /v72/paymentLinks' } } })
  t.match((await createSession()).url, /^http:\/\/127\.0\.0\.1:/)
  t.equal((await createLink()).url, 'https://pages.example/pay')
  await setFaults({ api: { foreignUrl: null } })
  const storedPaymentMethodId = await storeCard({ number: '4212345678910006' })
  await setFaults({ api: { foreignUrl: { url: 'http://pages.example/3ds', times: 1 } } })
  const charge = await call('POST', '/v72/payments', {
    ...linkRequest({ returnUrl: 'https://merchant.example/', shopperReference: 'account-1' }),
    paymentMethod: { type: 'scheme', storedPaymentMethodId }
  })
  t.match(charge.body, {
    resultCode: 'RedirectShopper',
    action: { type: 'redirect', url: 'http://pages.example/3ds' }
  })
})

t.test('one endpoint hangs while the others are healthy', async (t) => {
  const { authorise, post, simulator, setFaults } = await startShop(t)
  const psp = await authorise()
  await setFaults({ api: { hangAfterWork: { path: '/v72/sessions' } } })
  const hanging = fetch(`${simulator.url}/v72/sessions`, {
    method: 'POST',
    headers: { 'x-api-key': 'secret', 'content-type': 'application/json' },
    body: JSON.stringify(sessionRequest()),
    signal: AbortSignal.timeout(300)
  })
  const capture = await post(psp, 'captures', { amount: { currency: 'GBP', value: 1 } })
  t.equal(capture.status, 201)
  await t.rejects(hanging, { name: 'TimeoutError' })
})

t.test('an outage ends by itself', async (t) => {
  const { call, setFaults } = await startPair(t)
  const create = () => call('POST', '/v72/sessions', sessionRequest(), key)
  await setFaults({ api: { status5xx: { status: 503, transientError: true, forMs: 200 } } })
  const start = Date.now()
  const down = await create()
  t.equal(down.status, 503)
  t.equal(down.headers.get('transient-error'), 'true')
  t.ok(Date.now() - start < 150, 'at once')
  t.equal((await create()).status, 503)
  await sleep(start + 250 - Date.now())
  t.equal((await create()).status, 201)
  t.equal((await call('GET', '/_simulator/faults')).body.api.status5xx, null)
})

t.test('answers carry their pspReference as a header too', async (t) => {
  const { authorise, post, call } = await startShop(t)
  const psp = await authorise()
  const capture = await post(psp, 'captures', { amount: { currency: 'GBP', value: 1 } })
  t.equal(capture.headers.get('pspreference'), capture.body.pspReference)
  t.equal(capture.headers.get('transient-error'), null)
  const refused = await post(psp, 'captures')
  t.equal(refused.headers.get('pspreference'), refused.body.pspReference)
  const session = await call('POST', '/v72/sessions', sessionRequest())
  t.match(session.headers.get('pspreference'), /^[A-Z0-9]{16}$/)
  const unreadable = await call('POST', '/v72/sessions', '{')
  t.notOk(unreadable.headers.has('pspreference'))
  t.equal(session.body.merchantAccount, MERCHANT)
})
