import { type Static, type TSchema, type TUnsafe, Type } from 'typebox'
import { currencies } from '../money.ts'
import { problems } from '../problems/problems.ts'
import { pageSize } from './cursor.ts'

type NamedSchema = TSchema & { $id: string }
const isNamed = (schema: object): schema is NamedSchema => '$id' in schema

/** Those that something refers to, by name. */
const named = new Map<string, NamedSchema>()

function nameOf(schema: TSchema): string {
  if (!isNamed(schema)) throw new Error('only a schema with $id can be referred to')
  return schema.$id
}

/** A reference to a schema that the OpenAPI document names; its type is the schema's own. */
export function ref<T extends TSchema>(schema: T, description?: string): TUnsafe<Static<T>> {
  const name = nameOf(schema)
  named.set(name, schema as TSchema as NamedSchema)
  const reference = { $ref: `${name}#` }
  // The document loses what stands beside a reference, until shareParts() has put it back.
  return Type.Unsafe<Static<T>>(
    description === undefined ? reference : { allOf: [reference], description }
  )
}

/** Every schema with $id that `schema` is, holds or refers to; each after those that it names. */
export function namedIn(schema: unknown, found = new Set<NamedSchema>()): Set<NamedSchema> {
  if (typeof schema !== 'object' || schema === null) return found
  const { $ref } = schema as { $ref?: string }
  const own = $ref === undefined ? schema : named.get($ref.replace(/#$/, ''))
  if (own === undefined || found.has(own as NamedSchema)) return found
  for (const part of Object.values(own)) namedIn(part, found)
  if (isNamed(own)) found.add(own)
  return found
}

/**
 * Text of at most `maxLength` characters without control characters (NUL among them),
 * bidirectional controls and, as in every text with a pattern, lone surrogates. Accents and emoji
 * pass.
 */
export function text(
  maxLength: number,
  options: { minLength?: number; description?: string } = {}
) {
  return Type.String({ minLength: 0, ...options, maxLength, pattern: textPattern })
}
/**
 * Without `\p{…}` and `\u…`: the same in every dialect of regular expressions that generators of
 * clients have (JSON Schema 2020-12, 6.4).
 */
export const textCharacter = '[^\\x00-\\x1F\\x7F-\\x9F\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]'
export const textPattern = `^${textCharacter}*$`

/** A name by which a person or a record is known: `isIdentifier` of identifier.ts. */
export function identifier(maxLength: number, description: string) {
  return Type.String({ minLength: 1, maxLength, format: 'identifier', description })
}

/** Of a body whose fields are so, something else holds too. */
export function when(properties: object, present: string[], then: object, otherwise?: object) {
  return { if: { properties, required: present }, then, ...(otherwise && { else: otherwise }) }
}

export function nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()])
}

/** The schema of an answer whose header `Location` says where what was made can be read. */
export function located<T extends TSchema>(schema: T): T {
  return { ...schema, headers: { location: { type: 'string' } } }
}

/** The schema of an answer without a body. */
export function nothing(description: string) {
  return Type.Unsafe<undefined>({ type: 'null', description })
}

export const IdParams = Type.Object({ id: Type.String({ maxLength: 100 }) })

export const WaitHeaders = Type.Object({
  prefer: Type.Optional(
    Type.String({ description: '`wait=N`: wait up to N seconds, at most 30 (RFC 7240)' })
  )
})

const TimestampSchema = Type.String({
  $id: 'Timestamp',
  format: 'date-time',
  description: 'RFC 3339, UTC'
})
export const Timestamp = ref(TimestampSchema)
/** One of the words of a table, which the document shows with what each means. */
export function enumOf<K extends string>(
  meanings: Readonly<Record<K, string>>,
  options: { $id?: string; intro?: string } = {}
) {
  const { intro, ...rest } = options
  const lines = Object.entries(meanings).map(([word, meaning]) => `- \`${word}\`: ${meaning}`)
  const description = `${intro === undefined ? '' : `${intro}\n\n`}${lines.join('\n')}`
  return Type.Enum(Object.keys(meanings) as K[], { ...rest, description })
}

/** A moment, and what happened then. */
export const timeOf = (description: string) => ref(TimestampSchema, description)

const AccountIdSchema = Type.String({
  $id: 'AccountId',
  pattern: '^[1-9][0-9]{0,7}$',
  description: "CMP's account number",
  examples: ['10000001']
})
export const AccountId = ref(AccountIdSchema)

export const Currency = Type.Enum([...currencies], {
  $id: 'Currency',
  description: 'ISO 4217',
  examples: ['GBP']
})

const MinorUnits = Type.Integer({
  $id: 'MinorUnits',
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'An amount in minor units (ISO 4217 exponent of its currency)'
})
const SignedMinorUnits = Type.Integer({
  $id: 'SignedMinorUnits',
  description: 'A sum in minor units, which may be negative'
})
const Count = Type.Integer({ $id: 'Count', minimum: 0, description: 'How many' })

export const signedMinorUnits = (description: string) => ref(SignedMinorUnits, description)
export const countOf = (description: string) => ref(Count, description)
/** An amount of a currency that is named elsewhere. */
export const minorUnits = (description: string) => ref(MinorUnits, description)

/** An amount that a caller asks for: at least 1 minor unit, within what JSON holds exactly. */
export const Amount = Type.Object(
  {
    currency: Currency,
    value: Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Minor units (ISO 4217 exponent of the currency)'
    })
  },
  {
    $id: 'Amount',
    description: 'An amount of money',
    additionalProperties: false,
    examples: [{ currency: 'GBP', value: 2500 }]
  }
)

/** An amount that we answer with; it may be zero. */
export const Balance = Type.Object(
  {
    currency: Currency,
    value: minorUnits('In minor units; 0 where there is none')
  },
  {
    $id: 'Balance',
    description: 'A sum, which may be 0',
    additionalProperties: false,
    examples: [{ currency: 'GBP', value: 0 }]
  }
)

/** What is known of the person who pays. */
export const CustomerSchema = Type.Object(
  {
    reference: Type.Optional(text(80, { minLength: 1, description: 'Yours of the person' })),
    email: Type.Optional(
      Type.String({ format: 'email', maxLength: 256, description: 'Of the person' })
    ),
    phone: Type.Optional(
      Type.String({
        pattern: '^\\+?([ ()-]{0,3}[0-9]){4,15}[ ()-]{0,3}$',
        description: 'With country code: at most 15 digits (E.164), spaces and dashes allowed'
      })
    ),
    locale: Type.Optional(
      Type.String({
        format: 'locale',
        description: 'A language (ISO 639-1), alone or with a country (ISO 3166-1 alpha-2)',
        examples: ['en-GB']
      })
    ),
    countryCode: Type.Optional(
      Type.String({
        format: 'country-code',
        description: 'ISO 3166-1 alpha-2; UK is none of it',
        examples: ['GB']
      })
    )
  },
  { additionalProperties: false, description: 'The person who pays' }
)

const PageSize = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 100, default: pageSize, description: 'Page size' })
)
export const ListQuery = {
  limit: PageSize,
  cursor: Type.Optional(
    Type.String({ maxLength: 200, description: '`nextCursor` of the page before' })
  )
}

/** Of a list that is not filtered. */
export const PageQuery = Type.Object(ListQuery, { additionalProperties: false })

/** A page of items of a schema with $id. */
export function pageOf<T extends TSchema>(item: T) {
  return Type.Object(
    {
      data: Type.Array(ref(item), { description: 'What is on this page' }),
      nextCursor: nullable(
        Type.String({ description: 'Null on the last page', examples: ['WyJwYXlfMDZmMWsyb'] })
      )
    },
    { $id: `${nameOf(item)}Page` }
  )
}

/** Of a list that only grows. */
export const growingListQuery = {
  after: Type.Optional(
    Type.String({
      maxLength: 200,
      description: '`nextCursor` of the answer before; without it from the oldest'
    })
  ),
  limit: PageSize
}

/** A page of such a list, of items of a schema with $id. */
export function growingPageOf<T extends TSchema>(item: T) {
  return Type.Object(
    {
      data: Type.Array(ref(item), { description: 'What is on this page' }),
      nextCursor: Type.String({
        description: 'Never null: at the end it is the position to ask again from, as `after`',
        examples: ['WyI0MTciXQ']
      })
    },
    { $id: `${nameOf(item)}Page` }
  )
}

/** Of a list by the time of what it has. */
export const createdRange = {
  createdFrom: Type.Optional(Type.String({ format: 'date-time', description: 'Inclusive' })),
  createdTo: Type.Optional(Type.String({ format: 'date-time', description: 'Exclusive' }))
}

const ProblemCodeSchema = enumOf(
  Object.fromEntries(
    Object.entries(problems).map(([code, { status, cause, cure }]) => [
      code,
      `${status}. ${cause} ${cure}`
    ])
  ),
  { $id: 'ProblemCode', intro: 'What went wrong: the code never changes its meaning.' }
)

export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'A page about this code, with its cause and cure' }),
    title: Type.String({ description: 'What the code means, always in the same words' }),
    status: Type.Integer({ minimum: 400, maximum: 599, description: 'The status of the answer' }),
    detail: Type.String({ description: 'What it was this time, for people' }),
    code: ref(ProblemCodeSchema),
    instance: Type.String({ description: 'The path of the request' }),
    requestId: Type.String({ description: 'As `X-Request-Id`: say it when you ask for help' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({ description: 'JSON pointer (RFC 6901) to the field' }),
          detail: Type.String({ description: 'What is wrong with it' })
        }),
        { description: 'Every field that is wrong' }
      )
    ),
    paymentId: Type.Optional(Type.String({ description: 'The payment that it is about' })),
    difference: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object({
          recorded: Type.Unknown({ description: 'What is recorded' }),
          sent: Type.Unknown({ description: 'What was sent' })
        }),
        {
          description: 'What differs from what was recorded, by the name of the field'
        }
      )
    )
  },
  { $id: 'Problem', description: 'RFC 9457, application/problem+json' }
)
