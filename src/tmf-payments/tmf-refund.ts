/** A refund as TMF676 v4 shows it. Pure, and apart from the paths. */
import type { Operation } from '../lifecycle/model.ts'
import type { toRefundView } from '../lifecycle/operation-view.ts'
import type { PaymentView } from '../payments/payment.schema.ts'
import { toTmfMoney } from '../tmf/tmf-money.ts'
import { identify } from '../tmf/tmf-paths.ts'
import { membersOf, noExtras, type PaymentExtras, toTmfPayment, withOurs } from './tmf-payment.ts'

type RefundView = ReturnType<typeof toRefundView>
type Members = Record<string, unknown>

/** TM Forum has one list of words for both. One that waits for a person is not authorised yet. */
export const refundStatuses = {
  awaitingApproval: 'pendingAuthorization',
  requested: 'authorized',
  succeeded: 'done',
  failed: 'failed',
  rejected: 'denied'
} as const satisfies Record<Operation['status'], string>

/** What is known of a refund beside its view. */
export type RefundExtras = {
  /** What was posted to TMF676, as it was sent; null where it came by another way. */
  sent: Members | null
  /** When its status was recorded; of an event the time of the event. */
  updatedAt: string | null
}

/** Its members are those of the schema `TmfRefund`, and what its sender added. */
export type TmfRefund = { id: string; href: string; [member: string]: unknown }

/** `payment`: what it is of, which says account, payment method and channel. */
export function toTmfRefund(
  view: RefundView,
  payment: PaymentView,
  publicUrl: string,
  { sent, updatedAt }: RefundExtras = { sent: null, updatedAt: null },
  ofPayment: PaymentExtras = noExtras
): TmfRefund {
  const total = toTmfMoney(view.amount)
  const paid = toTmfPayment(payment, publicUrl, ofPayment)
  const own = identify(publicUrl, 'refund', view.id)
  return {
    ...own,
    ...(sent ?? {}),
    ...own,
    name: sent?.name ?? `Refund of ${view.paymentId}`,
    ...(view.reason !== null && { description: sent?.description ?? view.reason }),
    ...authorisationOf(view, sent),
    refundDate: view.createdAt,
    status: refundStatuses[view.status],
    statusDate: statusDateOf(view, updatedAt),
    ...(view.failure !== null && { statusReason: view.failure.message }),
    account: { ...membersOf(paid.account), ...membersOf(sent?.account) },
    payment: {
      ...identify(publicUrl, 'payment', view.paymentId),
      '@type': 'PaymentRef',
      '@baseType': 'EntityRef',
      '@referredType': 'Payment',
      ...membersOf(sent?.payment)
    },
    paymentMethod: sentOr(sent?.paymentMethod, paid.paymentMethod, 'PaymentMethodRef'),
    totalAmount: total,
    amount: sent?.amount ?? (sent?.taxAmount === undefined ? total : undefined),
    channel: sentOr(sent?.channel, paid.channel, 'ChannelRef'),
    ...toRequestor(view, sent),
    characteristic: withOurs(sent, {
      refundStatus: view.status,
      failureCode: view.failure?.code,
      origin: view.origin,
      decidedBy: view.decision?.operator.id
    }),
    '@type': sent?.['@type'] ?? 'Refund',
    '@baseType': sent?.['@baseType'] ?? 'Refund'
  }
}

/** By which its taker knows it; of one that was posted what its sender says of that. */
function authorisationOf({ processor }: RefundView, sent: Members | null) {
  const code = sent === null ? processor?.reference : sent.authorizationCode
  return code === undefined ? {} : { authorizationCode: code }
}

/** That the provider has taken it on is noted, and changes no status. */
function statusDateOf({ status, decision, createdAt }: RefundView, updatedAt: string | null) {
  const isOpen = status === 'requested' || status === 'awaitingApproval'
  return (isOpen ? null : updatedAt) ?? decision?.at ?? createdAt
}

/** Of another than the payment has nothing is said that is known of that one. */
function sentOr(sent: unknown, paid: unknown, type: string): Members {
  const [own, known] = [membersOf(sent), membersOf(paid)]
  if (own.id === undefined || own.id === known.id) return { ...known, ...own }
  return { '@type': type, '@baseType': 'EntityRef', ...own }
}

function toRequestor({ operator }: RefundView, sent: Members | null) {
  if (operator === null) return {}
  return {
    requestor: {
      id: operator.id,
      role: 'requestor',
      '@type': 'RelatedParty',
      '@baseType': 'EntityRef',
      '@referredType': 'Individual',
      ...membersOf(sent?.requestor)
    }
  }
}
