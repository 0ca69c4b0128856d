/**
 * The OpenAPI document as routes give it, brought to the form that people and generators of clients
 * read: what several operations have in common stands once, under `components`.
 */
import { type ErrorForm, Problem, problemForm } from '../problem.ts'
import { type ProblemCode, problems } from '../problems/problems.ts'
import { headers, headersOf, problemHeaders, toHeaderRefs } from './openapi-headers.ts'
import { words } from './openapi-words.ts'

// biome-ignore lint/suspicious/noExplicitAny: a document has any shape.
export type Json = any
type Operation = { path: string; method: string; operation: Json }
type Named = Record<string, Json>

/** Of errors in whatever form, until they are written out. */
const problemType = problemForm.mediaType
const toSchema = '#/components/schemas/'

/**
 * Moves what is shared into `components`. The document that is given stays as it is. Of all
 * schemas that there are, those stay that it uses; they lose what their names begin with.
 */
export function shareParts(document: object, form: ErrorForm, names: SchemaNames): Json {
  const shared = rewrite(document, completeSchema)
  const operations = operationsOf(shared)
  const { components } = shared
  const { schemas } = components
  for (const name of Object.keys(schemas)) if (names.others.test(name)) delete schemas[name]
  // As they are written out, and with references in place of others.
  const known = new Map(Object.entries<Json>(schemas).map(([name, one]) => [identityOf(one), name]))
  for (const [name, schema] of Object.entries<Json>(schemas)) {
    schemas[name] = withReferences(schema, known, name)
    known.set(identityOf(schemas[name]), name)
  }
  for (const { operation } of operations) {
    for (const part of ['parameters', 'requestBody', 'responses']) {
      if (operation[part] !== undefined) operation[part] = withReferences(operation[part], known)
    }
  }
  components.examples = toExamples(operations, schemas, form)
  for (const one of operations) {
    describePath(one, schemas)
    addHeaders(one.operation)
  }
  components.parameters = hoistParameters(operations)
  components.responses = hoistProblems(operations, form)
  components.headers = { ...headers }
  dropUnused(shared)
  return names.prefix === '' ? shared : withoutPrefix(shared, names.prefix)
}

/** Which schemas a document has not, by their names; and what the names of its own begin with. */
export type SchemaNames = { others: RegExp; prefix: string }

/** What nothing refers to, however far. */
function dropUnused(document: Json): void {
  const { components, ...rest } = document
  const used = new Set<string>()
  const visit = (node: Json): void => {
    JSON.stringify(node, (name, member) => {
      if (name !== '$ref' || used.has(member)) return member
      used.add(member)
      const [, , part, own] = String(member).split('/') as [string, string, string, string]
      visit(components[part]?.[own])
      return member
    })
  }
  visit(rest)
  for (const part of ['schemas', 'headers', 'parameters', 'responses', 'examples']) {
    for (const name of Object.keys(components[part] ?? {})) {
      if (!used.has(`#/components/${part}/${name}`)) delete components[part][name]
    }
  }
}

function withoutPrefix(document: Json, prefix: string): Json {
  const text = JSON.stringify(document).replaceAll(`"${toSchema}${prefix}`, `"${toSchema}`)
  const renamed = JSON.parse(text)
  const schemas = Object.entries<Json>(renamed.components.schemas)
  renamed.components.schemas = Object.fromEntries(
    schemas.map(([name, one]) => [name.startsWith(prefix) ? name.slice(prefix.length) : name, one])
  )
  return renamed
}

function operationsOf({ paths }: Json): Operation[] {
  return Object.entries<Json>(paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) => ({ path, method, operation }))
  )
}

/** A copy in which `change` has replaced each object, from the inside out, but for values. */
function rewrite(node: Json, change: (node: Json) => Json): Json {
  if (Array.isArray(node)) return node.map((one) => rewrite(one, change))
  if (typeof node !== 'object' || node === null) return node
  const members = Object.entries(node).map(([name, member]) => [
    name,
    values.has(name) ? structuredClone(member) : rewrite(member, change)
  ])
  return change(Object.fromEntries(members))
}
const values: ReadonlySet<string> = new Set(['example', 'examples', 'default', 'enum', 'const'])

/** Adds what generators of clients ask for, and the validator has no need of. */
function completeSchema(node: Json): Json {
  const isOnlyReference = node.allOf?.length === 1 && node.allOf[0].$ref !== undefined
  if (isOnlyReference) return { ...node.allOf[0], description: node.description }
  for (const [name, field] of Object.entries<Json>(node.properties ?? {})) {
    if (isUndescribed(field) && words[name] !== undefined) field.description = words[name]
  }
  if (node.type === 'integer') {
    // JSON holds no larger one exactly.
    const { type, format = 'int64', minimum = -largest, maximum = largest, ...rest } = node
    return { type, format, minimum, maximum, ...rest }
  }
  const allowed = Array.isArray(node.enum) ? node.enum : [node.const]
  const isText = allowed.every((one: unknown) => typeof one === 'string')
  return isText && node.type === undefined ? { type: 'string', ...node } : node
}
const largest = Number.MAX_SAFE_INTEGER

/** Neither itself, nor as the one thing that it is where it is not null, nor by reference. */
function isUndescribed({ description, $ref, anyOf }: Json): boolean {
  if (description !== undefined || $ref !== undefined) return false
  const others = anyOf?.filter(({ type }: Json) => type !== 'null') ?? []
  return others.length !== 1 || isUndescribed(others[0])
}

/** Refers to each named schema where it was written out; `own` is the name of `node` itself. */
function withReferences(node: Json, names: ReadonlyMap<string, string>, own?: string): Json {
  return rewrite(node, (one) => {
    // The example of an answer is that of its schema.
    if (one.schema?.$ref !== undefined && one.in === undefined) {
      return one.examples === undefined || one.schema.$ref !== problemRef
        ? { schema: one.schema }
        : one
    }
    const name = isNameable(one) ? names.get(identityOf(one)) : undefined
    return name === undefined || name === own ? one : { $ref: `${toSchema}${name}` }
  })
}
const problemRef = `${toSchema}Problem`

/** Not what stands for itself: a list of words is not the same as another that has the same. */
const isNameable = ({ type, oneOf }: Json) => typeof type === 'string' || oneOf !== undefined

/** What a schema says, in whatever order, but for its examples. */
function identityOf({ examples: _, example: __, ...schema }: Json): string {
  return JSON.stringify(schema, (_, member) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member
    return Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
}

/**
 * Says what parameters are by their schemas, and of the ids in a path whose they are:
 * `/v1/refunds/{id}` has the id of a refund, for which the example is that of the schema `Refund`.
 */
function describePath({ path, operation }: Operation, schemas: Named): void {
  for (const parameter of operation.parameters ?? []) {
    const named = schemas[parameter.schema.$ref?.slice(toSchema.length)]
    parameter.description ??= named?.description
    if (parameter.in !== 'path') continue
    const { noun, name } = nounBefore(path, parameter.name)
    parameter.description ??= `The id of the ${noun}`
    const example = schemas[name]?.examples?.[0]?.id
    if (example !== undefined) parameter.example = example
  }
}

/** `webhook endpoint` and `WebhookEndpoint` for `/v1/webhook-endpoints/{id}/test`. */
function nounBefore(path: string, parameter: string): { noun: string; name: string } {
  const segments = path.split('/')
  const before = segments[segments.indexOf(`{${parameter}}`) - 1] ?? ''
  const noun = before.replace(/ies$/, 'y').replace(/s$/, '').replaceAll('-', ' ')
  return { noun, name: pascal(noun.split(' ')) }
}

const pascal = (words: readonly string[]) =>
  words.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`).join('')

/** The parameters that several operations have; there they become references. */
function hoistParameters(operations: readonly Operation[]): Named {
  const all = operations.flatMap(({ path, operation }) =>
    (operation.parameters ?? []).map((one: Json) => ({ one, path, text: JSON.stringify(one) }))
  )
  const uses = Map.groupBy(all, ({ text }) => text)
  const inPaths = new Set(all.flatMap(({ one }) => (one.in === 'path' ? one.name : [])))
  const hoisted: Named = {}
  for (const { one, path, text } of all) {
    if ((uses.get(text)?.length ?? 0) < 2) continue
    const suffix = one.in === 'query' && inPaths.has(one.name) ? 'Filter' : ''
    const name =
      one.in === 'path' && one.name === 'id'
        ? `${nounBefore(path, 'id').name}Id`
        : `${pascal(one.name.replace('@', '').split('-'))}${suffix}`
    if (hoisted[name] !== undefined && JSON.stringify(hoisted[name]) !== text) {
      throw new Error(`two parameters would be named ${name}`)
    }
    hoisted[name] = one
  }
  const names = new Map(Object.entries(hoisted).map(([name, one]) => [JSON.stringify(one), name]))
  for (const { operation } of operations) {
    operation.parameters = operation.parameters?.map((one: Json) => {
      const name = names.get(JSON.stringify(one))
      return name === undefined ? one : { $ref: `#/components/parameters/${name}` }
    })
  }
  return hoisted
}

const codesOf = (response: Json): ProblemCode[] =>
  Object.keys(response.content?.[problemType]?.examples ?? {}) as ProblemCode[]

/** An example of each problem, as the first operation answers it that may. */
function toExamples(operations: readonly Operation[], schemas: Named, form: ErrorForm): Named {
  const examples: Named = {}
  for (const { path, operation } of operations) {
    for (const response of Object.values<Json>(operation.responses)) {
      for (const code of codesOf(response)) {
        examples[code] ??= { value: exampleOf(code, toInstance(path, schemas), form) }
      }
    }
  }
  return examples
}

function toInstance(path: string, schemas: Named): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, parameter) => {
    const { name } = nounBefore(path, parameter)
    return schemas[name]?.examples?.[0]?.id ?? `${parameter}_06f1k2m3n4p5q6r7`
  })
}

function exampleOf(code: ProblemCode, instance: string, form: ErrorForm) {
  const errors = [{ pointer: '/amount/value', detail: 'must be integer' }]
  const extras = code === 'request_invalid' ? { errors } : {}
  const place = { ...examplePlace, instance }
  return form.toDocument(new Problem(code, problems[code].cause, extras), place)
}
const examplePlace = {
  publicUrl: 'https://payments.example',
  requestId: '3b1f6f0e4d0c4f6c9a40d5f3b7a0c1d2'
}

/**
 * Writes out the answers that are problems, by the codes that their examples name. Those of one
 * code, and those that several operations have, become references.
 */
function hoistProblems(operations: readonly Operation[], form: ErrorForm): Named {
  const all = operations.flatMap(({ operation }) =>
    Object.entries<Json>(operation.responses)
      .map(([status, response]) => ({ operation, status, codes: codesOf(response) }))
      .filter(({ codes }) => codes.length > 0)
  )
  const uses = Map.groupBy(all, ({ codes }) => codes.join())
  const hoisted: Named = {}
  for (const { operation, status, codes } of all) {
    if (codes.length > 1 && uses.get(codes.join())?.length === 1) {
      operation.responses[status] = toResponse(codes, form)
      continue
    }
    const name = codes.map((code) => pascal(code.split('_'))).join('Or')
    hoisted[name] ??= toResponse(codes, form)
    operation.responses[status] = { $ref: `#/components/responses/${name}` }
  }
  return hoisted
}

function toResponse(codes: readonly ProblemCode[], { mediaType, schema }: ErrorForm): Json {
  const examples = Object.fromEntries(
    codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])
  )
  const titles = codes.map((code) => problems[code].title)
  return {
    description: titles.join('. '),
    headers: problemHeaders(codes),
    content: { [mediaType]: { schema: { $ref: `${toSchema}${schema}` }, examples } }
  }
}

/** Of answers that are no problems. */
function addHeaders(operation: Json): void {
  const parameters = new Set<string>(operation.parameters?.map(({ name }: Json) => name))
  for (const [status, response] of Object.entries<Json>(operation.responses)) {
    if (codesOf(response).length > 0) continue
    const names = headersOf(Number(status), parameters, Object.keys(response.headers ?? {}))
    const { description: own, headers: _, ...rest } = response
    const description = own === 'Default Response' ? statusWords[status] : own
    operation.responses[status] = { description, headers: toHeaderRefs(names), ...rest }
  }
}

const statusWords: Readonly<Record<string, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  503: 'Unavailable'
}

/** What no editor shows: controls, marks and overrides of direction. */
const unseen = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

/** JSON, or text in double quotes of YAML, with what cannot be seen written as `\\u…`. */
export function showUnseen(text: string): string {
  return text.replace(unseen, (one) =>
    one === '\n' ? one : `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
}

export const hasUnseen = (text: string) => text.replaceAll('\n', '').search(unseen) >= 0
