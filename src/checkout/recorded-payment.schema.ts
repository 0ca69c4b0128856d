import { type Static, Type } from 'typebox'
import { AccountId, Amount, ref, text, when } from '../http/common.schema.ts'
import {
  ChannelSchema,
  FailureCodeSchema,
  OperatorRef,
  Processor,
  Reference
} from '../payments/payment.schema.ts'

const RecordedCard = Type.Object(
  {
    brand: Type.Optional(text(40, { minLength: 1, description: 'Such as visa or mc' })),
    lastFour: Type.Optional(
      Type.String({ pattern: '^[0-9]{4}$', description: 'The last four digits' })
    ),
    expiryMonth: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 12, description: 'From 1 to 12' })
    ),
    expiryYear: Type.Optional(
      Type.Integer({ minimum: 2000, maximum: 2099, description: 'Four digits' })
    ),
    funding: Type.Optional(text(40, { minLength: 1, description: 'Such as credit or debit' }))
  },
  { additionalProperties: false, description: 'For display only' }
)

export const RecordPayment = Type.Object(
  {
    accountId: AccountId,
    amount: Amount,
    channel: ref(ChannelSchema),
    outcome: Type.Enum(['captured', 'refused'], { description: 'What came of it' }),
    processor: Processor,
    authorisationCode: Type.Optional(
      text(40, { minLength: 1, description: "The code of the card's bank" })
    ),
    takenAt: Type.String({ format: 'date-time', description: 'When it was taken, or refused' }),
    card: Type.Optional(RecordedCard),
    failure: Type.Optional(
      Type.Object(
        {
          code: ref(FailureCodeSchema),
          message: Type.Optional(text(255, { description: 'For people' })),
          retryable: Type.Optional(Type.Boolean({ description: 'Whether another try can succeed' }))
        },
        { additionalProperties: false, description: 'Why it was refused' }
      )
    ),
    operator: Type.Optional(OperatorRef),
    reference: Type.Optional(Reference)
  },
  {
    $id: 'RecordPayment',
    additionalProperties: false,
    allOf: [
      // Whoever acts for the customer is named, and says why.
      when({ channel: { const: 'agent' } }, ['channel'], {
        required: ['operator'],
        properties: { operator: { type: 'object', required: ['reason'] } }
      }),
      when({ outcome: { const: 'captured' } }, ['outcome'], { properties: { failure: false } })
    ],
    examples: [
      {
        accountId: '10000001',
        amount: { currency: 'GBP', value: 2500 },
        channel: 'ivr',
        outcome: 'captured',
        processor: { name: 'ivr-platform', reference: '2026-11-22/000417' },
        authorisationCode: '064913',
        takenAt: '2026-11-22T09:58:00Z',
        card: { brand: 'visa', lastFour: '1111' }
      }
    ]
  }
)
export type RecordPaymentBody = Static<typeof RecordPayment>
