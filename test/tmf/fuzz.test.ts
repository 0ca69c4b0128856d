/**
 * Whatever comes to the façades of TM Forum's APIs is answered in their own form, and never by a
 * fault of ours. FUZZ says how many requests; with SEED and AT, which a fault tells, it is met
 * again.
 */
import { Agent, request as httpRequest } from 'node:http'
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { checkMoney } from '../invariants.ts'
import { type Answer, newAccountId, type TestService, testService } from '../test-service.ts'
import { makeEveryKind, paymentPost } from '../tmf-payments/harness.ts'
import { type FuzzedRequest, fuzzedRequests, type Known } from './fuzzed.ts'
import { tmfErrorFaults } from './own-document.ts'

const requests = Number(process.env.FUZZ ?? 320)
const given = process.env.SEED ?? '670676'
const seed = given === 'random' ? Date.now() % 1_000_000 : Number(given)
const repeated = process.env.AT === undefined ? {} : { path: process.env.AT }
/** So many are under way at a time. */
const atOnce = 8

const agent = new Agent({ keepAlive: true, maxSockets: atOnce })

/** Whatever it is given; `keys`: of a client that may do everything, and of one that may not. */
async function send(
  url: string,
  { method, path, headers, body }: FuzzedRequest,
  keys: { all: string; limited: string }
): Promise<Omit<Answer, 'text'> & { text: string }> {
  const named = headers.authorization
  const authorization =
    named === undefined || named === 'limited'
      ? `Bearer ${named === 'limited' ? keys.limited : keys.all}`
      : named
  const { hostname, port } = new URL(url)
  // Of a GET Node's client sends a body without saying how long it is.
  const length = body === null ? {} : { 'content-length': Buffer.byteLength(body) }
  return await new Promise((resolve, reject) => {
    const request = httpRequest(
      { hostname, port, method, path, agent, headers: { ...headers, ...length, authorization } },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          const pairs = Object.entries(response.headers).map(([name, value]) => [
            name,
            String(value)
          ])
          const answer = {
            status: response.statusCode ?? 0,
            headers: new Headers(pairs as []),
            text
          }
          resolve({ ...answer, body: parse(text) })
        })
      }
    )
    request.on('error', reject)
    request.end(body ?? undefined)
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What is wrong with an answer, whatever was asked. */
function faultsOf({ method }: FuzzedRequest, answer: Answer, url: string): string[] {
  const { status, headers, body, text } = answer
  if (status >= 500) return [`${status} ${text.slice(0, 300)}`]
  if (method === 'HEAD' || status === 304 || status === 204) {
    return text === '' ? [] : [`${status} with a body`]
  }
  if (status >= 400) return tmfErrorFaults(answer).map((fault) => `${fault}: ${text.slice(0, 300)}`)
  if (status !== 200 && status !== 201) return [`${status}`]
  if (!/^application\/json/.test(headers.get('content-type') ?? '')) return ['its media type']
  const isList = Array.isArray(body)
  if (isList && headers.get('x-result-count') !== String(body.length)) return ['X-Result-Count']
  return (isList ? body : [body]).flatMap((one) => resourceFaults(one, url))
}

function resourceFaults(resource: Answer['body'], url: string): string[] {
  const { id, href, callback, '@type': type } = resource ?? {}
  if (typeof id !== 'string' || id === '') return ['a resource without id']
  if (typeof callback === 'string') return []
  if (!String(href).startsWith(`${url}/tmf-api/`)) return [`the href ${href}`]
  return typeof type === 'string' && type !== '' ? [] : ['no @type']
}

/** Something of everything; answers what there is. */
async function fill(service: TestService): Promise<Known> {
  const { call, db } = service
  const open = newAccountId()
  const [yen, closed] = [newAccountId(), newAccountId()]
  await call('PUT', `/v1/accounts/${open}`, { body: { currency: 'GBP', name: 'A. Customer' } })
  await call('PUT', `/v1/accounts/${yen}`, { body: { currency: 'JPY' } })
  await call('PUT', `/v1/accounts/${closed}`, { body: { currency: 'GBP', status: 'closed' } })
  await call('POST', `/v1/accounts/${open}/charges`, {
    body: {
      amount: { currency: 'GBP', value: 4200 },
      reference: 'INV-1',
      dueAt: '2026-01-01T00:00:00Z'
    }
  })
  const made = await makeEveryKind(t, service, open)
  const { body: refund } = await call('POST', `/v1/payments/${made['captured page']}/refunds`, {
    idempotencyKey: 'refund',
    body: { amount: { currency: 'GBP', value: 500 }, reason: 'goodwill' }
  })
  const { body: registration } = await call('POST', `/v1/accounts/${open}/card-registrations`, {
    idempotencyKey: 'registration',
    body: { returnUrl: 'https://selfcare.example/cards' }
  })
  const { rows } = await sql<{ id: string }>`select id from card`.execute(db)
  return {
    accounts: [open, open, open, yen, closed, '99999999'],
    payments: [...Object.values(made), 'pay_0000000000000000'],
    refunds: [refund.id],
    cards: [...rows.map(({ id }) => id), registration.id, 'crd_0000000000000000']
  }
}

t.test('what no database can hold is refused, so that it spoils no search', async (t) => {
  const { call } = await testService(t)
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  for (const bad of ['\0', '\ud800']) {
    const body = paymentPost(accountId, { note: { deep: [bad] }, name: 'known' })
    const answer = await call('POST', '/tmf-api/paymentManagement/v4/payment', { body })
    t.match(answer, { status: 400, body: { errors: [{ pointer: '/note/deep/0' }] } })
    const named = await call('GET', '/tmf-api/paymentManagement/v4/payment?name=known')
    t.match(named, { status: 200, body: [] })
  }
})

t.test(`${requests} requests that nobody would send are answered as TM Forum has it`, async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  t.teardown(() => agent.destroy())
  const { url, db, key, addClient } = service
  const keys = { all: key, limited: await addClient({ scopes: ['webhooks:read'] }) }
  const known = await fill(service)
  const met = new Map<number, number>()
  t.comment(`seed ${seed}`)

  const batch = fc.array(fuzzedRequests(known), { minLength: atOnce, maxLength: atOnce })
  const isAnswered = fc.asyncProperty(batch, async (all) => {
    const faults = await Promise.all(
      all.map(async (one) => {
        const answer = await send(url, one, keys)
        met.set(answer.status, (met.get(answer.status) ?? 0) + 1)
        const found = faultsOf(one, answer, url)
        return found.length === 0
          ? []
          : [`${one.method} ${one.path.slice(0, 300)} ${one.body ?? ''}: ${found.join('; ')}`]
      })
    )
    for (const fault of faults.flat()) t.comment(fault)
    return faults.flat().length === 0
  })
  const options = { seed, numRuns: Math.ceil(requests / atOnce), endOnFailure: true, ...repeated }
  await fc.assert(isAnswered, options)

  t.comment(JSON.stringify(Object.fromEntries([...met].sort(([a], [b]) => a - b))))
  const rare = requests < 2_000 ? [] : [204, 401, 403, 409, 422]
  for (const status of [200, 201, 400, 404, 405, ...rare]) {
    t.ok(met.get(status), `${status} was among them`)
  }
  await checkMoney(t, db)
})
