import { type Static, Type } from 'typebox'
import { Amount, nullable, pageOf, ref, Timestamp, text } from '../http/common.schema.ts'
import {
  FailureSchema,
  OperatorRef,
  OperatorView,
  Processor,
  ProcessorView
} from '../payments/payment.schema.ts'

const reason = text(255, { minLength: 1, description: 'Why, for people' })
const why = nullable(Type.String({ description: 'Why, as whoever asked said' }))

const example = {
  paymentId: 'pay_06f1k2m3n4p5q6r7',
  amount: { currency: 'GBP', value: 2500 },
  status: 'requested',
  failure: null,
  origin: 'client'
}
const exampleTime = '2026-11-22T10:00:00.000Z'

const outcome = {
  paymentId: Type.String({ description: 'The payment that it is of' }),
  amount: ref(Amount),
  status: Type.Enum(['requested', 'succeeded', 'failed'], {
    description: 'requested: its outcome is to come. What succeeded can fail later'
  }),
  failure: nullable(ref(FailureSchema)),
  origin: Type.Enum(['client', 'provider'], {
    description: 'provider: somebody asked for it at the payment provider, not through this API'
  })
}

export const CaptureSchema = Type.Object(
  { id: Type.String(), ...outcome, createdAt: Timestamp },
  { $id: 'Capture', examples: [{ id: 'cap_06f1k2m3n4p5q6r7', ...example, createdAt: exampleTime }] }
)
export const CapturePage = pageOf(CaptureSchema)

export const CancellationSchema = Type.Object(
  { id: Type.String(), ...outcome, reason: why, createdAt: Timestamp },
  {
    $id: 'Cancellation',
    examples: [
      {
        id: 'can_06f1k2m3n4p5q6r7',
        ...example,
        status: 'succeeded',
        reason: 'The customer called back',
        createdAt: exampleTime
      }
    ]
  }
)

/** In events alone: no client asks for one. */
export const ReversalSchema = Type.Object(
  {
    id: Type.String(),
    ...outcome,
    authorisation: nullable(
      Type.String({ description: "The payment provider's reference of the money that goes back" })
    ),
    createdAt: Timestamp
  },
  { $id: 'Reversal', description: 'Money that was not wanted, and goes back to the card' }
)

export const RefundSchema = Type.Object(
  {
    id: Type.String(),
    ...outcome,
    status: Type.Enum(['awaitingApproval', 'requested', 'succeeded', 'failed', 'rejected'], {
      description:
        'awaitingApproval and requested reserve their amount. What succeeded can fail later, ' +
        "when the card's bank sends the money back"
    }),
    reason: why,
    operator: nullable(OperatorView),
    decision: nullable(
      Type.Object(
        { operator: OperatorView, at: Timestamp },
        { description: 'Who decided, and when' }
      )
    ),
    processor: nullable(ProcessorView),
    createdAt: Timestamp
  },
  {
    $id: 'Refund',
    examples: [
      {
        id: 'ref_06f1k2m3n4p5q6r7',
        ...example,
        amount: { currency: 'GBP', value: 1000 },
        reason: 'Paid too much',
        operator: { id: 'agent-7' },
        decision: null,
        processor: null,
        createdAt: exampleTime
      }
    ]
  }
)
export const RefundPage = pageOf(RefundSchema)

export const CreateCapture = Type.Object(
  { amount: Type.Optional(Amount) },
  {
    $id: 'CreateCapture',
    additionalProperties: false,
    description: 'Without an amount all that is reserved',
    examples: [{ amount: { currency: 'GBP', value: 2500 } }]
  }
)

export const CreateCancellation = Type.Object(
  { reason: Type.Optional(reason) },
  {
    $id: 'CreateCancellation',
    additionalProperties: false,
    examples: [{ reason: 'The customer called back' }]
  }
)

export const CreateRefund = Type.Object(
  {
    amount: Amount,
    reason: Type.Optional(reason),
    amountRefundable: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: "The payment's amountRefundable as last seen; 412 where it is another by now"
      })
    ),
    operator: Type.Optional(OperatorRef),
    processor: Type.Optional(Processor)
  },
  {
    $id: 'CreateRefund',
    additionalProperties: false,
    examples: [
      {
        amount: { currency: 'GBP', value: 1000 },
        reason: 'Paid too much',
        amountRefundable: 2500,
        operator: { id: 'agent-7' }
      }
    ]
  }
)
export type CreateRefundBody = Static<typeof CreateRefund>

export const DecideOnRefund = Type.Object(
  { operator: OperatorRef },
  {
    $id: 'DecideOnRefund',
    additionalProperties: false,
    examples: [{ operator: { id: 'supervisor-2', reason: 'Checked with billing' } }]
  }
)
