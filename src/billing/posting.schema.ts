import { Type } from 'typebox'
import {
  AccountId,
  Amount,
  growingListQuery,
  growingPageOf,
  nullable,
  ref,
  Timestamp,
  text,
  when
} from '../http/common.schema.ts'
import { ChannelSchema } from '../payments/payment.schema.ts'
import { postingKinds, postingStatuses } from './posting.ts'

const example = {
  id: 'txn_06f1k2m3n4p5q6r8',
  accountId: '10000001',
  amount: { currency: 'GBP', value: 2500 },
  direction: 'credit',
  kind: 'payment',
  paymentId: 'pay_06f1k2m3n4p5q6r7',
  cause: { type: 'payment', id: 'pay_06f1k2m3n4p5q6r7' },
  transactionReference: 'pay_06f1k2m3n4p5q6r7',
  paymentReference: '852617375522786K',
  externalReference: 'basket-77',
  cardReference: null,
  channel: 'selfcare',
  occurredAt: '2026-11-22T10:00:00.000Z',
  status: 'open',
  acknowledgedAt: null,
  reason: null,
  billingFileId: null
}

export const PostingSchema = Type.Object(
  {
    id: Type.String({ description: 'Take each once' }),
    accountId: AccountId,
    amount: ref(Amount),
    direction: Type.Enum(['credit', 'debit'], {
      description: 'credit: the customer owes less. debit: the customer owes more'
    }),
    kind: Type.Enum([...postingKinds], { description: 'Why it moved' }),
    paymentId: Type.String(),
    cause: Type.Object(
      { type: Type.String(), id: Type.String() },
      { description: 'What moved it' }
    ),
    transactionReference: Type.String({
      maxLength: 20,
      description: "CMP's TransactionReference: the payment's id"
    }),
    paymentReference: nullable(
      Type.String({
        maxLength: 40,
        description:
          "CMP's PaymentReference: the provider's reference of the money, or the processor's; " +
          'null where it has more than 40 characters'
      })
    ),
    externalReference: nullable(
      Type.String({ maxLength: 69, description: "CMP's ExternalReference: the caller's own" })
    ),
    cardReference: nullable(
      Type.String({ maxLength: 30, description: "CMP's CardReference: the registered card" })
    ),
    channel: ref(ChannelSchema),
    occurredAt: Timestamp,
    status: Type.Enum([...postingStatuses], {
      description: 'open: the billing system has not said what it made of it'
    }),
    acknowledgedAt: nullable(Timestamp),
    reason: nullable(Type.String({ description: 'Why the billing system rejected it' })),
    billingFileId: nullable(Type.String({ description: 'The file that it is in' }))
  },
  { $id: 'Posting', examples: [example] }
)

export const PostingPage = growingPageOf(PostingSchema)
export const PostingQuery = Type.Object(
  {
    status: Type.Optional(
      Type.Enum([...postingStatuses], {
        description: 'open: billing has not said what it made of it'
      })
    ),
    ...growingListQuery
  },
  { additionalProperties: false }
)

export const PostingParams = Type.Object({ id: Type.String() })

export const AcknowledgePosting = Type.Object(
  {
    outcome: Type.Enum(['posted', 'rejected'], { description: 'What billing made of it' }),
    reason: Type.Optional(
      text(255, { minLength: 1, description: 'Required where it was rejected' })
    )
  },
  {
    $id: 'AcknowledgePosting',
    additionalProperties: false,
    ...when({ outcome: { const: 'rejected' } }, ['outcome'], { required: ['reason'] }),
    examples: [{ outcome: 'posted' }, { outcome: 'rejected', reason: 'The account is archived' }]
  }
)
