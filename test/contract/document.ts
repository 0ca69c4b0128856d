/** The OpenAPI document, and a judge of what fits it. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

// biome-ignore lint/suspicious/noExplicitAny: a document has any shape.
export type Json = any
/** `path` and `method` as the document has them. */
export type Operation = { id: string; path: string; method: string; operation: Json }

/** Every operation, with its parameters and answers written out. */
export function operationsOf(document: Json): Operation[] {
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) => ({
      id: operation.operationId,
      path,
      method,
      operation: writtenOut(document, operation)
    }))
  )
}

function writtenOut(document: Json, operation: Json): Json {
  const responses = Object.fromEntries(
    Object.entries(operation.responses).map(([status, one]) => [status, resolve(document, one)])
  )
  const { parameters } = operation
  if (parameters === undefined) return { ...operation, responses }
  return {
    ...operation,
    parameters: parameters.map((one: Json) => resolve(document, one)),
    responses
  }
}

/** The codes of the problems that a response documents. */
export function codesOf(response: Json): string[] {
  return Object.keys(response.content?.['application/problem+json']?.examples ?? {})
}

/** The node that a reference within the document leads to. */
export function resolve(document: Json, node: Json): Json {
  if (node?.$ref === undefined) return node
  const [hash, ...names] = String(node.$ref).split('/')
  const found = hash === '#' ? names.reduce((at, name) => at?.[name], document) : undefined
  if (found === undefined) throw new Error(`${node.$ref} leads nowhere`)
  return resolve(document, found)
}

export function everyNode(node: Json, visit: (node: Json) => void): void {
  if (typeof node !== 'object' || node === null) return
  visit(node)
  for (const member of Object.values(node)) everyNode(member, visit)
}

/** The examples of a media type: its own, or those of its schema. */
export function examplesOf(document: Json, media: Json): Json[] {
  if (media.example !== undefined) return [media.example]
  if (media.examples !== undefined)
    return Object.values<Json>(media.examples).map((one) => resolve(document, one).value)
  return examplesBySchema(document, media.schema)
}

/** Those of the schema itself, or the one that its parts make up. */
function examplesBySchema(document: Json, schema: Json): Json[] {
  const { examples, properties, items, anyOf, oneOf } = resolve(document, schema)
  if (examples !== undefined) return examples
  if (items !== undefined) return [examplesBySchema(document, items)]
  const [first] = anyOf ?? oneOf ?? []
  if (first !== undefined) return examplesBySchema(document, first)
  if (properties === undefined) return []
  const parts = Object.entries(properties).map(([name, part]) => [
    name,
    examplesBySchema(document, part)[0]
  ])
  return [Object.fromEntries(parts)]
}

/** What is wrong with a value by the schema at `pointer`. */
export type Judge = (pointer: readonly string[], value: unknown) => string[]

/** Judges values by the schemas of the document; a field that they do not name is a fault. */
export function createJudge(document: Json): Judge {
  const strict = structuredClone(document)
  for (const methods of Object.values<Json>(strict.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      methods[method] = writtenOut(strict, operation)
    }
  }
  everyNode(strict.components.schemas, refuseOthers)
  everyNode(strict.paths, refuseOthers)
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'document', ...strict })
  return (pointer, value) => {
    const escaped = pointer.map((name) => name.replaceAll('~', '~0').replaceAll('/', '~1'))
    const $ref = `document#/${escaped.map(encodeURIComponent).join('/')}`
    const validate = ajv.getSchema($ref) ?? ajv.compile({ $ref })
    return validate(value)
      ? []
      : (validate.errors ?? []).map((one) => `${one.instancePath} ${one.message}`)
  }
}

/** Makes a field that a schema does not name a fault. */
export function refuseOthers(node: Json): void {
  const isObject = node.type === 'object' && node.properties !== undefined
  if (isObject && node.additionalProperties === undefined) node.additionalProperties = false
}
