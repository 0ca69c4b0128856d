import type { Money } from '../../src/money.ts'
import type { Book, Context } from '../../src/payments/book.ts'
import { isFinished, type Payment, type PaymentStatus } from '../../src/payments/payment.ts'
import type { CardFace, Failure, Modification, ProviderEvent } from '../../src/provider.ts'

export const price = { currency: 'GBP', value: 2500 }
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
  changes: Partial<Extract<ProviderEvent, { type: 'authorised' }>> = {}
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

/** The request to give money back that the provider tells of; one of ours tells our reference. */
export const requestOf = (authorisation: string, reference = 'not ours'): Modification => ({
  providerReference: `MOD${authorisation}`,
  reference
})

export const givenBack = (authorisation: string, by = requestOf(authorisation)): ProviderEvent => ({
  type: 'givenBack',
  authorisation,
  by
})

export const reversalRefused = (
  authorisation: string,
  by: Modification | null = requestOf(authorisation)
): ProviderEvent => ({
  type: 'reversalRefused',
  authorisation,
  by,
  reason: 'Transaction not found'
})

export const fellThrough = (
  authorisation: string,
  by = requestOf(authorisation)
): ProviderEvent => ({
  type: 'reversalFellThrough',
  authorisation,
  by,
  reason: 'Insufficient balance'
})

export const captured = (authorisation: string, amount: Money = price): ProviderEvent => ({
  type: 'captured',
  authorisation,
  amount
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
    expiresAt: new Date('2026-01-31T11:00:00Z'),
    createdAt,
    status: 'pending',
    cancelledBy: null,
    failure: null,
    card: null,
    authorisation: null,
    amountCaptured: 0,
    amountRefunded: 0,
    amountChargedBack: 0,
    eventCount: 1,
    updatedAt: createdAt,
    finishedAt: null,
    providerKey: 'pay_0000000000000001.session.1',
    providerSession: 'CS0001',
    checkoutUrl: 'https://checkout.example/CS0001',
    ...changes
  }
}

export function newBook(changes: Partial<Payment> = {}): Book {
  return {
    payment: newPayment(changes),
    authorisations: [],
    reversals: [],
    events: [],
    postings: [],
    discrepancies: [],
    touched: new Set()
  }
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
