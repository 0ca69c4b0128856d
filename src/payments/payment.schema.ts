import { type Static, Type } from 'typebox'
import {
  AccountId,
  Amount,
  CustomerSchema,
  ListQuery,
  nullable,
  pageOf,
  ref,
  Timestamp,
  text,
  textCharacter,
  textPattern
} from '../http/common.schema.ts'
import { failureCodes } from '../provider.ts'
import { createMethods } from './create-request.ts'
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

export const CardSchema = Type.Object(
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

export const SettlementSchema = Type.Object(
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

const reference = text(69, { minLength: 1, description: "The caller's own reference" })
const description = text(255)
const Metadata = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: 20,
  propertyNames: { type: 'string', minLength: 1, maxLength: 20, pattern: textPattern },
  additionalProperties: text(80),
  description: 'Up to 20 pairs of at most 20 and 80 characters',
  examples: [{ invoice: 'INV-1001' }]
})
export const OperatorSchema = Type.Object(
  { id: text(80, { minLength: 1 }), reason: text(255, { minLength: 1 }) },
  { additionalProperties: false, description: 'The person who acts for the customer' }
)

/** Of what somebody else reported the reason may be missing. */
const OperatorView = Type.Object({
  id: Type.String(),
  reason: Type.Optional(Type.String())
})

const paymentExample = {
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

const Allocation = Type.Object(
  {
    chargeId: text(100, { minLength: 1, description: 'A charge of the account' }),
    amount: Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Minor units of amount.currency'
    })
  },
  { additionalProperties: false }
)

/** Of a body whose fields are so, something else holds too. */
function when(properties: object, present: string[], then: object, otherwise?: object) {
  return {
    if: { properties, required: present },
    then,
    ...(otherwise && { else: otherwise })
  }
}

export const CreatePayment = Type.Object(
  {
    accountId: AccountId,
    amount: Amount,
    channel: Type.Enum([...channels]),
    method: Type.Optional(
      Type.Enum([...createMethods], {
        description:
          'hostedPage (default): send the customer to `checkout.url`. paymentLink: the same, by ' +
          'text or mail. registeredCard: charged at once; it has a `checkout.url` only where ' +
          "the card's bank asks for 3-D Secure"
      })
    ),
    returnUrl: Type.Optional(
      Type.String({
        maxLength: 1024,
        format: 'uri',
        description:
          'Where the browser goes in the end: https, at an origin given to the client (in the ' +
          'sandbox also http to loopback). Required for hostedPage'
      })
    ),
    registeredCardId: Type.Optional(
      Type.String({
        maxLength: 100,
        description: "One of the account's cards; required for registeredCard, refused otherwise"
      })
    ),
    saveCard: Type.Optional(
      Type.Enum(['never', 'ask', 'always'], {
        description:
          'Whether the card page keeps the card for the account: never (default), ask (the page ' +
          'asks for consent), always (the caller holds the consent)'
      })
    ),
    capture: Type.Optional(
      Type.Enum(['automatic', 'manual'], {
        description:
          'Default automatic. Manual only reserves the money, until it is captured ' +
          '(`POST …/captures`) or let go (`POST …/cancellation`)'
      })
    ),
    reference: Type.Optional(reference),
    description: Type.Optional(description),
    metadata: Type.Optional(Metadata),
    customer: Type.Optional(CustomerSchema),
    operator: Type.Optional(OperatorSchema),
    allocations: Type.Optional(
      Type.Array(Allocation, {
        maxItems: 100,
        description: 'What it pays; the rest is matched by the rule of the account'
      })
    ),
    allowDuplicate: Type.Optional(
      Type.Boolean({
        description:
          'Default false: refused where a payment of the same account and amount, made a moment ' +
          'ago, is pending, authorised or captured'
      })
    ),
    expiresAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description:
          'When the page closes: 1 minute to 24 hours ahead, default 1 hour; a link at most 70 ' +
          'days, default 24 hours. The payment ends 15 minutes later'
      })
    )
  },
  {
    $id: 'CreatePayment',
    additionalProperties: false,
    allOf: [
      // Whoever acts for the customer is named.
      when({ channel: { const: 'agent' } }, ['channel'], { required: ['operator'] }),
      when({ method: { const: 'hostedPage' } }, [], { required: ['returnUrl'] }),
      when(
        { method: { const: 'registeredCard' } },
        ['method'],
        { required: ['registeredCardId'] },
        { properties: { registeredCardId: false } }
      )
    ],
    examples: [
      {
        accountId: '10000001',
        amount: { currency: 'GBP', value: 2500 },
        channel: 'selfcare',
        returnUrl: 'https://selfcare.example/paid',
        reference: 'basket-77'
      },
      {
        accountId: '10000001',
        amount: { currency: 'GBP', value: 2500 },
        channel: 'ivr',
        method: 'paymentLink',
        description: 'Invoice INV-1001',
        allocations: [{ chargeId: 'chg_06f1k2m3n4p5q6r7', amount: 2000 }]
      },
      {
        accountId: '10000001',
        amount: { currency: 'GBP', value: 2500 },
        channel: 'agent',
        method: 'registeredCard',
        registeredCardId: 'crd_06f1k2m3n4p5q6r7',
        operator: { id: 'agent-42', reason: 'The caller asked for it' }
      }
    ]
  }
)
export type CreatePaymentBody = Static<typeof CreatePayment>

export const WaitHeaders = Type.Object({
  prefer: Type.Optional(
    Type.String({ description: '`wait=N`: wait up to N seconds, at most 30 (RFC 7240)' })
  )
})

export const PaymentParams = Type.Object({ id: Type.String({ maxLength: 100 }) })

export const ListPaymentsQuery = Type.Object(
  {
    ...ListQuery,
    accountId: Type.Optional(AccountId),
    status: Type.Optional(Type.Enum([...statuses])),
    channel: Type.Optional(Type.Enum([...channels])),
    reference: Type.Optional(reference),
    createdFrom: Type.Optional(Type.String({ format: 'date-time', description: 'Inclusive' })),
    createdTo: Type.Optional(Type.String({ format: 'date-time', description: 'Exclusive' }))
  },
  {
    additionalProperties: false,
    patternProperties: { [`^metadata\\.${textCharacter}{1,20}$`]: text(80) }
  }
)

export const PaymentPage = pageOf(PaymentSchema)

export const EventSchema = Type.Object(
  {
    id: Type.String(),
    type: Type.String({ examples: ['payment.captured'] }),
    createdAt: Timestamp,
    accountId: AccountId,
    paymentId: Type.String(),
    sequence: Type.Integer({ minimum: 1, description: 'From 1, without holes' }),
    data: Type.Unsafe<{ payment: PaymentView } & Record<string, unknown>>({
      type: 'object',
      properties: { payment: { $ref: 'Payment#' } },
      required: ['payment'],
      additionalProperties: true,
      description: 'The payment as it was then, and what the event is about'
    })
  },
  {
    $id: 'Event',
    examples: [
      {
        id: 'pay_06f1k2m3n4p5q6r7.1',
        type: 'payment.created',
        createdAt: '2026-11-22T09:00:00.000Z',
        accountId: '10000001',
        paymentId: 'pay_06f1k2m3n4p5q6r7',
        sequence: 1,
        data: { payment: { ...paymentExample, checkout: null } }
      }
    ]
  }
)
export const EventPage = pageOf(EventSchema)
