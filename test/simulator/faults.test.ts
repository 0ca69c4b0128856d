import t from 'tap'
import { sessionRequest, sleep, startPair, until } from './harness.ts'

const withKey = (key: string) => ({ 'idempotency-key': key })

t.test('the switches are off by default, and are merged', async (t) => {
  const { call, setFaults } = await startPair(t)
  const { body } = await call('GET', '/_simulator/faults')
  for (const group of ['api', 'webhooks', 'page']) {
    t.same(new Set(Object.values(body[group])), new Set([null]), group)
  }
  await setFaults({ api: { delayMs: 1 } })
  const merged = (await setFaults({ webhooks: { drop: true } })).body
  t.match(merged, { api: { delayMs: { ms: 1 }, html500: null }, webhooks: { drop: {} } })
  t.equal((await setFaults({ api: { delayMs: null } })).body.api.delayMs, null)
  t.equal((await setFaults({ api: { dellay: 1 } })).status, 400)
  t.equal((await setFaults({ apy: {} })).status, 400)
})

t.test('a fault can be limited to a path and to a number of times', async (t) => {
  const { call, setFaults } = await startPair(t)
  const refusal = { status: 429, times: 2, path: 'POST /v72/sessions', errorCode: '999' }
  await setFaults({ api: { status4xx: refusal } })
  t.equal((await call('GET', '/v72/sessions/CS1')).status, 422)
  const answers = [1, 2, 3].map(() => call('POST', '/v72/sessions', sessionRequest()))
  const statuses = (await Promise.all(answers)).map(({ status }) => status)
  t.same(statuses.sort(), [201, 429, 429])
})

t.test('a fault can be limited to calls whose address ends so', async (t) => {
  const { call, setFaults } = await startPair(t)
  await setFaults({ api: { status5xx: { path: 'POST /v72/payments$' } } })
  t.equal((await call('POST', '/v72/payments', {})).status, 500)
  t.equal((await call('POST', '/v72/payments/details', {})).status, 422)
  t.equal((await call('POST', '/v72/payments/X/refunds', {})).status, 403)
})

t.test('delayMs delays the answer', async (t) => {
  const { call, setFaults } = await startPair(t)
  await setFaults({ api: { delayMs: 120 } })
  const start = Date.now()
  t.equal((await call('POST', '/v72/sessions', sessionRequest())).status, 201)
  t.ok(Date.now() - start >= 118)
})

t.test('an error can be answered although the work was done', async (t) => {
  const { call, setFaults } = await startPair(t)
  await setFaults({ api: { status5xx: { status: 502, afterWork: true } } })
  t.equal((await call('POST', '/v72/sessions', sessionRequest())).status, 502)
  t.equal((await call('GET', '/_simulator/sessions')).body.length, 1)
})

t.test('a lost answer is there for the next call under the same key', async (t) => {
  const { call, simulator, setFaults } = await startPair(t)
  const post = (key: string) => call('POST', '/v72/sessions', sessionRequest(), withKey(key))
  const count = async () => (await call('GET', '/_simulator/sessions')).body.length

  await setFaults({ api: { hangAfterWork: { times: 1 } } })
  const hanging = fetch(`${simulator.url}/v72/sessions`, {
    method: 'POST',
    headers: { 'x-api-key': 'secret', 'content-type': 'application/json', ...withKey('hang') },
    body: JSON.stringify(sessionRequest()),
    signal: AbortSignal.timeout(150)
  })
  await t.rejects(hanging)
  t.equal(await count(), 1, 'the work was done')
  t.equal((await post('hang')).status, 201)
  t.equal(await count(), 1)

  await setFaults({ api: { hangAfterWork: { ms: 80, times: 1 } } })
  t.equal((await post('late')).status, 201)

  await setFaults({ api: { resetBeforeHeaders: { times: 1, afterWork: true } } })
  await t.rejects(post('reset'))
  t.equal(await count(), 3)
  t.equal((await post('reset')).status, 201)
  t.equal(await count(), 3)

  await setFaults({ api: { truncate200: 1 } })
  const cut = await post('cut')
  t.equal(cut.status, 201)
  t.equal(cut.body, undefined, 'half of a JSON text is none')
  t.match((await post('cut')).body.id, /^CS/)

  await setFaults({ api: { emptyBody: 1 } })
  const empty = await post('empty')
  t.match(empty, { status: 201, text: '' })
  t.match((await post('empty')).body.id, /^CS/)
})

t.test('a call that never reached Adyen does no work', async (t) => {
  const { call, setFaults } = await startPair(t)
  await setFaults({ api: { resetBeforeHeaders: 1 } })
  await t.rejects(call('POST', '/v72/sessions', sessionRequest(), withKey('x')))
  await setFaults({ api: { html500: 1 } })
  const html = await call('POST', '/v72/sessions', sessionRequest(), withKey('x'))
  t.equal(html.status, 500)
  t.match(html.headers.get('content-type'), 'text/html')
  t.equal((await call('GET', '/_simulator/sessions')).body.length, 0)
  const retry = await call('POST', '/v72/sessions', sessionRequest(), withKey('x'))
  t.equal(retry.status, 201, 'and nothing was stored under the key')
})

t.test('webhooks can be dropped and delayed', async (t) => {
  const { call, createSession, pay, setFaults, endpoint } = await startPair(t)
  await setFaults({ webhooks: { drop: { times: 1, eventCode: 'AUTHORISATION' } } })
  await pay((await createSession({ reference: 'dropped' })).id)
  await setFaults({ webhooks: { delayMs: { ms: 150, times: 1 } } })
  await pay((await createSession({ reference: 'late' })).id)
  await pay((await createSession({ reference: 'soon' })).id)
  await until(() => endpoint.received.length === 2)
  const references = endpoint.received.map(({ item }) => item.merchantReference)
  t.same(references, ['soon', 'late'])
  await call('POST', '/_simulator/redeliver')
  t.equal(endpoint.received.length, 4, 'what was dropped is never sent')
})

t.test('webhooks can be doubled, one after another or at once', async (t) => {
  const { createSession, pay, setFaults, endpoint } = await startPair(t)
  for (const concurrently of [false, true]) {
    const before = endpoint.received.length
    await setFaults({ webhooks: { duplicate: { copies: 2, concurrently, times: 1 } } })
    await pay((await createSession()).id)
    await until(() => endpoint.received.length === before + 3)
    const texts = endpoint.received.slice(before).map(({ raw }) => raw)
    t.equal(new Set(texts).size, 1)
  }
})

t.test('webhooks can be sent in reverse order', async (t) => {
  const { createSession, pay, setFaults, endpoint } = await startPair(t)
  const references = () => endpoint.received.map(({ item }) => item.merchantReference)
  await setFaults({ webhooks: { reorder: 3 } })
  for (const reference of ['a', 'b', 'c', 'd']) await pay((await createSession({ reference })).id)
  await until(() => endpoint.received.length === 3)
  t.same(references(), ['c', 'b', 'a'])
  await sleep(50)
  t.equal(endpoint.received.length, 3, 'the fourth waits for company')
  await setFaults({ webhooks: { reorder: null } })
  await until(() => endpoint.received.length === 4)
  t.equal(references()[3], 'd')
})

t.test('forged and unsigned webhooks can come along with the genuine one', async (t) => {
  const { createSession, pay, setFaults, endpoint } = await startPair(t, { retryDelaysMs: [10] })
  const { default: library } = await import('@adyen/api-library/lib/src/utils/hmacValidator.js')
  const validator = new library.default()
  const isGenuine = (item: { additionalData: { hmacSignature?: string } }) =>
    item.additionalData.hmacSignature !== undefined &&
    validator.validateHMAC(item as never, '0123456789abcdef'.repeat(4))
  endpoint.answerWith = ({ item }) => (isGenuine(item) ? 202 : 401)

  const alter = ['signature', 'amount', 'success']
  await setFaults({ webhooks: { forge: { times: 1, alter }, unsignedToo: 1 } })
  await pay((await createSession()).id)
  await until(() => endpoint.received.length === 5)
  await sleep(50)
  t.equal(endpoint.received.length, 5, 'a forger does not try again')
  const genuine = endpoint.received.filter(({ item }) => isGenuine(item))
  t.equal(genuine.length, 1)
  const amounts = endpoint.received.map(({ item }) => item.amount.value).sort()
  t.same(amounts, [2500, 2500, 2500, 2500, 3500])
})

t.test('a paid session can give the sequences that real shops have met', async (t) => {
  const { createSession, pay, setFaults, endpoint } = await startPair(t)
  const paidWith = async (page: object) => {
    endpoint.received.length = 0
    await setFaults({ page })
    await pay((await createSession()).id)
    await until(() => endpoint.received.length === 2)
    return endpoint.received.map(({ item }) => item)
  }
  const [refused, paid] = await paidWith({ falseThenTrue: { ms: 60, times: 1 } })
  t.same([refused.success, paid.success], ['false', 'true'])
  t.equal(refused.pspReference, paid.pspReference)

  const [good, late] = await paidWith({ trueThenFalse: { ms: 60, times: 1 } })
  t.same([good.success, late.success], ['true', 'false'])
  t.equal(good.pspReference, late.pspReference)

  const [first, second] = await paidWith({ secondSuccess: { ms: 60, times: 1 } })
  t.same([first.success, second.success], ['true', 'true'])
  t.not(first.pspReference, second.pspReference)
  t.equal(first.merchantReference, second.merchantReference)
})

t.test('the AUTHORISATION can come long after the shopper', async (t) => {
  const { createSession, pay, setFaults, endpoint } = await startPair(t)
  await setFaults({ page: { authorisationAfterMs: 150 } })
  await pay((await createSession()).id)
  await sleep(80)
  t.equal(endpoint.received.length, 0)
  await until(() => endpoint.received.length === 1)
})

t.test('the control API shows what was asked, without the API key', async (t) => {
  const { call } = await startPair(t)
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await call('POST', '/v72/sessions', sessionRequest(), { ...withKey('k1'), traceparent })
  await call('POST', '/v72/sessions', '{')
  const { body, text } = await call('GET', '/_simulator/requests')
  t.match(body, [
    {
      method: 'POST',
      path: '/v72/sessions',
      headers: { 'idempotency-key': 'k1', traceparent },
      body: sessionRequest(),
      status: 201
    },
    { status: 400 }
  ])
  t.notMatch(text, 'secret')
  t.equal((await call('DELETE', '/_simulator/state')).status, 204)
  t.same((await call('GET', '/_simulator/requests')).body, [])
  t.same((await call('GET', '/_simulator/sessions')).body, [])
})
