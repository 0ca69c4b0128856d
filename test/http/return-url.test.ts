import t from 'tap'
import { type Client, mayReturnTo } from '../../src/clients/client.ts'
import { newAccountId, paymentBody, testService } from '../test-service.ts'

const client: Client = {
  id: 'cli_1',
  name: 'test',
  scopes: [],
  thirdParty: false,
  returnOrigins: ['https://selfcare.example', 'https://pay.example:8443']
}

const allowed = [
  'https://selfcare.example',
  'https://selfcare.example/',
  'https://selfcare.example/a/b?c=d&e=%20#f',
  'https://selfcare.example:443/a',
  'https://SELFCARE.example/a',
  'HTTPS://selfcare.example/a',
  'https://selfcare.example?a=https://evil.example',
  'https://selfcare.example/#@evil.example',
  'https://selfcare.example/@evil.example',
  'https://pay.example:8443/'
]

const refused = [
  '',
  '/',
  '//evil.example',
  '///evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  'evil.example',
  'https:evil.example',
  'https:/evil.example',
  'https:///evil.example',
  'https:////evil.example',
  'https:\\\\evil.example',
  'https:/\\selfcare.example',
  'https://evil.example',
  'https://selfcare.example@evil.example',
  'https://selfcare.example:443@evil.example',
  'https://selfcare.example%40evil.example',
  'https://user@selfcare.example/',
  'https://user:password@selfcare.example/',
  'https://:@selfcare.example.evil.example/',
  'https://selfcare.example\\@evil.example',
  'https://evil.example\\@selfcare.example',
  'https://evil.example#@selfcare.example',
  'https://evil.example?@selfcare.example',
  'https://evil.example/https://selfcare.example',
  'https://selfcare.example.evil.example/',
  'https://evilselfcare.example/',
  'https://sub.selfcare.example/',
  'https://selfcare.example./',
  'https://selfcare.exampl\u0435/',
  'https://selfcare\u3002example.evil/',
  'https://xn--selfcare-.example/',
  'https://selfcare.example:444/',
  'https://selfcare.example:80/',
  'https://pay.example/',
  'https://selfcare.example:99999/',
  'http://selfcare.example/',
  'http://selfcare.example:443/',
  'ftp://selfcare.example/',
  'ws://selfcare.example/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'JavaScript://selfcare.example/%0aalert(1)',
  'data:text/html,hello',
  'blob:https://selfcare.example/x',
  'vbscript:x',
  'https://selfcare.example/\t',
  '\thttps://selfcare.example/',
  ' https://selfcare.example/',
  'https://selfcare.example/ a',
  'ht\ttps://selfcare.example/',
  'https://selfcare.example/\r\nSet-Cookie: a=b',
  'https://selfcare.example\n.evil.example/',
  'https://selfcare\u00ad.example/\u2028',
  'https://[::1]/',
  'https://127.0.0.1/',
  'https://localhost/',
  'null',
  'about:blank'
]

const loopback = [
  'http://localhost/',
  'http://localhost:8080/a',
  'http://127.0.0.1:1/',
  'http://127.8.9.1/',
  'http://[::1]:3000/'
]
const notLoopback = [
  'http://localhost.evil.example/',
  'http://127.0.0.1.evil.example/',
  'http://evil.example#localhost',
  'http://localhost@evil.example/',
  'http://user@localhost/',
  'http://0.0.0.0/',
  'http://169.254.169.254/',
  'http://10.0.0.1/',
  'http://[::ffff:10.0.0.1]/',
  'ftp://localhost/'
]

t.test('a browser is sent only to an origin that the client was given', async (t) => {
  for (const url of allowed) {
    t.ok(mayReturnTo(client, url, false), url)
    t.ok(mayReturnTo(client, url, true), url)
  }
  for (const url of refused) {
    t.notOk(mayReturnTo(client, url, false), encodeURIComponent(url))
    t.notOk(mayReturnTo(client, url, true), encodeURIComponent(url))
  }
  for (const url of [...allowed, 'null']) {
    t.notOk(mayReturnTo({ ...client, returnOrigins: [] }, url, false), 'no origin, no return')
  }
})

t.test('http to loopback is for the sandbox, for every client', async (t) => {
  for (const url of loopback) {
    t.ok(mayReturnTo({ ...client, returnOrigins: [] }, url, true), url)
    t.notOk(mayReturnTo(client, url, false), url)
  }
  for (const url of notLoopback) t.notOk(mayReturnTo(client, url, true), url)
})

t.test('over HTTP, in production', async (t) => {
  const {
    call,
    addClient,
    control,
    url: publicUrl
  } = await testService(t, { sandbox: false, duplicateWindowS: 0 })
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const key = await addClient({ returnOrigins: client.returnOrigins as string[] })
  const create = (returnUrl: string) =>
    call('POST', '/v1/payments', {
      key,
      body: { ...paymentBody(accountId), returnUrl },
      idempotencyKey: crypto.randomUUID()
    })

  for (const url of [...refused, ...loopback, ...notLoopback]) {
    const answer = await create(url)
    t.ok(answer.status === 422 || answer.status === 400, encodeURIComponent(url))
    t.equal(
      answer.body.code,
      answer.status === 422 ? 'return_url_refused' : 'request_invalid',
      encodeURIComponent(url)
    )
  }
  t.same((await control('GET', '/_simulator/sessions')).body, [], 'no page was asked for')

  for (const url of allowed) {
    const { status, body } = await create(url)
    t.equal(status, 201, url)
    const back = await call('GET', `/return/${body.id}?returnUrl=https://evil.example`, {
      key: null
    })
    t.equal(back.status, 303)
    const location = String(back.headers.get('location'))
    t.ok(location.startsWith(url.split('#', 1)[0] as string), location)
    t.equal(new URL(location).origin, new URL(url).origin)
    t.equal(new URL(location).searchParams.get('paymentId'), body.id)
    t.equal(new URL(location).hash, new URL(url).hash)
  }
  const { body: sessions } = await control('GET', '/_simulator/sessions')
  for (const { request } of sessions) {
    t.equal(request.returnUrl, `${publicUrl}/return/${request.reference}`, 'Adyen is told ours')
  }
})

t.test("one client's origin is not another's", async (t) => {
  const { call, addClient } = await testService(t, { sandbox: false, duplicateWindowS: 0 })
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const key = await addClient({ returnOrigins: ['https://other.example'] })
  const body = { ...paymentBody(accountId), returnUrl: 'https://selfcare.example/paid' }
  const mine = await call('POST', '/v1/payments', { body, idempotencyKey: 'a' })
  const theirs = await call('POST', '/v1/payments', { key, body, idempotencyKey: 'a' })
  t.same([mine.status, theirs.status], [201, 422])
  t.match(theirs.body, { code: 'return_url_refused', errors: [{ pointer: '/returnUrl' }] })
})
