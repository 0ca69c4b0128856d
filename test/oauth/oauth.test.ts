import { createHmac, createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { sql } from 'kysely'
import { pino } from 'pino'
import t from 'tap'
import { readClientArguments, runClientCommand } from '../../src/clients/client.commands.ts'
import { findFreePort, newAccountId, paymentBody, testService } from '../test-service.ts'
import { askForToken, audience, newKey, sign, startIssuer } from './issuer.ts'

t.test('clients come with access tokens of an issuer', async (t) => {
  const file = t
  const [one, rsa, two, made] = await Promise.all([
    newKey('one', 'ES256'),
    newKey('rsa', 'RS256'),
    newKey('two', 'ES256'),
    newKey('made-up', 'ES256')
  ])
  const port = await findFreePort()
  const clients = ['selfcare', 'shop', 'other-shop', 'leaving', 'stranger']
  let issuer = await startIssuer(t, port, [one, rsa], clients)
  const iss = issuer.url
  const logged: string[] = []
  const log = pino({ level: 'info' }, { write: (line) => void logged.push(line) })
  const oauth = { issuer: iss, audience }
  const service = await testService(t, { oauth, log })
  const { call, db, url } = service
  const run = (text: string) => runClientCommand(db, readClientArguments(text.split(' ')), true)
  const all = '--scope payments:read --scope payments:write --scope accounts:read'
  await run(`create --name selfcare --oauth selfcare ${all}`)
  await run(`create --name shop --oauth shop --third-party ${all}`)
  await run(`create --name other --oauth other-shop --third-party ${all}`)
  await run(`create --name leaving --oauth leaving ${all}`)

  const claims = { iss, sub: 'selfcare', client_id: 'selfcare', scope: 'payments:read' }
  const list = (token: string) => call('GET', '/v1/payments', { key: token })
  /** Rests until the answer has that status; gives up before what is cached is too old. */
  async function until(token: string, status: number) {
    const giveUpAt = Date.now() + 3_500
    for (;;) {
      const answer = await list(token)
      if (answer.status === status || Date.now() > giveUpAt) return answer
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const metadata = `resource_metadata="${url}/.well-known/oauth-protected-resource"`

  await t.test('a token lets its client do what both may', async (t) => {
    const token = await askForToken(issuer, 'selfcare', 'payments:read accounts:write openid')
    t.equal((await list(token)).status, 200)
    const account = `/v1/accounts/${newAccountId()}`
    const read = await call('GET', account, { key: token })
    t.equal(read.status, 403, 'the client may, the token does not')
    const challenge = `error="insufficient_scope", scope="accounts:read", ${metadata}`
    t.equal(read.headers.get('www-authenticate'), `Bearer realm="one-off-payments", ${challenge}`)
    t.equal(read.body.code, 'scope_missing')
    const write = await call('PUT', account, { key: token, body: { currency: 'GBP' } })
    t.equal(write.status, 403, 'the token does, the client may not')
    t.equal((await list(service.key)).status, 200, 'and keys go on')
  })

  await t.test('without any the challenge says where to look', async (t) => {
    const { status, headers } = await call('GET', '/v1/payments', { key: null })
    t.equal(status, 401)
    t.equal(headers.get('www-authenticate'), `Bearer realm="one-off-payments", ${metadata}`)
    const found = await call('GET', '/.well-known/oauth-protected-resource', { key: null })
    t.match(found.body, { resource: url, authorization_servers: [iss] })
    t.strictSame(found.body.bearer_methods_supported, ['header'])
    t.strictSame((await call('GET', '/health/ready')).body, { status: 'ok' })
  })

  await t.test('forms of tokens that widely used issuers have', async (t) => {
    const { client_id, scope, ...rest } = claims
    const good: Record<string, Promise<string>> = {
      'typ JWT': sign(one, claims, {}, { typ: 'JWT' }),
      'no typ': sign(one, claims, {}, { typ: undefined as never }),
      'typ application/at+jwt': sign(one, claims, {}, { typ: 'application/at+jwt' }),
      RS256: sign(rsa, claims),
      'no kid': sign(one, claims, {}, { kid: undefined as never }),
      'several audiences': sign(one, { ...claims, aud: ['https://other.example', audience] }),
      'azp, scp as a list': sign(one, { ...rest, azp: client_id, scp: [scope, 'other'] }),
      'cid, scope as a list': sign(one, { ...rest, cid: client_id, scope: [scope] }),
      'azp, roles': sign(one, { ...rest, azp: client_id, roles: [scope] }),
      'both the same': sign(one, { ...claims, azp: client_id }),
      'within the tolerance': sign(one, claims, { iat: 20, exp: -20, nbf: 20 })
    }
    for (const [form, token] of Object.entries(good)) {
      const { status, text } = await list(await token)
      t.equal(status, 200, `${form} ${status === 200 ? '' : text}`)
    }
  })

  await t.test('401 for what is no good token, and it says why', async (t) => {
    const asked: string[] = []
    const elsewhere = createServer((request, answer) => {
      asked.push(String(request.url))
      answer.end(JSON.stringify({ keys: [made] }))
    }).listen(0, '127.0.0.1')
    await once(elsewhere, 'listening')
    t.teardown(() => elsewhere.close())
    const jku = `http://127.0.0.1:${(elsewhere.address() as { port: number }).port}/keys`
    const { d, p, q, dp, dq, qi, ...open } = rsa
    const pem = createPublicKey({ key: open, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem'
    })
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const nowS = Math.floor(Date.now() / 1000)
    const body = part({ ...claims, aud: audience, iat: nowS, exp: nowS + 60 })
    const hmac = (secret: string | Buffer, kid: string) => {
      const text = `${part({ alg: 'HS256', kid, typ: 'at+jwt' })}.${body}`
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
    }
    const good = await sign(one, claims)
    const [head, , signature] = good.split('.')
    const { client_id, ...rest } = claims
    const notAccepted = 'The token is signed in a way that is not accepted.'
    const wrong = 'The signature of the token is wrong.'
    const unread = 'This is no key of a client, and no token that can be read.'
    const bad: ReadonlyArray<readonly [form: string, token: string, fault: string]> = [
      [
        'another audience',
        await sign(one, { ...claims, aud: 'https://other.example' }),
        'The token is for another audience.'
      ],
      ['expired', await sign(one, claims, { iat: -99, exp: -31 }), 'The token has expired.'],
      ['not before', await sign(one, claims, { nbf: 40 }), 'The token is not valid yet.'],
      ['not issued', await sign(one, claims, { iat: 40 }), 'The token was issued in the future.'],
      ['for ever', await sign(one, { ...claims, exp: undefined }), 'The token has no valid exp.'],
      ['no issuer', await sign(one, { ...claims, iss: undefined }), 'The token has no valid iss.'],
      [
        'of another issuer, whose key has the same name',
        await sign({ ...made, kid: 'one' }, { ...claims, iss: 'https://other.example' }),
        wrong
      ],
      [
        'as of our issuer, by a key of the same name',
        await sign({ ...made, kid: 'one' }, claims),
        wrong
      ],
      [
        'of another issuer that has our key',
        await sign(one, { ...claims, iss: `${iss}/` }),
        'The token is of another issuer.'
      ],
      ['HS256, the secret being our public key', hmac(pem, 'rsa'), notAccepted],
      ['HS256, the secret being its modulus', hmac(String(open.n), 'rsa'), notAccepted],
      ['not signed', `${part({ alg: 'none', typ: 'at+jwt' })}.${body}.`, notAccepted],
      [
        'a key that it brings itself',
        await sign({ ...made, kid: 'one' }, claims, {}, { jwk: open as never, jku, x5u: jku }),
        wrong
      ],
      [
        'of a logout',
        await sign(one, claims, {}, { typ: 'logout+jwt' }),
        'The token is of another kind than an access token.'
      ],
      [
        'bound to a key',
        await sign(one, { ...claims, cnf: { jkt: 'x' } }),
        'The token is bound to a key that is not asked for here.'
      ],
      ['a user alone', await sign(one, rest), 'The token names no client, as client_id or azp.'],
      [
        'two clients',
        await sign(one, { ...claims, azp: 'shop' }),
        'The token names two clients, as client_id and azp.'
      ],
      [
        'a client that only the issuer knows',
        await askForToken(issuer, 'stranger', 'payments:read'),
        'The token is of a client that is not known here.'
      ],
      ['changed', `${head}.${body}.${signature}`, wrong],
      ['cut off', good.slice(0, -8), wrong],
      ['two parts', `${head}.${body}`, unread],
      ['five parts', `${good}.a.b`, unread],
      ['not JSON', `${head}.bm9wZQ.${signature}`, wrong],
      ['anything', 'anything', unread],
      ['long', 'x'.repeat(9_000), unread]
    ]
    for (const [form, token, fault] of bad) {
      const { status, headers, body } = await list(token)
      t.equal(status, 401, form)
      t.match(body, { code: 'unauthenticated', detail: fault }, form)
      const error = `error="invalid_token", error_description="${fault}", ${metadata}`
      const challenge = `Bearer realm="one-off-payments", ${error}`
      t.equal(headers.get('www-authenticate'), challenge, form)
    }
    t.strictSame(asked, [], 'nobody is asked for the keys that a token names')
  })

  await t.test('a third party sees what it made itself, by tokens as by keys', async (t) => {
    const scope = 'payments:read payments:write'
    const [shop, other, selfcare] = await Promise.all([
      askForToken(issuer, 'shop', scope),
      askForToken(issuer, 'other-shop', scope),
      askForToken(issuer, 'selfcare', scope)
    ])
    const id = newAccountId()
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' } })
    const made = await call('POST', '/v1/payments', {
      ...{ key: shop, idempotencyKey: 'one', body: paymentBody(id) }
    })
    t.equal(made.status, 201)
    const statusFor = async (key: string) =>
      (await call('GET', `/v1/payments/${made.body.id}`, { key })).status
    t.equal(await statusFor(shop), 200)
    t.equal(await statusFor(other), 404)
    t.equal(await statusFor(selfcare), 200)
    t.equal((await list(other)).body.items?.length ?? 0, 0)
  })

  await t.test('a change of a client counts at once; the command knows its subject', async (t) => {
    const token = await sign(one, { ...claims, client_id: 'leaving' })
    t.equal((await list(token)).status, 200)
    await run('update leaving --scope accounts:read')
    t.equal((await until(token, 403)).status, 403)
    await run('update leaving --scope payments:read')
    t.equal((await until(token, 200)).status, 200)
    t.match(await run('show leaving'), /\n {2}tokens of leaving$/)
    t.match(JSON.parse(await run('show leaving --json')), { oauthSubject: 'leaving', keys: [] })
    await t.rejects(run('rotate leaving'), { message: /has no key/ })
    await t.rejects(run('create --name again --oauth leaving --scope cards:read'), {
      message: /those of the client leaving/
    })
    await t.rejects(run('create --name again --oauth \u00e9 --scope cards:read'), {
      message: /--oauth needs/
    })
    await run('revoke leaving')
    t.equal((await until(token, 401)).status, 401)
    const { id } = JSON.parse(
      await run('create --name back --oauth leaving --scope payments:read --json')
    )
    t.equal((await until(token, 200)).status, 200, 'another may be given its subject')
    const used = await sql<{ client_id: string }>`
      select id as client_id from client where oauth_subject = 'leaving' and revoked_at is null
      `.execute(db)
    t.strictSame(used.rows, [{ client_id: id }])
    const { key } = JSON.parse(await run(`create --name keyed ${all} --json`))
    await run('update keyed --oauth keyed')
    const [byKey, byToken] = [
      await list(key),
      await list(await sign(one, { ...claims, client_id: 'keyed' }))
    ]
    t.strictSame([byKey.status, byToken.status], [200, 200], 'from keys to tokens')
  })

  await t.test('while the issuer is away its known keys serve', async (t) => {
    await issuer.stop()
    t.equal((await list(await sign(one, { ...claims, jti: 'a' }))).status, 200)
    const token = await sign(two, claims)
    const unknown = await list(token)
    t.match(unknown, { status: 503, body: { code: 'issuer_unavailable' } })
    t.equal(unknown.headers.get('retry-after'), '5')
    t.equal(unknown.headers.get('www-authenticate'), null)
    t.equal((await list(await sign(one, { ...claims, jti: 'b' }))).status, 200)
    t.equal(
      (await list(await sign({ ...made, kid: 'one' }, claims))).status,
      401,
      'a known key says no'
    )
    const warning = 'the issuer of tokens: it does not answer; its last known keys serve'
    t.match(await call('GET', '/health/ready'), { status: 200, body: { warnings: [warning] } })

    const restarted = await testService(t, { oauth })
    const ask = (key: string) => restarted.call('GET', '/v1/payments', { key })
    t.match(await ask(token), { status: 503, body: { code: 'issuer_unavailable' } })
    t.match(await ask(restarted.key), { status: 200 })
    const { status, body } = await restarted.call('GET', '/health/ready')
    t.equal(status, 200, 'keys work')
    t.match(body.warnings, ['the issuer of tokens: it does not answer; no token can be verified'])

    issuer = await startIssuer(file, port, [two], clients)
    t.equal((await until(token, 200)).status, 200, 'a key that it has now')
    t.strictSame((await call('GET', '/health/ready')).body, { status: 'ok' })
    t.equal((await list(await askForToken(issuer, 'shop', 'payments:read'))).status, 200)
    t.equal((await list(await sign(one, { ...claims, jti: 'c' }))).status, 401, 'it was withdrawn')
    t.match(logged.join(''), 'the issuer of tokens cannot be asked for its keys')
    t.match(logged.join(''), 'the issuer of tokens shows its keys again')
  })

  await t.test('who tries many tokens is told to wait; no token is in the log', async (t) => {
    const token = await askForToken(issuer, 'selfcare', 'payments:read')
    t.equal((await list(token)).status, 200)
    const statuses = new Set<number>()
    for (let tries = 0; tries < 100; tries += 1) {
      const { status } = await list(`ey.${tries}.x`)
      statuses.add(status)
      if (status === 429) break
    }
    t.strictSame([...statuses], [401, 429])
    t.equal((await list(token)).status, 200, 'one that is known is not held up')
    t.notMatch(logged.join(''), /eyJ|ey\.\d/)
    t.match(logged.join(''), '"path":"/v1/payments"')
  })
})
