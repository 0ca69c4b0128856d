/** Endpoints of clients that subscribe to events, and what is on its way to them. */

export const everyEvent = '*'
export const disabledType = 'webhookEndpoint.disabled'

export const endpointStatuses = ['enabled', 'disabled'] as const
export type EndpointStatus = (typeof endpointStatuses)[number]
/** client: it said so; failing: nothing but failures for days; gone: it answered 410. */
export const disabledReasons = ['client', 'failing', 'gone'] as const
export type DisabledReason = (typeof disabledReasons)[number]

/** Those that a client may choose. */
export const chosenFormats = ['standard', 'cloudevents'] as const
/** `tmf676`: it subscribed by the hub of TMF676. */
export const endpointFormats = [...chosenFormats, 'tmf676'] as const
export type EndpointFormat = (typeof endpointFormats)[number]

export type WebhookEndpoint = {
  id: string
  clientId: string
  url: string
  events: readonly string[]
  description: string | null
  format: EndpointFormat
  /** What a subscriber to the hub asked for; null for everything, and for all others. */
  query: string | null
  status: EndpointStatus
  disabledReason: DisabledReason | null
  createdAt: Date
}

/** The endpoint as the API shows it: never with its secret. */
export function toEndpointView(endpoint: WebhookEndpoint) {
  const { id, url, events, description, format, status, disabledReason, createdAt } = endpoint
  return {
    id,
    url,
    events: [...events],
    description,
    format,
    status,
    disabledReason,
    createdAt: createdAt.toISOString()
  }
}

export const deliveryStatuses = ['pending', 'delivered', 'failed'] as const
export type DeliveryStatus = (typeof deliveryStatuses)[number]

export type Delivery = {
  id: string
  endpointId: string
  eventId: string
  type: string
  paymentId: string | null
  status: DeliveryStatus
  /** Null where no attempt is to come. */
  dueAt: Date | null
  deliveredAt: Date | null
  attempts: number
  createdAt: Date
}

export type Attempt = {
  number: number
  startedAt: Date
  durationMs: number
  httpStatus: number | null
  error: string | null
  response: string | null
}

export function toDeliveryView(delivery: Delivery) {
  const { endpointId, eventId, type, paymentId, status, attempts } = delivery
  return {
    id: delivery.id,
    webhookEndpointId: endpointId,
    event: { id: eventId, type, paymentId },
    status,
    attemptCount: attempts,
    nextAttemptAt: delivery.dueAt?.toISOString() ?? null,
    deliveredAt: delivery.deliveredAt?.toISOString() ?? null,
    createdAt: delivery.createdAt.toISOString()
  }
}

export function toAttemptView(attempt: Attempt) {
  const { number, startedAt, durationMs, httpStatus, error, response } = attempt
  return { number, startedAt: startedAt.toISOString(), durationMs, httpStatus, error, response }
}

/** Says why a URL can be no endpoint's; null where it can. May ask the DNS, for a second or two. */
export type CheckUrl = (url: string) => Promise<string | null>

type Outgoing = {
  url: string
  headers: Readonly<Record<string, string>>
  body: string
  signal: AbortSignal
}
/** What came of an attempt: an answer, whatever it says, or the reason why there was none. */
export type Sent =
  | { httpStatus: number; error: null; response: string; retryAfter: string | null }
  | { httpStatus: null; error: string; response: null; retryAfter: null }
export type Send = (outgoing: Outgoing) => Promise<Sent>
