/** The hub of TMF676: which notification each event of ours is, and what it says. Pure. */
import { type EventType, eventMeanings, testType } from '../payments/event.ts'
import type { PaymentView } from '../payments/payment.schema.ts'
import { type FieldFault, Problem } from '../problem.ts'
import type { Envelope, SentEvent } from '../webhooks/envelope.ts'
import type { WebhookEndpoint } from '../webhooks/webhook.ts'
import { type PaymentExtras, toTmfPayment } from './tmf-payment.ts'
import { type RefundExtras, toTmfRefund } from './tmf-refund.ts'

const changes = ['Create', 'AttributeValueChange', 'StateChange', 'Delete'] as const
type Change = (typeof changes)[number]
/** Those of TMF676; nothing is deleted here, so that two of them are never sent. */
export const notificationTypes = (['Payment', 'Refund'] as const).flatMap((resource) =>
  changes.map((change) => `${resource}${change}Event` as const)
)
export type NotificationType = (typeof notificationTypes)[number]

const payment = (change: Change) => [`Payment${change}Event`] as const
/** `mayBegin`: where the refund came to be by it, it is its creation. */
const refund = (change: Change, mayBegin = false) =>
  [`Refund${change}Event`, ...(mayBegin ? (['RefundCreateEvent'] as const) : [])] as const

/**
 * What an event is to TM Forum: of a refund that of the refund, of anything else that happens to a
 * payment that of the payment. None: it changes neither of them.
 */
const notifications: Readonly<Record<EventType, readonly NotificationType[]>> = {
  'payment.created': payment('Create'),
  'payment.attemptRefused': payment('AttributeValueChange'),
  'payment.authorised': payment('StateChange'),
  'payment.captured': payment('StateChange'),
  'payment.refused': payment('StateChange'),
  'payment.cancelled': payment('StateChange'),
  'payment.expired': payment('StateChange'),
  'payment.failed': payment('StateChange'),
  'payment.amountAdjusted': payment('AttributeValueChange'),
  'payment.fraudReported': payment('AttributeValueChange'),
  'payment.settled': payment('AttributeValueChange'),
  'capture.requested': payment('AttributeValueChange'),
  'capture.succeeded': payment('AttributeValueChange'),
  'capture.failed': payment('AttributeValueChange'),
  'cancellation.requested': payment('AttributeValueChange'),
  'cancellation.succeeded': payment('AttributeValueChange'),
  'cancellation.failed': payment('AttributeValueChange'),
  'reversal.requested': payment('AttributeValueChange'),
  'reversal.succeeded': payment('AttributeValueChange'),
  'reversal.failed': payment('AttributeValueChange'),
  'dispute.opened': payment('AttributeValueChange'),
  'dispute.updated': payment('AttributeValueChange'),
  'dispute.closed': payment('AttributeValueChange'),
  'dispute.deadlineApproaching': payment('AttributeValueChange'),
  'refund.awaitingApproval': refund('StateChange', true),
  'refund.approved': refund('StateChange'),
  'refund.rejected': refund('StateChange'),
  // Once approved it is as it was.
  'refund.requested': refund('AttributeValueChange', true),
  'refund.succeeded': refund('StateChange', true),
  'refund.failed': refund('StateChange'),
  'card.registered': [],
  'card.removed': [],
  'discrepancy.opened': [],
  'discrepancy.resolved': [],
  'webhookEndpoint.disabled': []
}

/** The types of our events that a subscriber to these notifications is told of. */
export function toEventTypes(wanted: ReadonlySet<NotificationType>): EventType[] {
  return (Object.keys(notifications) as EventType[]).filter((type) =>
    notifications[type].some((one) => wanted.has(one))
  )
}

/**
 * Reads the filter of a subscriber, such as `eventType=PaymentCreateEvent`: several with commas, or
 * repeated; null for all. Throws `request_invalid`, all faults at once.
 */
export function readHubQuery(query: string | null): ReadonlySet<NotificationType> {
  const given = [...new URLSearchParams(query?.replaceAll(';', '&') ?? '')]
  if (given.length === 0) return new Set(notificationTypes)
  const wanted = new Set<NotificationType>()
  const details = given.flatMap(([name, texts]) => {
    if (name !== 'eventType') return `${name} is no filter here: there is eventType`
    return texts.split(',').flatMap((text) => {
      const known = notificationTypes.find((one) => one === text.trim())
      if (known === undefined) return `eventType must be of ${notificationTypes.join(', ')}`
      wanted.add(known)
      return []
    })
  })
  if (details.length === 0 && toEventTypes(wanted).length === 0) {
    details.push('asks for what is never sent: nothing is deleted here')
  }
  refuse([...new Set(details)].map((detail) => ({ pointer: '/query', detail })))
  return wanted
}

function refuse(errors: FieldFault[]): void {
  if (errors.length > 0) throw new Problem('request_invalid', 'A fault in the body.', { errors })
}

type RefundView = Parameters<typeof toTmfRefund>[0]

/** The refund that an event is about. */
export function refundOf({ data }: SentEvent): RefundView | undefined {
  return (data as { refund?: RefundView }).refund
}

/** Asked for at an endpoint: a type that TM Forum has not, of no resource. */
const test = 'TestEvent'

/** What an event is to a subscriber who asked for `query`; undefined where it wants none such. */
export function notificationOf(
  event: SentEvent,
  query: string | null
): NotificationType | typeof test | undefined {
  if (event.type === testType) return test
  const [usual, beginning] = notifications[event.type as EventType]
  const isBeginning = beginning !== undefined && refundOf(event)?.createdAt === event.createdAt
  const type = isBeginning ? beginning : usual
  return type !== undefined && readHubQuery(query).has(type) ? type : undefined
}

/** `beside`: what is known of the payment, and of its refund, beside the event. */
export function toNotification(
  event: SentEvent,
  type: NonNullable<ReturnType<typeof notificationOf>>,
  publicUrl: string,
  beside: { payment: PaymentExtras; refund: RefundExtras }
): Envelope {
  const refund = refundOf(event)
  const { payment } = event.data as { payment: PaymentView }
  const resource = () =>
    refund === undefined
      ? { payment: toTmfPayment(payment, publicUrl, beside.payment) }
      : { refund: toTmfRefund(refund, payment, publicUrl, beside.refund, beside.payment) }
  const body = {
    eventId: event.id,
    eventTime: event.createdAt,
    eventType: type,
    // In our own words.
    title: event.type,
    description: type === test ? 'A test' : eventMeanings[event.type as EventType],
    event: type === test ? {} : resource(),
    '@type': type
  }
  return { contentType: 'application/json', body: JSON.stringify(body) }
}

/** A subscription as TM Forum has it. */
export function toHubView({ id, url, query }: WebhookEndpoint) {
  return { id, callback: url, ...(query !== null && { query }) }
}
