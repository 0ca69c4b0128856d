/** How the keys of an issuer are found and renewed: no database, an issuer of a few lines. */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createVerify } from '../../src/oauth/access-token.verifier.ts'
import { createIssuerTransport } from '../../src/oauth/issuer.transport.ts'
import { createIssuerKeys } from '../../src/oauth/issuer-keys.verifier.ts'
import { audience, type Key, newKey, sign } from './issuer.ts'

type Answers = Record<string, (origin: string) => unknown>

/** Answers with JSON by the path, or with a text as it is, or never: undefined. */
async function answering(t: Test, answers: Answers) {
  const asked: string[] = []
  const server = createServer(({ url = '' }, answer) => {
    asked.push(url)
    const said = answers[url]
    if (said === undefined) return answer.writeHead(404).end()
    const value = said(origin)
    if (value === undefined) return
    return answer.end(typeof value === 'string' ? value : JSON.stringify(value))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { origin, asked }
}

const metadataPath = '/.well-known/openid-configuration'

/** The keys that it shows may be changed. */
async function issuing(t: Test, shown: { keys: unknown[] }) {
  const { origin: iss, asked } = await answering(t, {
    [metadataPath]: (origin) => ({ issuer: origin, jwks_uri: `${origin}/keys` }),
    '/keys': () => shown
  })
  const transport = createIssuerTransport(iss)
  const keys = createIssuerKeys({ fetchKeys: transport.fetchKeys, onFetched: () => {} })
  t.teardown(async () => {
    keys.stop()
    await transport.close()
  })
  const verify = createVerify({ issuer: iss, audience }, keys)
  const tokenBy = (key: Key, header = {}) =>
    sign(key, { iss, client_id: 'a', scope: 'cards:read' }, {}, header)
  const fetches = () => asked.filter((path) => path === '/keys').length
  return { verify, tokenBy, fetches, keys }
}

/** What others may see. */
function open({ d, p, q, dp, dq, qi, ...key }: Key) {
  return key
}

t.test('keys are fetched once for all who wait, and no more often than each 2 s', async (t) => {
  const [first, second, made] = await Promise.all(
    ['first', 'second', 'made-up'].map((kid) => newKey(kid, 'ES256'))
  )
  if (!first || !second || !made) throw new Error('they are there')
  const shown: { keys: unknown[] } = { keys: [open(first)] }
  const { verify, tokenBy, fetches, keys } = await issuing(t, shown)
  t.match(keys.findFault(), 'it was not asked yet; no token can be verified')
  const token = await tokenBy(first)
  const all = await Promise.all(Array.from({ length: 20 }, () => verify(token)))
  t.ok(all.every((one) => 'subject' in one && one.subject === 'a'))
  t.equal(fetches(), 1)
  t.equal(keys.findFault(), undefined)

  shown.keys = [open(first), open(second)]
  const beganAt = performance.now()
  const flood = Array.from({ length: 40 }, async (_, place) => {
    await new Promise((resolve) => setTimeout(resolve, place * 40))
    return await verify(await tokenBy(made, { kid: `made-up-${place}` }))
  })
  const rotated = await tokenBy(second)
  t.match(await verify(rotated), { subject: 'a' }, 'a key that is new since the last fetch')
  t.ok(performance.now() - beganAt < 2_500)
  for (const one of await Promise.all(flood)) t.match(one, { fault: /does not show/ })
  t.ok(fetches() <= 3, `${fetches()} fetches for 41 unknown keys`)
  t.match(await verify(token), { subject: 'a' })
  t.match(
    await verify(await tokenBy(second, { kid: undefined })),
    { subject: 'a' },
    'any may be it'
  )
  t.match(await verify(await tokenBy(made, { kid: undefined })), { fault: /signature/ })
  t.ok(fetches() <= 3)
})

t.test('an issuer that shows nothing of use takes no key away', async (t) => {
  const [first, second] = await Promise.all([newKey('first', 'ES256'), newKey('second', 'ES256')])
  const shown: { keys: unknown[] } = { keys: [open(first), { kty: 'oct', kid: 'shared', k: 'eA' }] }
  const { verify, tokenBy, keys } = await issuing(t, shown)
  t.match(await verify(await tokenBy(first)), { subject: 'a' })
  shown.keys = []
  await t.rejects(verify(await tokenBy(second)), { code: 'issuer_unavailable', retryAfterS: 5 })
  t.match(keys.findFault(), 'it shows no keys; its last known keys serve')
  t.match(await verify(await tokenBy(first)), { subject: 'a' })
})

t.test(
  'a key that is too short for its kind is the fault of the issuer, and of no other key',
  async (t) => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const short = { ...publicKey.export({ format: 'jwk' }), kid: 'short', alg: 'RS256', use: 'sig' }
    const good = await newKey('good', 'RS256')
    const { verify, tokenBy } = await issuing(t, { keys: [short, open(good)] })
    const unusable = { code: 'issuer_unavailable', message: /its key cannot be used/ }
    await t.rejects(verify(await tokenBy(good, { kid: 'short' })), unusable)
    t.match(await verify(await tokenBy(good)), { subject: 'a' })
    t.match(
      await verify(await tokenBy(good, { kid: undefined })),
      { subject: 'a' },
      'any may be it'
    )
  }
)

t.test('where keys are, and what is none of the issuer’s metadata', async (t) => {
  const key = open(await newKey('one', 'ES256'))
  const shows = { '/keys': () => ({ keys: [key] }) }
  const fetchOf = async (path: string, answers: Answers) => {
    const { origin } = await answering(t, { ...shows, ...answers })
    const transport = createIssuerTransport(`${origin}${path}`)
    t.teardown(transport.close)
    return await transport.fetchKeys()
  }
  const metadata = (path: string) => (origin: string) => ({
    issuer: `${origin}${path}`,
    jwks_uri: `${origin}/keys`
  })
  const found = { keys: [key] }
  t.strictSame(await fetchOf('/a', { [`/a${metadataPath}`]: metadata('/a') }), found)
  t.strictSame(await fetchOf('/a/', { [`/a${metadataPath}`]: metadata('/a/') }), found, 'a slash')
  const oauthPath = '/.well-known/oauth-authorization-server'
  t.strictSame(await fetchOf('/a', { [`${oauthPath}/a`]: metadata('/a') }), found, 'RFC 8414')
  const at = (answer: (origin: string) => unknown) => fetchOf('', { [metadataPath]: answer })
  const bad: ReadonlyArray<readonly [Promise<unknown>, string]> = [
    [fetchOf('', {}), 'it answers with HTTP 404 in place of its metadata'],
    [at(metadata('/other')), 'its metadata is of another issuer'],
    [at((origin) => ({ issuer: origin })), 'its metadata names no keys over https'],
    [
      at((origin) => ({ issuer: origin, jwks_uri: 'file:///etc/passwd' })),
      'its metadata names no keys over https'
    ],
    [
      at((origin) => ({ issuer: origin, jwks_uri: `${origin}/none` })),
      'it answers with HTTP 404 in place of keys'
    ],
    [at(() => 'no JSON'), 'it answers with something else than JSON'],
    [at(() => 'null'), 'it answers with something else than JSON'],
    [at(() => 'x'.repeat(300_000)), 'it says too much'],
    [at(() => undefined), 'it does not answer']
  ]
  const beganAt = performance.now()
  await Promise.all(bad.map(([answer, message]) => t.rejects(answer, { message })))
  t.ok(performance.now() - beganAt < 4_000, 'also where it is silent')
})
