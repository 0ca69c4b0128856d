/** What subscribers to the hub of TMF676 receive, as the `webhooks` of an OpenAPI 3.1 document. */
import { signatureHeaders, takings } from '../webhooks/webhook-document.ts'

export const hubDocument = {
  notification: {
    post: {
      operationId: 'listen',
      summary: 'A notification, sent to each subscriber that asked for its type',
      description:
        'To the `callback`, as it was subscribed. At least once: take each `eventId` once. The ' +
        'notifications of a payment and its refunds come in their order; one that fails holds up ' +
        'the later ones for ten minutes at most.\n\n' +
        'Any 2xx within 10 seconds takes it; redirects are not followed. Otherwise it is sent ' +
        'again, as the webhooks of `/v1` are, for 3 days. TM Forum asks for no signature; here ' +
        'the headers of Standard Webhooks (standardwebhooks.com) sign the body.',
      tags: ['hub'],
      security: [],
      parameters: signatureHeaders,
      requestBody: {
        required: true,
        content: {
          'application/json': { schema: { $ref: '#/components/schemas/TmfNotification' } }
        }
      },
      responses: takings
    }
  }
}
