import t from 'tap'
import { sessionRequest, sleep, startPair } from './harness.ts'

const withKey = (key: string) => ({ 'idempotency-key': key })

t.test('the same key gives the first answer again, and the header back', async (t) => {
  const { call } = await startPair(t)
  const first = await call('POST', '/v72/sessions', sessionRequest(), withKey('one'))
  const again = await call('POST', '/v72/sessions', sessionRequest(), withKey('one'))
  t.strictSame(again.body, first.body)
  t.equal(again.status, 201)
  t.equal(again.headers.get('idempotency-key'), 'one')
  t.equal(first.headers.get('idempotency-key'), 'one')

  const changed = sessionRequest({ reference: 'another' })
  const other = await call('POST', '/v72/sessions', changed, withKey('one'))
  t.strictSame(other.body, first.body, 'whatever the body is')
  const fresh = await call('POST', '/v72/sessions', sessionRequest(), withKey('two'))
  t.not(fresh.body.id, first.body.id)
  t.equal((await call('GET', '/_simulator/sessions')).body.length, 2)
})

t.test('without a key there is no header, and two calls are two sessions', async (t) => {
  const { call } = await startPair(t)
  const first = await call('POST', '/v72/sessions', sessionRequest())
  const second = await call('POST', '/v72/sessions', sessionRequest())
  t.equal(first.headers.get('idempotency-key'), null)
  t.not(first.body.id, second.body.id)
})

t.test('an error is stored under the key too', async (t) => {
  const { call } = await startPair(t)
  const wrong = await call('POST', '/v72/sessions', sessionRequest({ reference: '' }), withKey('e'))
  t.equal(wrong.status, 422)
  const right = await call('POST', '/v72/sessions', sessionRequest(), withKey('e'))
  t.strictSame(right.body, wrong.body)
})

t.test('a stored 5xx is replayed for good, a transient one is not stored', async (t) => {
  const { call, setFaults } = await startPair(t)
  await setFaults({ api: { status5xx: { status: 500, times: 1 } } })
  const stored = await call('POST', '/v72/sessions', sessionRequest(), withKey('stored'))
  t.equal(stored.status, 500)
  t.equal(stored.headers.get('transient-error'), null)
  const replay = await call('POST', '/v72/sessions', sessionRequest(), withKey('stored'))
  t.strictSame(replay.body, stored.body)

  await setFaults({ api: { status5xx: { status: 503, transientError: true, times: 1 } } })
  const transient = await call('POST', '/v72/sessions', sessionRequest(), withKey('transient'))
  t.equal(transient.status, 503)
  t.equal(transient.headers.get('transient-error'), 'true')
  const retry = await call('POST', '/v72/sessions', sessionRequest(), withKey('transient'))
  t.equal(retry.status, 201)
})

t.test('while the first call runs, its key answers 704', async (t) => {
  const { call, setFaults } = await startPair(t)
  await setFaults({ api: { delayMs: { ms: 200, times: 1 } } })
  const running = call('POST', '/v72/sessions', sessionRequest(), withKey('slow'))
  await sleep(60)
  const meanwhile = await call('POST', '/v72/sessions', sessionRequest(), withKey('slow'))
  t.equal(meanwhile.status, 422)
  t.match(meanwhile.body, { errorCode: '704', message: 'request already processed or in progress' })
  const first = await running
  t.equal(first.status, 201)
  const later = await call('POST', '/v72/sessions', sessionRequest(), withKey('slow'))
  t.equal(later.body.id, first.body.id)
})

t.test('a key of more than 64 characters is refused', async (t) => {
  const { call } = await startPair(t)
  const longest = await call('POST', '/v72/sessions', sessionRequest(), withKey('k'.repeat(64)))
  t.equal(longest.status, 201)
  const longer = await call('POST', '/v72/sessions', sessionRequest(), withKey('k'.repeat(65)))
  t.equal(longer.status, 422)
})
