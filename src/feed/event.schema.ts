import { type TSchema, Type } from 'typebox'
import { RegisteredCardSchema } from '../cards/card.schema.ts'
import { KindSchema, ResolutionSchema } from '../discrepancies/discrepancy.schema.ts'
import { DisputeSchema } from '../disputes/dispute.schema.ts'
import {
  AccountId,
  Amount,
  growingListQuery,
  growingPageOf,
  minorUnits,
  nullable,
  pageOf,
  ref,
  timeOf
} from '../http/common.schema.ts'
import {
  CancellationSchema,
  CaptureSchema,
  RefundSchema,
  ReversalSchema
} from '../operations/operation.schema.ts'
import { type EventType, eventMeanings, eventTypes, testType } from '../payments/event.ts'
import { FailureSchema, PaymentSchema, paymentExample } from '../payments/payment.schema.ts'

/** What happened, of which the payment is a part as it was then. */
function dataOf(name: string, parts: Record<string, TSchema>, isOfPayment: boolean | undefined) {
  const then = ref(PaymentSchema, 'As it was then')
  const payment = isOfPayment === true ? then : Type.Optional(then)
  return Type.Object(
    { ...(isOfPayment !== false && { payment }), ...parts },
    { $id: `${name}EventData`, description: 'What it is about' }
  )
}

const words = (description: string) => Type.String({ description })
const Authorisation = words("The payment provider's reference of the money")
const EndpointId = words('The id of the endpoint')
const Attempt = Type.Object(
  {
    providerReference: words("The payment provider's reference of it"),
    failure: ref(FailureSchema, 'Why it was refused')
  },
  { description: 'The attempt that was refused' }
)
const Fraud = Type.Object(
  {
    authorisation: Authorisation,
    reference: words("The payment provider's reference of the report"),
    amount: ref(Amount, 'What is said to be fraud'),
    reason: nullable(words("The bank's words"))
  },
  { description: 'What the bank reported' }
)
const identified = {
  id: words('Its id'),
  kind: ref(KindSchema)
}
const Opened = Type.Object(
  {
    ...identified,
    details: Type.Unsafe<Record<string, unknown>>({
      type: 'object',
      additionalProperties: true,
      description: 'The facts of both sides; their members depend on the kind'
    })
  },
  { description: 'What disagrees' }
)
const Resolved = Type.Object(
  {
    ...identified,
    resolution: ref(ResolutionSchema)
  },
  { description: 'What was decided' }
)

const Money = dataOf('Money', { authorisation: Type.Optional(Authorisation) }, true)
const capture = { capture: ref(CaptureSchema, 'What it has come to') }
const cancellation = { cancellation: ref(CancellationSchema, 'What it has come to') }
const reversal = { reversal: ref(ReversalSchema, 'What it has come to') }
const refund = { refund: ref(RefundSchema, 'What it has come to') }
const dispute = { dispute: ref(DisputeSchema, 'Where it stands') }
const card = { card: ref(RegisteredCardSchema, 'What is shown of it') }
const Plain = dataOf('Payment', {}, true)
const CaptureData = dataOf('Capture', capture, true)
const CancellationData = dataOf('Cancellation', cancellation, true)
const ReversalData = dataOf('Reversal', reversal, true)
const RefundData = dataOf('Refund', refund, true)
const DisputeData = dataOf('Dispute', dispute, true)
const CardData = dataOf('Card', card, false)

/** The `data` of each type. */
const data: Readonly<Record<EventType, TSchema>> = {
  'payment.created': Plain,
  'payment.attemptRefused': dataOf('Attempt', { attempt: Attempt }, true),
  'payment.authorised': Money,
  'payment.captured': Money,
  'payment.refused': Plain,
  'payment.cancelled': Money,
  'payment.expired': Money,
  'payment.failed': dataOf(
    'Failed',
    { capture: Type.Optional(words('The id of the capture that failed')) },
    true
  ),
  'payment.amountAdjusted': dataOf(
    'Adjusted',
    { amountAuthorised: minorUnits('What is reserved now') },
    true
  ),
  'payment.fraudReported': dataOf('Fraud', { fraud: Fraud }, true),
  'payment.settled': Plain,
  'capture.requested': CaptureData,
  'capture.succeeded': CaptureData,
  'capture.failed': CaptureData,
  'cancellation.requested': CancellationData,
  'cancellation.succeeded': CancellationData,
  'cancellation.failed': CancellationData,
  'reversal.requested': ReversalData,
  'reversal.succeeded': ReversalData,
  'reversal.failed': ReversalData,
  'refund.awaitingApproval': RefundData,
  'refund.approved': RefundData,
  'refund.rejected': RefundData,
  'refund.requested': RefundData,
  'refund.succeeded': RefundData,
  'refund.failed': RefundData,
  'dispute.opened': DisputeData,
  'dispute.updated': DisputeData,
  'dispute.closed': DisputeData,
  'dispute.deadlineApproaching': dataOf(
    'Deadline',
    {
      ...dispute,
      daysLeft: Type.Integer({
        minimum: 1,
        maximum: 7,
        description:
          'Until `dispute.defendBy`, begun ones counted: 7, and 2; or fewer where the dispute or ' +
          'its deadline was told later than that'
      })
    },
    true
  ),
  'card.registered': CardData,
  'card.removed': CardData,
  'discrepancy.opened': dataOf('Opened', { discrepancy: Opened }, undefined),
  'discrepancy.resolved': dataOf('Resolved', { discrepancy: Resolved }, undefined),
  'webhookEndpoint.disabled': dataOf(
    'Disabled',
    {
      webhookEndpointId: EndpointId,
      reason: Type.Enum(['failing', 'gone'], {
        description: 'failing: it took nothing for three days; gone: it answered 410'
      })
    },
    false
  )
}

/** Whether it happens to a payment; that two truths disagree may be about one or not. */
function isOfPayment(type: EventType): boolean | undefined {
  if (type.startsWith('discrepancy.')) return undefined
  return !type.startsWith('card.') && !type.startsWith('webhookEndpoint.')
}

const Id = Type.String({
  $id: 'EventId',
  description: 'The same in every delivery: take each once'
})
const Sequence = Type.Integer({
  $id: 'Sequence',
  minimum: 1,
  maximum: 2_147_483_647,
  description: 'The number of the event, of its payment: from 1, without holes'
})
const PaymentId = words('The payment that it happened to')

/** The schema of one type: what all have in common, with its own `type` and `data`. */
function toSchema(type: string, description: string, own: TSchema, isOf: boolean | undefined) {
  const sometimes = <T extends TSchema>(schema: T) =>
    isOf === undefined ? nullable(schema) : isOf ? schema : Type.Null({ description: 'None' })
  return Type.Object(
    {
      id: ref(Id),
      type: Type.Literal(type, { description: 'What happened' }),
      createdAt: timeOf('When it became known here'),
      accountId: isOf ? AccountId : nullable(AccountId),
      paymentId: sometimes(PaymentId),
      sequence: sometimes(ref(Sequence)),
      data: ref(own)
    },
    {
      $id: `${nameOf(type)}Event`,
      description,
      ...(type === 'payment.created' && { examples: [exampleEvent] })
    }
  )
}

export const exampleEvent = {
  id: 'pay_06f1k2m3n4p5q6r7.1',
  type: 'payment.created',
  createdAt: '2026-11-22T09:00:00.000Z',
  accountId: '10000001',
  paymentId: 'pay_06f1k2m3n4p5q6r7',
  sequence: 1,
  data: { payment: { ...paymentExample, checkout: null } }
}

/** `PaymentCaptured` for `payment.captured`. */
const nameOf = (type: string) =>
  type.replaceAll(/(?:^|\.)(\w)/g, (_, letter: string) => letter.toUpperCase())

const schemas: ReadonlyMap<string, TSchema> = new Map([
  ...eventTypes.map(
    (type) => [type, toSchema(type, eventMeanings[type], data[type], isOfPayment(type))] as const
  ),
  [
    testType,
    toSchema(
      testType,
      'A test of one endpoint, which asked for it; it is in no feed',
      dataOf('Test', { webhookEndpointId: EndpointId }, false),
      false
    )
  ]
])

/** One of these types, told apart by `type`. */
function oneOf(name: string, types: readonly string[], description: string) {
  return Type.Unsafe<Record<string, unknown>>({
    $id: name,
    description,
    oneOf: types.map((type) => ref(schemas.get(type) as TSchema)),
    discriminator: {
      propertyName: 'type',
      mapping: Object.fromEntries(
        types.map((type) => [type, `#/components/schemas/${nameOf(type)}Event`])
      )
    }
  })
}

const EventSchema = oneOf(
  'Event',
  eventTypes.filter((type) => isOfPayment(type) !== false),
  'What happened to a payment'
)
const FeedEventSchema = oneOf('FeedEvent', eventTypes, 'What happened')
export const WebhookEventSchema = oneOf('WebhookEvent', [...schemas.keys()], 'What is sent')

export const EventPage = pageOf(EventSchema)
export const FeedPage = growingPageOf(FeedEventSchema)
export const FeedQuery = Type.Object(growingListQuery, { additionalProperties: false })
