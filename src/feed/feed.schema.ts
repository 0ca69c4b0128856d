import { Type } from 'typebox'
import { growingListQuery, growingPageOf, nullable, Timestamp } from '../http/common.schema.ts'
import { EventSchema } from '../payments/payment.schema.ts'

const [example] = (EventSchema as { examples?: unknown[] }).examples ?? []

const FeedEventSchema = Type.Object(
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

export const FeedPage = growingPageOf(FeedEventSchema)
export const FeedQuery = Type.Object(growingListQuery, { additionalProperties: false })
