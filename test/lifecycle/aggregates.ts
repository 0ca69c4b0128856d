import type { Test } from 'tap'
import { isCustomerCredit, isCustomerDebit, postings } from '../../src/ledger/ledger.ts'
import { type Book, type Context, modificationsOf } from '../../src/lifecycle/aggregate.ts'
import { applyEvent } from '../../src/lifecycle/apply.ts'
import type { Effect } from '../../src/lifecycle/effect.ts'
import type { Modification, ModificationKind } from '../../src/lifecycle/operation.ts'
import type { Money } from '../../src/money.ts'
import { isFinished, type Payment, type PaymentStatus } from '../../src/payments/payment.ts'
import type {
  CardFace,
  DisputeNews,
  Failure,
  ProviderEvent,
  RequestReference
} from '../../src/provider.ts'

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

type Told<Type extends ProviderEvent['type']> = Extract<ProviderEvent, { type: Type }>

export const paidBy = (
  authorisation: string,
  changes: Partial<Told<'authorised'>> = {}
): ProviderEvent => ({ type: 'authorised', authorisation, amount: price, card: null, ...changes })

export const refusedBy = (authorisation: string, failure = declined): ProviderEvent => ({
  type: 'attemptRefused',
  authorisation,
  amount: price,
  failure
})

export const closedBy = (by: 'customer' | 'refusals' | 'time'): ProviderEvent => ({
  type: 'pageClosed',
  by
})

export const expiryOf = (authorisation: string): ProviderEvent => ({
  type: 'authorisationExpired',
  authorisation
})

/** The request that the provider tells of; one of ours tells our reference. */
export const requestOf = (authorisation: string, reference = 'not ours'): RequestReference => ({
  providerReference: `MOD${authorisation}`,
  reference
})

/** A request that somebody made at the provider. */
export const byHand: RequestReference = { providerReference: 'MODBYHAND', reference: 'by hand' }

/** Ours: what the provider took it under, and the reference that we sent. */
export const ours = ({ id }: Pick<Modification, 'id'>): RequestReference => ({
  providerReference: `MOD${id}`,
  reference: id
})

export const reversed = (
  authorisation: string,
  by = requestOf(authorisation),
  amount: Money = price
): Told<'reversed'> => ({ type: 'reversed', authorisation, amount, by })

export const reversalRefused = (
  authorisation: string,
  by = requestOf(authorisation)
): ProviderEvent => ({
  type: 'reversalRefused',
  authorisation,
  by,
  reason: 'Transaction not found'
})

/** The provider answered our request, by its id, with a definite no; or never answered. */
export const rejected = (id: string): ProviderEvent => ({
  type: 'modificationRejected',
  id,
  reason: 'Transaction not found'
})
export const unknown = (id: string): ProviderEvent => ({ type: 'modificationUnknown', id })

/** Money came again that a refund or a reversal had given back. */
export const fellThrough = (
  authorisation: string,
  by = requestOf(authorisation),
  amount: Money = price
): ProviderEvent => ({
  type: 'refundFellThrough',
  authorisation,
  amount,
  by,
  reason: 'Insufficient balance'
})

export const captured = (
  authorisation: string,
  amount: Money = price,
  by = requestOf(authorisation),
  again = false
): ProviderEvent => ({ type: 'captured', authorisation, amount, by, again })

/** That a capture which failed was taken again. */
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

export const captureFell = (
  authorisation: string,
  amount: Money = price,
  by = requestOf(authorisation)
): ProviderEvent => ({
  type: 'captureFellThrough',
  authorisation,
  amount,
  by,
  reason: 'Capture expired'
})

export const cancelled = (
  authorisation: string | null,
  by = requestOf(authorisation ?? 'NONE')
): ProviderEvent => ({ type: 'cancelled', authorisation, by })

export const cancellationRefused = (by: RequestReference): ProviderEvent => ({
  type: 'cancellationRefused',
  by,
  reason: 'Transaction was captured already'
})

export const refunded = (
  authorisation: string,
  amount: Money = price,
  by = requestOf(authorisation)
): ProviderEvent => ({ type: 'refunded', authorisation, amount, by })

export const refundRefused = (by: RequestReference): ProviderEvent => ({
  type: 'refundRefused',
  by,
  reason: "Transaction hasn't been captured, refund not possible"
})

export const disputed = (
  news: DisputeNews,
  changes: Partial<Told<'disputed'>> = {}
): ProviderEvent => ({
  type: 'disputed',
  news,
  dispute: 'DISPUTE1',
  authorisation: null,
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
    status: 'pending',
    cancelledBy: null,
    failure: null,
    card: null,
    authorisation: null,
    amountCaptured: 0,
    amountRefunded: 0,
    amountRefunding: 0,
    amountChargedBack: 0,
    settlement: null,
    eventCount: 1,
    updatedAt: createdAt,
    finishedAt: null,
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

export function newBook(changes: Partial<Payment> = {}): Book {
  const book: Book = {
    payment: newPayment(changes),
    authorisations: [],
    modifications: [],
    disputes: [],
    events: [],
    postings: [],
    discrepancies: [],
    touched: new Set()
  }
  beginnings.set(book, structuredClone(book.payment))
  return book
}

/** The first reference of money in every book that has some. */
export const first = 'PSP0000000000001'

/** A book as it stands when its payment has this status, with nothing to be written. */
export function bookOf(status: PaymentStatus, changes: Partial<Payment> = {}): Book {
  const book = newBook({
    status,
    finishedAt: isFinished(status) ? createdAt : null,
    cancelledBy: status === 'cancelled' ? 'customer' : null,
    failure: ['refused', 'expired', 'failed', 'cancelled'].includes(status) ? declined : null,
    ...(status === 'failed' && { providerSession: null, checkoutUrl: null }),
    ...(status === 'authorised' && { capture: 'manual', authorisation: first }),
    ...(status === 'captured' && { amountCaptured: price.value, authorisation: first }),
    ...changes
  })
  if (status === 'authorised' || status === 'captured') {
    book.authorisations.push({
      reference: first,
      outcome: 'authorised',
      disposition: 'kept',
      amount: price
    })
  }
  return book
}

/** A time after `createdAt`, and ids that are numbered. */
export function newContext(): Context & { now: Date } {
  let count = 0
  return {
    now: new Date('2026-01-31T10:05:00Z'),
    newId: (prefix) => {
      count += 1
      return `${prefix}_${String(count).padStart(16, '0')}`
    }
  }
}

/** How the payment of a book was at first. */
const beginnings = new WeakMap<Book, Payment>()
const contexts = new WeakMap<Book, Context>()

/** The context of a book: its ids are not those that it had before. */
export function contextOf(book: Book): Context {
  const known = contexts.get(book) ?? newContext()
  contexts.set(book, known)
  return known
}

/** Applies events one after another and answers what each did. */
export function apply(book: Book, ...events: ProviderEvent[]): Effect[] {
  return events.map((event) => applyEvent(book, event, contextOf(book)))
}

/**
 * Applies events as the inbox does: what is early is kept, and applied again after each one that
 * was not. Answers what never found what it rests on.
 */
export function applyPatiently(book: Book, ...events: ProviderEvent[]): ProviderEvent[] {
  let early: ProviderEvent[] = []
  for (const event of events) {
    const waiting = [...early, event]
    early = waiting.filter((one) => apply(book, one)[0] === 'early')
    for (let before = -1; early.length > 0 && before !== early.length; ) {
      before = early.length
      early = early.filter((one) => apply(book, one)[0] === 'early')
    }
  }
  return early
}

/** The only one of a kind. */
export function only(book: Book, kind: ModificationKind): Modification {
  const found = modificationsOf(book, kind)
  if (found.length !== 1) throw new Error(`${found.length} of ${kind}`)
  return found[0] as Modification
}

/** What is to be written of a book, in words. */
export function traceOf(book: Book) {
  return {
    status: book.payment.status,
    events: book.events.map(({ type }) => type),
    postings: book.postings.map(({ kind, fact, amount }) => `${kind} ${fact} ${amount.value}`),
    discrepancies: book.discrepancies.map(({ kind, fact }) => `${kind} ${fact}`)
  }
}

/** Where the money stands: what decides the same in whatever order it was told. */
export function standOf(book: Book) {
  const { status, amountCaptured, amountRefunded, amountRefunding } = book.payment
  return {
    status,
    amountCaptured,
    amountRefunded,
    amountRefunding,
    amountChargedBack: book.payment.amountChargedBack,
    account: onAccount(book),
    clearing: inClearing(book)
  }
}

/** What the postings of a book have brought to the customer's account. */
export function onAccount(book: Book): number {
  return book.postings.reduce((sum, { kind, amount }) => {
    if (isCustomerCredit(kind)) return sum + amount.value
    return isCustomerDebit(kind) ? sum - amount.value : sum
  }, 0)
}

/** What of the held money stands in clearing. */
export function inClearing(book: Book): number {
  return book.postings.reduce((sum, { kind, amount }) => {
    const { debit, credit } = postings[kind]
    if (credit === 'clearing') return sum + amount.value
    return debit === 'clearing' ? sum - amount.value : sum
  }, 0)
}

/** Every order of a few things. */
export function ordersOf<T>(things: readonly T[]): T[][] {
  if (things.length === 0) return [[]]
  return things.flatMap((one, place) =>
    ordersOf(things.toSpliced(place, 1)).map((rest) => [one, ...rest])
  )
}

/** What holds of every book, whatever happened to it. */
export function checkBook(t: Test, book: Book): void {
  const { payment, events, authorisations, modifications, disputes } = book
  const before = beginnings.get(book) as Payment
  t.same(
    events.map(({ sequence }) => sequence),
    events.map((_, place) => before.eventCount + place + 1),
    'events are numbered on without holes'
  )
  t.equal(payment.eventCount, before.eventCount + events.length)
  for (const event of events) t.equal(event.payment.eventCount, event.sequence)
  checkStatus(t, book)

  const sumOf = (...statuses: Array<Modification['status']>) =>
    modificationsOf(book, 'refund')
      .filter(({ status }) => statuses.includes(status))
      .reduce((sum, { amount }) => sum + amount.value, 0)
  t.equal(payment.amountRefunding, before.amountRefunding + sumOf('requested', 'awaitingApproval'))
  t.equal(payment.amountRefunded, before.amountRefunded + sumOf('succeeded'))
  t.ok(payment.amountRefunded <= payment.amountCaptured, 'what is refunded was captured')
  t.ok(payment.amountCaptured <= payment.amount.value, 'what is captured was authorised')
  const chargedBack = disputes.reduce((sum, one) => sum + one.amountChargedBack, 0)
  t.equal(payment.amountChargedBack, before.amountChargedBack + chargedBack)
  for (const dispute of disputes) {
    t.equal(dispute.closedAt === null, dispute.status === 'open')
    t.ok(dispute.amountChargedBack >= 0 && dispute.amountChargedBack <= dispute.amount.value)
  }

  const netOf = (one: Payment) => one.amountCaptured - one.amountRefunded - one.amountChargedBack
  t.equal(onAccount(book), netOf(payment) - netOf(before), 'the account has what was kept')
  t.ok(inClearing(book) >= 0, 'no more leaves clearing than came')
  const facts = book.postings.map(({ kind, fact }) => `${kind} ${fact}`)
  t.equal(new Set(facts).size, facts.length, 'a fact is posted once')
  const found = book.discrepancies.map(({ kind, fact }) => `${kind} ${fact}`)
  t.equal(new Set(found).size, found.length, 'a finding is opened once')

  for (const one of modifications) {
    t.equal(one.failure !== null, one.status === 'failed', `${one.kind} failed: it says why`)
    if (one.kind === 'capture' && one.status === 'succeeded') t.ok(one.successes > one.failures)
  }
  t.ok(authorisations.filter(({ disposition }) => disposition === 'kept').length <= 1)
}

function checkStatus(t: Test, { payment, authorisations }: Book): void {
  const { status } = payment
  t.equal(payment.finishedAt === null, ['pending', 'authorised'].includes(status))
  t.equal(payment.cancelledBy !== null, status === 'cancelled')
  t.equal(payment.amountCaptured > 0, status === 'captured')
  if (['authorised', 'captured'].includes(status)) {
    t.equal(payment.failure, null)
    t.ok(
      payment.method === 'recorded' ||
        authorisations.find(({ reference }) => reference === payment.authorisation)
    )
  }
  if (['refused', 'expired', 'failed'].includes(status)) t.not(payment.failure, null)
}
