import type { FastifyInstance, FastifyReply } from 'fastify'
import { modify } from './checkout-modifications.ts'
import type { Context } from './context.ts'
import { describe, pick } from './control-views.ts'
import { DISPUTE_EVENTS, type Dispute, disputeEvent } from './dispute-events.ts'
import { newPspReference } from './identifiers.ts'
import { booksOf, modificationsOf } from './modification-books.ts'
import { type Event, laterEvent } from './modification-events.ts'
import type { Amount } from './money.ts'
import type { NotificationItem } from './notifications.ts'
import { notify } from './notify.ts'
import {
  failCapture,
  failRefund,
  type Refusal,
  recapture,
  reverseRefund
} from './scheme-rejections.ts'
import type { Modification, ModificationKind, Payment } from './state.ts'

type Work<Input> = (
  context: Context,
  payment: Payment,
  input: Input
) => NotificationItem | Modification | Refusal

/** What happens to payments without the merchant: Adyen, the schemes, and Adyen's Customer Area. */
export function controlPaymentRoutes(app: FastifyInstance, context: Context): void {
  const { state } = context
  app.get('/payments', () => state.payments.all().map((payment) => view(context, payment)))
  app.get('/modifications', () => state.modifications.all())

  on(app, context, 'dispute', dispute)
  on(app, context, 'event', anyEvent)
  on(app, context, 'modify', modifyByHand)
  on(app, context, 'capture-failed', failCapture)
  on(app, context, 'recapture', recapture)
  on(app, context, 'refund-failed', failRefund)
  on(app, context, 'refund-reversed', reverseRefund)
  on(app, context, 'expire', expire)
}

/** A webhook is sent and answered; a modification sends its own. */
function on<Input>(app: FastifyInstance, context: Context, name: string, work: Work<Input>): void {
  type Route = { Params: { psp: string } }
  app.post<Route>(`/payments/:psp/${name}`, (request, reply): FastifyReply => {
    const payment = pick(context.state.payments, request.params.psp)
    if (payment === undefined) return reply.code(404).send({ error: 'No such payment' })
    const result = work(context, payment, (request.body ?? {}) as Input)
    if ('error' in result) return reply.code(result.status ?? 409).send({ error: result.error })
    if ('id' in result) return reply.send(result)
    return reply.send(describe(notify(context, result)))
  })
}

function view(context: Context, payment: Payment): object {
  const modifications = modificationsOf(context, payment)
  return { ...payment, ...booksOf(payment, modifications, context.multiplePartialCaptures) }
}

function dispute(context: Context, payment: Payment, input: Dispute): NotificationItem | Refusal {
  if (!DISPUTE_EVENTS.includes(input.eventCode)) {
    const error = `Unknown eventCode '${input.eventCode}': ${DISPUTE_EVENTS.join(', ')}`
    return { error, status: 400 }
  }
  const usual = payment.disputePspReference ?? newPspReference()
  const pspReference = input.disputePspReference ?? usual
  const { eventCode, amount = payment.amount } = input
  const stage = { eventCode, pspReference, amount, at: new Date().toISOString() }
  context.state.payments.put({
    ...payment,
    disputed: [...payment.disputed, stage],
    ...(input.disputePspReference === undefined && { disputePspReference: usual })
  })
  return disputeEvent(context, payment, input, pspReference)
}

/** Any event code, also one that is not known: it changes nothing here. */
function anyEvent(
  context: Context,
  payment: Payment,
  event: Partial<Event>
): NotificationItem | Refusal {
  const { eventCode, pspReference = newPspReference() } = event
  if (!eventCode) return { error: 'eventCode is missing', status: 400 }
  return laterEvent(context, payment, { ...event, eventCode, pspReference })
}

type ByHand = {
  kind?: ModificationKind
  amount?: Amount
  /** `customer-area` by default, which is not the merchant's; null is the payment's own. */
  reference?: string | null
  /** False: it fails, for this reason. */
  success?: boolean
  reason?: string
  /** A cancel or reversal undoes captures that no settlement report has had. */
  undoCapture?: boolean
}

/** In the Customer Area, by a person. */
function modifyByHand(context: Context, payment: Payment, input: ByHand): Modification | Refusal {
  const { kind, amount, reference = 'customer-area', success = true, undoCapture = false } = input
  const kinds = ['amountUpdate', 'cancel', 'capture', 'refund', 'reversal']
  if (kind === undefined || !kinds.includes(kind)) {
    return { error: `Unknown kind '${kind}': ${kinds.join(', ')}`, status: 400 }
  }
  if (kind === 'amountUpdate' && amount === undefined) {
    return { error: 'amount is missing', status: 400 }
  }
  if (undoCapture && kind !== 'cancel' && kind !== 'reversal') {
    return { error: 'Only a cancel or reversal can undo a capture', status: 400 }
  }
  return modify(context, kind, payment, {
    undoCapture,
    ...(amount === undefined ? {} : { amount }),
    ...(reference === null ? {} : { reference }),
    ...(success ? {} : { refusal: input.reason ?? 'Refused' })
  })
}

/** What was left uncaptured has lapsed; Adyen's example has no originalReference. */
function expire(
  context: Context,
  payment: Payment,
  { withOriginal = false }: { withOriginal?: boolean }
): NotificationItem | Refusal {
  const books = booksOf(payment, modificationsOf(context, payment), true)
  if (books.capturable === 0) return { error: 'Nothing is left to expire' }
  const expiredAt = new Date().toISOString()
  context.state.payments.put({ ...payment, expiredAt, capturedAt: null })
  return laterEvent(context, payment, {
    eventCode: 'EXPIRE',
    pspReference: withOriginal ? newPspReference() : payment.id,
    withoutOriginal: !withOriginal
  })
}
