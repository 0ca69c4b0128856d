/**
 * The OpenAPI document as it stands. What the service answers is judged by it in test/contract/, a
 * file for each tag and one for what every operation has in common.
 */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { kinds, resolutionMeanings } from '../src/discrepancies/discrepancy.ts'
import { renderOpenApi } from '../src/openapi-file.ts'
import { eventTypes } from '../src/payments/event.ts'
import { channelMeanings, statusMeanings } from '../src/payments/payment.ts'
import { problems } from '../src/problems/problems.ts'
import { failures } from '../src/provider/failures.ts'
import {
  codesOf,
  createJudge,
  everyNode,
  examplesOf,
  type Json,
  operationsOf,
  resolve
} from './contract/document.ts'
import { testService } from './test-service.ts'

t.test('each file in openapi/ is what the routes say (npm run openapi)', async (t) => {
  const texts = await renderOpenApi()
  t.same((await readdir(new URL('../openapi/', import.meta.url))).sort(), [...texts.keys()].sort())
  for (const [name, text] of texts) {
    const file = await readFile(new URL(`../openapi/${name}`, import.meta.url), 'utf8')
    t.ok(file === text, name)
  }
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

  t.test('has only schemas that are schemas: a start does not look', async (t) => {
    const ajv = new Ajv2020({ strict: false })
    const schemas = Object.values<Json>(document.components.schemas)
    everyNode(document.paths, (node) => {
      if (node.schema !== undefined) schemas.push(node.schema)
    })
    t.ok(schemas.length > operations.length)
    for (const schema of schemas) {
      if (!ajv.validateSchema(schema)) t.fail(ajv.errorsText(), { schema })
    }
  })

  t.test('says which operations need no key', async (t) => {
    t.same(document.security, [{ apiKey: [] }, { accessToken: [] }])
    const isOpen = (path: string) => /^\/(health|\.well-known)\//.test(path)
    for (const { path, operation } of operations) {
      t.equal(operation.security?.length === 0, isOpen(path), path)
      if (operation.security === undefined)
        t.ok(operation.responses[401] && operation.responses[403])
    }
  })

  t.test('asks for an Idempotency-Key with every POST that has no key by nature', async (t) => {
    for (const { path, method, operation } of operations) {
      const parameters: Json[] = operation.parameters ?? []
      const key = parameters.find((one) => one.in === 'header' && one.name === 'idempotency-key')
      const byNature = /no Idempotency-Key is needed/.test(operation.description)
      t.equal(key !== undefined, method === 'post' && !byNature, `${method} ${path}`)
      if (key === undefined) continue
      t.equal(key.required, true, `${method} ${path}`)
      const codes = Object.values<Json>(operation.responses).flatMap(codesOf)
      for (const code of ['idempotency_key_missing', 'idempotency_key_reused']) {
        t.ok(codes.includes(code), `${method} ${path} ${code}`)
      }
    }
  })

  t.test('gives lists in pages, but for those that say that they are whole', async (t) => {
    for (const { id, operation } of operations) {
      const { properties } = resolve(
        document,
        operation.responses[200]?.content?.['application/json']?.schema ?? {}
      )
      const query = (operation.parameters ?? []).filter((one: Json) => one.in === 'query')
      for (const one of query) t.notOk(one.required, `${one.name} of ${id}`)
      if (properties?.data?.type !== 'array') continue
      const isWhole = /^All of them/.test(operation.description)
      const names = query.map(({ name }: Json) => name)
      const hasPosition = names.includes('cursor') || names.includes('after')
      t.equal(names.includes('limit') && hasPosition, !isWhole, id)
      t.equal(properties.nextCursor !== undefined, !isWhole, id)
    }
  })

  t.test('has a test of its answers for every tag', async (t) => {
    for (const { name } of document.tags) {
      const file = new URL(`./contract/${name.toLowerCase()}.test.ts`, import.meta.url)
      t.ok(existsSync(file), name)
    }
  })

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

  t.test('H2: its examples of problems have the code and the status of their place', async (t) => {
    const answeredAt = new Map<string, string[]>()
    for (const { path, operation } of operations) {
      for (const [status, response] of Object.entries<Json>(operation.responses)) {
        for (const code of codesOf(response)) {
          const { value } = document.components.examples[code]
          t.match(value, { code, status: Number(status) }, `${path} ${code}`)
          t.equal(problems[code as keyof typeof problems].status, Number(status))
          answeredAt.set(code, [...(answeredAt.get(code) ?? []), path])
        }
      }
    }
    for (const [code, { value }] of Object.entries<Json>(document.components.examples)) {
      const paths = answeredAt.get(code)?.map((path) => path.replaceAll(/\{\w+\}/g, '[^/]+')) ?? []
      t.ok(
        paths.some((path) => new RegExp(`^${path}$`).test(value.instance)),
        value.instance
      )
    }
  })

  t.test('H2: what several operations have in common stands once', async (t) => {
    const file = await readFile(new URL('../openapi/payments.v1.yaml', import.meta.url), 'utf8')
    t.ok(file.split('\n').length < 7_000, 'a person can read it')
    t.equal(file.match(/\bAED\b/g)?.length, 1, 'the list of currencies')
    const { schemas, parameters } = document.components
    const bodies = Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
      Object.values<Json>(methods).map(({ requestBody }) => [path, requestBody?.content])
    )
    for (const [path, content] of bodies) {
      const schema = content?.['application/json']?.schema
      if (schema !== undefined) t.ok(schema.$ref !== undefined, `the body of ${path} has a name`)
    }
    const used = new Set<string>()
    everyNode(document, ({ $ref }) => used.add($ref))
    for (const name of Object.keys(schemas)) t.ok(used.has(`#/components/schemas/${name}`), name)
    for (const name of Object.keys(parameters)) {
      t.ok(used.has(`#/components/parameters/${name}`), name)
    }
    const inlined = Object.values<Json>(document.paths).flatMap((methods) =>
      Object.values<Json>(methods).flatMap((one) =>
        (one.parameters ?? []).filter(({ $ref }: Json) => $ref === undefined)
      )
    )
    const written = inlined.map((one) => JSON.stringify(one))
    t.equal(new Set(written).size, written.length, 'no parameter is written out twice')
  })

  t.test('H3: every answer says which headers it has', async (t) => {
    for (const { id, operation } of operations) {
      const parameters = new Set((operation.parameters ?? []).map(({ name }: Json) => name))
      for (const [status, response] of Object.entries<Json>(operation.responses)) {
        const headers = response.headers ?? {}
        const codes = codesOf(response)
        const isGood = status.startsWith('2')
        const expected = {
          'X-Request-Id': true,
          'x-correlator': true,
          ETag: parameters.has('if-none-match') && (status === '200' || status === '304'),
          'Idempotent-Replayed':
            (isGood && parameters.has('idempotency-key')) || codes.includes('provider_rejected'),
          'Preference-Applied': parameters.has('prefer') && (isGood || status === '304'),
          Link: parameters.has('cursor') && isGood,
          'WWW-Authenticate': status === '401' || status === '403',
          RateLimit: status === '429',
          'RateLimit-Policy': status === '429',
          'Retry-After': codes.some((one) => /flight|unavailable|overloaded|rate_limited/.test(one))
        }
        for (const [name, has] of Object.entries(expected)) {
          t.equal(headers[name] !== undefined, has, `${id} ${status} ${name}`)
        }
      }
    }
    const made = operations.filter(({ operation }) => operation.responses[201]?.headers.Location)
    t.ok(made.length >= 4, 'where there is something to be read')
  })

  t.test('H1: its patterns are the same in every dialect of regular expressions', async (t) => {
    const patterns = new Set<string>()
    everyNode(document, (node) => {
      if (typeof node.pattern === 'string') patterns.add(node.pattern)
      for (const pattern of Object.keys(node.patternProperties ?? {})) patterns.add(pattern)
    })
    t.ok(patterns.size > 5)
    // JSON Schema 2020-12, 6.4, and `\xHH`, which Java, Python, RE2, .NET and Rust have as well.
    const escaped = '\\\\[.*+?()[\\]{}|^$\\\\]'
    const set = '\\[\\^?(?:\\\\x[0-9A-F]{2}|[^\\\\[\\]])+\\]'
    const times = '(?:[*+?]|\\{\\d+(?:,\\d*)?\\})?'
    const one = `(?:[^\\\\[\\](){}*+?.|^$]|${escaped}|${set})${times}`
    const portable = new RegExp(`^\\^?(?:${one}|\\((?:\\?:)?|\\)${times})+\\$?$`)
    for (const pattern of patterns) {
      t.match(pattern, portable)
      t.doesNotThrow(() => [new RegExp(pattern), new RegExp(pattern, 'u')], pattern)
    }
    for (const bad of ['^[^\\p{Cc}]*$', '^\\d+$', '\\u0041', '(?=a)', '(?<n>a)', '^a\\b']) {
      t.notMatch(bad, portable, bad)
    }
  })

  t.test('H4: every type of event has a schema of its own, told apart by `type`', async (t) => {
    const unions = {
      Event: eventTypes.filter((type) => !/^(card|webhookEndpoint)\./.test(type)),
      FeedEvent: eventTypes,
      WebhookEvent: [...eventTypes, 'webhookEndpoint.test']
    }
    const { schemas } = document.components
    for (const [name, types] of Object.entries(unions)) {
      const { oneOf, discriminator } = schemas[name]
      t.same(Object.keys(discriminator.mapping), types)
      t.same(
        Object.values(discriminator.mapping),
        oneOf.map(({ $ref }: Json) => $ref)
      )
      for (const [type, $ref] of Object.entries(discriminator.mapping)) {
        t.equal(resolve(document, { $ref }).properties.type.const, type)
      }
    }
    const sent = document.webhooks.event.post.requestBody.content['application/json'].schema
    t.equal(resolve(document, sent), schemas.WebhookEvent)
    for (const page of ['Event', 'FeedEvent']) {
      const { items } = schemas[`${page}Page`].properties.data
      t.equal(resolve(document, items), schemas[page])
    }
  })

  t.test('G3: every operation, parameter and field says what it is', async (t) => {
    const says = (node: Json): boolean => {
      const { description, $ref, anyOf = [] } = node
      if (/\S/.test(description ?? '')) return true
      if ($ref !== undefined) return says(resolve(document, node))
      const others = anyOf.filter(({ type }: Json) => type !== 'null')
      return others.length === 1 && says(others[0])
    }
    for (const { id, operation } of operations) {
      t.ok(says(operation), id)
      for (const one of operation.parameters ?? []) t.ok(says(one), `${one.name} of ${id}`)
    }
    const check = (node: Json, at: string): void => {
      for (const [name, field] of Object.entries<Json>(node.properties ?? {})) {
        t.ok(says(field), `${at}.${name}`)
      }
      for (const [name, member] of Object.entries<Json>(node)) {
        const isOther = ['examples', 'example', 'if', 'then', 'else'].includes(name)
        if (!isOther && typeof member === 'object' && member !== null)
          check(member, `${at}.${name}`)
      }
    }
    check(document.components.schemas, '')
    check(document.paths, '')
  })

  t.test(
    'G3: every status, failure, discrepancy, resolution and problem is explained',
    async (t) => {
      const tables = {
        PaymentStatus: statusMeanings,
        Channel: channelMeanings,
        FailureCode: failures,
        DiscrepancyKind: kinds,
        Resolution: resolutionMeanings,
        ProblemCode: problems
      }
      for (const [name, table] of Object.entries(tables)) {
        const { description, enum: words } = document.components.schemas[name]
        t.same(words, Object.keys(table))
        for (const word of words) {
          t.match(description, new RegExp(`^- \`${word}\`: \\S.{20}`, 'm'), `${name} ${word}`)
        }
      }
      for (const { tell } of Object.values(failures)) t.match(tell, /^[A-Z][a-zA-Z ,.]+\.$/)
    }
  )

  t.test('H5: integers have a format and bounds, words a type', async (t) => {
    everyNode(document, (node) => {
      if (node.type === 'integer') {
        t.match(node, { format: 'int64', minimum: Number, maximum: Number })
      }
      if (Array.isArray(node.enum)) t.equal(node.type, 'string')
    })
    const { description } = document.components.parameters.IdempotencyKey
    t.match(description, /kept 30 days/)
  })

  t.test('every problem is documented or thrown, and says cause and cure', async (t) => {
    const said = new Set<string>()
    for (const { operation } of operations) {
      for (const response of Object.values<Json>(operation.responses)) {
        for (const code of codesOf(response)) said.add(code)
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
})

async function readSource(): Promise<string> {
  const root = new URL('../src/', import.meta.url)
  const names = await readdir(root, { recursive: true })
  const files = names.filter((name) => name.endsWith('.ts') && name !== 'problem.ts')
  return (await Promise.all(files.map((name) => readFile(new URL(name, root), 'utf8')))).join('\n')
}
