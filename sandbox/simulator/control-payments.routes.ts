import type { FastifyInstance, FastifyReply } from 'fastify'
import { modify } from './checkout-modifications.ts'
import type { Context } from './context.ts'
import { describe } from './control-views.ts'
import { send } from './delivery.ts'
import { DISPUTE_EVENTS, type Dispute, disputeEvent } from './dispute-events.ts'
import { newPspReference } from './identifiers.ts'
import { booksOf, modificationsOf } from './modification-books.ts'
import { aboutAutomaticCapture, laterEvent, rejection } from './modification-events.ts'
import type { Amount } from './money.ts'
import { type NotificationItem, signed } from './notifications.ts'
import type { Modification, ModificationKind, Payment } from './state.ts'

type ControlRequest = {
  amount?: Amount
  kind?: ModificationKind
  modificationPspReference?: string
  newReference?: boolean
}
type Refusal = { error: string; status?: 400 | 409 }
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
  on(app, context, 'modify', modifyElsewhere)
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
    const payment = context.state.payments.get(request.params.psp)
    if (payment === undefined) return reply.code(404).send({ error: 'No such payment' })
    const result = work(context, payment, (request.body ?? {}) as Input)
    if ('error' in result) return reply.code(result.status ?? 409).send({ error: result.error })
    if ('id' in result) return reply.send(result)
    return reply.send(describe(send(context.courier, [signed(result, context.hmacKey)])))
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
  const news = { eventCode, pspReference, amount, at: new Date().toISOString() }
  context.state.payments.put({
    ...payment,
    disputed: [...payment.disputed, news],
    ...(input.disputePspReference === undefined && { disputePspReference: usual })
  })
  return disputeEvent(context, payment, input, pspReference)
}

function modifyElsewhere(
  context: Context,
  payment: Payment,
  { kind, amount }: ControlRequest
): Modification | Refusal {
  const kinds = ['cancel', 'capture', 'refund', 'reversal']
  if (kind === undefined || !kinds.includes(kind)) {
    return { error: `Unknown kind '${kind}': ${kinds.join(', ')}`, status: 400 }
  }
  return modify(context, kind, payment, amount === undefined ? {} : { amount })
}

/** The scheme rejects a capture: the one named, the last one, or the automatic one. */
function failCapture(
  context: Context,
  payment: Payment,
  { modificationPspReference }: ControlRequest
): NotificationItem | Refusal {
  const capture = pick(context, payment, ['capture'], false, modificationPspReference)
  if (capture !== undefined) {
    end(context, capture)
    return rejection(context, payment, capture)
  }
  const { captured } = booksOf(payment, [], false)
  if (captured === 0) return { error: 'There is no such capture' }
  const captureFailedReference = newPspReference()
  const captureFailedAt = new Date().toISOString()
  context.state.payments.put({ ...payment, captureFailedAt, captureFailedReference })
  return aboutAutomaticCapture(context, payment, captureFailedReference)
}

/**
 * Adyen captures again by itself after a technical failure:
 * https://docs.adyen.com/online-payments/capture/failure-reasons
 */
function recapture(
  context: Context,
  payment: Payment,
  { modificationPspReference, newReference = false }: ControlRequest
): NotificationItem | Refusal {
  const { modifications, payments } = context.state
  const capture = pick(context, payment, ['capture'], true, modificationPspReference)
  const id = capture?.id ?? payment.captureFailedReference
  if (id === null) return { error: 'No capture has failed' }
  if (capture !== undefined) modifications.put({ ...capture, failedAt: null })
  else payments.put({ ...payment, captureFailedAt: null, captureFailedReference: null })
  return laterEvent(context, payment, {
    eventCode: 'CAPTURE',
    pspReference: newReference ? newPspReference() : id,
    reason: 'Transaction Recaptured',
    amount: capture?.amount ?? payment.amount,
    merchantReference: capture?.reference ?? null
  })
}

function failRefund(
  context: Context,
  payment: Payment,
  { modificationPspReference }: ControlRequest
): NotificationItem | Refusal {
  const refund = pick(context, payment, ['refund', 'reversal'], false, modificationPspReference)
  if (refund === undefined) return { error: 'There is no such refund' }
  end(context, refund)
  return rejection(context, payment, refund)
}

/** The refunded money came back to the merchant. */
function reverseRefund(
  context: Context,
  payment: Payment,
  { modificationPspReference }: ControlRequest
): NotificationItem | Refusal {
  const refund = pick(context, payment, ['refund', 'reversal'], false, modificationPspReference)
  if (refund === undefined) return { error: 'There is no such refund' }
  end(context, refund)
  return laterEvent(context, payment, {
    eventCode: 'REFUNDED_REVERSED',
    pspReference: refund.id,
    amount: refund.amount,
    merchantReference: refund.reference
  })
}

/** What was left uncaptured has lapsed; Adyen's example has no originalReference. */
function expire(context: Context, payment: Payment): NotificationItem | Refusal {
  const { captured, cancelled } = booksOf(payment, modificationsOf(context, payment), true)
  if (cancelled || captured === payment.amount.value) return { error: 'Nothing is left to expire' }
  const expiredAt = new Date().toISOString()
  context.state.payments.put({ ...payment, expiredAt, capturedAt: null })
  const pspReference = payment.id
  return laterEvent(context, payment, { eventCode: 'EXPIRE', pspReference, withoutOriginal: true })
}

/** The successful modification named, or else the last one, that has failed since or has not. */
function pick(
  context: Context,
  payment: Payment,
  kinds: ModificationKind[],
  hasFailed: boolean,
  id: string | undefined
): Modification | undefined {
  return modificationsOf(context, payment)
    .filter(({ kind, action, success }) => success && kinds.includes(kind) && action !== 'cancel')
    .filter(({ failedAt }) => (failedAt !== null) === hasFailed)
    .findLast((one) => id === undefined || one.id === id)
}

function end({ state }: Context, modification: Modification): void {
  state.modifications.put({ ...modification, failedAt: new Date().toISOString() })
}
