/** The query of a list or of a resource as TMF630 has it: fields, pages and filters. Pure. */
import { type FieldFault, Problem } from '../problem.ts'

/**
 * How the values of an attribute are written: a text; a day or a moment; a decimal; or one of the
 * words of a list.
 */
export type FilterKind = 'text' | 'date' | 'number' | readonly string[]
/** What a list can be filtered by: attributes by their path, such as `account.id`. */
export type Filterable = Readonly<Record<string, FilterKind>>

const operators = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte'] as const
type Operator = (typeof operators)[number]

/** `values`: any of them, for `ne` none of them; of the other operators there is one. */
export type Filter = { attribute: string; operator: Operator; values: string[] }

export type TmfQuery = {
  /** The members that are asked for; null for all. */
  fields: ReadonlySet<string> | null
  offset: number
  limit: number
  filters: Filter[]
}

type Resource = Record<string, unknown>

/** Farther in a list nobody looks: its filters lead there sooner. */
export const offsetMax = 10_000
const pageSize = { default: 20, max: 100 } as const

/** Reads a query, all faults at once. Throws `request_invalid` with what is allowed. */
export function readTmfQuery(query: unknown, filterable: Filterable): TmfQuery {
  const faults: FieldFault[] = []
  const { fields, offset, limit, ...rest } = query as Resource
  const read = {
    fields: readFields(fields),
    offset: readCount('offset', offset, { min: 0, max: offsetMax, default: 0 }, faults),
    limit: readCount('limit', limit, { min: 1, ...pageSize }, faults),
    filters: Object.entries(rest).flatMap(([name, given]) =>
      readFilters(name, given, filterable, faults)
    )
  }
  refuse(faults)
  return read
}

/** What one resource may be asked for with: `fields` alone. */
export function readTmfFields(query: unknown): ReadonlySet<string> | null {
  const { fields, ...rest } = query as Resource
  refuse(
    Object.keys(rest).map((name) => ({ pointer: `/${name}`, detail: 'only fields is known here' }))
  )
  return readFields(fields)
}

function refuse(errors: FieldFault[]): void {
  if (errors.length === 0) return
  const count = errors.length === 1 ? 'A fault' : `${errors.length} faults`
  throw new Problem('request_invalid', `${count} in the query.`, { errors })
}

/** Of a path the first member, as only whole members are selected. */
function readFields(given: unknown): ReadonlySet<string> | null {
  const names = textsOf(given).flatMap((text) => text.split(','))
  const members = names.map((name) => (name.trim().split('.', 1)[0] as string).trim())
  return members.some((name) => name !== '') ? new Set(members) : null
}

type Bounds = { min: number; max: number; default: number }

function readCount(name: string, given: unknown, bounds: Bounds, faults: FieldFault[]): number {
  if (given === undefined) return bounds.default
  const count = /^\d{1,9}$/.test(String(given)) ? Number(given) : Number.NaN
  if (count >= bounds.min && count <= bounds.max) return count
  const more = name === 'offset' ? '; narrow the list by a filter' : ''
  const detail = `must be an integer from ${bounds.min} to ${bounds.max}${more}`
  faults.push({ pointer: `/${name}`, detail })
  return bounds.default
}

const textsOf = (given: unknown): string[] =>
  given === undefined ? [] : [given].flat().map((one) => String(one))

const suffix = /^(.+)\.(eq|ne|gte?|lte?)$/
/** `name>value`, `name>=value`: what stands before the first `=` is the name of the parameter. */
const sign = /^([^<>!=]+)([<>!])(=?)(.*)$/s

/** One filter of the parameter; none where it is at fault. */
function readFilters(
  name: string,
  given: unknown,
  filterable: Filterable,
  faults: FieldFault[]
): Filter[] {
  const { attribute, operator, texts } = readName(name, textsOf(given), filterable)
  const kind = Object.hasOwn(filterable, attribute) ? filterable[attribute] : undefined
  if (kind === undefined) {
    const known = Object.keys(filterable).join(', ')
    faults.push({ pointer: `/${name}`, detail: `is no filter here; there are ${known}` })
    return []
  }
  const isSet = operator === 'eq' || operator === 'ne'
  // Any of several: repeated, with commas, or with semicolons, also as `a=1;a=2`.
  const split = isSet ? texts.flatMap((text) => text.split(/[,;]/)) : texts
  const read = (text: string) => unquote(text.replace(`${name}=`, '').trim())
  // A text may have some itself, and is then what it says as a whole, too.
  const wholes = kind === 'text' ? texts.map(read).filter((text) => text !== '') : []
  const parts = split.map(read)
  const values = wholes.length > 0 ? parts.filter((text) => text !== '') : parts
  const fault = faultOf(operator, kind, values)
  const distinct = [...new Set([...values, ...wholes])]
  if (fault === undefined) return [{ attribute, operator, values: distinct }]
  faults.push({ pointer: `/${name}`, detail: fault })
  return []
}

function readName(name: string, texts: string[], filterable: Filterable) {
  // An attribute may be named as an operator is: then it is meant.
  const [, attribute, word] = Object.hasOwn(filterable, name) ? [] : (suffix.exec(name) ?? [])
  if (attribute !== undefined) return { attribute, operator: word as Operator, texts }
  const [, before, mark, equal = '', after = ''] = sign.exec(name) ?? []
  if (before === undefined) return { attribute: name, operator: 'eq' as const, texts }
  // Without `=` the value is part of the name, and with it it is the value.
  const isEqual = equal !== '' || after === ''
  const operator = { '>': 'gt', '<': 'lt', '!': 'ne' }[mark as '>' | '<' | '!']
  return {
    attribute: before,
    operator: (isEqual && operator !== 'ne' ? `${operator}e` : operator) as Operator,
    texts: after === '' ? texts : [after]
  }
}

/** Texts may stand within quotes. */
const unquote = (text: string) => text.replace(/^(["'])(.*)\1$/s, '$2')

const valuesMax = 100

function faultOf(
  operator: Operator,
  kind: FilterKind,
  values: readonly string[]
): string | undefined {
  const isSet = operator === 'eq' || operator === 'ne'
  if (values.length > valuesMax) return `has more than ${valuesMax} values`
  if (!isSet && values.length !== 1) return 'can be compared with one value only'
  if (values.includes('')) return 'needs a value'
  if (values.some((value) => value.includes('\0'))) return 'has a character that no value has'
  if (kind === 'text') return isSet ? undefined : 'is a text: only eq and ne compare it'
  if (kind === 'date') {
    return values.every((value) => readMoment(value) !== undefined)
      ? undefined
      : 'must be a day or a moment as RFC 3339 has them, such as 2026-11-22T10:00:00Z'
  }
  if (kind === 'number') {
    return values.every((value) => decimal.test(value)) ? undefined : 'must be a number'
  }
  if (!isSet) return 'is a word: only eq and ne compare it'
  return values.every((value) => kind.includes(value))
    ? undefined
    : `must be one of ${kind.join(', ')}`
}

const moment = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[-+]\d\d:\d\d))?$/i
const dayMs = 86_400_000

/** From when to when the value is, the end not included: a day, or a millisecond. */
export function readMoment(value: string): { from: Date; to: Date } | undefined {
  // A plus sign that nobody encoded has become a space.
  const text = value.replace(/ (?=\d\d:\d\d$)/, '+').toUpperCase()
  if (!moment.test(text)) return undefined
  const from = Date.parse(text)
  const isDay = text.length === 10
  // `Date` takes the 30th of February for a day of March.
  const isOfCalendar = new Date(`${text.slice(0, 10)}T00:00:00Z`)
  if (Number.isNaN(from) || Number.isNaN(isOfCalendar.getTime())) return undefined
  if (isOfCalendar.toISOString().slice(0, 10) !== text.slice(0, 10)) return undefined
  return { from: new Date(from), to: new Date(from + (isDay ? dayMs : 1)) }
}

/** What is always there, and the members that are asked for, in their order. */
export function selectFields<T extends object>(
  resource: T,
  fields: ReadonlySet<string> | null
): Partial<T> {
  if (fields === null) return resource
  const chosen = Object.entries(resource).filter(([name]) => kept.has(name) || fields.has(name))
  return Object.fromEntries(chosen) as Partial<T>
}
const kept: ReadonlySet<string> = new Set(['id', 'href', '@type'])

/** Whether a resource passes the filters: for lists that are short and all there. */
export function passesFilters(resource: object, filters: readonly Filter[]): boolean {
  return filters.every(({ attribute, operator, values }) => {
    const found = valuesAt(resource, attribute)
    const isAny = (test: (one: unknown, value: string) => boolean) =>
      found.some((one) => values.some((value) => test(one, value)))
    if (operator === 'ne') return !isAny((one, value) => compare(one, value) === 0)
    return isAny((one, value) => {
      const order = compare(one, value)
      return order !== undefined && agrees[operator](order)
    })
  })
}

const agrees: Record<Exclude<Operator, 'ne'>, (order: number) => boolean> = {
  eq: (order) => order === 0,
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
  lt: (order) => order < 0,
  lte: (order) => order <= 0
}

/**
 * All that a path leads to; an array is each of its elements. A reference is also of the type that
 * it refers to.
 */
function valuesAt(resource: unknown, path: string): unknown[] {
  return path.split('.').reduce<unknown[]>(
    (nodes, name) =>
      nodes
        .flatMap((node) => {
          const { [name]: value, '@referredType': referred } = (node ?? {}) as Resource
          return name === '@type' ? [value, referred] : value
        })
        .filter((node) => node !== undefined && node !== null),
    [resource].flat()
  )
}

/** Below 0 where what there is comes before the value; undefined where they can't be compared. */
function compare(one: unknown, value: string): number | undefined {
  const moments = typeof one === 'string' ? [readMoment(one), readMoment(value)] : []
  const [there, asked] = moments
  if (there && asked) {
    const at = there.from.getTime()
    if (at < asked.from.getTime()) return -1
    return at < asked.to.getTime() ? 0 : 1
  }
  if (typeof one === 'string' || typeof one === 'boolean') {
    return String(one) === value ? 0 : undefined
  }
  const number = typeof one === 'number' ? String(one) : (one as { rawJSON?: string }).rawJSON
  return number === undefined ? undefined : compareDecimals(number, value)
}

/** Exactly: no double. Undefined where one is written otherwise than a filter. */
function compareDecimals(one: string, other: string): number | undefined {
  const [a, b] = [decimal.exec(one), decimal.exec(other)]
  if (a === null || b === null) return undefined
  const places = Math.max(...[a, b].map(([, , part = '']) => part.length))
  const [x, y] = [a, b].map(([, whole, part = '']) => BigInt(`${whole}${part.padEnd(places, '0')}`))
  return x === y ? 0 : (x as bigint) < (y as bigint) ? -1 : 1
}
const decimal = /^(-?\d{1,15})(?:\.(\d{1,9}))?$/
