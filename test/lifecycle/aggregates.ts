import type { Test } from 'tap'
import { isCustomerCredit, isCustomerDebit, postings } from '../../src/ledger/ledger.ts'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import { applyEvent } from '../../src/lifecycle/apply.ts'
import type {
  Discrepancy,
  Effect,
  EventOf,
  LifecycleContext,
  Operation,
  OperationKind,
  PaymentAggregate
} from '../../src/lifecycle/model.ts'
import { standingOf } from '../../src/lifecycle/operation.ts'
import type { Money } from '../../src/money.ts'
import {
  beginning,
  isFinished,
  type Payment,
  type PaymentStatus
} from '../../src/payments/payment.ts'
import type {
  CardFace,
  DisputeEvent,
  Failure,
  ProviderEvent,
  RequestReference
} from '../../src/provider.ts'
import { findFaultsOfEvents } from '../events.ts'

export const price = { currency: 'GBP', value: 2500 }
export const gbp = (value: number): Money => ({ currency: 'GBP', value })
export const declined: Failure = { code: 'card_declined', message: 'Refused', retryable: true }
export const visa: CardFace = {
  brand: 'visa',
  lastFour: '1111',
  expiryMonth: 3,
  expiryYear: 2030,
  funding: 'credit',
  registeredCardId: null
}

export const paidBy = (
  authorisation: string,
  changes: Partial<EventOf<'authorised'>> = {}
): ProviderEvent => ({
  type: 'authorised',
  authorisationReference: authorisation,
  amount: price,
  card: null,
  ...changes
})

export const refusedBy = (authorisation: string, failure = declined): ProviderEvent => ({
  type: 'attemptRefused',
  authorisationReference: authorisation,
  amount: price,
  failure
})

/** What is reserved has this amount, as of the nth day. */
export const adjusted = (value: number, n = 1): EventOf<'amountAdjusted'> => ({
  type: 'amountAdjusted',
  authorisationReference: first,
  amount: gbp(value),
  by: { providerReference: `ADJUSTED${n}`, reference: 'by hand' },
  at: new Date(Date.UTC(2026, 1, n))
})

export const fraudReported = (authorisation: string): EventOf<'fraudReported'> => ({
  type: 'fraudReported',
  authorisationReference: authorisation,
  reference: `FRAUD${authorisation}`,
  amount: price,
  reason: 'Card not present fraud'
})

export const closedBy = (by: 'customer' | 'refusals' | 'time'): ProviderEvent => ({
  type: 'pageClosed',
  by
})

export const expiryOf = (authorisation: string): ProviderEvent => ({
  type: 'authorisationExpired',
  authorisationReference: authorisation
})

/** The request that the provider names; of one of ours it gives our reference. */
export const requestOf = (authorisation: string, reference = 'not ours'): RequestReference => ({
  providerReference: `MOD${authorisation}`,
  reference
})

/** A request that somebody made at the provider. */
export const byHand: RequestReference = { providerReference: 'MODBYHAND', reference: 'by hand' }

/** Ours: the reference under which the provider accepted it, and the one that we sent. */
export const ours = ({ id }: Pick<Operation, 'id'>): RequestReference => ({
  providerReference: `MOD${id}`,
  reference: id
})

export const reversed = (
  authorisation: string,
  by = requestOf(authorisation),
  amount: Money = price,
  action: 'cancel' | 'refund' | null = null
): EventOf<'reversed'> => ({
  type: 'reversed',
  authorisationReference: authorisation,
  amount,
  by,
  action
})

export const reversalRefused = (
  authorisation: string,
  by = requestOf(authorisation)
): ProviderEvent => ({
  type: 'reversalRefused',
  authorisationReference: authorisation,
  by,
  reason: 'Transaction not found'
})

/** The provider answered our request, by its id, with a definite no; or never answered. */
export const rejected = (id: string): ProviderEvent => ({
  type: 'operationRejected',
  id,
  reason: 'Transaction not found'
})
export const unknown = (id: string): ProviderEvent => ({ type: 'operationUnknown', id })

/** Money came back that a refund or a reversal had given back. */
export const refundFailedOf = (
  authorisation: string,
  by = requestOf(authorisation),
  amount: Money = price
): ProviderEvent => ({
  type: 'refundFailed',
  authorisationReference: authorisation,
  amount,
  by,
  reason: 'Insufficient balance'
})

export const captured = (
  authorisation: string,
  amount: Money = price,
  by = requestOf(authorisation),
  again = false
): ProviderEvent => ({ type: 'captured', authorisationReference: authorisation, amount, by, again })

/** A capture that is worded as taken again after a failure. */
export const recaptured = (
  authorisation: string,
  amount: Money = price,
  by = requestOf(authorisation)
): ProviderEvent => captured(authorisation, amount, by, true)

export const captureRefused = (by: RequestReference): ProviderEvent => ({
  type: 'captureRefused',
  by,
  reason: 'Insufficient balance on payment'
})

export const captureFailedOf = (
  authorisation: string,
  amount: Money = price,
  by = requestOf(authorisation)
): ProviderEvent => ({
  type: 'captureFailed',
  authorisationReference: authorisation,
  amount,
  by,
  reason: 'Capture expired'
})

export const cancelled = (
  authorisation: string | null,
  by = requestOf(authorisation ?? 'NONE')
): ProviderEvent => ({ type: 'cancelled', authorisationReference: authorisation, by })

export const cancellationRefused = (by: RequestReference): ProviderEvent => ({
  type: 'cancellationRefused',
  by,
  reason: 'Transaction was captured already'
})

export const refunded = (
  authorisation: string,
  amount: Money = price,
  by = requestOf(authorisation)
): ProviderEvent => ({ type: 'refunded', authorisationReference: authorisation, amount, by })

export const refundRefused = (by: RequestReference): ProviderEvent => ({
  type: 'refundRefused',
  by,
  reason: "Transaction hasn't been captured, refund not possible"
})

export const disputed = (
  event: DisputeEvent,
  changes: Partial<EventOf<'disputed'>> = {}
): ProviderEvent => ({
  type: 'disputed',
  event,
  dispute: 'DISPUTE1',
  authorisationReference: null,
  amount: price,
  reason: null,
  reasonCode: null,
  defendBy: null,
  ...changes
})

const createdAt = new Date('2026-01-31T10:00:00Z')

/** A pending payment of 25.00 GBP whose page is open. */
export function newPayment(changes: Partial<Payment> = {}): Payment {
  return {
    id: 'pay_0000000000000001',
    clientId: 'cli_0000000000000001',
    idempotencyKey: 'key',
    accountId: 12_345_678,
    amount: price,
    channel: 'selfcare',
    method: 'hostedPage',
    capture: 'automatic',
    saveCard: 'never',
    paymentMethods: null,
    returnUrl: 'https://selfcare.example/paid',
    reference: null,
    description: null,
    metadata: null,
    customer: null,
    operator: null,
    allocations: null,
    registeredCardId: null,
    processor: null,
    authorisationCode: null,
    takenAt: null,
    expiresAt: new Date('2026-01-31T11:00:00Z'),
    createdAt,
    ...beginning,
    updatedAt: createdAt,
    providerKey: 'pay_0000000000000001.session.1',
    providerSession: 'CS0001',
    checkoutUrl: 'https://checkout.example/CS0001',
    ...changes
  }
}

/** What is different about a payment that another processor took. */
export const recordedElsewhere: Partial<Payment> = {
  method: 'recorded',
  channel: 'ivr',
  idempotencyKey: null,
  providerKey: null,
  providerSession: null,
  checkoutUrl: null,
  returnUrl: null,
  processor: { name: 'acme', reference: 'A1' },
  authorisationCode: '123456',
  takenAt: createdAt
}

export function newAggregate(changes: Partial<Payment> = {}): PaymentAggregate {
  const aggregate: PaymentAggregate = {
    payment: newPayment(changes),
    authorisations: [],
    operations: [],
    disputes: [],
    events: [],
    postings: [],
    discrepancies: [],
    touched: new Set()
  }
  beginnings.set(aggregate, structuredClone(aggregate.payment))
  return aggregate
}

/** The first reference of money in every aggregate that has some. */
export const first = 'PSP0000000000001'

/** An aggregate as it stands when its payment has this status, with nothing to be written. */
export function aggregateOf(
  status: PaymentStatus,
  changes: Partial<Payment> = {}
): PaymentAggregate {
  const aggregate = newAggregate({
    status,
    finishedAt: isFinished(status) ? createdAt : null,
    cancelledBy: status === 'cancelled' ? 'customer' : null,
    failure: ['refused', 'expired', 'failed', 'cancelled'].includes(status) ? declined : null,
    ...(status === 'failed' && { providerSession: null, checkoutUrl: null }),
    ...(status === 'authorised' && {
      capture: 'manual',
      authorisationReference: first,
      amountAuthorised: price.value
    }),
    ...(status === 'captured' && {
      amountCaptured: price.value,
      amountAuthorised: price.value,
      authorisationReference: first
    }),
    ...changes
  })
  if (status === 'authorised' || status === 'captured') {
    aggregate.authorisations.push({
      reference: first,
      outcome: 'authorised',
      disposition: 'kept',
      amount: price,
      reported: []
    })
  }
  return aggregate
}

/** A time after `createdAt`, and ids that are numbered. */
export function newContext(): LifecycleContext & { now: Date } {
  let count = 0
  return {
    now: new Date('2026-01-31T10:05:00Z'),
    newId: (prefix) => {
      count += 1
      return `${prefix}_${String(count).padStart(16, '0')}`
    }
  }
}

/** How the payment of an aggregate was at first. */
const beginnings = new WeakMap<PaymentAggregate, Payment>()
const contexts = new WeakMap<PaymentAggregate, LifecycleContext>()

/** The context of an aggregate: its ids are not those that it had before. */
export function contextOf(aggregate: PaymentAggregate): LifecycleContext {
  const known = contexts.get(aggregate) ?? newContext()
  contexts.set(aggregate, known)
  return known
}

/** Applies events one after another and answers what each did. */
export function apply(aggregate: PaymentAggregate, ...events: ProviderEvent[]): Effect[] {
  return events.map((event) => applyEvent(aggregate, event, contextOf(aggregate)))
}

/** Applies events that have this effect, which leaves the aggregate as it was. */
export function checkUnchanged(
  t: Test,
  aggregate: PaymentAggregate,
  effect: Exclude<Effect, 'applied'>,
  ...events: ProviderEvent[]
): void {
  for (const event of events) {
    const before = structuredClone(aggregate)
    t.strictSame(apply(aggregate, event), [effect], event.type)
    t.strictSame(aggregate, before, `${event.type} changes nothing`)
  }
}

/** Applies events, each twice: the second time it changes nothing. */
export function applyTwice(t: Test, aggregate: PaymentAggregate, ...events: ProviderEvent[]): void {
  for (const event of events) {
    t.strictSame(apply(aggregate, event), ['applied'], event.type)
    const after = structuredClone(aggregate)
    t.match(apply(aggregate, event)[0], /applied|ignored/, event.type)
    t.strictSame(aggregate, after, `${event.type} again changes nothing`)
  }
}

/** The only one of a kind. */
export function only(aggregate: PaymentAggregate, kind: OperationKind): Operation {
  const found = operationsOf(aggregate, kind)
  if (found.length !== 1) throw new Error(`${found.length} of ${kind}`)
  return found[0] as Operation
}

/** What is to be written of an aggregate, in words, without the count in a fact of an operation. */
export function traceOf(aggregate: PaymentAggregate) {
  const named = (fact: string) => fact.replace(/^(cap|rev)_(\w+)\.\d+$/, '$1_$2')
  return {
    status: aggregate.payment.status,
    events: aggregate.events.map(({ type }) => type),
    postings: aggregate.postings.map(
      ({ kind, fact, amount }) => `${kind} ${named(fact)} ${amount.value}`
    ),
    discrepancies: aggregate.discrepancies.map(({ kind, fact }) => `${kind} ${named(fact)}`)
  }
}

/** Where the money stands, minor units. */
export function standOf(aggregate: PaymentAggregate) {
  const { status, amountCaptured, amountRefunded, amountRefunding } = aggregate.payment
  return {
    status,
    amountCaptured,
    amountRefunded,
    amountRefunding,
    amountChargedBack: aggregate.payment.amountChargedBack,
    account: onAccount(aggregate),
    clearing: inClearing(aggregate)
  }
}

/** What the postings of an aggregate have brought to the customer's account. */
export function onAccount(aggregate: PaymentAggregate): number {
  return aggregate.postings.reduce((sum, { kind, amount }) => {
    if (isCustomerCredit(kind)) return sum + amount.value
    return isCustomerDebit(kind) ? sum - amount.value : sum
  }, 0)
}

/** What of the held money stands in clearing. */
export function inClearing(aggregate: PaymentAggregate): number {
  return aggregate.postings.reduce((sum, { kind, amount }) => {
    const { debit, credit } = postings[kind]
    if (credit === 'clearing') return sum + amount.value
    return debit === 'clearing' ? sum - amount.value : sum
  }, 0)
}

/** Whether a discrepancy of the kind is open. */
export function isOpen(aggregate: PaymentAggregate, kind: Discrepancy['kind']): boolean {
  return aggregate.discrepancies.some((one) => one.kind === kind && one.status === 'open')
}

/** Every order of a few things. */
export function ordersOf<T>(things: readonly T[]): T[][] {
  if (things.length === 0) return [[]]
  return things.flatMap((one, place) =>
    ordersOf(things.toSpliced(place, 1)).map((rest) => [one, ...rest])
  )
}

/** What holds of every aggregate, whatever happened to it. */
export function checkAggregate(t: Test, aggregate: PaymentAggregate): void {
  t.same(findFaultsOfEvents(aggregate), [])
  const { payment, events, authorisations, operations, disputes } = aggregate
  const before = beginnings.get(aggregate) as Payment
  t.strictSame(
    events.map(({ sequence }) => sequence),
    events.map((_, place) => before.eventCount + place + 1),
    'events are numbered on without holes'
  )
  t.equal(payment.eventCount, before.eventCount + events.length)
  for (const event of events) t.equal(event.payment.eventCount, event.sequence)
  checkStatus(t, aggregate)

  const sumOf = (...statuses: Array<Operation['status']>) =>
    operationsOf(aggregate, 'refund')
      .filter(({ status }) => statuses.includes(status))
      .reduce((sum, { amount }) => sum + amount.value, 0)
  t.equal(payment.amountRefunding, before.amountRefunding + sumOf('requested', 'awaitingApproval'))
  t.equal(payment.amountRefunded, before.amountRefunded + sumOf('succeeded'))
  const isBeyond = payment.amountRefunded > payment.amountCaptured
  t.equal(isBeyond, isOpen(aggregate, 'refunded_beyond_captured'), 'what is refunded was captured')
  if (payment.method !== 'recorded') t.ok(payment.amountCaptured <= payment.amountAuthorised)
  const chargedBack = disputes.reduce((sum, one) => sum + one.amountChargedBack, 0)
  t.equal(payment.amountChargedBack, before.amountChargedBack + chargedBack)
  for (const dispute of disputes) {
    t.equal(dispute.closedAt === null, dispute.status === 'open')
    t.ok(dispute.amountChargedBack >= 0 && dispute.amountChargedBack <= dispute.amount.value)
  }

  const netOf = (one: Payment) => one.amountCaptured - one.amountRefunded - one.amountChargedBack
  t.equal(onAccount(aggregate), netOf(payment) - netOf(before), 'the account has what was kept')
  t.ok(inClearing(aggregate) >= 0, 'no more leaves clearing than came')
  const facts = aggregate.postings.map(({ kind, fact }) => `${kind} ${fact}`)
  t.equal(new Set(facts).size, facts.length, 'a fact is posted once')
  const found = aggregate.discrepancies.map(({ kind, fact }) => `${kind} ${fact}`)
  t.equal(new Set(found).size, found.length, 'a discrepancy is opened once')

  for (const one of operations) {
    t.equal(one.failure !== null, one.status === 'failed', `${one.kind} failed: it says why`)
    if (one.reported.length > 0) t.equal(one.status, standingOf(one), `${one.kind} as reported`)
  }
  t.ok(authorisations.filter(({ disposition }) => disposition === 'kept').length <= 1)
}

function checkStatus(t: Test, { payment, authorisations }: PaymentAggregate): void {
  const { status } = payment
  t.equal(payment.finishedAt === null, ['pending', 'authorised'].includes(status))
  t.equal(payment.cancelledBy !== null, status === 'cancelled')
  t.equal(payment.amountCaptured > 0, status === 'captured')
  if (['authorised', 'captured'].includes(status)) {
    t.equal(payment.failure, null)
    t.ok(
      payment.method === 'recorded' ||
        authorisations.find(({ reference }) => reference === payment.authorisationReference)
    )
  }
  if (['refused', 'expired', 'failed'].includes(status)) t.not(payment.failure, null)
}
