import { Type } from 'typebox'
import { exampleEvent, WebhookEventSchema } from '../feed/event.schema.ts'
import {
  countOf,
  ListQuery,
  nullable,
  pageOf,
  ref,
  Timestamp,
  text,
  timeOf
} from '../http/common.schema.ts'
import { eventTypes } from '../payments/event.ts'
import {
  chosenFormats,
  deliveryStatuses,
  disabledReasons,
  endpointFormats,
  endpointStatuses,
  everyEvent
} from './webhook.ts'

const exampleId = 'whe_06f1k2m3n4p5q6r7'
const exampleTime = '2026-11-22T10:00:00.000Z'
const exampleSecret = `whsec_${'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'.padEnd(43, 'A')}=`

const url = text(2_048, {
  minLength: 1,
  description:
    'https, a host with public addresses only, and a port that the operator allows: 443 unless ' +
    'told otherwise'
})
const events = Type.Array(Type.Enum([everyEvent, ...eventTypes]), {
  minItems: 1,
  maxItems: eventTypes.length,
  uniqueItems: true,
  description: '`["*"]` for all that the client may see, or types'
})
const description = text(255, { minLength: 1 })
const formatMeanings =
  'standard: the event as JSON; cloudevents: the same in an envelope of CloudEvents 1.0, ' +
  'structured mode. Both are signed alike'
const format = Type.Optional(
  Type.Enum([...chosenFormats], { description: formatMeanings, default: 'standard' })
)

const endpoint = {
  id: Type.String(),
  url: Type.String(),
  events: Type.Array(Type.String()),
  description: nullable(Type.String()),
  format: Type.Enum([...endpointFormats], {
    description: `${formatMeanings}. tmf676: it subscribed by the hub of TMF676`
  }),
  status: Type.Enum([...endpointStatuses], { description: 'disabled: nothing is sent to it' }),
  disabledReason: nullable(
    Type.Enum([...disabledReasons], {
      description: 'failing: it took nothing for three days; gone: it answered 410'
    })
  ),
  createdAt: Timestamp
}
const exampleEndpoint = {
  id: exampleId,
  url: 'https://billing.example/payments/events',
  events: ['*'],
  description: 'Billing',
  format: 'standard',
  status: 'enabled',
  disabledReason: null,
  createdAt: exampleTime
}

export const WebhookEndpointSchema = Type.Object(endpoint, {
  $id: 'WebhookEndpoint',
  examples: [exampleEndpoint]
})
export const WebhookEndpointPage = pageOf(WebhookEndpointSchema)

const secret = Type.String({
  description:
    'Shown here alone; `whsec_` and base64, as the libraries of Standard Webhooks take it'
})
export const NewWebhookEndpointSchema = Type.Object(
  { ...endpoint, secret },
  { $id: 'NewWebhookEndpoint', examples: [{ ...exampleEndpoint, secret: exampleSecret }] }
)
export const WebhookSecretSchema = Type.Object(
  { secret },
  { $id: 'WebhookSecret', examples: [{ secret: exampleSecret }] }
)

export const CreateWebhookEndpoint = Type.Object(
  { url, events, description: Type.Optional(description), format },
  {
    $id: 'CreateWebhookEndpoint',
    additionalProperties: false,
    examples: [
      { url: exampleEndpoint.url, events: ['*'], description: 'Billing' },
      { url: exampleEndpoint.url, events: ['payment.captured'], format: 'cloudevents' }
    ]
  }
)

export const ChangeWebhookEndpoint = Type.Object(
  {
    url: Type.Optional(url),
    events: Type.Optional(events),
    description: Type.Optional(nullable(description)),
    format: Type.Optional(
      Type.Enum([...chosenFormats], {
        description: `${formatMeanings}. It holds from the next attempt on`
      })
    ),
    status: Type.Optional(
      Type.Enum([...endpointStatuses], { description: 'disabled: nothing is sent to it' })
    )
  },
  {
    $id: 'ChangeWebhookEndpoint',
    additionalProperties: false,
    minProperties: 1,
    description: 'What is not sent stays',
    examples: [{ events: ['payment.captured', 'refund.succeeded'] }, { status: 'enabled' }]
  }
)

export const ReplayEvents = Type.Object(
  {
    from: Type.String({ format: 'date-time', description: 'Of `createdAt`, included' }),
    to: Type.String({ format: 'date-time', description: 'Not included' })
  },
  {
    $id: 'ReplayEvents',
    additionalProperties: false,
    examples: [{ from: '2026-11-22T00:00:00Z', to: '2026-11-23T00:00:00Z' }]
  }
)
export const ReplayedSchema = Type.Object(
  { count: countOf('The events that the endpoint gets (again)') },
  { $id: 'Replayed', examples: [{ count: 417 }] }
)

const delivery = {
  id: Type.String(),
  webhookEndpointId: Type.String(),
  event: Type.Object({
    id: Type.String({ description: 'The header `webhook-id` of every attempt' }),
    type: Type.String({ description: 'What happened' }),
    paymentId: nullable(Type.String())
  }),
  status: Type.Enum([...deliveryStatuses], {
    description: 'failed: given up, or its endpoint was disabled; a retry or replay sends it again'
  }),
  attemptCount: countOf('How often it was tried'),
  nextAttemptAt: nullable(Timestamp),
  deliveredAt: nullable(Timestamp),
  createdAt: Timestamp
}
const exampleDelivery = {
  id: 'whd_0000000000000417',
  webhookEndpointId: exampleId,
  event: {
    id: 'pay_06f1k2m3n4p5q6r7.2',
    type: 'payment.captured',
    paymentId: 'pay_06f1k2m3n4p5q6r7'
  },
  status: 'pending',
  attemptCount: 1,
  nextAttemptAt: exampleTime,
  deliveredAt: null,
  createdAt: exampleTime
}

export const DeliverySchema = Type.Object(delivery, {
  $id: 'Delivery',
  examples: [exampleDelivery]
})
export const DeliveryPage = pageOf(DeliverySchema)

const AttemptSchema = Type.Object({
  number: Type.Integer({ minimum: 1, description: 'One that a crash cut short is not shown' }),
  startedAt: Timestamp,
  durationMs: Type.Integer({ minimum: 0 }),
  httpStatus: nullable(Type.Integer()),
  error: nullable(Type.String({ description: 'Why there was no answer' })),
  response: nullable(Type.String({ description: 'The beginning of the answer, at most 1 KiB' }))
})
export const DeliveryWithAttemptsSchema = Type.Object(
  { ...delivery, attempts: Type.Array(AttemptSchema, { description: 'Oldest first' }) },
  {
    $id: 'DeliveryWithAttempts',
    examples: [
      {
        ...exampleDelivery,
        attempts: [
          {
            number: 1,
            startedAt: exampleTime,
            durationMs: 41,
            httpStatus: 500,
            error: null,
            response: 'Internal Server Error'
          }
        ]
      }
    ]
  }
)

export const CloudEventSchema = Type.Object(
  {
    specversion: Type.Literal('1.0', { description: 'Of CloudEvents' }),
    id: Type.String({ description: 'That of the event: with `source`, take each once' }),
    source: Type.String({ format: 'uri', description: 'The address of this service' }),
    type: Type.String({
      pattern: '^one-off-payments\\.v1\\.[A-Za-z]+\\.[A-Za-z]+$',
      description: '`one-off-payments.v1.` and the type of the event'
    }),
    subject: Type.Optional(
      Type.String({ description: 'The path of its payment, else of its account, if it has one' })
    ),
    time: timeOf('When it became known here'),
    datacontenttype: Type.Literal('application/json', { description: 'Of `data`' }),
    sequence: Type.Optional(
      Type.String({
        pattern: '^[0-9]{10}$',
        description: 'The number of the event, of its payment, as a text that sorts'
      })
    ),
    data: ref(WebhookEventSchema, 'The event, as the format `standard` has it')
  },
  {
    $id: 'CloudEvent',
    description: 'An event as CloudEvents 1.0 has it in structured mode',
    examples: [
      {
        specversion: '1.0',
        id: exampleEvent.id,
        source: 'https://payments.example',
        type: `one-off-payments.v1.${exampleEvent.type}`,
        subject: `/v1/payments/${exampleEvent.paymentId}`,
        time: exampleEvent.createdAt,
        datacontenttype: 'application/json',
        sequence: '0000000001',
        data: exampleEvent
      }
    ]
  }
)

export const WebhookParams = Type.Object({ id: Type.String() })
export const DeliveryListQuery = Type.Object(
  {
    status: Type.Optional(
      Type.Enum([...deliveryStatuses], { description: 'pending: an attempt is to come' })
    ),
    ...ListQuery
  },
  { additionalProperties: false }
)
