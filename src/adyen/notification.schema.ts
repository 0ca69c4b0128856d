import { Type } from 'typebox'
import { ListQuery, nullable, pageOf, Timestamp, text } from '../http/common.schema.ts'
import { OperatorId } from '../payments/payment.schema.ts'
import { notificationStatuses } from './notification.ts'

export const NotificationSchema = Type.Object(
  {
    id: Type.String({ examples: ['ntf_06f1k2m3n4p5q6r7'] }),
    eventCode: Type.String({
      description: "Adyen's name of what happened",
      examples: ['AUTHORISATION']
    }),
    success: Type.Boolean({ description: 'Whether it went well' }),
    pspReference: Type.String({ description: "Adyen's reference of it" }),
    originalReference: nullable(
      Type.String({ description: "Adyen's reference of the money that it is about" })
    ),
    reference: Type.String({ description: 'merchantReference: the id of the payment, for ours' }),
    merchantAccount: Type.String({ description: 'To whom it was sent' }),
    live: Type.Boolean({ description: 'Of the live platform; else of the test platform' }),
    status: Type.Enum([...notificationStatuses], {
      description:
        'received: to be applied; applied; ignored: kept without effect; waiting: its payment is ' +
        'not known yet; parked: could not be applied; foreign: of another merchant account or ' +
        'platform'
    }),
    fault: nullable(Type.String({ description: 'Why it could not be applied' })),
    tries: Type.Integer({ minimum: 0, description: 'How often it was tried' }),
    receivedAt: Timestamp,
    appliedAt: nullable(Timestamp),
    item: Type.Unsafe<Record<string, unknown>>({
      type: 'object',
      additionalProperties: true,
      description: 'As it came; only eight of its fields are signed'
    })
  },
  {
    $id: 'Notification',
    examples: [
      {
        id: 'ntf_06f1k2m3n4p5q6r7',
        eventCode: 'AUTHORISATION',
        success: true,
        pspReference: 'QFQTPCQ8HXSKGK82',
        originalReference: null,
        reference: 'pay_06f1k2m3n4p5q6r7',
        merchantAccount: 'ExampleMerchant',
        live: false,
        status: 'received',
        fault: null,
        tries: 0,
        receivedAt: '2026-11-22T09:00:00.000Z',
        appliedAt: null,
        item: {
          eventCode: 'AUTHORISATION',
          success: 'true',
          pspReference: 'QFQTPCQ8HXSKGK82',
          merchantReference: 'pay_06f1k2m3n4p5q6r7',
          merchantAccountCode: 'ExampleMerchant',
          amount: { currency: 'GBP', value: 2500 },
          eventDate: '2026-11-22T10:00:00+01:00'
        }
      }
    ]
  }
)
export const NotificationPage = pageOf(NotificationSchema)

export const ListNotificationsQuery = Type.Object(
  {
    ...ListQuery,
    status: Type.Optional(
      Type.Enum([...notificationStatuses], { description: 'What became of it' })
    ),
    eventCode: Type.Optional(text(80, { description: "Adyen's name of what happened" })),
    reference: Type.Optional(text(80, { description: 'merchantReference' }))
  },
  { additionalProperties: false }
)

export const DismissNotification = Type.Object(
  {
    reason: text(255, { minLength: 1, description: 'Why, for whoever reads it later' }),
    operator: Type.Object(
      { id: OperatorId },
      { additionalProperties: false, description: 'The person who decides' }
    )
  },
  {
    $id: 'DismissNotification',
    additionalProperties: false,
    examples: [{ reason: 'A payment of the old shop', operator: { id: 'night-2' } }]
  }
)
