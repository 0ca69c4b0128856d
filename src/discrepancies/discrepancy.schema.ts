import { Type } from 'typebox'
import {
  createdRange,
  ListQuery,
  nullable,
  pageOf,
  Timestamp,
  text
} from '../http/common.schema.ts'
import { OperatorId, OperatorView } from '../payments/payment.schema.ts'
import {
  askedResolutions,
  discrepancyKinds,
  discrepancyStatuses,
  resolutions
} from './discrepancy.ts'

const Decider = Type.Object(
  { id: OperatorId },
  { additionalProperties: false, description: 'The person who decides' }
)

export const DiscrepancySchema = Type.Object(
  {
    id: Type.String({ examples: ['dis_06f1k2m3n4p5q6r7'] }),
    kind: Type.Enum([...discrepancyKinds]),
    status: Type.Enum([...discrepancyStatuses]),
    paymentId: nullable(Type.String()),
    accountId: nullable(Type.String()),
    ours: Type.String({ description: 'What we have' }),
    theirs: Type.String({ description: 'What the other side says' }),
    details: Type.Unsafe<Record<string, unknown>>({
      type: 'object',
      additionalProperties: true,
      description:
        'The facts of both sides; their members depend on the kind. `reopened`: decisions whose ' +
        'refund came to nothing'
    }),
    ageSeconds: Type.Integer({ minimum: 0 }),
    resolutions: Type.Array(Type.Enum([...resolutions]), {
      description: 'What it may be resolved by; none once it is'
    }),
    resolution: nullable(
      Type.Object({
        resolution: Type.Enum([...resolutions], {
          description:
            'settled: what was missing has come; matched: the record became known that explains ' +
            'the line. Nobody had to decide either'
        }),
        reason: nullable(Type.String()),
        operator: nullable(OperatorView),
        at: Timestamp
      })
    ),
    createdAt: Timestamp
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
    kind: Type.Optional(Type.Enum([...discrepancyKinds])),
    status: Type.Optional(Type.Enum([...discrepancyStatuses])),
    paymentId: Type.Optional(text(100)),
    ...createdRange
  },
  { additionalProperties: false }
)

export const ResolveDiscrepancy = Type.Object(
  {
    resolution: Type.Enum([...askedResolutions], {
      description:
        'applyToAccount: held money pays the account. writtenOff: held money is given up. ' +
        'sendBack, retryReversal: the payment provider is asked to give it back. keep: the money ' +
        'stays on the account. refund: what is left of the payment is refunded. acknowledged: ' +
        'looked into and mended elsewhere; nothing moves here'
    }),
    reason: text(255, { minLength: 1 }),
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
