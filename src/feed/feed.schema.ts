import { Type } from 'typebox'
import { nullable, ref, Timestamp } from '../http/common.schema.ts'
import { EventSchema } from '../payments/payment.schema.ts'

const [example] = (EventSchema as { examples?: unknown[] }).examples ?? []

export const FeedEventSchema = Type.Object(
  {
    id: Type.String({ description: 'The same in every delivery: take each once' }),
    type: Type.String({ examples: ['payment.captured'] }),
    createdAt: Timestamp,
    accountId: nullable(Type.String()),
    paymentId: nullable(Type.String({ description: 'Null where it happened to no payment' })),
    sequence: nullable(
      Type.Integer({ minimum: 1, description: 'Of the payment: from 1, without holes' })
    ),
    data: Type.Unsafe<Record<string, unknown>>({
      type: 'object',
      additionalProperties: true,
      description: 'The payment as it was then, and what the event is about'
    })
  },
  { $id: 'FeedEvent', examples: [example] }
)

export const FeedPage = Type.Object(
  {
    data: Type.Array(ref(FeedEventSchema)),
    nextCursor: Type.String({
      description: 'Never null: at the end it is the position to ask again from, as `after`'
    })
  },
  { examples: [{ data: [example], nextCursor: 'WyI0MTciXQ' }] }
)

export const FeedQuery = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        maxLength: 200,
        description: '`nextCursor` of the answer before; without it from the oldest'
      })
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, default: 20, description: 'Page size' })
    )
  },
  { additionalProperties: false }
)

export const PreferHeader = Type.Object({
  prefer: Type.Optional(
    Type.String({ description: '`wait=N`: wait up to N seconds, at most 30 (RFC 7240)' })
  )
})
