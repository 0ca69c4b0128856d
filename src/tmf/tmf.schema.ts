/**
 * What the resources of TM Forum's APIs have in common. Names begin with `Tmf` here, and without it
 * in the documents. More members than a schema names may be there: a sender's own come back.
 */
import { type TSchema, type TUnsafe, Type } from 'typebox'
import { enumOf, ref, text } from '../http/common.schema.ts'
import { problems } from '../problems/problems.ts'
import { offsetMax } from './tmf-query.ts'

/** By which an element tells what it is; nothing is asked of them in what is sent. */
export const typeMembers = {
  '@type': Type.Optional(Type.String({ description: 'What it is' })),
  '@baseType': Type.Optional(Type.String({ description: 'What it is a kind of' })),
  '@schemaLocation': Type.Optional(Type.String({ description: 'Where its own members are' }))
}
const referenceMembers = {
  href: Type.Optional(Type.String({ description: 'Where it is' })),
  name: Type.Optional(Type.String({ description: 'For people' })),
  ...typeMembers,
  '@referredType': Type.Optional(Type.String({ description: 'What is referred to' }))
}

export const TmfErrorSchema = Type.Object(
  {
    code: enumOf(
      Object.fromEntries(Object.entries(problems).map(([code, one]) => [code, one.title]))
    ),
    reason: Type.String({ description: 'What the code means, always in the same words' }),
    message: Type.String({ description: 'What it was this time, each fault on a line' }),
    status: Type.String({ description: 'The status of the answer' }),
    referenceError: Type.String({ description: 'A page about this code, with its cause and cure' }),
    requestId: Type.String({ description: 'As `X-Request-Id`: say it when you ask for help' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({ description: 'JSON pointer (RFC 6901) to the member' }),
          detail: Type.String({ description: 'What is wrong with it' })
        }),
        { description: 'Every member or parameter that is wrong' }
      )
    ),
    paymentId: Type.Optional(Type.String({ description: 'The payment that it is about' })),
    difference: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'What differs from what is there' })
    ),
    '@type': Type.String({ description: 'Error' }),
    '@baseType': Type.String({ description: 'Error' })
  },
  { $id: 'TmfError', description: 'TMF630; made of the same problems as those of /v1' }
)

export const TmfMoneySchema = Type.Object(
  {
    unit: Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217' }),
    value: Type.Number({ description: 'Major units, an exact decimal: 11.6' })
  },
  { $id: 'TmfMoney', description: 'Money', examples: [{ unit: 'GBP', value: 11.6 }] }
)

const id = (description: string) => text(255, { minLength: 1, description })

export const TmfAccountRefSchema = Type.Object(
  {
    id: Type.String({
      pattern: '^[1-9][0-9]{0,7}$',
      description: 'The number of the account',
      examples: ['10000001']
    }),
    ...referenceMembers
  },
  { $id: 'TmfAccountRef', description: 'The account that it is of' }
)

export const TmfEntityRefSchema = Type.Object(
  { id: id('Its id'), ...referenceMembers },
  { $id: 'TmfEntityRef', description: 'Something elsewhere' }
)

export const TmfChannelRefSchema = Type.Object(
  { id: id('Of ours, or of the sender'), ...referenceMembers },
  { $id: 'TmfChannelRef', description: 'By which way it came' }
)

export const TmfRelatedPartySchema = Type.Object(
  {
    id: id('The id of the party'),
    role: Type.Optional(Type.String({ description: 'What it is to this' })),
    ...referenceMembers
  },
  { $id: 'TmfRelatedParty', description: 'A person or an organisation' }
)

export const TmfCharacteristicSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100, description: 'Which' }),
    value: Type.Unknown({ description: 'Of any type' }),
    ...typeMembers
  },
  { $id: 'TmfCharacteristic', description: 'What the standard has no member for' }
)

/** An answer: which members it has its caller chooses, and its sender may have added some. */
export const shown = (schema: TSchema) => ref(schema) as TSchema as TUnsafe<object>

const fields = Type.Optional(
  Type.String({
    description: 'The members that are asked for, with commas; `id`, `href` and `@type` come always'
  })
)

/** The query of one resource, for the document: `readTmfFields` reads it. */
export const tmfFieldsQuery = Type.Object({ fields })

/** The query of a list that has these filters, for the document: `readTmfQuery` reads it. */
export function tmfListQuery(filters: Readonly<Record<string, string>>) {
  const described = Object.entries(filters).map(([name, description]) => [
    name,
    Type.Optional(Type.String({ description }))
  ])
  return Type.Object({
    fields,
    offset: Type.Optional(
      Type.Integer({ minimum: 0, maximum: offsetMax, default: 0, description: 'How many to skip' })
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, default: 20, description: 'Page size' })
    ),
    ...Object.fromEntries(described)
  })
}
