import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import type { FastifyInstance } from 'fastify'
import { hasCardNumber } from '../card-number.ts'
import { type FieldFault, Problem } from '../problem.ts'

type Compile = { schema: unknown; httpPart?: string }

/**
 * Bodies are taken at their word: nothing is coerced, dropped or defaulted, and all faults are told
 * at once. Query strings hold only text, so there numbers are read from it.
 */
export function buildValidator(shared: Record<string, unknown>) {
  const body = new Ajv({ allErrors: true, coerceTypes: false, useDefaults: false })
  const rest = new Ajv({ allErrors: true, coerceTypes: 'array', useDefaults: true })
  for (const ajv of [body, rest]) {
    addFormats.default(ajv)

    for (const schema of Object.values(shared)) ajv.addSchema(schema as object)
  }
  return ({ schema, httpPart }: Compile) => {
    // A schema with $id that is used as it is stands among the shared ones already.
    const { $id, ...own } = schema as { $id?: string }
    return (httpPart === 'body' ? body : rest).compile(own)
  }
}

/** A phone number may look like a card number. */
const excepted = new Set(['/customer/phone'])

/**
 * Refuses card numbers wherever text can come in, before anything is logged or stored; and brings
 * text to NFC, so that what looks the same is the same.
 */
export function addTextGuard(app: FastifyInstance): void {
  app.addHook('preValidation', async (request) => {
    const faults: FieldFault[] = []
    request.body = readText(request.body, '', faults)
    readText(request.query, '', faults)
    readText(request.params, '', faults)
    const { 'idempotency-key': key } = request.headers
    if (typeof key === 'string' && hasCardNumber(key)) {
      faults.push({ pointer: '/idempotency-key', detail: 'holds a card number' })
    }
    if (faults.length === 0) return
    const detail = 'A card number was sent; it was neither stored nor logged.'
    throw new Problem('card_number_refused', detail, { errors: faults })
  })
}

/** The value with its texts in NFC; adds a fault for each that holds a card number. */
function readText(value: unknown, pointer: string, faults: FieldFault[]): unknown {
  if (typeof value === 'string') {
    if (!excepted.has(pointer) && hasCardNumber(value)) {
      faults.push({ pointer, detail: 'holds a card number' })
    }
    return value.normalize('NFC')
  }
  if (typeof value !== 'object' || value === null) return value
  for (const [name, member] of Object.entries(value)) {
    const hidden = hasCardNumber(name)
    if (hidden) faults.push({ pointer, detail: 'a name in it holds a card number' })
    const read = readText(member, hidden ? pointer : `${pointer}/${name}`, faults)
    if (read !== member) (value as Record<string, unknown>)[name] = read
  }
  return value
}
