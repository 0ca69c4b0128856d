import { createHash } from 'node:crypto'
import { get } from 'node:http'
import { sql } from 'kysely'
import t from 'tap'
import { announceClientChange, insertKey, newApiKey } from '../../src/clients/client.store.ts'
import { testService } from '../test-service.ts'

/** As a proxy says where a request came from. */
const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })
let addresses = 0
/** An address that no other test has. */
const newAddress = () => {
  addresses += 1
  return `203.0.113.${addresses}`
}

t.test('with a limit of 5 a minute', async (t) => {
  const service = await testService(t, { rateLimit: 5, trustProxy: ['127.0.0.1'] })
  const { call, addClient } = service

  t.test('F2: a client has so many, and is told what is left', async (t) => {
    const [key, other] = [await addClient({}), await addClient({})]
    for (let n = 1; n <= 5; n += 1) {
      const { status, headers } = await call('GET', '/v1/payments', { key })
      t.equal(status, 200)
      t.equal(headers.get('ratelimit-policy'), '"client";q=5;w=60')
      t.match(headers.get('ratelimit'), new RegExp(`^"client";r=${5 - n};t=\\d+$`))
    }
    const refused = await call('GET', '/v1/accounts/7', { key, ...from(newAddress()) })
    t.equal(refused.status, 429, 'whatever it asks for, from wherever')
    t.match(refused.headers.get('content-type'), /^application\/problem\+json/)
    t.match(refused.body, { code: 'rate_limited', status: 429 })
    t.match(refused.headers.get('ratelimit'), /^"client";r=0;t=\d+$/)
    const afterS = Number(refused.headers.get('retry-after'))
    t.ok(afterS >= 1 && afterS <= 60, String(afterS))
    t.equal((await call('GET', '/v1/payments', { key: other })).status, 200, 'as another may')
  })

  t.test('F2: so has a client that lacks the scope', async (t) => {
    const key = await addClient({ scopes: ['cards:read'] })
    const statuses: number[] = []
    for (let n = 0; n < 6; n += 1) {
      statuses.push((await call('GET', '/v1/payments', { key })).status)
    }
    t.same(statuses, [403, 403, 403, 403, 403, 429])
  })

  const open: Array<[name: string, method: string, path: string, key: string | null]> = [
    ['the document', 'GET', '/openapi.json', null],
    ['the docs', 'GET', '/docs/problems', null],
    ['a return', 'GET', '/return/pay_0000000000000000', null],
    ['a path that is not there', 'GET', '/v1/nothing', null],
    ['a method that is not there', 'DELETE', '/v1/payments', null],
    ['OPTIONS', 'OPTIONS', '/v1/payments', null],
    ['no key', 'GET', '/v1/payments', null],
    ['a wrong key', 'GET', '/v1/payments', 'opk_wrong']
  ]
  for (const [name, method, path, key] of open) {
    t.test(`F2: an address has so many of ${name}`, async (t) => {
      const address = newAddress()
      const ask = (of: string) => call(method, path, { key, ...from(of) })
      for (let n = 1; n <= 5; n += 1) {
        const { status, headers } = await ask(address)
        t.not(status, 429)
        t.match(headers.get('ratelimit'), new RegExp(`^"address";r=${5 - n};t=\\d+$`))
      }
      const refused = await ask(address)
      t.match(refused, { status: 429, body: { code: 'rate_limited' } })
      t.match(refused.headers.get('retry-after'), /^[1-9]\d?$/)
      t.not((await ask(newAddress())).status, 429)
    })
  }

  t.test('F2: what is refused for its headers counts as well, but for probes', async (t) => {
    const ask = (path: string, headers: Record<string, string>) =>
      new Promise<number | undefined>((resolve, reject) => {
        const request = get(`${service.url}${path}`, { headers }, (answer) => {
          answer.resume()
          resolve(answer.statusCode)
        })
        request.on('error', reject)
      })
    for (const [refused, header] of [
      [417, { expect: 'foo' }],
      [400, { host: 'a/b' }]
    ] as const) {
      const headers = { ...header, ...from(newAddress()).headers }
      const statuses: unknown[] = []
      for (let n = 0; n < 6; n += 1) statuses.push(await ask('/v1/payments', headers))
      t.same(statuses, [...Array(5).fill(refused), 429])
      t.equal(await ask('/health/live', headers), refused)
    }
  })

  t.test('F2: so has a connection of paths that are no URL, or too long', async (t) => {
    const paths = ['/v1/payments/%zz', `/v1/payments/${'a'.repeat(101)}`]
    const statuses: number[] = []
    for (let n = 0; n < 7; n += 1) {
      statuses.push((await call('GET', paths[n % 2] as string, { key: null })).status)
    }
    t.same(statuses, [400, 404, 400, 404, 400, 429, 429])
    t.equal((await call('GET', '/v1/nothing', from(newAddress()))).status, 404, 'and no other')
  })

  t.test('F2: an address of IPv6 is its network of 64 bits', async (t) => {
    for (let n = 1; n <= 5; n += 1) await call('GET', '/v1/nothing', from(`2001:db8::${n}`))
    t.equal((await call('GET', '/v1/nothing', from('2001:db8::ffff'))).status, 429)
    t.equal((await call('GET', '/v1/nothing', from('2001:db8:0:1::1'))).status, 404)
  })

  t.test('F2: the probes and the notifications of the provider are never refused', async (t) => {
    const address = newAddress()
    for (const [method, path, status] of [
      ['GET', '/health/live', 200],
      ['GET', '/health/ready', 200],
      ['POST', '/webhooks/adyen', 401]
    ] as const) {
      for (let n = 0; n < 8; n += 1) {
        const answer = await call(method, path, {
          key: null,
          body: method === 'POST' ? {} : undefined,
          ...from(address)
        })
        t.equal(answer.status, status)
        t.equal(answer.headers.get('ratelimit'), null)
      }
    }
  })
})

t.test('without a limit', async (t) => {
  const service = await testService(t, { trustProxy: ['127.0.0.1'], duplicateWindowS: 0 })
  const { call, control, db, addClient, createPayment } = service

  t.test('F2: nobody is refused, and nothing is said of limits', async (t) => {
    for (let n = 0; n < 20; n += 1) {
      const { status, headers } = await call('GET', '/v1/payments')
      t.equal(status, 200)
      t.equal(headers.get('ratelimit-policy'), null)
    }
  })

  t.test('F2: a wrong key is asked for once in a while, until clients change', async (t) => {
    const key = newApiKey()
    const status = async () => (await call('GET', '/v1/payments', { key })).status
    t.equal(await status(), 401)
    await addClient({ name: 'late' })
    await db.transaction().execute(async (tx) => {
      const { rows } = await sql<{ id: string }>`select id from client where name = 'late'`.execute(
        tx
      )
      await insertKey(tx, rows[0]?.id as string, key)
    })
    t.equal(await status(), 401, 'the database was not asked again')
    await db.transaction().execute(announceClientChange)
    const giveUpAt = Date.now() + 3_000
    while ((await status()) !== 200 && Date.now() < giveUpAt) await new Promise(setImmediate)
    t.equal(await status(), 200)
  })

  t.test('F2: too many wrong keys from an address, and no other is looked up', async (t) => {
    const [address, known] = [newAddress(), await addClient({})]
    const ask = (key: string, of = address) => call('GET', '/v1/payments', { key, ...from(of) })
    t.equal((await ask(known)).status, 200)
    for (let n = 0; n < 100; n += 1) t.equal((await ask(`opk_wrong_${n}`)).status, 401)
    const refused = await ask('opk_wrong_100')
    t.match(refused, { status: 429, body: { code: 'rate_limited' } })
    t.match(refused.headers.get('retry-after'), /^[1-9]\d?$/)
    const fresh = await addClient({})
    t.equal((await ask(fresh)).status, 429, 'nor one that is right')
    t.equal((await ask(fresh, newAddress())).status, 200, 'but from elsewhere it is')
    await db.transaction().execute(announceClientChange)
    t.equal((await ask(known)).status, 200, 'and whoever was known may go on')
  })

  t.test(
    'F2: what a browser brings back is asked about once, and only if it can be one',
    async (t) => {
      await control('PUT', '/_simulator/faults', { webhooks: { drop: true } })
      const { id } = await createPayment()
      const asked = async () => {
        const { body } = await control('GET', '/_simulator/requests')
        return body.filter(({ path }: { path: string }) => path.includes('sessionResult=')).length
      }
      const before = await asked()
      const back = async (result: string) => {
        const { status } = await call('GET', `/return/${id}?sessionResult=${result}`, { key: null })
        t.equal(status, 303)
      }
      for (const rubbish of [
        'x',
        '',
        '%00'.repeat(30),
        '<script>',
        'x'.repeat(9000),
        'x y'.repeat(9)
      ]) {
        await back(encodeURIComponent(rubbish))
      }
      t.equal((await asked()) - before, 0)
      const forged = (name: string) => createHash('sha256').update(name).digest('base64url')
      await Promise.all(['a', 'a', 'a', 'a'].map((name) => back(forged(name))))
      t.equal((await asked()) - before, 1)
      for (let n = 0; n < 10; n += 1) await back(forged(`${n}`))
      t.equal((await asked()) - before, 5)
      await control('PUT', '/_simulator/faults', { webhooks: { drop: false } })
    }
  )

  t.test('F2: the document may be kept, and is sent once to whoever has it', async (t) => {
    for (const path of ['/openapi.json', '/docs/problems']) {
      const { status, headers } = await call('GET', path, { key: null })
      t.equal(status, 200)
      t.match(headers.get('cache-control'), /^public, max-age=\d+$/)
      const etag = String(headers.get('etag'))
      t.match(etag, /^"[\w-]+"$/)
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const again = await call('GET', path, { key: null, headers: { 'if-none-match': known } })
        t.same([again.status, again.text, again.headers.get('etag')], [304, '', etag], known)
      }
      const changed = { key: null, headers: { 'if-none-match': '"other"' } }
      t.equal((await call('GET', path, changed)).status, 200)
    }
  })
})
