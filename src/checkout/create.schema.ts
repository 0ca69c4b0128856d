import { type Static, Type } from 'typebox'
import {
  AccountId,
  Amount,
  CustomerSchema,
  enumOf,
  ref,
  text,
  textPattern,
  when
} from '../http/common.schema.ts'
import { ChannelSchema, OperatorId, Reference } from '../payments/payment.schema.ts'
import type { PageMethod } from '../provider/page-methods.ts'
import { createMethods } from './create.ts'

const description = text(255, { description: 'What it is for; the card page may show it' })
const Metadata = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: 20,
  propertyNames: { type: 'string', minLength: 1, maxLength: 20, pattern: textPattern },
  additionalProperties: text(80),
  description: 'Up to 20 pairs of at most 20 and 80 characters',
  examples: [{ invoice: 'INV-1001' }]
})

const OperatorOfCustomer = Type.Object(
  { id: OperatorId, reason: text(255, { minLength: 1, description: 'Why' }) },
  { additionalProperties: false, description: 'The person who acts for the customer, and why' }
)

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

export const CreatePayment = Type.Object(
  {
    accountId: AccountId,
    amount: Amount,
    channel: ref(ChannelSchema),
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
    paymentMethods: Type.Optional(
      Type.Array(
        enumOf({
          scheme: 'A card that is typed there',
          applepay: 'Apple Pay: with the card in it',
          googlepay: 'Google Pay: with the card in it'
        } satisfies Record<PageMethod, string>),
        {
          minItems: 1,
          uniqueItems: true,
          description:
            'What the page offers, of what the operator has enabled; default all of it. Without ' +
            '`scheme` whoever has no such wallet cannot pay. A page for an agent, and one that ' +
            'keeps the card, offers `scheme` alone. Refused for registeredCard'
        }
      )
    ),
    capture: Type.Optional(
      Type.Enum(['automatic', 'manual'], {
        description:
          'Default automatic. Manual only reserves the money, until it is captured ' +
          '(`POST …/captures`) or let go (`POST …/cancellation`)'
      })
    ),
    reference: Type.Optional(Reference),
    description: Type.Optional(description),
    metadata: Type.Optional(Metadata),
    customer: Type.Optional(CustomerSchema),
    operator: Type.Optional(OperatorOfCustomer),
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
        { required: ['registeredCardId'], properties: { paymentMethods: false } },
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
        paymentMethods: ['scheme', 'googlepay'],
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
