import { type Static, type TSchema, Type } from 'typebox'
import {
  AccountId,
  Amount,
  createdRange,
  enumOf,
  identifier,
  ListQuery,
  minorUnits,
  nullable,
  pageOf,
  ref,
  signedMinorUnits,
  text,
  textCharacter,
  timeOf
} from '../http/common.schema.ts'
import { threeDSecureMeanings } from '../provider/authentication.ts'
import { type FailureCode, failures } from '../provider/failures.ts'
import { wallets } from '../provider/page-methods.ts'
import {
  channelMeanings,
  channels,
  methodMeanings,
  methods,
  statuses,
  statusMeanings
} from './payment.ts'

export const FailureCodeSchema = enumOf(
  Object.fromEntries(
    Object.entries(failures).map(([code, { meaning, tell }]) => [
      code as FailureCode,
      `${meaning}. Tell the customer: ‘${tell}’`
    ])
  ) as Record<FailureCode, string>,
  { $id: 'FailureCode', intro: 'Why; `retryable` says whether another try can succeed.' }
)

export const FailureSchema = Type.Object(
  {
    code: ref(FailureCodeSchema),
    message: Type.String({
      description:
        'A sentence that may be shown or read to the customer; of a recorded payment as it was ' +
        'given'
    }),
    providerMessage: Type.Optional(
      Type.String({
        description:
          'The payment provider’s own words, not for customers: where payments are read, and ' +
          'never for a third party'
      })
    ),
    retryable: Type.Boolean({ description: 'Whether another try can succeed' })
  },
  { $id: 'Failure', description: 'Why it came to nothing; null where it did not' }
)

/** What is shown of any card. */
const CardFaceFields = {
  brand: nullable(Type.String({ description: "The provider's name of it, such as visa or mc" })),
  lastFour: nullable(Type.String({ description: 'The last four digits of its number' })),
  expiryMonth: nullable(Type.Integer({ minimum: 1, maximum: 12, description: 'From 1 to 12' })),
  expiryYear: nullable(Type.Integer({ minimum: 0, maximum: 9999, description: 'Four digits' })),
  funding: nullable(
    Type.String({ description: 'credit, debit, prepaid; null where the provider does not say' })
  )
}

const CardSchema = Type.Object(
  {
    ...CardFaceFields,
    wallet: nullable(
      Type.Enum([...wallets], { description: 'The wallet that the card was in; null for none' })
    ),
    registeredCardId: nullable(
      Type.String({ description: 'Its id among the cards of the account, where it is one' })
    )
  },
  { $id: 'Card', description: 'For display only; any part may be null' }
)

const ThreeDSecureSchema = enumOf(threeDSecureMeanings, {
  $id: 'ThreeDSecure',
  intro: 'Whether the customer was authenticated by the bank of the card (3-D Secure).'
})

const AuthenticationSchema = Type.Object(
  {
    threeDSecure: nullable(ref(ThreeDSecureSchema)),
    liabilityShift: nullable(
      Type.Boolean({ description: 'Whether the bank of the card bears a fraud, not the merchant' })
    ),
    exemptionRequested: nullable(
      Type.String({
        description:
          'The exemption from strong customer authentication that was asked for, in the ' +
          "provider's name: lowValue, transactionRiskAnalysis, trustedBeneficiary, " +
          'secureCorporate, or one that is new'
      })
    )
  },
  {
    $id: 'Authentication',
    description:
      'How the customer was authenticated, as far as the payment provider says. For display ' +
      'only: no rule reads it, and any part may be null',
    examples: [{ threeDSecure: 'authenticated', liabilityShift: true, exemptionRequested: null }]
  }
)

const SettlementSchema = Type.Object(
  {
    settledAt: nullable(timeOf('When')),
    batch: Type.String({ description: 'The payable batch, as on the bank statement' }),
    gross: signedMinorUnits('Before fees'),
    fees: signedMinorUnits('What the payment provider kept'),
    net: signedMinorUnits('gross less fees; negative where the fees are larger'),
    currency: Type.String({ description: 'Of the settlement: ISO 4217' })
  },
  {
    $id: 'Settlement',
    description:
      'What the payment provider settled of it, in minor units of `currency`; settledAt is null ' +
      'where the time zone of its report leaves a doubt'
  }
)

export const AllocationSchema = Type.Object(
  {
    chargeId: Type.String({ description: 'A charge of the account' }),
    reference: Type.String({ description: "The charge's, such as the number of an invoice" }),
    amount: minorUnits('How much of it the payment pays')
  },
  { $id: 'Allocation', description: 'What a payment pays of a charge' }
)
export const allocations = Type.Array(ref(AllocationSchema), {
  description:
    'The charges that its money pays now, and how much of each: at the creation they were asked ' +
    'for, or the rule of the account chose them; what was refunded or charged back is owed again ' +
    'and no longer here. In every answer; not in events, which have the payment as it was'
})
export const amountUnallocated = minorUnits(
  'What of its money is left as credit of the account, and pays what is charged next. The rest ' +
    'of what was captured went back, or pays what was taken back from the account before'
)

export const Reference = text(69, { minLength: 1, description: "The caller's own reference" })
export const OperatorId = identifier(
  80,
  'Without invisible characters; compared without regard to case, spaces around it and width'
)
export const OperatorRef = Type.Object(
  {
    id: OperatorId,
    reason: Type.Optional(text(255, { minLength: 1, description: 'Why' }))
  },
  { additionalProperties: false, description: 'The person who asks or decides' }
)
const ownReference = 'Its own reference of the money'
export const Processor = Type.Object(
  { name: identifier(69, 'Who handled the money'), reference: identifier(80, ownReference) },
  { additionalProperties: false, description: 'Both without invisible characters' }
)
export const ProcessorView = Type.Object(
  {
    name: Type.String({ description: 'Who handled the money' }),
    reference: Type.String({ description: ownReference })
  },
  { description: 'Another processor; null where it was the payment provider' }
)

/** Of what somebody else reported the reason may be missing. */
export const OperatorView = Type.Object(
  {
    id: Type.String({ description: 'Who' }),
    reason: Type.Optional(Type.String({ description: 'Why' }))
  },
  { description: 'The person who acted for the customer' }
)

const StatusSchema = enumOf(statusMeanings, { $id: 'PaymentStatus' })
export const MethodSchema = enumOf(methodMeanings, { $id: 'PaymentMethod' })
export const ChannelSchema = enumOf(channelMeanings, {
  $id: 'Channel',
  intro: 'Who asks for the payment.'
})

/** As an event has it. */
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
  authentication: null,
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
    id: Type.String({
      description: 'At most 20 characters, which sort as payments were made',
      examples: ['pay_06f1k2m3n4p5q6r7']
    }),
    accountId: AccountId,
    amount: ref(Amount),
    channel: ref(ChannelSchema),
    method: ref(MethodSchema),
    status: ref(StatusSchema),
    finished: Type.Boolean({
      description: 'True for captured, refused, cancelled, expired and failed'
    }),
    failure: nullable(ref(FailureSchema)),
    checkout: nullable(
      Type.Object(
        {
          url: Type.String({ description: 'Send the customer here' }),
          expiresAt: timeOf('When the page closes')
        },
        { description: 'The card page; only while the payment is pending' }
      )
    ),
    card: nullable(ref(CardSchema)),
    authentication: nullable(ref(AuthenticationSchema)),
    capture: Type.Enum(['automatic', 'manual'], {
      description: 'Whether the money is taken at once, or reserved until it is captured'
    }),
    amountCaptured: minorUnits('Taken, in minor units of amount.currency'),
    amountRefunded: minorUnits('Given back'),
    amountChargedBack: minorUnits('Taken back by the card issuer'),
    amountRefundable: minorUnits('What can still be refunded'),
    allocations: Type.Optional(allocations),
    amountUnallocated: Type.Optional(amountUnallocated),
    reference: nullable(Type.String({ description: "The caller's own" })),
    description: nullable(Type.String({ description: 'What it is for, in words of the caller' })),
    metadata: nullable(
      Type.Record(Type.String(), Type.String(), { description: "The caller's own pairs" })
    ),
    operator: nullable(OperatorView),
    provider: Type.Object(
      {
        name: Type.String({ description: 'Of a recorded payment the processor that took it' }),
        reference: nullable(Type.String({ description: 'Its reference of the money' }))
      },
      { description: 'Who takes the money' }
    ),
    settlement: nullable(ref(SettlementSchema)),
    createdAt: timeOf('When it was written down'),
    updatedAt: timeOf('When its last event became known'),
    finishedAt: nullable(timeOf('When it finished; null while it has not'))
  },
  { $id: 'Payment', examples: [{ ...paymentExample, allocations: [], amountUnallocated: 0 }] }
)
export type PaymentView = Static<typeof PaymentSchema>

/** Several of a closed list, with commas or by repeating the parameter. */
const anyOf = <T extends TSchema>(one: T, maxItems: number) =>
  Type.Array(ref(one), {
    minItems: 1,
    maxItems,
    description: 'Any of these: several with commas'
  })

const searchAmount = Type.Integer({
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'Minor units, itself included; with `currency`, which they are of'
})

export const ListPaymentsQuery = Type.Object(
  {
    ...ListQuery,
    accountId: Type.Optional(AccountId),
    status: Type.Optional(anyOf(StatusSchema, statuses.length)),
    channel: Type.Optional(anyOf(ChannelSchema, channels.length)),
    method: Type.Optional(anyOf(MethodSchema, methods.length)),
    reference: Type.Optional(Reference),
    providerReference: Type.Optional(
      text(80, {
        minLength: 1,
        description:
          'A reference of the payment provider (pspReference) of the payment, of an attempt, or ' +
          'of a capture, refund or dispute; of a recorded payment that of its processor'
      })
    ),
    currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217' })),
    amountFrom: Type.Optional(searchAmount),
    amountTo: Type.Optional(searchAmount),
    lastFour: Type.Optional(
      Type.String({ pattern: '^[0-9]{4}$', description: 'The last digits of the card' })
    ),
    cardBrand: Type.Optional(
      Type.String({ pattern: '^[A-Za-z0-9 _-]{1,40}$', description: 'Such as `visa` or `mc`' })
    ),
    operator: Type.Optional(
      text(80, { minLength: 1, description: 'The id of the person who acted, in any case' })
    ),
    ...createdRange
  },
  {
    additionalProperties: false,
    patternProperties: { [`^metadata\\.${textCharacter}{1,20}$`]: text(80) }
  }
)

export const PaymentPage = pageOf(PaymentSchema)
