/**
 * What is sent of an event, by the format that its endpoint takes: the same event is the same
 * bytes, however often it is sent.
 */
import type { toFeedView } from '../feed/feed-view.ts'
import type { EndpointFormat, WebhookEndpoint } from './webhook.ts'

/** An event as the feed shows it. */
export type SentEvent = ReturnType<typeof toFeedView>
export type Envelope = { contentType: string; body: string }
/** Null where the endpoint turns out not to want the event: nothing is sent. */
export type ToEnvelope = (
  event: SentEvent,
  endpoint: Pick<WebhookEndpoint, 'query'>
) => Envelope | null | Promise<Envelope | null>
export type Envelopes = Readonly<Record<EndpointFormat, ToEnvelope>>

/** The event itself. */
export const toStandard = (event: SentEvent): Envelope => ({
  contentType: 'application/json',
  body: JSON.stringify(event)
})

/**
 * What types begin with: whose words they are, and their version. CloudEvents asks for a name of
 * the DNS in reverse, CAMARA for `org.camaraproject.{api}.{version}.{event}`: no such name is ours,
 * and where the service is installed says nothing of what an event means.
 */
const typePrefix = 'one-off-payments.v1.'

/** Digits of the largest number of an event, so that the order of texts is that of numbers. */
const sequenceDigits = 10

/**
 * CloudEvents 1.0, structured mode (cloudevents/spec, v1.0.2: JSON format, HTTP binding), with its
 * extension `sequence`. `source` is where the service is reached; the `data` is the whole event.
 */
export function toCloudEvents(source: string) {
  return (event: SentEvent): Envelope => {
    const { id, type, createdAt, sequence } = event
    const cloudEvent = {
      specversion: '1.0',
      id,
      source,
      type: typePrefix + type,
      subject: toSubject(event),
      time: createdAt,
      datacontenttype: 'application/json',
      // Without a `sequencetype`: by the one that the extension names it could not be padded.
      ...(sequence !== null && { sequence: String(sequence).padStart(sequenceDigits, '0') }),
      data: event
    }
    return { contentType: 'application/cloudevents+json', body: JSON.stringify(cloudEvent) }
  }
}

/** The path of what it happened to; undefined where that has none. */
function toSubject({ paymentId, accountId }: SentEvent): string | undefined {
  if (paymentId !== null) return `/v1/payments/${paymentId}`
  return accountId === null ? undefined : `/v1/accounts/${accountId}`
}
