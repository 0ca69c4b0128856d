import { Type } from 'typebox'
import { countOf, ListQuery, nullable, pageOf, Timestamp } from '../http/common.schema.ts'
import { reportKinds, reportStatuses } from './settlement.ts'

const count = countOf

export const ReportSchema = Type.Object(
  {
    id: Type.String({ examples: ['set_06f1k2m3n4p5q6r7'] }),
    status: Type.Enum([...reportStatuses], {
      description:
        'awaitingUpload: the payment provider has it, and a person must fetch and upload it; ' +
        'done with no lines: what the provider has was uploaded, or is another report; ' +
        'refused: it is not whole or can’t be read, and nothing of it was kept but the lines ' +
        'that were `applied`'
    }),
    kind: nullable(
      Type.Enum([...reportKinds], { description: 'Which report of the provider; null until read' })
    ),
    origin: Type.Enum(['upload', 'provider'], { description: 'How it came' }),
    fileName: nullable(Type.String({ description: 'As the payment provider calls it' })),
    lines: count('Read so far'),
    applied: count('Of them matched or shown to a person so far'),
    matched: count('New lines that stand for a fact of ours'),
    discrepancies: count('Found by it'),
    unknownTypes: Type.Array(Type.String(), {
      description: 'Types of lines that are not known here; they are kept all the same'
    }),
    uncheckedBatches: Type.Array(Type.String(), {
      description:
        'Batches that carry a balance and do not add up to 0: whether they are whole could not ' +
        'be checked'
    }),
    unknownZones: Type.Array(Type.String(), {
      description:
        'Time zones of lines that are not known here: when those were settled is not said, and ' +
        'money that is missing is looked for up to the earliest time that they can mean'
    }),
    fault: nullable(Type.String()),
    createdAt: Timestamp,
    finishedAt: nullable(Timestamp)
  },
  {
    $id: 'SettlementReport',
    examples: [
      {
        id: 'set_06f1k2m3n4p5q6r7',
        status: 'done',
        kind: 'settlementDetails',
        origin: 'provider',
        fileName: 'settlement_detail_report_batch_41.csv',
        lines: 10_002,
        applied: 10_002,
        matched: 10_000,
        discrepancies: 0,
        unknownTypes: [],
        uncheckedBatches: [],
        unknownZones: [],
        fault: null,
        createdAt: '2026-11-22T06:00:00.000Z',
        finishedAt: '2026-11-22T06:00:08.000Z'
      }
    ]
  }
)
export const ReportPage = pageOf(ReportSchema)

export const ListReportsQuery = Type.Object(
  {
    ...ListQuery,
    status: Type.Optional(Type.Enum([...reportStatuses], { description: 'How far it is' }))
  },
  { additionalProperties: false }
)

export const UploadQuery = Type.Object(
  {
    fileName: Type.Optional(
      Type.String({
        maxLength: 255,
        pattern: '^[A-Za-z0-9][ -.0-\\x5B\\x5D-~]*$',
        description: 'As the payment provider calls it; a report that awaits its upload is this one'
      })
    )
  },
  { additionalProperties: false }
)

/** The file itself, which is read as a stream and by nobody here. */
export const ReportFile = {
  content: {
    'text/csv': {
      schema: {
        type: 'string',
        description:
          'A settlement details or payment accounting report, as it came; at most 1 GiB, sent ' +
          'within two minutes',
        examples: ['Company Account,Merchant Account,Psp Reference,…']
      }
    }
  }
}
