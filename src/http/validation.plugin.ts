import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { hasCardNumber } from '../card-number.ts'
import { type FieldFault, Problem, pointerTo } from '../problem.ts'
import { namedIn, ProblemSchema } from './common.schema.ts'
import { isExactNumber } from './exact-json.ts'
import { formats } from './formats.ts'
import { configOf } from './route-config.ts'

type Compile = { schema: unknown; httpPart?: string | undefined }

/**
 * Bodies are taken as they are: nothing is coerced, dropped or defaulted, and all faults are named
 * at once. Query strings hold only text, so there integers are read from it.
 */
export function buildValidator(shared: Record<string, unknown>) {
  // The schemas are our own, and a test holds them to their own schema: a start need not.
  const known = {
    ...{ allErrors: true, validateSchema: false, meta: false },
    code: { regExp: wellFormed }
  } as const
  const body = new Ajv({ ...known, useDefaults: false })
  const rest = new Ajv({ ...known, useDefaults: true })
  for (const ajv of [body, rest]) {
    addFormats.default(ajv)
    ajv.addFormat('date-time', isMoment)
    ajv.addFormat('date', isDay)
    for (const [name, { test }] of Object.entries(formats)) ajv.addFormat(name, test)
    for (const schema of Object.values(shared)) ajv.addSchema(schema as object)
  }
  return ({ schema, httpPart }: Compile) => {
    // A schema with $id that is used as it is stands among the shared ones already.
    const { $id, ...own } = schema as { $id?: string }
    const ajv = httpPart === 'body' ? body : rest
    // With the first request: all of them would take a fifth of a start.
    let validate: ValidateFunction | undefined
    const check = (value: unknown) => {
      validate ??= ajv.compile(own)
      return validate(value) ? { value } : { error: validate.errors ?? [] }
    }
    return httpPart === 'querystring' ? withIntegers(own, check) : check
  }
}

type Query = Record<string, unknown>

/** Decimal digits alone: neither `0x10`, `1e1`, `+5` nor `05` is an integer to everybody. */
const decimal = /^(0|-?[1-9]\d{0,15})$/

/** Validates what the integers of a query stand for, where they are written as such. */
function withIntegers(schema: { properties?: object }, check: (value: Query) => object) {
  const names = Object.entries(schema.properties ?? {})
    .filter(([, { type }]) => type === 'integer')
    .map(([name]) => name)
  return (query: Query) => {
    const value = { ...query }
    for (const name of names) {
      const text = value[name]
      if (typeof text === 'string' && decimal.test(text)) value[name] = Number(text)
    }
    return check(value)
  }
}

/** A pattern that also refuses lone surrogates, which no portable pattern can name. */
function wellFormed(pattern: string, flags: string) {
  const own = new RegExp(pattern, flags)
  return {
    test: (text: string) => text.isWellFormed() && own.test(text),
    // By which Ajv knows patterns apart.
    toString: () => own.toString()
  }
}
wellFormed.code = 'wellFormed'

/**
 * Checks what routes take. What they name by $id becomes known with them, to the validator and to
 * the document.
 */
export function addValidation(app: FastifyInstance): void {
  let compile: ReturnType<typeof buildValidator> | undefined
  app.setValidatorCompiler((part) => {
    compile ??= buildValidator(app.getSchemas())
    return compile(part)
  })
  addNamed(app, ProblemSchema)
  app.addHook('onRoute', ({ schema }) => addNamed(app, schema))
}

/** Makes every schema with $id known that `schema` is, holds or refers to. */
export function addNamed(app: FastifyInstance, schema: unknown): void {
  for (const one of namedIn(schema)) if (app.getSchema(one.$id) === undefined) app.addSchema(one)
}

const rfc3339 = addFormats.default.get('date-time') as { validate: (text: string) => boolean }
const earliest = Date.parse('0001-01-01T00:00:00Z')
const latest = Date.parse('9999-12-31T23:59:59.999Z')

/** RFC 3339, as far as a `Date` holds it: no leap second, and a year of four digits in UTC. */
function isMoment(text: string): boolean {
  const time = rfc3339.validate(text) ? Date.parse(text) : Number.NaN
  return time >= earliest && time <= latest
}

/** RFC 3339: a day of the calendar, within the same years. */
function isDay(text: string): boolean {
  return isMoment(`${text}T00:00:00Z`)
}

/** Deeper than any body of this API. */
const deepest = 16

/**
 * Refuses card numbers wherever text can come in, before anything is logged or stored; and brings
 * text to NFC, so that what looks the same is the same. It runs after authentication, and on known
 * routes alone: nobody else has their text read.
 */
export function addTextGuard(app: FastifyInstance): void {
  app.addHook('preValidation', (request, _, done) => {
    if (request.is404 || configOf(request).signedBody) return done()
    checkQuery(request)
    const faults: FieldFault[] = []
    // Of a body that is there in both forms one is validated, and the other kept.
    const { exactBody } = request
    if (exactBody !== null) request.exactBody = readText(exactBody, '', faults)
    request.body = readText(request.body, '', exactBody === null ? faults : [])
    readText(request.query, '', faults)
    readText(request.params, '', faults)
    withoutNul(request.params as Record<string, string>)
    const { 'idempotency-key': key } = request.headers
    if (typeof key === 'string' && hasCardNumber(key)) {
      faults.push({ pointer: '/idempotency-key', detail: 'holds a card number' })
    }
    if (faults.length === 0) return done()
    const detail = 'A card number was sent; it was neither stored nor logged.'
    throw new Problem('card_number_refused', detail, { errors: faults })
  })
}

/** Of who comes with a key: a browser is sent back with whatever others made of its address. */
function checkQuery(request: FastifyRequest): void {
  if (configOf(request).scope === undefined) return
  try {
    decodeURIComponent(request.url)
  } catch {
    const errors = [{ pointer: '', detail: 'is not percent-encoded UTF-8' }]
    throw new Problem('request_invalid', 'The query can’t be read.', { errors })
  }
}

/** PostgreSQL can't be asked for an id with NUL; no id has the character that replaces it. */
function withoutNul(params: Record<string, string>): void {
  for (const [name, value] of Object.entries(params)) {
    params[name] = value.replaceAll('\0', '\ufffd')
  }
}

/** The value with its texts in NFC; adds a fault for each that holds a card number. */
function readText(value: unknown, pointer: string, faults: FieldFault[], depth = 0): unknown {
  if (depth > deepest) {
    const errors = [{ pointer: '', detail: `is nested more than ${deepest} levels deep` }]
    throw new Problem('request_invalid', 'The body is nested too deeply.', { errors })
  }
  if (typeof value === 'string') {
    if (hasCardNumber(value)) faults.push({ pointer, detail: 'holds a card number' })
    return value.normalize('NFC')
  }
  const isExact = isExactNumber(value)
  if (isExact || typeof value === 'number') {
    const digits = isExact ? value.rawJSON : String(value)
    // A double may be written as 4.1E15.
    const isCard = hasCardNumber(digits) || (isExact && hasCardNumber(String(Number(digits))))
    if (isCard) faults.push({ pointer, detail: 'holds a card number' })
    return value
  }
  if (typeof value !== 'object' || value === null) return value
  for (const [name, member] of Object.entries(value)) {
    const hidden = hasCardNumber(name)
    if (hidden) faults.push({ pointer, detail: 'a name in it holds a card number' })
    const at = hidden ? pointer : pointerTo(pointer, name)
    const read = readText(member, at, faults, depth + 1)
    if (read !== member) (value as Record<string, unknown>)[name] = read
  }
  return value
}
