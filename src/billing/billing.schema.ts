import { type Static, type TSchema, Type } from 'typebox'
import {
  Balance,
  Currency,
  countOf,
  nullable,
  pageOf,
  ref,
  Timestamp,
  text
} from '../http/common.schema.ts'
import { recordsMax, transactionTypes, uploadFields } from './billing.ts'

const count = countOf('How many')

export const BillingFileSchema = Type.Object(
  {
    id: Type.String(),
    externalFileName: Type.String({ maxLength: 20, description: 'Its name in CMP: its id' }),
    transactionType: Type.Enum([...transactionTypes], {
      description: 'payment: what lessens a debt. refund: what adds to it'
    }),
    recordCount: count,
    totalAmount: ref(Balance, 'The sum of its details'),
    counts: Type.Object(
      { open: count, posted: count, rejected: count },
      { description: 'What the billing system made of its details' }
    ),
    createdAt: Timestamp
  },
  {
    $id: 'BillingFile',
    examples: [
      {
        id: 'bil_06f1k2m3n4p5q6r9',
        externalFileName: 'bil_06f1k2m3n4p5q6r9',
        transactionType: 'payment',
        recordCount: 2,
        totalAmount: { currency: 'GBP', value: 3750 },
        counts: { open: 2, posted: 0, rejected: 0 },
        createdAt: '2026-11-22T22:00:00.000Z'
      }
    ]
  }
)
export const BillingFilePage = pageOf(BillingFileSchema)
export const FileParams = Type.Object({ id: Type.String() })

export const MakeFile = Type.Object(
  {
    currency: Currency,
    transactionType: Type.Enum([...transactionTypes], {
      description: 'payment: what lessens a debt. refund: what adds to it'
    })
  },
  {
    $id: 'MakeBillingFile',
    additionalProperties: false,
    examples: [{ currency: 'GBP', transactionType: 'payment' }]
  }
)

export const AcknowledgeFile = Type.Object(
  { outcome: Type.Enum(['posted'], { description: 'All that is still open of it' }) },
  { $id: 'AcknowledgeBillingFile', additionalProperties: false, examples: [{ outcome: 'posted' }] }
)

const types: Record<string, TSchema> = {
  recordCount: count,
  totalAmount: Type.Number({ minimum: 0, maximum: 999_999_999.99 }),
  detailSequence: Type.Integer({ minimum: 1 }),
  hierarchyEntity: Type.Object(
    { accountId: Type.Integer({ minimum: 1, maximum: 99_999_999 }) },
    { description: 'The account' }
  ),
  amount: Type.Number({ minimum: 0, maximum: 9_999_999.99 }),
  paymentReference: nullable(Type.String({ maxLength: 40 })),
  cardReference: nullable(Type.String({ maxLength: 30 })),
  externalReference: nullable(Type.String({ maxLength: 69 }))
}

/** The fields of a part of the file, as the table of them says. */
function toProperties(fields: Record<string, readonly [string, string]>): Record<string, TSchema> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, [source, says]]) => {
      const description = source === 'assumed' ? `Assumed, not documented by CMP. ${says}` : says
      return [name, { ...(types[name] ?? Type.String()), description }]
    })
  )
}

export const UploadSchema = Type.Object(
  {
    ...toProperties(uploadFields.header),
    details: Type.Array(Type.Object(toProperties(uploadFields.details)), {
      maxItems: recordsMax,
      description: 'One for each posting'
    })
  },
  {
    $id: 'NonRecurringPayments',
    description: 'CMP, "Non Recurring Payments" (draft of 2019-09)',
    examples: [
      {
        interfaceCategory: 'Payments',
        interfaceType: 'Upload',
        version: '1.0',
        transformDateTime: '2026-11-22T22:00:00.000Z',
        transmitDateTime: '2026-11-22T22:00:00.000Z',
        externalFileName: 'bil_06f1k2m3n4p5q6r9',
        recordCount: 1,
        isoCurrencyCode: 'GBP',
        totalAmount: 25,
        paymentSource: 'PAYMENT',
        details: [
          {
            detailSequence: 1,
            hierarchyEntity: { accountId: 10000001 },
            transactionType: 'PAYMENT',
            transactionId: 'pay_06f1k2m3n4p5q6r7',
            paymentReference: '852617375522786K',
            cardReference: null,
            externalReference: 'basket-77',
            transactionDateTime: '2026-11-22T10:00:00.000Z',
            amount: 25,
            remark: 'payment txn_06f1k2m3n4p5q6r8'
          }
        ]
      }
    ]
  }
)

/** The header of CMP's rejections file is not public: what its upload has there is let through. */
const unread = Object.fromEntries(
  Object.keys(uploadFields.header)
    .filter((name) => name !== 'externalFileName')
    .map((name) => [name, Type.Optional(Type.Unknown({ description: 'Not read' }))])
)

const RejectedDetail = Type.Object(
  {
    detailSequence: Type.Integer({
      minimum: 1,
      maximum: recordsMax,
      description: 'Of the detail, in its file'
    }),
    hierarchyEntity: Type.Object(
      { accountId: Type.Integer({ minimum: 1, maximum: 99_999_999 }) },
      { description: 'The account' }
    ),
    transactionType: Type.Enum(['PAYMENT', 'REFUND'], { description: 'As in the file' }),
    transactionId: Type.Optional(text(100, { description: 'As in the file' })),
    rejectionReason: Type.Optional(
      text(255, { minLength: 1, description: 'Assumed, not documented by CMP' })
    )
  },
  { description: 'CMP’s layout is known in part: other fields are let through and not read' }
)

export const RejectDetails = Type.Object(
  {
    externalFileName: text(100, { minLength: 1, description: 'The name of the file' }),
    ...unread,
    details: Type.Array(RejectedDetail, {
      minItems: 1,
      maxItems: recordsMax,
      description: 'What was rejected of it'
    })
  },
  {
    $id: 'BillingRejections',
    additionalProperties: false,
    examples: [
      {
        externalFileName: 'bil_06f1k2m3n4p5q6r9',
        details: [
          {
            detailSequence: 1,
            hierarchyEntity: { accountId: 10000001 },
            transactionType: 'PAYMENT',
            transactionId: 'pay_06f1k2m3n4p5q6r7',
            rejectionReason: 'The account is archived'
          }
        ]
      }
    ]
  }
)
export type RejectedDetailBody = Static<typeof RejectedDetail>
