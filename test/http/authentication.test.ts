import { type RawBuilder, sql } from 'kysely'
import t from 'tap'
import { announceClientChange, hashKey } from '../../src/clients/client.store.ts'
import { scopes } from '../../src/clients/client.ts'
import { testService } from '../test-service.ts'
import { pathOf, routes } from './routes.ts'

t.test('who may call what', async (t) => {
  const service = await testService(t)
  const { call, db, addClient } = service

  /** Rests until the answer has that status; gives up after 5 s, far below the cache's life. */
  async function untilStatus(key: string, status: number): Promise<number> {
    const giveUpAt = Date.now() + 3_000
    for (;;) {
      const answer = await call('GET', '/v1/payments', { key })
      if (answer.status === status || Date.now() > giveUpAt) return answer.status
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** As the command does: every instance hears of it. */
  const change = (query: RawBuilder<unknown>) =>
    db.transaction().execute(async (tx) => {
      await query.execute(tx)
      await announceClientChange(tx)
    })

  t.test('the table of routes is the OpenAPI document', async (t) => {
    const { body } = await call('GET', '/openapi.json', { key: null })
    const documented = Object.entries(body.paths as Record<string, object>).flatMap(
      ([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
    )
    const open = [
      'GET /health/live',
      'GET /health/ready',
      'GET /.well-known/oauth-protected-resource'
    ]
    const known = routes.map(({ method, template }) => `${method} ${template}`)
    t.same(documented.sort(), [...known, ...open].sort())
  })

  for (const route of routes) {
    const { method, template, scope, body } = route
    const request = { ...(body !== undefined && { body }), idempotencyKey: crypto.randomUUID() }

    t.test(`F11: 401 without a valid key: ${method} ${template}`, async (t) => {
      for (const key of [null, 'opk_wrong', '', 'opk_\u00e9', 'x'.repeat(201)]) {
        const answer = await call(method, pathOf(route), { ...request, key })
        t.equal(answer.status, 401)
        t.equal(answer.body.code, 'unauthenticated')
        const error = key ? ', error="invalid_token"' : ''
        const challenge = `Bearer realm="one-off-payments"${error}`
        t.equal(answer.headers.get('www-authenticate'), challenge)
      }
    })

    t.test(`F11: 403 for every scope but ${scope}: ${method} ${template}`, async (t) => {
      const others = await addClient({ scopes: scopes.filter((one) => one !== scope) })
      const refused = await call(method, pathOf(route), { ...request, key: others })
      t.equal(refused.status, 403)
      t.match(refused.body, { code: 'scope_missing', detail: new RegExp(scope) })
      const error = `error="insufficient_scope", scope="${scope}"`
      const challenge = `Bearer realm="one-off-payments", ${error}`
      t.equal(refused.headers.get('www-authenticate'), challenge)

      const only = await addClient({ scopes: [scope] })
      const let_in = await call(method, pathOf(route), { ...request, key: only })
      t.notMatch([401, 403], [let_in.status])
      t.ok(let_in.status < 500)
    })
  }

  t.test('401 comes before the body is looked at', async (t) => {
    const answer = await call('POST', '/v1/payments', { key: null, body: '{broken' })
    t.equal(answer.status, 401)
  })

  t.test('a key goes into Authorization only, as Bearer', async (t) => {
    const { key } = service
    for (const authorization of [key, `Basic ${key}`, `Bearer${key}`, `Bearer ${key} x`]) {
      const answer = await call('GET', '/v1/payments', { key: null, headers: { authorization } })
      t.equal(answer.status, 401)
    }
    const inQuery = await call('GET', `/v1/payments?key=${key}`, { key: null })
    t.equal(inQuery.status, 401)
    const lowerCase = await call('GET', '/v1/payments', {
      key: null,
      headers: { authorization: `bearer ${key}` }
    })
    t.equal(lowerCase.status, 200, 'the name of the scheme has no case (RFC 9110)')
  })

  t.test('HEAD asks for the same key as GET', async (t) => {
    t.equal((await call('HEAD', '/v1/payments', { key: null })).status, 401)
    t.equal((await call('HEAD', '/v1/payments')).status, 200)
  })

  t.test('a revoked client is out at once, although it was known a moment ago', async (t) => {
    const key = await addClient({ name: 'to-be-revoked' })
    t.equal((await call('GET', '/v1/payments', { key })).status, 200)
    await change(sql`update client set revoked_at = now() where name = 'to-be-revoked'`)
    t.equal(await untilStatus(key, 401), 401)
  })

  t.test('an expired key is out at once, a key that expires later is not', async (t) => {
    const key = await addClient({})
    t.equal((await call('GET', '/v1/payments', { key })).status, 200)
    const expire = async (interval: string) =>
      await change(sql`update api_key set expires_at = now() + ${interval}::interval
        where hash = ${hashKey(key)}`)
    await expire('1 hour')
    t.equal(await untilStatus(key, 200), 200)
    await expire('-1 second')
    t.equal(await untilStatus(key, 401), 401)
  })

  t.test('a scope that is taken away is gone at once', async (t) => {
    const key = await addClient({ name: 'to-be-narrowed', scopes: ['payments:read'] })
    t.equal((await call('GET', '/v1/payments', { key })).status, 200)
    await change(sql`update client set scopes = '{accounts:read}' where name = 'to-be-narrowed'`)
    t.equal(await untilStatus(key, 403), 403)
  })

  t.test('what is stored is a hash of the key, not the key', async (t) => {
    const key = await addClient({})
    const { rows } = await sql<{ hash: Buffer }>`select hash from api_key`.execute(db)
    t.ok(rows.some(({ hash }) => hash.equals(hashKey(key))))
    const { rows: texts } = await sql<{ text: string }>`
      select client::text as text from client union all select api_key::text from api_key
      `.execute(db)
    t.notOk(texts.some(({ text }) => text.includes(key)))
  })
})
