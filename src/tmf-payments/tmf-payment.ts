/** A payment as TMF676 v4 shows it. Pure, and apart from the paths, so that v5 is a second one. */
import type { NamedAllocation } from '../ledger/ledger.ts'
import type { PaymentView } from '../payments/payment.schema.ts'
import { toTmfMoney } from '../tmf/tmf-money.ts'
import { identify } from '../tmf/tmf-paths.ts'
import { toAccountRef, toCharacteristics } from '../tmf/tmf-reference.ts'

type View = PaymentView
type Members = Record<string, unknown>

/** What is known of a payment beside its view. */
export type PaymentExtras = {
  /** What was posted to TMF676, as it was sent; null where it came by another way. */
  sent: Members | null
  /** Of a recorded payment. */
  takenAt: Date | null
  authorisationCode: string | null
  /** The charges that its creation named. */
  allocations: NamedAllocation[] | null
  /** The creator's own reference of the person who pays. */
  customerReference: string | null
  /** When it was reserved last; null where that is not known, or it never waited for a capture. */
  authorisedAt: Date | null
}

export const noExtras: PaymentExtras = {
  sent: null,
  takenAt: null,
  authorisationCode: null,
  allocations: null,
  customerReference: null,
  authorisedAt: null
}

/** TM Forum's words for a payment; those of a refund stand in tmf-refund.ts. */
export const paymentStatuses = {
  pending: 'pendingAuthorization',
  authorised: 'authorized',
  captured: 'captured',
  refused: 'denied',
  cancelled: 'canceled',
  expired: 'canceled',
  failed: 'failed'
} as const satisfies Record<View['status'], string>

/** The types of payment methods that are ours; whatever else is paid with was taken elsewhere. */
export const methodTypes = {
  hostedPage: 'HostedPage',
  paymentLink: 'PaymentLink',
  registeredCard: 'RegisteredCard',
  recorded: 'RecordedPaymentMethod'
} as const satisfies Record<View['method'], string>

/** Its members are those of the schema `TmfPayment`, and what its sender added. */
export type TmfPayment = { id: string; href: string; [member: string]: unknown }

/** `publicUrl`: where the service is reached. Sent members that are none of ours come back. */
export function toTmfPayment(
  view: View,
  publicUrl: string,
  extras: PaymentExtras = noExtras
): TmfPayment {
  const { sent } = extras
  const total = toTmfMoney(view.amount)
  const own = identify(publicUrl, 'payment', view.id)
  return {
    ...own,
    ...(sent ?? {}),
    ...own,
    ...correlatorOf(view),
    ...descriptionOf(view, sent),
    name: sent?.name ?? `Payment ${view.id}`,
    ...authorisationOf(view, extras),
    paymentDate: extras.takenAt?.toISOString() ?? view.createdAt,
    status: paymentStatuses[view.status],
    statusDate: statusDateOf(view, extras),
    ...(view.failure !== null && { statusReason: view.failure.message }),
    account: { ...toAccountRef(publicUrl, view.accountId), ...membersOf(sent?.account) },
    paymentMethod: toPaymentMethod(view, publicUrl, extras),
    totalAmount: total,
    // A payment on an account is of no tax, unless its sender says so.
    amount: sent?.amount ?? (sent?.taxAmount === undefined ? total : undefined),
    channel: toChannel(view, sent),
    ...payerOf(extras),
    ...itemsOf(view, extras),
    characteristic: withOurs(sent, characteristicsOf(view)),
    '@type': sent?.['@type'] ?? 'Payment',
    '@baseType': sent?.['@baseType'] ?? 'Payment'
  }
}

export const membersOf = (value: unknown): Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {}
const arrayOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

/** Characteristics as sent, and ours: what has the name of one of ours is no sender's to say. */
export function withOurs(sent: Members | null, ours: Readonly<Record<string, unknown>>) {
  const own = arrayOf(sent?.characteristic).filter(
    (one) => !Object.hasOwn(ours, String(membersOf(one).name))
  )
  return [...own, ...toCharacteristics(ours)]
}

/** A recorded payment has none of its own. */
function descriptionOf({ description }: View, sent: Members | null) {
  const said = description ?? sent?.description
  return said === undefined ? {} : { description: said }
}

/** The creator's reference, whichever way the payment came. */
const correlatorOf = ({ reference }: View) =>
  reference === null ? {} : { correlatorId: reference }

/** What the gateway can be asked about it by. */
function authorisationOf({ provider, method }: View, { authorisationCode }: PaymentExtras) {
  const code = authorisationCode ?? (method === 'recorded' ? null : provider.reference)
  return code === null ? {} : { authorizationCode: code }
}

/** What is asked about a reserved payment, such as its capture, does not change its status yet. */
function statusDateOf(
  { finishedAt, status, updatedAt, createdAt }: View,
  { authorisedAt }: PaymentExtras
): string {
  if (finishedAt !== null || status !== 'authorised') return finishedAt ?? createdAt
  return authorisedAt?.toISOString() ?? updatedAt
}

function toPaymentMethod(view: View, publicUrl: string, { sent }: PaymentExtras) {
  const { method, card, provider } = view
  const type = methodTypes[method]
  const face = card && {
    brand: card.brand,
    lastFourDigits: card.lastFour,
    expirationDate:
      card.expiryYear === null || card.expiryMonth === null
        ? null
        : `${card.expiryYear}-${String(card.expiryMonth).padStart(2, '0')}`,
    cardType: card.funding
  }
  const known = Object.fromEntries(Object.entries(face ?? {}).filter(([, one]) => one !== null))
  const cardId = card?.registeredCardId ?? null
  const own = membersOf(sent?.paymentMethod)
  if (method === 'registeredCard' && cardId !== null) {
    return {
      // By its registration, where its sender knows it so.
      ...identify(publicUrl, 'paymentMethod', typeof own.id === 'string' ? own.id : cardId),
      name: [card?.brand, card?.lastFour].filter(Boolean).join(' ') || 'Registered card',
      '@type': 'PaymentMethodRef',
      '@baseType': 'EntityRef',
      '@referredType': type,
      ...own,
      ...known
    }
  }
  const isReference = own.id !== undefined
  return {
    ...known,
    name: method === 'recorded' ? takerOf(provider.name, own) : methodNames[method],
    '@type': isReference ? 'PaymentMethodRef' : type,
    '@baseType': isReference ? 'EntityRef' : 'PaymentMethod',
    ...(isReference && { '@referredType': type }),
    ...own,
    // Of what is paid here the provider says it.
    ...(method !== 'recorded' && known)
  }
}

/** Whoever posted it is known by an id of ours, which says nothing to people. */
const takerOf = (name: string, posted: Members) => posted['@type'] ?? name

const methodNames = {
  hostedPage: 'Card page',
  paymentLink: 'Card page, by a link',
  registeredCard: 'Registered card'
} as const

function toChannel({ channel }: View, sent: Members | null) {
  const own = membersOf(sent?.channel)
  return {
    id: channel,
    name: own.id ?? channel,
    '@type': 'ChannelRef',
    '@baseType': 'EntityRef',
    '@referredType': 'Channel',
    ...own
  }
}

function payerOf({ sent, customerReference: id }: PaymentExtras) {
  if (sent?.payer !== undefined) {
    const own = membersOf(sent.payer)
    const typed = {
      '@type': 'RelatedParty',
      '@baseType': 'EntityRef',
      '@referredType': 'Individual'
    }
    return { payer: { ...typed, ...own } }
  }
  if (id === null) return {}
  return {
    payer: {
      id,
      role: 'payer',
      '@type': 'RelatedParty',
      '@baseType': 'EntityRef',
      '@referredType': 'Individual'
    }
  }
}

function itemsOf({ amount: { currency } }: View, { sent, allocations }: PaymentExtras) {
  if (sent?.paymentItem !== undefined) {
    const typed = { '@type': 'PaymentItem', '@baseType': 'PaymentItem' }
    const items = arrayOf(sent.paymentItem).map((one, at) => ({
      id: String(at + 1),
      ...typed,
      ...membersOf(one)
    }))
    return { paymentItem: items }
  }
  if (allocations === null || allocations.length === 0) return {}
  return {
    paymentItem: allocations.map(({ chargeId, amount }, at) => ({
      id: String(at + 1),
      item: {
        id: chargeId,
        '@type': 'EntityRef',
        '@baseType': 'EntityRef',
        '@referredType': 'Charge'
      },
      totalAmount: toTmfMoney({ currency, value: amount }),
      '@type': 'PaymentItem',
      '@baseType': 'PaymentItem'
    }))
  }
}

/** Amounts in minor units, as /v1 has them. */
function characteristicsOf(view: View) {
  const { checkout, failure, operator, provider } = view
  return {
    checkoutUrl: checkout?.url,
    checkoutExpiresAt: checkout?.expiresAt,
    failureCode: failure?.code,
    operatorId: operator?.id,
    providerName: provider.name,
    providerReference: provider.reference,
    capture: view.capture,
    amountCaptured: view.amountCaptured,
    amountRefunded: view.amountRefunded,
    amountChargedBack: view.amountChargedBack
  }
}
