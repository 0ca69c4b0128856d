/** What TMF676 v4 takes and shows. A member that is not named here comes back as it was sent. */
import { Type } from 'typebox'
import { identifier, ref, text } from '../http/common.schema.ts'
import {
  TmfAccountRefSchema,
  TmfChannelRefSchema,
  TmfCharacteristicSchema,
  TmfEntityRefSchema,
  TmfMoneySchema,
  TmfRelatedPartySchema,
  typeMembers
} from '../tmf/tmf.schema.ts'
import { paymentStatuses } from './tmf-payment.ts'
import { refundStatuses } from './tmf-refund.ts'

const money = (description: string) => Type.Optional(ref(TmfMoneySchema, description))
const time = (description: string) =>
  Type.Optional(Type.String({ format: 'date-time', description }))

const TmfPaymentMethodSchema = Type.Object(
  {
    id: Type.Optional(text(255, { minLength: 1, description: 'Of a registered card its `crd_…`' })),
    href: Type.Optional(Type.String({ description: 'Where it is' })),
    name: Type.Optional(text(255, { description: 'For people' })),
    brand: Type.Optional(text(40, { minLength: 1, description: 'Of a card, such as visa' })),
    lastFourDigits: Type.Optional(
      Type.String({ pattern: '^[0-9]{4}$', description: 'Of a card; more digits are refused' })
    ),
    expirationDate: Type.Optional(
      Type.String({ pattern: '^2[0-9]{3}-(0[1-9]|1[0-2])', description: 'Of a card: 2030-03' })
    ),
    cardType: Type.Optional(text(40, { minLength: 1, description: 'credit or debit' })),
    ...typeMembers,
    '@referredType': Type.Optional(Type.String({ description: 'What `id` refers to' }))
  },
  {
    $id: 'TmfPaymentMethodRefOrValue',
    description:
      'HostedPage, PaymentLink or a registered card by its id: it is paid here. Any other: it ' +
      'was paid elsewhere, and is recorded'
  }
)

const TmfPaymentItemSchema = Type.Object(
  {
    id: Type.Optional(Type.String({ description: 'Of the item' })),
    item: ref(TmfEntityRefSchema),
    amount: money('Without tax'),
    taxAmount: money('The tax'),
    totalAmount: money('With tax'),
    ...typeMembers
  },
  {
    $id: 'TmfPaymentItem',
    description: 'What it pays: a charge of ours (`chg_…`) gets `totalAmount` of what is paid here'
  }
)

const channel = Type.Optional(ref(TmfChannelRefSchema))
const shared = {
  authorizationCode: Type.Optional(
    text(80, { minLength: 1, description: 'Of the gateway that took the money, to reconcile by' })
  ),
  correlatorId: Type.Optional(
    identifier(69, "The sender's own id: the same again, with the same content, is the same one")
  ),
  description: Type.Optional(text(255, { description: 'What it is for' })),
  name: Type.Optional(text(255, { description: 'For people' })),
  account: ref(TmfAccountRefSchema),
  paymentMethod: ref(TmfPaymentMethodSchema),
  totalAmount: ref(TmfMoneySchema, 'With tax'),
  amount: money('Without tax; as sent, or else the whole'),
  taxAmount: money('The tax; as sent'),
  channel,
  characteristic: Type.Optional(
    Type.Array(ref(TmfCharacteristicSchema), { maxItems: 50, description: 'What else there is' })
  ),
  ...typeMembers
}

const example = {
  correlatorId: 'basket-77',
  account: { id: '10000001' },
  totalAmount: { unit: 'GBP', value: 11.6 },
  channel: { id: 'selfcare' }
}

export const TmfPaymentCreateSchema = Type.Object(
  {
    ...shared,
    paymentDate: time('When it was taken elsewhere; by default now'),
    status: Type.Optional(
      Type.Enum(['captured', 'done', 'denied', 'failed'], {
        description: 'What came of it elsewhere; by default captured. Of a method of ours: none'
      })
    ),
    payer: Type.Optional(ref(TmfRelatedPartySchema)),
    paymentItem: Type.Optional(
      Type.Array(ref(TmfPaymentItemSchema), { maxItems: 100, description: 'What it pays' })
    )
  },
  {
    $id: 'TmfPaymentCreate',
    description:
      'Characteristics that are read: `returnUrl` (of a HostedPage), `capture` (automatic or ' +
      'manual), `saveCard` (never, ask, always), `operatorId` and `operatorReason` (of the ' +
      'channel agent)',
    examples: [
      { ...example, paymentMethod: { '@type': 'PaymentLink' } },
      {
        ...example,
        paymentMethod: { '@type': 'HostedPage' },
        characteristic: [{ name: 'returnUrl', value: 'https://selfcare.example/paid' }]
      },
      {
        ...example,
        paymentMethod: {
          '@type': 'PaymentMethodRef',
          '@referredType': 'RegisteredCard',
          id: 'crd_06f1k2m3n4p5q6r7'
        }
      },
      {
        ...example,
        authorizationCode: '064913',
        paymentMethod: { '@type': 'TokenizedCard', brand: 'visa', lastFourDigits: '1111' }
      }
    ]
  }
)

const found = {
  id: Type.String({ description: 'Its id, also at /v1' }),
  href: Type.String({ description: 'Where it is' }),
  statusDate: Type.String({ format: 'date-time', description: 'When it came to its status' }),
  statusReason: Type.Optional(Type.String({ description: 'Why, where it failed' }))
}
const exampleTime = '2026-11-22T10:00:00.000Z'
const href = 'https://payments.example/tmf-api/paymentManagement/v4'

export const TmfPaymentSchema = Type.Object(
  {
    ...shared,
    ...found,
    paymentDate: Type.String({
      format: 'date-time',
      description: 'When it was taken, or asked for here'
    }),
    status: Type.Enum([...new Set(Object.values(paymentStatuses))], {
      description:
        'pendingAuthorization: nobody has paid yet. authorized: reserved. captured: paid. ' +
        'denied: refused. canceled: cancelled, or its time ran out. failed'
    }),
    payer: Type.Optional(ref(TmfRelatedPartySchema)),
    paymentItem: Type.Optional(
      Type.Array(ref(TmfPaymentItemSchema), { description: 'What it pays' })
    )
  },
  {
    $id: 'TmfPayment',
    description:
      'Characteristics of ours: `checkoutUrl` and `checkoutExpiresAt` (the page, while it can be ' +
      'paid), `failureCode`, `providerName`, `providerReference`, `operatorId`, `capture`, and ' +
      '`amountCaptured`, `amountRefunded`, `amountChargedBack` in minor units, as /v1 has them',
    examples: [
      {
        id: 'pay_06f1k2m3n4p5q6r7',
        href: `${href}/payment/pay_06f1k2m3n4p5q6r7`,
        ...example,
        paymentDate: exampleTime,
        status: 'captured',
        statusDate: exampleTime,
        paymentMethod: { name: 'Card page', '@type': 'HostedPage', '@baseType': 'PaymentMethod' },
        '@type': 'Payment',
        '@baseType': 'Payment'
      }
    ]
  }
)

export const TmfPaymentListSchema = Type.Array(ref(TmfPaymentSchema), {
  $id: 'TmfPaymentList',
  description: 'A page of payments'
})

const payment = ref(TmfEntityRefSchema, 'The payment that it is of')
const requestor = Type.Optional(ref(TmfRelatedPartySchema, 'The person who asks for it'))

export const TmfRefundCreateSchema = Type.Object(
  { ...shared, refundDate: time('Ours to say'), payment, requestor },
  {
    $id: 'TmfRefundCreate',
    description: 'The account is that of the payment; `description` says why',
    examples: [
      {
        correlatorId: 'return-9',
        account: { id: '10000001' },
        payment: { id: 'pay_06f1k2m3n4p5q6r7' },
        paymentMethod: { '@type': 'HostedPage' },
        totalAmount: { unit: 'GBP', value: 5 },
        requestor: { id: 'agent-7', '@referredType': 'Individual' },
        description: 'Paid too much'
      }
    ]
  }
)

export const TmfRefundSchema = Type.Object(
  {
    ...shared,
    ...found,
    refundDate: Type.String({ format: 'date-time', description: 'When it was asked for' }),
    status: Type.Enum(Object.values(refundStatuses), {
      description:
        'pendingAuthorization: it waits for a second person. authorized: on its way. done. ' +
        'denied: rejected by that person. failed'
    }),
    payment,
    requestor
  },
  {
    $id: 'TmfRefund',
    description: '`refundStatus` among its characteristics is its status at /v1',
    examples: [
      {
        id: 'ref_06f1k2m3n4p5q6r7',
        href: `${href}/refund/ref_06f1k2m3n4p5q6r7`,
        account: { id: '10000001' },
        payment: { id: 'pay_06f1k2m3n4p5q6r7' },
        paymentMethod: { name: 'Card page', '@type': 'HostedPage', '@baseType': 'PaymentMethod' },
        totalAmount: { unit: 'GBP', value: 5 },
        refundDate: exampleTime,
        status: 'done',
        statusDate: exampleTime,
        '@type': 'Refund',
        '@baseType': 'Refund'
      }
    ]
  }
)

export const TmfRefundListSchema = Type.Array(ref(TmfRefundSchema), {
  $id: 'TmfRefundList',
  description: 'A page of refunds'
})
