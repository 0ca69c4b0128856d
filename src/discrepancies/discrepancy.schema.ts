import { Type } from 'typebox'
import {
  createdRange,
  enumOf,
  ListQuery,
  nullable,
  pageOf,
  ref,
  text,
  timeOf
} from '../http/common.schema.ts'
import { OperatorId, OperatorView } from '../payments/payment.schema.ts'
import {
  askedMeanings,
  discrepancyStatuses,
  kindMeanings,
  resolutionMeanings
} from './discrepancy.ts'

export const KindSchema = enumOf(kindMeanings, {
  $id: 'DiscrepancyKind',
  intro: 'What we have, what the other side says, and what a person may decide.'
})
export const ResolutionSchema = enumOf(resolutionMeanings, { $id: 'Resolution' })

const Decider = Type.Object(
  { id: OperatorId },
  { additionalProperties: false, description: 'The person who decides' }
)

export const DiscrepancySchema = Type.Object(
  {
    id: Type.String({ examples: ['dis_06f1k2m3n4p5q6r7'] }),
    kind: ref(KindSchema),
    status: Type.Enum([...discrepancyStatuses], { description: 'open: nobody has decided yet' }),
    paymentId: nullable(Type.String({ description: 'The payment that it is about' })),
    accountId: nullable(Type.String({ description: 'The account of that payment' })),
    ours: Type.String({ description: 'What we have' }),
    theirs: Type.String({ description: 'What the other side says' }),
    details: Type.Unsafe<Record<string, unknown>>({
      type: 'object',
      additionalProperties: true,
      description:
        'The facts of both sides; their members depend on the kind. `reopened`: decisions whose ' +
        'refund came to nothing'
    }),
    ageSeconds: Type.Integer({ minimum: 0, description: 'How long it has been known' }),
    resolutions: Type.Array(ref(ResolutionSchema), {
      description: 'What it may be resolved by; none once it is'
    }),
    resolution: nullable(
      Type.Object(
        {
          resolution: ref(ResolutionSchema),
          reason: nullable(Type.String({ description: 'Why; null where nobody decided' })),
          operator: nullable(OperatorView),
          at: timeOf('When')
        },
        { description: 'What was decided, by whom and why' }
      )
    ),
    createdAt: timeOf('When it was found')
  },
  {
    $id: 'Discrepancy',
    examples: [
      {
        id: 'dis_06f1k2m3n4p5q6r7',
        kind: 'settlement_amount',
        status: 'open',
        paymentId: 'pay_06f1k2m3n4p5q6r7',
        accountId: '10000001',
        ours: 'Another amount or currency is recorded.',
        theirs: 'The payment provider settled this amount.',
        details: {
          ours: {
            type: 'authorisation',
            id: '8835511210681145',
            amount: { currency: 'GBP', value: 2500 }
          },
          theirs: { type: 'Settled', batch: '41', gross: { currency: 'GBP', value: 2400 } }
        },
        ageSeconds: 86_400,
        resolutions: ['acknowledged'],
        resolution: null,
        createdAt: '2026-11-22T06:00:08.000Z'
      }
    ]
  }
)
export const DiscrepancyPage = pageOf(DiscrepancySchema)

export const ListDiscrepanciesQuery = Type.Object(
  {
    ...ListQuery,
    kind: Type.Optional(ref(KindSchema)),
    status: Type.Optional(
      Type.Enum([...discrepancyStatuses], { description: 'open: nobody has decided yet' })
    ),
    paymentId: Type.Optional(text(100, { description: 'The payment that it is about' })),
    ...createdRange
  },
  { additionalProperties: false }
)

export const ResolveDiscrepancy = Type.Object(
  {
    resolution: enumOf(askedMeanings),
    reason: text(255, { minLength: 1, description: 'Why, for whoever reads it later' }),
    operator: Decider
  },
  {
    $id: 'ResolveDiscrepancy',
    additionalProperties: false,
    examples: [
      {
        resolution: 'acknowledged',
        reason: 'Adyen corrects it in batch 42',
        operator: { id: 'finance-3' }
      }
    ]
  }
)
