import { Type } from 'typebox'
import {
  AccountId,
  Amount,
  Balance,
  Currency,
  ListQuery,
  minorUnits,
  nullable,
  pageOf,
  ref,
  Timestamp,
  text,
  timeOf
} from '../http/common.schema.ts'

export const AccountParams = Type.Object({ accountId: Type.String({ maxLength: 100 }) })

export const ChargeParams = Type.Object({
  ...AccountParams.properties,
  chargeId: Type.String({ maxLength: 100 })
})

export const PutAccount = Type.Object(
  {
    currency: Currency,
    name: Type.Optional(text(120)),
    status: Type.Optional(
      Type.Enum(['open', 'closed'], { description: 'Default: as it is; a new account is open' })
    )
  },
  {
    $id: 'PutAccount',
    additionalProperties: false,
    examples: [{ currency: 'GBP', name: 'A. Customer', status: 'open' }]
  }
)

export const AccountSchema = Type.Object(
  {
    id: AccountId,
    currency: Currency,
    name: nullable(Type.String({ description: 'For people' })),
    status: Type.Enum(['open', 'closed'], {
      description: 'closed: it takes no new payments or charges; late money is still booked'
    }),
    balance: Type.Object(
      {
        outstanding: ref(
          Balance,
          'Owed and not yet paid: charges, in query or not, and money taken back'
        ),
        overdue: ref(Balance, 'Outstanding, past due and not in query'),
        inQuery: ref(Balance, 'Outstanding, and questioned by the customer: not matched to money'),
        credit: ref(Balance, 'Money that no charge has taken yet')
      },
      { description: 'What is owed, and what is there to pay it' }
    )
  },
  {
    $id: 'Account',
    examples: [
      {
        id: '10000001',
        currency: 'GBP',
        name: 'A. Customer',
        status: 'open',
        balance: {
          outstanding: { currency: 'GBP', value: 4200 },
          overdue: { currency: 'GBP', value: 2500 },
          inQuery: { currency: 'GBP', value: 0 },
          credit: { currency: 'GBP', value: 0 }
        }
      }
    ]
  }
)

export const CreateCharge = Type.Object(
  {
    amount: Amount,
    reference: text(69, { minLength: 1, description: 'Unique on the account: the invoice' }),
    dueAt: Type.String({ format: 'date-time', description: 'When it is to be paid' })
  },
  {
    $id: 'CreateCharge',
    additionalProperties: false,
    examples: [
      {
        amount: { currency: 'GBP', value: 4200 },
        reference: 'INV-1001',
        dueAt: '2026-12-01T00:00:00Z'
      }
    ]
  }
)

export const ChargeSchema = Type.Object(
  {
    id: Type.String({ examples: ['chg_06f1k2m3n4p5q6r7'] }),
    amount: ref(Amount),
    openAmount: minorUnits('Not yet paid'),
    inQuery: Type.Boolean({ description: 'Whether the customer questions it' }),
    reference: Type.String(),
    dueAt: timeOf('When it is to be paid'),
    status: Type.Enum(['open', 'paid'], { description: 'open: something of it is owed' }),
    createdAt: Timestamp
  },
  {
    $id: 'Charge',
    examples: [
      {
        id: 'chg_06f1k2m3n4p5q6r7',
        amount: { currency: 'GBP', value: 4200 },
        openAmount: 1700,
        inQuery: false,
        reference: 'INV-1001',
        dueAt: '2026-12-01T00:00:00.000Z',
        status: 'open',
        createdAt: '2026-11-01T09:00:00.000Z'
      }
    ]
  }
)

export const ChangeCharge = Type.Object(
  { inQuery: Type.Boolean({ description: 'Whether the customer questions it' }) },
  { $id: 'ChangeCharge', additionalProperties: false, examples: [{ inQuery: true }] }
)

export const ChargePage = pageOf(ChargeSchema)
export const ListChargesQuery = Type.Object(
  {
    ...ListQuery,
    status: Type.Optional(
      Type.Enum(['open', 'paid'], { description: 'open: something of it is owed' })
    )
  },
  { additionalProperties: false }
)

const EntrySchema = Type.Object(
  {
    id: Type.String({ examples: ['txn_06f1k2m3n4p5q6r7.credit'] }),
    createdAt: Timestamp,
    account: Type.String({
      description:
        'customer: what the customer owes; billing: what was charged, less what was settled ' +
        'elsewhere; provider: what the payment provider owes us; processors: what other ' +
        'processors do; clearing: money on its way back or in doubt; writeOffs: such money that ' +
        'was given up',
      examples: ['customer']
    }),
    amount: ref(Amount),
    direction: Type.Enum(['debit', 'credit'], { description: 'The side of `account` it is on' }),
    cause: Type.Object(
      { type: Type.String({ examples: ['payment'] }), id: Type.String() },
      { description: 'What moved it' }
    ),
    paymentId: nullable(Type.String())
  },
  {
    $id: 'Entry',
    examples: [
      {
        id: 'txn_06f1k2m3n4p5q6r7.credit',
        createdAt: '2026-11-22T09:00:00.000Z',
        account: 'customer',
        amount: { currency: 'GBP', value: 2500 },
        direction: 'credit',
        cause: { type: 'payment', id: 'pay_06f1k2m3n4p5q6r7' },
        paymentId: 'pay_06f1k2m3n4p5q6r7'
      }
    ],
    description: 'One side of a transfer: each has a debit and a credit of the same amount'
  }
)
export const EntryPage = pageOf(EntrySchema)
