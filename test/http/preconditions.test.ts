import t from 'tap'
import { checkPrecondition, matchesETag, type Precondition } from '../../src/http/precondition.ts'
import type { Problem } from '../../src/problem.ts'
import { newAccountId, testService } from '../test-service.ts'

t.test('F8: changes that hold only for what their caller has seen', async (t) => {
  const service = await testService(t, { refundApprovalAbove: 500, duplicateWindowS: 0 })
  const { call, createPayment, pay, until } = service
  const etagOf = async (path: string) => String((await call('GET', path)).headers.get('etag'))
  const gbp = (value: number) => ({ currency: 'GBP', value })

  /** Sends it with If-Match; each time under a key of its own. */
  const send = (method: string, path: string, ifMatch: string, body?: unknown) =>
    call(method, path, {
      ...(body !== undefined && { body }),
      idempotencyKey: crypto.randomUUID(),
      headers: { 'if-match': ifMatch }
    })

  type Change = { method: string; path: string; of: string; body?: unknown; status: number }
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP', name: 'A' } })
  const captured = async () => {
    const { id } = await createPayment({ accountId })
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
    return id
  }
  const authorised = async () => {
    const { id } = await createPayment({ accountId, capture: 'manual' })
    await pay(id)
    await until(id, ({ status }) => status === 'authorised')
    return id
  }
  const refund = async () => {
    const body = { amount: gbp(600), operator: { id: 'agent-7' } }
    const path = `/v1/payments/${await captured()}/refunds`
    return (await call('POST', path, { body, idempotencyKey: crypto.randomUUID() })).body.id
  }
  const endpoint = async () => {
    const body = { url: 'http://127.0.0.1:9/hook', events: ['payment.captured'] }
    const asked = { body, idempotencyKey: crypto.randomUUID() }
    return (await call('POST', '/v1/webhook-endpoints', asked)).body.id
  }
  const posting = async () => {
    const id = await captured()
    for (;;) {
      const { data } = (await call('GET', '/v1/postings')).body
      const found = data.find((one: { paymentId: string }) => one.paymentId === id)
      if (found !== undefined) return found.id
    }
  }
  const decision = { operator: { id: 'supervisor-2' } }
  const changes: Array<() => Promise<Change>> = [
    async () => {
      const path = `/v1/accounts/${accountId}`
      return { method: 'PUT', path, of: path, body: { currency: 'GBP', name: 'B' }, status: 200 }
    },
    async () => {
      const path = `/v1/webhook-endpoints/${await endpoint()}`
      return { method: 'PATCH', path, of: path, body: { description: 'B' }, status: 200 }
    },
    async () => {
      const path = `/v1/webhook-endpoints/${await endpoint()}`
      return { method: 'DELETE', path, of: path, status: 204 }
    },
    async () => {
      const of = `/v1/payments/${await authorised()}`
      return { method: 'POST', path: `${of}/captures`, of, body: {}, status: 202 }
    },
    async () => {
      const of = `/v1/payments/${await authorised()}`
      return { method: 'POST', path: `${of}/cancellation`, of, body: {}, status: 202 }
    },
    async () => {
      const of = `/v1/payments/${await captured()}`
      return { method: 'POST', path: `${of}/refunds`, of, body: { amount: gbp(1) }, status: 202 }
    },
    ...['approval', 'rejection'].map((action) => async () => {
      const of = `/v1/refunds/${await refund()}`
      return { method: 'POST', path: `${of}/${action}`, of, body: decision, status: 200 }
    }),
    async () => {
      const of = `/v1/postings/${await posting()}`
      const path = `${of}/acknowledgement`
      return { method: 'POST', path, of, body: { outcome: 'posted' }, status: 200 }
    }
  ]
  for (const make of changes) {
    const { method, path, of, body, status } = await make()
    await t.test(`${method} ${path.replace(/\/\w*\d\w*/g, '/{id}')}`, async (t) => {
      const etag = await etagOf(of)
      for (const stale of ['"stale"', `W/${etag}`, '"a", "b"', etag.slice(1, -1), '']) {
        const answer = await send(method, path, stale, body)
        t.match(answer, { status: 412, body: { code: 'precondition_failed' } }, stale)
      }
      t.equal(await etagOf(of), etag, 'and nothing has changed')
      const answer = await send(method, path, `"stale", ${etag}`, body)
      t.equal(answer.status, status, answer.text)
      if (method !== 'DELETE') t.not(await etagOf(of), etag)
    })
  }

  await t.test('a discrepancy is resolved as it was seen', async (t) => {
    const rejected = { body: { outcome: 'rejected', reason: 'unknown' }, idempotencyKey: 'reject' }
    await call('POST', `/v1/postings/${await posting()}/acknowledgement`, rejected)
    const [{ id, resolutions }] = (await call('GET', '/v1/discrepancies')).body.data
    const of = `/v1/discrepancies/${id}`
    const body = { resolution: resolutions[0], reason: 'small', operator: { id: 'agent-7' } }
    t.equal((await send('POST', `${of}/resolution`, '"resolved"', body)).status, 412)
    const resolved = await send('POST', `${of}/resolution`, await etagOf(of), body)
    t.equal(resolved.status, 200, resolved.text)
    const other = await send('POST', '/v1/discrepancies/dsc_none/resolution', '"stale"', body)
    t.equal(other.status, 404, 'what is not there is not found, whatever was supposed of it')
  })

  await t.test(
    'a repetition under its key is answered as the first, whatever has changed',
    async (t) => {
      const path = `/v1/payments/${await authorised()}`
      const asked = {
        body: {},
        idempotencyKey: 'once',
        headers: { 'if-match': await etagOf(path) }
      }
      const first = await call('POST', `${path}/captures`, asked)
      const again = await call('POST', `${path}/captures`, asked)
      t.same([first.status, again.status, again.text], [202, 202, first.text])
    }
  )

  await t.test('what has no ETag is changed under none, and under any', async (t) => {
    const body = { amount: gbp(100), reference: 'A', dueAt: '2026-01-01T00:00:00Z' }
    const { body: charge } = await call('POST', `/v1/accounts/${accountId}/charges`, { body })
    const path = `/v1/accounts/${accountId}/charges/${charge.id}`
    t.equal((await send('PATCH', path, '"stale"', { inQuery: true })).status, 412)
    t.equal((await send('PATCH', path, '*', { inQuery: true })).status, 200)
    t.equal((await send('DELETE', `/v1/accounts/${accountId}/cards/a`, '"stale"')).status, 412)
    t.equal((await send('POST', '/v1/payments', '"stale"', { a: 1 })).status, 400, 'faults first')
  })

  await t.test('HEAD is answered as GET is, with 304 too', async (t) => {
    const payment = `/v1/payments/${await authorised()}`
    for (const path of [payment, `/v1/accounts/${accountId}`, '/openapi.json', '/docs/problems']) {
      const [etag, size] = [await etagOf(path), (await call('GET', path)).text.length]
      for (const known of ['*', etag]) {
        const options = { headers: { 'if-none-match': known } }
        const head = await call('HEAD', path, options)
        t.same([head.status, head.headers.get('etag')], [304, etag], path)
        t.equal((await call('GET', path, options)).status, 304, path)
      }
      const head = await call('HEAD', path)
      t.same([head.status, head.headers.get('etag')], [200, etag], path)
      t.ok(Number(head.headers.get('content-length')) >= size, path)
    }
  })

  await t.test(
    'If-None-Match: * makes an account that is not there, and changes none',
    async (t) => {
      const put = (id: string, headers: Record<string, string>) =>
        call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' }, headers })
      const id = newAccountId()
      t.equal((await put(id, { 'if-match': '*' })).status, 412)
      t.equal((await call('GET', `/v1/accounts/${id}`)).status, 404)
      t.equal((await put(id, { 'if-none-match': '*' })).status, 201)
      t.equal((await put(id, { 'if-none-match': '*' })).status, 412)
      t.equal((await put(id, { 'if-match': '*' })).status, 200)
    }
  )
})

t.test('F8: ETags are compared strongly for If-Match, weakly for If-None-Match', async (t) => {
  const fails = (precondition: Precondition, etag: string | undefined) => {
    try {
      checkPrecondition(precondition, etag)
      return false
    } catch (error) {
      return (error as Problem).code === 'precondition_failed'
    }
  }
  for (const ifMatch of ['"a"', '*', '"x", "a"', 'W/"a", "a"', '"x","a"', undefined]) {
    t.equal(fails({ ifMatch }, '"a"'), false, String(ifMatch))
  }
  for (const ifMatch of ['"b"', 'W/"a"', 'a', '"a', '', '"x,a","', '"a"x', 'x"a"', '"a" "b"']) {
    t.equal(fails({ ifMatch }, '"a"'), true, ifMatch)
  }
  t.equal(fails({ ifMatch: '*' }, undefined), true, 'nothing is there')
  t.equal(fails({ ifNoneMatch: '*' }, '"a"'), true)
  t.equal(fails({ ifNoneMatch: 'W/"a"' }, '"a"'), true)
  t.equal(fails({ ifNoneMatch: '"b"' }, '"a"'), false)
  t.equal(fails({ ifNoneMatch: '*' }, undefined), false)
  for (const known of ['"a"', 'W/"a"', '"b", W/"a"', '*']) t.ok(matchesETag(known, '"a"'), known)
  for (const other of ['"b"', 'a', '"x,a"', '']) t.notOk(matchesETag(other, '"a"'), other)
  t.notOk(matchesETag(undefined, '"a"'))
})
