import { Type } from 'typebox'
import {
  AccountId,
  Currency,
  ListQuery,
  minorUnits,
  nullable,
  pageOf,
  ref,
  Timestamp,
  timeOf
} from '../http/common.schema.ts'
import { disputeStages, disputeStatuses } from '../lifecycle/model.ts'

const StatusSchema = Type.Enum([...disputeStatuses], {
  description: 'won: the money stays. lost: it is gone'
})

export const DisputeSchema = Type.Object(
  {
    id: Type.String(),
    paymentId: Type.String({ description: 'The payment that is questioned' }),
    accountId: Type.Optional(AccountId),
    status: StatusSchema,
    stage: Type.Enum([...disputeStages], {
      description:
        'informationRequest: a question, which does not block refunds. chargebackReversed is not ' +
        'final: a second chargeback can follow'
    }),
    amount: Type.Object(
      { currency: ref(Currency), value: minorUnits('0 where the bank only asks') },
      { description: 'What is questioned' }
    ),
    amountChargedBack: minorUnits('What the bank has taken and not given back'),
    reason: nullable(Type.String({ description: "The bank's words" })),
    reasonCode: nullable(Type.String({ description: "The card scheme's code" })),
    defendBy: nullable(timeOf('Until when it can be defended')),
    provider: Type.Object(
      { reference: Type.String({ description: 'Its reference of the dispute' }) },
      { description: 'The payment provider' }
    ),
    createdAt: Timestamp,
    updatedAt: Timestamp,
    closedAt: nullable(Timestamp)
  },
  {
    $id: 'Dispute',
    examples: [
      {
        id: 'dsp_06f1k2m3n4p5q6r7',
        paymentId: 'pay_06f1k2m3n4p5q6r7',
        accountId: '10000001',
        status: 'open',
        stage: 'chargeback',
        amount: { currency: 'GBP', value: 2500 },
        amountChargedBack: 2500,
        reason: 'Fraudulent Processing of Transactions',
        reasonCode: '10.4',
        defendBy: '2026-12-20T00:00:00.000Z',
        provider: { reference: 'QFQTPCQ8HXSKGK82' },
        createdAt: '2026-11-22T10:00:00.000Z',
        updatedAt: '2026-11-22T10:00:00.000Z',
        closedAt: null
      }
    ]
  }
)

export const DisputePage = pageOf(DisputeSchema)

export const ListDisputesQuery = Type.Object(
  {
    ...ListQuery,
    status: Type.Optional(StatusSchema),
    defendBefore: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'Only those that can be defended until a time before this; soonest first'
      })
    ),
    accountId: Type.Optional(AccountId)
  },
  { additionalProperties: false }
)
