import { Type } from 'typebox'
import { ref, text, timeOf } from '../http/common.schema.ts'
import { typeMembers } from '../tmf/tmf.schema.ts'
import { notificationTypes } from './hub.ts'
import { TmfPaymentSchema, TmfRefundSchema } from './tmf-payments.schema.ts'

const callback = text(2_048, {
  minLength: 1,
  description:
    'Where every notification is sent, as it stands here: https, a host with public addresses ' +
    'only, and a port that the operator allows: 443 unless told otherwise'
})
const query = text(1_024, {
  description:
    '`eventType=PaymentCreateEvent`, several with commas or repeated; all, where it is left out'
})
const example = {
  callback: 'https://billing.example/listener',
  query: 'eventType=PaymentStateChangeEvent,RefundStateChangeEvent'
}
const exampleId = 'whe_06f1k2m3n4p5q6r7'

export const CreateSubscription = Type.Object(
  { callback, query: Type.Optional(query), ...typeMembers },
  { $id: 'TmfEventSubscriptionInput', description: 'Who is to be told', examples: [example] }
)

const shown = {
  id: Type.String({ description: 'That of the webhook endpoint, too' }),
  callback,
  query: Type.Optional(query)
}
export const SubscriptionSchema = Type.Object(shown, {
  $id: 'TmfEventSubscription',
  description: 'Who is told',
  examples: [{ id: exampleId, ...example }]
})
export const NewSubscriptionSchema = Type.Object(
  {
    ...shown,
    secret: Type.String({
      description: 'Shown here alone: it signs, as the libraries of Standard Webhooks take it'
    })
  },
  {
    $id: 'TmfNewEventSubscription',
    description: 'Who is told from now on',
    examples: [
      {
        id: exampleId,
        ...example,
        secret: `whsec_${'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'.padEnd(43, 'A')}=`
      }
    ]
  }
)

/** No route takes or answers it: it is sent. */
export const NotificationSchema = Type.Object(
  {
    eventId: Type.String({ description: 'As the header `webhook-id`: take each once' }),
    eventTime: timeOf('When it became known here'),
    eventType: Type.Enum([...notificationTypes, 'TestEvent'], {
      description:
        'What happened, as TM Forum has it. Nothing is deleted here. TestEvent: a test that was ' +
        'asked for at `/v1/webhook-endpoints/{id}/test`, of no resource'
    }),
    title: Type.String({ description: 'The type of the event at `/v1/events`' }),
    description: Type.String({ description: 'What that says' }),
    event: Type.Object(
      {
        payment: Type.Optional(ref(TmfPaymentSchema, 'As it was then')),
        refund: Type.Optional(ref(TmfRefundSchema, 'As it was then'))
      },
      { description: 'One of them, whole' }
    ),
    '@type': Type.String({ description: 'As `eventType`' })
  },
  { $id: 'TmfNotification', description: 'What is sent to a subscriber' }
)
