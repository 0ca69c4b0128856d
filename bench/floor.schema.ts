/** The floor's schemas: compiled by Fastify into a validator and a serializer. */

const text = { type: 'string' } as const
const integer = { type: 'integer' } as const
const time = { type: 'string', format: 'date-time' } as const
const textOrNull = { type: 'string', nullable: true } as const
const timeOrNull = { type: 'string', format: 'date-time', nullable: true } as const
const anyOrNull = { type: 'object', additionalProperties: true, nullable: true } as const

const amount = {
  type: 'object',
  required: ['currency', 'value'],
  properties: {
    currency: { type: 'string', pattern: '^[A-Z]{3}$' },
    value: { ...integer, minimum: 1 }
  }
} as const

export const createBody = {
  type: 'object',
  required: ['accountId', 'amount', 'channel', 'returnUrl'],
  additionalProperties: false,
  properties: {
    accountId: { type: 'string', pattern: '^[1-9][0-9]{0,7}$' },
    amount,
    channel: { type: 'string', enum: ['selfcare', 'ivr', 'agent', 'service'] },
    returnUrl: { type: 'string', format: 'uri', maxLength: 1024 },
    reference: { type: 'string', maxLength: 69 }
  }
} as const

export const paymentReply = {
  type: 'object',
  properties: {
    id: text,
    accountId: text,
    amount: { type: 'object', properties: { currency: text, value: integer } },
    channel: text,
    method: text,
    status: text,
    finished: { type: 'boolean' },
    failure: anyOrNull,
    checkout: { type: 'object', nullable: true, properties: { url: text, expiresAt: time } },
    card: anyOrNull,
    capture: text,
    amountCaptured: integer,
    amountRefunded: integer,
    amountChargedBack: integer,
    amountRefundable: integer,
    reference: textOrNull,
    description: textOrNull,
    metadata: anyOrNull,
    operator: anyOrNull,
    provider: { type: 'object', properties: { name: text, reference: textOrNull } },
    settlement: { type: 'null' },
    createdAt: time,
    updatedAt: time,
    finishedAt: timeOrNull
  }
} as const

export const webhookBody = {
  type: 'object',
  required: ['notificationItems'],
  properties: {
    live: text,
    notificationItems: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['NotificationRequestItem'],
        properties: {
          NotificationRequestItem: {
            type: 'object',
            required: [
              'pspReference',
              'merchantAccountCode',
              'merchantReference',
              'amount',
              'eventCode',
              'success',
              'additionalData'
            ],
            properties: {
              pspReference: text,
              merchantAccountCode: text,
              merchantReference: text,
              amount,
              eventCode: text,
              success: text,
              additionalData: {
                type: 'object',
                required: ['hmacSignature'],
                properties: { hmacSignature: text }
              }
            }
          }
        }
      }
    }
  }
} as const
