import { hash } from 'node:crypto'
import type { Allocated } from '../ledger/ledger.ts'
import { moneyOf } from '../money.ts'
import { failures } from '../provider/failures.ts'
import type { Failure } from '../provider.ts'
import type { EventType } from './event.ts'
import type { PaymentView } from './payment.schema.ts'
import {
  amountRefundable,
  beginning,
  isFinished,
  type Operator,
  type Payment,
  type ShownPayment
} from './payment.ts'

/** An event as it is kept: the payment as it was then, null for the first. */
export type StoredEvent = {
  sequence: number
  type: EventType
  data: Record<string, unknown>
  payment: unknown
  createdAt: Date
}

/**
 * The payment as the API shows it. Here as in every view, each field that goes out is named.
 * `allocated`: in answers; an event has the payment as it was, and does not say what others have
 * paid and taken back since.
 */
export function toPaymentView(
  payment: Payment,
  providerName: string,
  allocated?: Allocated
): PaymentView {
  return {
    id: payment.id,
    accountId: String(payment.accountId),
    amount: moneyOf(payment.amount),
    channel: payment.channel,
    method: payment.method,
    status: payment.status,
    finished: isFinished(payment.status),
    failure: payment.failure && toFailureOf(payment, payment.failure),
    checkout:
      payment.status === 'pending' && payment.checkoutUrl !== null
        ? { url: payment.checkoutUrl, expiresAt: payment.expiresAt.toISOString() }
        : null,
    card: toCardView(payment),
    authentication: toAuthenticationView(payment),
    capture: payment.capture,
    amountCaptured: payment.amountCaptured,
    amountRefunded: payment.amountRefunded,
    amountChargedBack: payment.amountChargedBack,
    amountRefundable: amountRefundable(payment),
    ...(allocated && {
      allocations: allocated.charges.map(({ chargeId, reference, amount }) => {
        return { chargeId, reference, amount }
      }),
      amountUnallocated: allocated.left
    }),
    reference: payment.reference,
    description: payment.description,
    metadata: payment.metadata,
    operator: payment.operator && toOperatorView(payment.operator),
    provider: {
      name: payment.processor?.name ?? providerName,
      reference: payment.processor?.reference ?? payment.authorisationReference
    },
    settlement: toSettlementView(payment),
    createdAt: payment.createdAt.toISOString(),
    updatedAt: payment.updatedAt.toISOString(),
    finishedAt: payment.finishedAt?.toISOString() ?? null
  }
}

/** What the provider reports of a card says nothing of its registration. */
function toCardView({ card, registeredCardId }: Payment): PaymentView['card'] {
  if (card === null) return null
  const { brand, lastFour, expiryMonth, expiryYear, funding, wallet = null } = card
  return {
    ...{ brand, lastFour, expiryMonth, expiryYear, funding, wallet },
    registeredCardId: registeredCardId ?? card.registeredCardId
  }
}

function toAuthenticationView({ authentication }: Payment): PaymentView['authentication'] {
  if (authentication === null) return null
  const { threeDSecure, liabilityShift, exemptionRequested } = authentication
  return { threeDSecure, liabilityShift, exemptionRequested }
}

function toSettlementView({ settlement }: Payment): PaymentView['settlement'] {
  if (settlement === null) return null
  const { settledAt, batch, gross, fees, net, currency } = settlement
  return { settledAt, batch, gross, fees, net, currency }
}

/** In a sentence of ours, that may be read to a customer; Adyen asks not to show them its own. */
export function toFailureView({ code, retryable }: Failure): Failure {
  return { code, message: failures[code].tell, retryable }
}

/** Whoever recorded a payment wrote its sentence. */
function toFailureOf({ method }: Payment, failure: Failure): Failure {
  const { code, message, retryable } = failure
  return method === 'recorded' ? { code, message, retryable } : toFailureView(failure)
}

/**
 * The payment where it is read. `toThirdParty`: all others may also know in which words the
 * provider refused it.
 */
export function toShownView(
  payment: ShownPayment,
  providerName: string,
  toThirdParty: boolean
): PaymentView {
  const view = toPaymentView(payment, providerName, payment.allocated)
  const { failure, method } = payment
  if (toThirdParty || view.failure === null || failure === null || method === 'recorded') {
    return view
  }
  return { ...view, failure: { ...view.failure, providerMessage: failure.message } }
}

export function toOperatorView({ id, reason }: Operator): Operator {
  return { id, ...(reason !== undefined && { reason }) }
}

/** The payment as it was when it was created, before anything else happened to it. */
function asCreated(payment: Payment): Payment {
  return { ...payment, ...beginning, updatedAt: payment.createdAt }
}

/** Changes with every event of the payment, and with all that is shown of it: `json`, its view. */
export function toETag({ eventCount }: Payment, json: string): string {
  return `"${eventCount}-${hash('sha256', json, 'base64url')}"`
}

/** A view as it was kept, with what views had not when it was. */
export function asShown(then: unknown): PaymentView {
  const { card, authentication = null, ...view } = then as PaymentView
  return { ...view, card: card && { ...card, wallet: card.wallet ?? null }, authentication }
}

/** Shows events of the payment, each with the payment as it was then. */
export function toEventView(payment: Payment, providerName: string) {
  return ({ sequence, type, data, payment: then, createdAt }: StoredEvent) => ({
    id: `${payment.id}.${sequence}`,
    type,
    createdAt: createdAt.toISOString(),
    accountId: String(payment.accountId),
    paymentId: payment.id,
    sequence,
    data: {
      ...data,
      payment: asShown(then ?? toPaymentView(asCreated(payment), providerName))
    }
  })
}
