/** What endpoints of clients receive, as the `webhooks` of an OpenAPI 3.1 document. */
const header = (name: string, description: string) => ({
  in: 'header',
  name,
  required: true,
  description,
  schema: { type: 'string' }
})

export const signatureHeaders = [
  header('webhook-id', 'The id of the event: the same in every repetition'),
  header('webhook-timestamp', 'When it was sent: seconds since 1970'),
  header(
    'webhook-signature',
    '`v1,` and the base64 of an HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}`; ' +
      'two of them, with a space between, for 24 hours after a rotation of the secret'
  )
]

/** What an endpoint answers. */
export const takings = {
  '2XX': { description: 'Taken' },
  '410': { description: 'Never again: the endpoint is disabled' },
  default: { description: 'Not taken: it is sent again' }
}

export const webhookDocument = {
  event: {
    post: {
      operationId: 'receiveEvent',
      summary: 'An event, sent to each webhook endpoint that asked for its type',
      description:
        'At least once: take each `webhook-id` once. Check the signature before anything else, ' +
        'by a library of Standard Webhooks (standardwebhooks.com) and the secret of the ' +
        'endpoint. An endpoint whose `format` is `cloudevents` is signed alike, and gets the ' +
        'event in an envelope of CloudEvents 1.0, structured mode; tests and repetitions too.\n\n' +
        'The events of a payment come in the order of `sequence`. One that fails holds up the ' +
        'later ones of its payment for ten minutes at most; after that the order is known by ' +
        '`sequence` alone.\n\n' +
        'Any 2xx within 10 seconds takes it; redirects are not followed. Otherwise it is sent ' +
        'again after about 1, 3, 8, 20 seconds, 1, 5, 30 minutes, 2 hours, and then every 6 ' +
        'hours, for 3 days; `Retry-After` asks for a longer pause, at most 6 hours. 410 disables ' +
        'the endpoint, and so do 3 days of nothing but failures.',
      tags: ['Webhooks'],
      security: [],
      parameters: signatureHeaders,
      requestBody: {
        required: true,
        content: {
          'application/json': { schema: { $ref: '#/components/schemas/WebhookEvent' } },
          'application/cloudevents+json': { schema: { $ref: '#/components/schemas/CloudEvent' } }
        }
      },
      responses: takings
    }
  }
}
