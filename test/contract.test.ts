import { readdir, readFile } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import t, { type Test } from 'tap'
import { renderOpenApi } from '../src/openapi-file.ts'
import { problems } from '../src/problem.ts'
import {
  type Answer,
  hmacKey,
  merchantAccount,
  newAccountId,
  paymentBody,
  testService
} from './service.ts'

// biome-ignore lint/suspicious/noExplicitAny: a document has any shape.
type Json = any
type Operation = { path: string; method: string; operation: Json }

function operationsOf(document: Json): Operation[] {
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) => ({ path, method, operation }))
  )
}

/** The node that a reference within the document leads to. */
function resolve(document: Json, node: Json): Json {
  if (node?.$ref === undefined) return node
  const [hash, ...names] = String(node.$ref).split('/')
  const found = hash === '#' ? names.reduce((at, name) => at?.[name], document) : undefined
  if (found === undefined) throw new Error(`${node.$ref} leads nowhere`)
  return resolve(document, found)
}

function everyNode(node: Json, visit: (node: Json) => void): void {
  if (typeof node !== 'object' || node === null) return
  visit(node)
  for (const member of Object.values(node)) everyNode(member, visit)
}

/** The examples of a media type: its own, or those of its schema. */
function examplesOf(document: Json, media: Json): Json[] {
  if (media.example !== undefined) return [media.example]
  if (media.examples !== undefined)
    return Object.values<Json>(media.examples).map(({ value }) => value)
  return resolve(document, media.schema).examples ?? []
}

/** Judges values by the schemas of the document; a field that they do not name is a fault. */
function createJudge(document: Json) {
  const strict = structuredClone(document)
  everyNode(strict.components.schemas, refuseOthers)
  everyNode(strict.paths, refuseOthers)
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'document', ...strict })
  return (pointer: readonly string[], value: unknown): string[] => {
    const escaped = pointer.map((name) => name.replaceAll('~', '~0').replaceAll('/', '~1'))
    const validate = ajv.compile({ $ref: `document#/${escaped.map(encodeURIComponent).join('/')}` })
    return validate(value)
      ? []
      : (validate.errors ?? []).map((one) => `${one.instancePath} ${one.message}`)
  }
}

function refuseOthers(node: Json): void {
  const isObject = node.type === 'object' && node.properties !== undefined
  if (isObject && node.additionalProperties === undefined) node.additionalProperties = false
}

t.test('the file in openapi/ is what the routes say (npm run openapi)', async (t) => {
  const file = await readFile(new URL('../openapi/payments.v1.yaml', import.meta.url), 'utf8')
  t.ok(file === (await renderOpenApi()))
})

t.test('the document', async (t) => {
  const service = await testService(t)
  const { call } = service
  const { body: document } = await call('GET', '/openapi.json', { key: null })
  const operations = operationsOf(document)
  const judge = createJudge(document)

  t.test('is OpenAPI 3.1 in its essentials', async (t) => {
    t.match(document.openapi, /^3\.1\.\d+$/)
    t.match(document.info, { title: String, version: String, description: String })
    t.same(document.servers, [{ url: service.url }])
    everyNode(document, (node) => {
      if (typeof node.$ref === 'string') resolve(document, node)
    })
    const ids = operations.map(({ operation }) => operation.operationId)
    t.equal(new Set(ids).size, ids.length, 'no operationId twice')
    const tags = document.tags.map(({ name }: { name: string }) => name)
    for (const { path, method, operation } of operations) {
      const name = `${method} ${path}`
      t.match(operation.operationId, /^[a-z][A-Za-z]+$/, name)
      t.ok(operation.summary?.length > 0, name)
      t.ok(tags.includes(operation.tags[0]), name)
      t.ok(Object.keys(operation.responses).length > 0, name)
      const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map(([, parameter]) => parameter)
      const declared = (operation.parameters ?? []).filter((one: Json) => one.in === 'path')
      t.same(declared.map((one: Json) => one.name).sort(), inPath.sort(), name)
      t.ok(
        declared.every((one: Json) => one.required === true),
        name
      )
      for (const parameter of operation.parameters ?? []) t.ok(parameter.schema, name)
      for (const [status, response] of Object.entries<Json>(operation.responses)) {
        t.match(status, /^[1-5]\d\d$/)
        t.type(resolve(document, response).description, 'string', `${name} ${status}`)
      }
    }
  })

  t.test('says which operations need no key', async (t) => {
    t.same(document.security, [{ apiKey: [] }])
    for (const { path, operation } of operations) {
      t.equal(operation.security?.length === 0, path.startsWith('/health/'), path)
      if (operation.security === undefined)
        t.ok(operation.responses[401] && operation.responses[403])
    }
  })

  t.test(
    'asks for an Idempotency-Key where its lack is a problem, for a limit nowhere',
    async (t) => {
      for (const { path, method, operation } of operations) {
        const parameters: Json[] = operation.parameters ?? []
        const key = parameters.find((one) => one.in === 'header' && one.name === 'idempotency-key')
        const lack = operation.responses[400]?.content['application/problem+json'].examples
        t.equal(
          key?.required === true,
          lack?.idempotency_key_missing !== undefined,
          `${method} ${path}`
        )
        for (const one of parameters) {
          if (one.in === 'query') t.notOk(one.required, `${one.name} of ${path}`)
        }
      }
    }
  )

  t.test('has an example that is right for every body and answer', async (t) => {
    for (const { path, method, operation } of operations) {
      const at = ['paths', path, method]
      const places: Array<{ at: string[]; content: Json }> = []
      if (operation.requestBody !== undefined) {
        places.push({ at: [...at, 'requestBody'], content: operation.requestBody.content })
      }
      for (const [status, { content }] of Object.entries<Json>(operation.responses)) {
        if (content !== undefined) places.push({ at: [...at, 'responses', status], content })
      }
      for (const { at, content } of places) {
        for (const [type, media] of Object.entries<Json>(content)) {
          const examples = examplesOf(document, media)
          t.ok(examples.length > 0, `${at.join(' ')} has an example`)
          for (const example of examples) {
            t.same(judge([...at, 'content', type, 'schema'], example), [], at.join(' '))
          }
        }
      }
    }
  })

  t.test('its examples of problems have the code and the status of their place', async (t) => {
    for (const { path, operation } of operations) {
      for (const [status, { content }] of Object.entries<Json>(operation.responses)) {
        const examples = content?.['application/problem+json']?.examples ?? {}
        for (const [code, { value }] of Object.entries<Json>(examples)) {
          t.match(value, { code, status: Number(status) }, `${path} ${code}`)
          t.equal(problems[code as keyof typeof problems].status, Number(status))
        }
      }
    }
  })

  t.test('every problem is documented or thrown, and says cause and cure', async (t) => {
    const said = new Set<string>()
    for (const { operation } of operations) {
      for (const { content } of Object.values<Json>(operation.responses)) {
        const examples = content?.['application/problem+json']?.examples ?? {}
        for (const code of Object.keys(examples)) said.add(code)
      }
    }
    const source = await readSource()
    for (const [code, { title, cause, cure, status }] of Object.entries(problems)) {
      t.ok(said.has(code) || source.includes(`Problem('${code}'`), code)
      for (const text of [title, cause, cure]) t.match(text, /\S/)
      t.match(cause, /\.$/)
      t.match(cure, /\.$/)
      t.ok(status >= 400 && status < 600)
    }
    for (const [, code] of source.matchAll(/new Problem\(\s*'(\w+)'/g)) {
      t.ok(Object.hasOwn(problems, code as string), code as string)
    }
  })

  t.test('what the service answers is what the document says', (t) => judgeAnswers(t))

  /** Calls every operation in many ways, and judges each answer. */
  async function judgeAnswers(t: Test): Promise<void> {
    const seen = new Set<string>()
    const byId = new Map(operations.map((one) => [one.operation.operationId as string, one]))
    function record(operationId: string, answer: Answer): Answer {
      const { path, method, operation } = byId.get(operationId) as Operation
      const response = operation.responses[answer.status]
      t.ok(response, `${operationId} may answer ${answer.status}`)
      seen.add(`${operationId} ${answer.status}`)
      const type = String(answer.headers.get('content-type')).split(';', 1)[0] as string
      if (response?.content === undefined) {
        t.equal(answer.text, '', operationId)
        return answer
      }
      t.ok(response.content[type], `${operationId} ${answer.status} is ${type}`)
      const at = [
        'paths',
        path,
        method,
        'responses',
        String(answer.status),
        'content',
        type,
        'schema'
      ]
      t.same(judge(at, answer.body), [], `${operationId} ${answer.status}`)
      const codes = response.content[type]?.examples
      if (answer.status >= 400 && codes)
        t.ok(codes[answer.body.code], `${operationId} ${answer.body.code}`)
      return answer
    }
    const narrow = await service.addClient({ scopes: ['cards:read'] })
    /** Asks as it is, without a key, and without the scope. */
    async function ask(
      operationId: string,
      method: string,
      path: string,
      options = {}
    ): Promise<Answer> {
      record(operationId, await call(method, path, { ...options, key: null }))
      record(operationId, await call(method, path, { ...options, key: narrow }))
      return record(operationId, await call(method, path, options))
    }

    record('getLiveness', await call('GET', '/health/live'))
    record('getReadiness', await call('GET', '/health/ready'))

    const id = newAccountId()
    const account = `/v1/accounts/${id}`
    const put = (body: unknown) => ask('putAccount', 'PUT', account, { body })
    await put({ currency: 'GBP', name: 'A. Customer' })
    await put({ currency: 'GBP' })
    await put({ currency: 'EUR' })
    await put({})
    await put({ currency: 'GBP', name: '4111 1111 1111 1111' })
    await put('x'.repeat(70_000))
    record(
      'putAccount',
      await call('PUT', account, { body: 'a', headers: { 'content-type': 'text/plain' } })
    )
    record('putAccount', await call('PUT', '/v1/accounts/0', { body: { currency: 'GBP' } }))

    const charge = {
      amount: { currency: 'GBP', value: 4200 },
      reference: 'A',
      dueAt: '2026-01-01T00:00:00Z'
    }
    const pushCharge = (changes = {}) =>
      ask('createCharge', 'POST', `${account}/charges`, { body: { ...charge, ...changes } })
    await pushCharge()
    await pushCharge()
    await pushCharge({ dueAt: '2027-01-01T00:00:00Z' })
    await pushCharge({ reference: 'B', amount: { currency: 'EUR', value: 1 } })
    await pushCharge({ reference: 'B', amount: { currency: 'GBP', value: 1_000_000_000 } })
    await pushCharge({ reference: '' })
    await pushCharge({ reference: 'x'.repeat(70_000) })
    record('createCharge', await call('POST', '/v1/accounts/7/charges', { body: charge }))

    const create = (changes = {}, idempotencyKey: string = crypto.randomUUID()) =>
      ask('createPayment', 'POST', '/v1/payments', {
        body: { ...paymentBody(id), ...changes },
        idempotencyKey
      })
    const customer = { reference: 'c', email: 'a@b.example', phone: '+441234567890' }
    const operator = { id: 'agent-7', reason: 'by phone' }
    const full = { reference: 'r', description: 'd', metadata: { a: 'b' }, customer, operator }
    const { body: payment } = await create({ ...full, channel: 'agent' }, 'one')
    await create({ ...full, channel: 'agent' }, 'one')
    await create({}, 'one')
    await create({ accountId: '7' })
    await create({ amount: { currency: 'EUR', value: 1 } })
    await create({ amount: { currency: 'GBP', value: 1_000_000_000 } })
    await create({ amount: { currency: 'BHD', value: 1 } })
    await create({ returnUrl: 'https://elsewhere.example' })
    await create({ reference: '4111111111111111' })
    await create({ channel: 'fax', nothing: 1 })
    await create({ description: 'x'.repeat(70_000) })
    await create({}, '')
    const { control, pay, until } = service
    await control('PUT', '/_simulator/faults', { api: { status4xx: { times: 1 } } })
    const { body: rejected } = await create()
    await control('PUT', '/_simulator/faults', { api: { resetBeforeHeaders: { times: 2 } } })
    await create()
    await control('PUT', '/_simulator/faults', { api: { delayMs: { ms: 300, times: 1 } } })
    const both = await Promise.all([create({}, 'two'), create({}, 'two'), create({}, 'two')])
    t.ok(both.some(({ status }) => status === 409))

    const one = `/v1/payments/${payment.id}`
    await ask('getPayment', 'GET', one)
    await pay(payment.id, 'NOT_ENOUGH_BALANCE')
    await until(payment.id, ({ failure }) => failure !== null)
    const { headers } = await ask('getPayment', 'GET', one)
    await ask('getPayment', 'GET', one, {
      headers: { 'if-none-match': String(headers.get('etag')) }
    })
    await pay(payment.id)
    await until(payment.id, ({ status }) => status === 'captured')
    await ask('getPayment', 'GET', one)
    await ask('getPayment', 'GET', `/v1/payments/${rejected.paymentId}`)
    await ask('getPayment', 'GET', '/v1/payments/none')
    await ask('getPayment', 'GET', '/v1/payments/4111111111111111')
    for (const query of ['', '?limit=0', '?reference=4111111111111111']) {
      await ask('listPayments', 'GET', `/v1/payments${query}`)
      await ask('listPaymentEvents', 'GET', `${one}/events${query.replace('reference', 'cursor')}`)
      await ask('listCharges', 'GET', `${account}/charges${query.replace('reference', 'cursor')}`)
      await ask('listEntries', 'GET', `${account}/entries${query.replace('reference', 'cursor')}`)
      await ask('listNotifications', 'GET', `/v1/notifications${query}`)
    }
    await ask('listPaymentEvents', 'GET', '/v1/payments/none/events')
    await ask('getAccount', 'GET', account)
    await ask('getAccount', 'GET', '/v1/accounts/4111111111111111')
    for (const path of ['', '/charges', '/entries']) {
      const operationId = {
        '': 'getAccount',
        '/charges': 'listCharges',
        '/entries': 'listEntries'
      }[path]
      await ask(operationId as string, 'GET', `/v1/accounts/7${path}`)
    }
    await ask('putAccount', 'PUT', account, { body: { currency: 'GBP', status: 'closed' } })
    await create()
    await pushCharge({ reference: 'C' })

    await control('POST', '/_simulator/webhooks', {
      key: hmacKey,
      items: [
        {
          eventCode: 'AUTHORISATION',
          success: 'true',
          pspReference: 'PSP-OF-NOBODY',
          merchantReference: 'pay_nobodys',
          merchantAccountCode: merchantAccount,
          amount: { currency: 'GBP', value: 1 }
        }
      ]
    })
    let waiting: Json
    for (let tries = 0; tries < 500 && waiting === undefined; tries++) {
      const { body } = await call('GET', '/v1/notifications?status=waiting')
      waiting = body.data[0]
      if (waiting === undefined) await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const retry = (of: string, idempotencyKey: string) =>
      ask('retryNotification', 'POST', `/v1/notifications/${of}/retry`, { idempotencyKey })
    await retry(waiting.id, 'retry')
    await retry(waiting.id, 'retry')
    await retry('none', 'retry')
    await retry('none', 'retry-2')
    await retry('none', '')
    const { body: applied } = await call('GET', '/v1/notifications?status=applied')
    await retry(applied.data[0].id, 'retry-3')

    const unseen = operations.flatMap(({ operation }) =>
      Object.keys(operation.responses)
        .map((status) => `${operation.operationId} ${status}`)
        .filter((name) => !seen.has(name))
    )
    // What only a fault of ours, a database that is gone, or a wrong Content-Type brings about; and
    // what no request can bring about, since an account's or a payment's path takes any text.
    const rare = /( 500| 503| 415|retryNotification 413|^getAccount 400|^getPayment 400)$/
    t.same(
      unseen.filter((name) => !rare.test(name)),
      [],
      'every other documented status was met'
    )
    t.ok(seen.has('createPayment 503'))
  }
})

async function readSource(): Promise<string> {
  const root = new URL('../src/', import.meta.url)
  const names = await readdir(root, { recursive: true })
  const files = names.filter((name) => name.endsWith('.ts') && name !== 'problem.ts')
  return (await Promise.all(files.map((name) => readFile(new URL(name, root), 'utf8')))).join('\n')
}
