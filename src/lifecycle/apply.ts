/**
 * What a fact of the provider does to a payment, and which noun has the rule. Pure: it reads and
 * changes an aggregate, and a store writes what changed. Every source of facts ends here: webhook,
 * page result, answer to a card payment, link poll and settlement report.
 */
import type { ProviderEvent } from '../provider.ts'
import {
  isTaken,
  keepDiscrepancy,
  movePayment,
  openDiscrepancy,
  operationsOf
} from './aggregate.ts'
import {
  onAmountAdjusted,
  onAttemptRefused,
  onAuthorised,
  onExpired,
  onFraudReported
} from './authorisations.ts'
import { onTaken, onTakenFailed } from './automatic-captures.ts'
import { onCancellationRefused, onCancelled, onLinkExpired } from './cancellations.ts'
import { onCaptured, onCaptureFailed, onCaptureRefused } from './captures.ts'
import { onDisputed } from './disputes.ts'
import type { Discrepancy, Effect, EventOf, LifecycleContext, PaymentAggregate } from './model.ts'
import { addReport, isDoubtful, recordOperation } from './operation.ts'
import {
  isWholeUnclear,
  onOwnReversed,
  onRefunded,
  onRefundFailed,
  onRefundRefused,
  refundReversed,
  report
} from './refunds.ts'
import { moveReversed, onHeldReversed, onReversalFailed, onReversalRefused } from './reversals.ts'

/** Applies a fact. Whatever is not `applied` leaves the aggregate as it was. */
export function applyEvent(
  aggregate: PaymentAggregate,
  event: ProviderEvent,
  context: LifecycleContext
): Effect {
  const effect = effectOf(aggregate, event, context)
  if (effect === 'applied') reviewDiscrepancies(aggregate, context)
  return effect
}

function effectOf(
  aggregate: PaymentAggregate,
  event: ProviderEvent,
  context: LifecycleContext
): Effect {
  switch (event.type) {
    case 'authorised':
      return onAuthorised(aggregate, event, context)
    case 'attemptRefused':
      return onAttemptRefused(aggregate, event, context)
    case 'amountAdjusted':
      return onAmountAdjusted(aggregate, event, context)
    case 'authorisationExpired':
      return onExpired(aggregate, event, context)
    case 'fraudReported':
      return onFraudReported(aggregate, event, context)
    case 'captured':
      return isTaken(aggregate.payment)
        ? onTaken(aggregate, event, context)
        : onCapturedOnRequest(aggregate, event, context)
    case 'captureRefused':
      return onCaptureRefused(aggregate, event, context)
    case 'captureFailed':
      return isTaken(aggregate.payment)
        ? onTakenFailed(aggregate, event, context)
        : onCaptureFailed(aggregate, event, context)
    case 'cancelled':
      return (
        onHeldReversed(aggregate, event.authorisationReference, event.by, context) ??
        onCancelled(aggregate, event, context)
      )
    case 'cancellationRefused':
      return onCancellationRefused(aggregate, event, context)
    case 'refunded':
      return onRefunded(aggregate, event, context)
    case 'refundRefused':
      return onRefundRefused(aggregate, event, context)
    case 'refundFailed':
      return (
        onRefundFailed(aggregate, event, context) ?? onReversalFailed(aggregate, event, context)
      )
    case 'reversed':
      return (
        onHeldReversed(aggregate, event.authorisationReference, event.by, context) ??
        onOwnReversed(aggregate, event, context)
      )
    case 'reversalRefused':
      return onReversalRefused(aggregate, event, context)
    case 'disputed':
      return onDisputed(aggregate, event, context)
    case 'pageClosed':
      return onPageClosed(aggregate, event.by, context)
    case 'linkExpired':
      return onLinkExpired(aggregate, context) ?? onLinkEnded(aggregate, context)
    case 'paidWithoutReference':
      return onOutcomeUnknown(aggregate, 'success_without_reference', context)
    case 'cardPaymentUnknown':
      return onOutcomeUnknown(aggregate, 'outcome_unknown', context)
    case 'rejected':
      return onRejected(aggregate, event.reason, context)
    case 'operationRejected':
      return onOperationRejected(aggregate, event, context)
    case 'operationUnknown':
      return onOperationUnknown(aggregate, event.id, context)
  }
}

function onCapturedOnRequest(
  aggregate: PaymentAggregate,
  event: EventOf<'captured'>,
  context: LifecycleContext
): Effect {
  const effect = onCaptured(aggregate, event, context)
  if (effect === 'applied') refundReversed(aggregate, event.authorisationReference, context)
  return effect
}

function onPageClosed(
  aggregate: PaymentAggregate,
  by: ClosedBy,
  context: LifecycleContext
): Effect {
  // One visit to a link is over, which can be paid until it expires: the link itself is asked.
  if (aggregate.payment.method === 'paymentLink' && by === 'time') return 'ignored'
  return closePage(aggregate, by, context)
}

/** Nobody asked to close it: its time is over, or somebody has closed it at the provider. */
function onLinkEnded(aggregate: PaymentAggregate, context: LifecycleContext): Effect {
  return aggregate.payment.method === 'paymentLink'
    ? closePage(aggregate, 'time', context)
    : 'ignored'
}

type ClosedBy = EventOf<'pageClosed'>['by']

function closePage(aggregate: PaymentAggregate, by: ClosedBy, context: LifecycleContext): Effect {
  const { payment } = aggregate
  if (payment.status !== 'pending') return 'ignored'
  if (by === 'customer') {
    const message = 'The customer cancelled on the card page.'
    payment.cancelledBy = 'customer'
    payment.failure = { code: 'cancelled_by_customer', message, retryable: true }
    movePayment(aggregate, 'cancelled', {}, context)
  } else if (
    by === 'refusals' ||
    aggregate.authorisations.some(({ outcome }) => outcome === 'refused')
  ) {
    payment.failure ??= { code: 'card_declined', message: 'Refused.', retryable: true }
    movePayment(aggregate, 'refused', {}, context)
  } else {
    const message = 'The card page ended without an outcome.'
    payment.failure = { code: 'expired', message, retryable: true }
    movePayment(aggregate, 'expired', {}, context)
  }
  return 'applied'
}

/** The provider was asked, and its answer is not enough: a person must find out. */
function onOutcomeUnknown(
  aggregate: PaymentAggregate,
  kind: 'success_without_reference' | 'outcome_unknown',
  context: LifecycleContext
): Effect {
  const { id, status, method, createdAt } = aggregate.payment
  if (status !== 'pending') return 'ignored'
  const details = { method, createdAt: createdAt.toISOString() }
  openDiscrepancy(aggregate, kind, id, details, context)
  return 'applied'
}

function onRejected(
  aggregate: PaymentAggregate,
  reason: string,
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  if (payment.status !== 'pending' || payment.providerSession !== null) return 'ignored'
  payment.failure = { code: 'provider_rejected', message: reason, retryable: false }
  movePayment(aggregate, 'failed', {}, context)
  return 'applied'
}

/** The provider answered our request with a definite no: nothing happened and nothing will. */
function onOperationRejected(
  aggregate: PaymentAggregate,
  { id, reason }: EventOf<'operationRejected'>,
  context: LifecycleContext
): Effect {
  const operation = aggregate.operations.find((one) => one.id === id)
  if (operation?.status !== 'requested') return 'ignored'
  const refused = { outcome: 'refused', reference: id, reason } as const
  if (operation.kind === 'refund') report(aggregate, operation, refused, context)
  else if (operation.kind === 'reversal') moveReversed(aggregate, operation, refused, context)
  else if (addReport(aggregate, operation, refused) !== undefined) {
    recordOperation(aggregate, operation, context)
  }
  return 'applied'
}

/** The provider never said what became of a request of ours. */
function onOperationUnknown(
  aggregate: PaymentAggregate,
  id: string,
  context: LifecycleContext
): Effect {
  const operation = aggregate.operations.find((one) => one.id === id)
  if (operation?.status !== 'requested') return 'ignored'
  const { kind, authorisationReference: authorisation } = operation
  openDiscrepancy(aggregate, 'outcome_unknown', id, { [`${kind}Id`]: id, authorisation }, context)
  return 'applied'
}

/** Discrepancies that stand as long as what they say is true, and what they say of the payment. */
const standing: ReadonlyArray<{
  kind: Discrepancy['kind']
  isTrue: (aggregate: PaymentAggregate) => boolean
}> = [
  {
    kind: 'refund_and_chargeback',
    isTrue: ({ payment: { amountCaptured, amountRefunded, amountChargedBack } }) =>
      amountRefunded > 0 &&
      amountChargedBack > 0 &&
      amountRefunded + amountChargedBack > amountCaptured
  },
  {
    kind: 'refunded_beyond_captured',
    isTrue: ({ payment: { amountCaptured, amountRefunded } }) => amountRefunded > amountCaptured
  },
  { kind: 'reversal_amount_unknown', isTrue: isWholeUnclear }
]

/** Opens what has become true, and resolves what is true no more. */
export function reviewDiscrepancies(aggregate: PaymentAggregate, context: LifecycleContext): void {
  const { id, amountCaptured, amountRefunded, amountChargedBack } = aggregate.payment
  const details = { amountCaptured, amountRefunded, amountChargedBack }
  for (const { kind, isTrue } of standing) {
    keepDiscrepancy(aggregate, kind, id, isTrue(aggregate) ? details : undefined, context)
  }
  for (const capture of operationsOf(aggregate, 'capture')) {
    const doubt = isDoubtful(capture)
      ? { captureId: capture.id, amount: capture.amount }
      : undefined
    keepDiscrepancy(aggregate, 'recapture_unconfirmed', capture.id, doubt, context)
  }
}
