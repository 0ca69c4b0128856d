import { type Static, Type } from 'typebox'
import {
  AccountId,
  Amount,
  createdRange,
  identifier,
  ListQuery,
  nullable,
  pageOf,
  ref,
  Timestamp,
  text,
  textCharacter
} from '../http/common.schema.ts'
import { failureCodes } from '../provider.ts'
import { channels, methods, statuses } from './payment.ts'

const minorUnits = (description: string) => Type.Integer({ minimum: 0, description })

export const FailureSchema = Type.Object(
  {
    code: Type.Enum([...failureCodes]),
    message: Type.String(),
    retryable: Type.Boolean({ description: 'Whether another try can succeed' })
  },
  { $id: 'Failure' }
)

const CardSchema = Type.Object(
  {
    brand: nullable(Type.String()),
    lastFour: nullable(Type.String()),
    expiryMonth: nullable(Type.Integer()),
    expiryYear: nullable(Type.Integer()),
    funding: nullable(Type.String()),
    registeredCardId: nullable(Type.String())
  },
  { $id: 'Card', description: 'For display only; any part may be null' }
)

const SettlementSchema = Type.Object(
  {
    settledAt: nullable(Timestamp),
    batch: Type.String({ description: 'The payable batch, as on the bank statement' }),
    gross: Type.Integer({ description: 'Before fees' }),
    fees: Type.Integer(),
    net: Type.Integer({ description: 'gross less fees; negative where the fees are larger' }),
    currency: Type.String()
  },
  {
    $id: 'Settlement',
    description:
      'What the payment provider settled of it, in minor units of `currency`; settledAt is null ' +
      'where the time zone of its report leaves a doubt'
  }
)

export const Reference = text(69, { minLength: 1, description: "The caller's own reference" })
export const OperatorId = identifier(
  80,
  'Without invisible characters; compared without regard to case, spaces around it and width'
)
export const OperatorRef = Type.Object(
  { id: OperatorId, reason: Type.Optional(text(255, { minLength: 1 })) },
  { additionalProperties: false, description: 'The person who acts for the customer, or decides' }
)
const ownReference = 'Its own reference of the money'
export const Processor = Type.Object(
  { name: identifier(69, 'Who handled the money'), reference: identifier(80, ownReference) },
  { additionalProperties: false, description: 'Both without invisible characters' }
)
export const ProcessorView = Type.Object({ name: Type.String(), reference: Type.String() })

/** Of what somebody else reported the reason may be missing. */
export const OperatorView = Type.Object({ id: Type.String(), reason: Type.Optional(Type.String()) })

export const paymentExample = {
  id: 'pay_06f1k2m3n4p5q6r7',
  accountId: '10000001',
  amount: { currency: 'GBP', value: 2500 },
  channel: 'selfcare',
  method: 'hostedPage',
  status: 'pending',
  finished: false,
  failure: null,
  checkout: {
    url: 'https://eu.adyen.link/hosted/CSFF69355B6EAD2F68',
    expiresAt: '2026-11-22T10:00:00.000Z'
  },
  card: null,
  capture: 'automatic',
  amountCaptured: 0,
  amountRefunded: 0,
  amountChargedBack: 0,
  amountRefundable: 0,
  reference: 'basket-77',
  description: null,
  metadata: null,
  operator: null,
  provider: { name: 'adyen', reference: null },
  settlement: null,
  createdAt: '2026-11-22T09:00:00.000Z',
  updatedAt: '2026-11-22T09:00:00.000Z',
  finishedAt: null
}

export const PaymentSchema = Type.Object(
  {
    id: Type.String({ examples: ['pay_06f1k2m3n4p5q6r7'] }),
    accountId: AccountId,
    amount: ref(Amount),
    channel: Type.Enum([...channels]),
    method: Type.Enum([...methods], {
      description: 'A recorded payment was taken by another processor'
    }),
    status: Type.Enum([...statuses]),
    finished: Type.Boolean({
      description: 'True for captured, refused, cancelled, expired and failed'
    }),
    failure: nullable(ref(FailureSchema)),
    checkout: nullable(
      Type.Object({
        url: Type.String({ description: 'Send the customer here' }),
        expiresAt: Timestamp
      })
    ),
    card: nullable(ref(CardSchema)),
    capture: Type.Enum(['automatic', 'manual']),
    amountCaptured: minorUnits('Taken, in minor units of amount.currency'),
    amountRefunded: minorUnits('Given back'),
    amountChargedBack: minorUnits('Taken back by the card issuer'),
    amountRefundable: minorUnits('What can still be refunded'),
    reference: nullable(Type.String()),
    description: nullable(Type.String()),
    metadata: nullable(Type.Record(Type.String(), Type.String())),
    operator: nullable(OperatorView),
    provider: Type.Object({
      name: Type.String({ description: 'Of a recorded payment the processor that took it' }),
      reference: nullable(Type.String({ description: 'Its reference of the money' }))
    }),
    settlement: nullable(ref(SettlementSchema)),
    createdAt: Timestamp,
    updatedAt: Timestamp,
    finishedAt: nullable(Timestamp)
  },
  { $id: 'Payment', examples: [paymentExample] }
)
export type PaymentView = Static<typeof PaymentSchema>

export const ListPaymentsQuery = Type.Object(
  {
    ...ListQuery,
    accountId: Type.Optional(AccountId),
    status: Type.Optional(Type.Enum([...statuses])),
    channel: Type.Optional(Type.Enum([...channels])),
    reference: Type.Optional(Reference),
    ...createdRange
  },
  {
    additionalProperties: false,
    patternProperties: { [`^metadata\\.${textCharacter}{1,20}$`]: text(80) }
  }
)

export const PaymentPage = pageOf(PaymentSchema)
