import { Type } from 'typebox'
import { AccountId, Amount, nullable, pageOf, ref, Timestamp, text } from '../http/common.schema.ts'

const Direction = Type.Enum(['credit', 'debit'], {
  description: 'credit: the customer owes less by it; debit: more'
})

export const CreateAdjustment = Type.Object(
  {
    amount: Amount,
    direction: Direction,
    reference: text(69, {
      minLength: 1,
      description: 'Unique among the adjustments of the account'
    }),
    reason: text(255, { minLength: 1, description: 'For people' }),
    chargeId: Type.Optional(
      Type.String({
        maxLength: 100,
        description: 'The charge that a credit pays, or a debit reopens, before any other'
      })
    )
  },
  {
    $id: 'CreateAdjustment',
    additionalProperties: false,
    examples: [
      {
        amount: { currency: 'GBP', value: 1200 },
        direction: 'credit',
        reference: 'ADJ-2001',
        reason: 'Paid by bank transfer',
        chargeId: 'chg_06f1k2m3n4p5q6r7'
      }
    ]
  }
)

export const AdjustmentSchema = Type.Object(
  {
    id: Type.String({ examples: ['adj_06f1k2m3n4p5q6r7'] }),
    accountId: AccountId,
    amount: ref(Amount),
    direction: Direction,
    reference: Type.String(),
    reason: Type.String(),
    chargeId: nullable(Type.String()),
    createdAt: Timestamp
  },
  {
    $id: 'Adjustment',
    examples: [
      {
        id: 'adj_06f1k2m3n4p5q6r7',
        accountId: '10000001',
        amount: { currency: 'GBP', value: 1200 },
        direction: 'credit',
        reference: 'ADJ-2001',
        reason: 'Paid by bank transfer',
        chargeId: 'chg_06f1k2m3n4p5q6r7',
        createdAt: '2026-11-22T09:00:00.000Z'
      }
    ]
  }
)
export const AdjustmentPage = pageOf(AdjustmentSchema)
