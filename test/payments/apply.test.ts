import t, { type Test } from 'tap'
import { applyEvent, type Effect } from '../../src/payments/apply.ts'
import type { Book } from '../../src/payments/book.ts'
import { type Payment, type PaymentStatus, statuses } from '../../src/payments/payment.ts'
import type { Modification, ProviderEvent } from '../../src/provider.ts'
import {
  bookOf,
  captured,
  closedBy,
  declined,
  fellThrough,
  first,
  givenBack,
  newBook,
  newContext,
  paidBy,
  price,
  refusedBy,
  requestOf,
  reversalRefused,
  visa
} from './book.ts'

const second = 'PSP0000000000002'
const third = 'PSP0000000000003'

const expired: ProviderEvent = { type: 'authorisationExpired', authorisation: first }
const rejected: ProviderEvent = { type: 'rejected', reason: 'Adyen answered 422' }
const unknown = (authorisation: string): ProviderEvent => ({
  type: 'reversalUnknown',
  authorisation
})

/** Applies events one after another and answers what each did. */
function apply(book: Book, ...events: ProviderEvent[]): Effect[] {
  const context = newContext()
  return events.map((event) => applyEvent(book, event, context))
}

/** What is to be written of a book, in words. */
function traceOf(book: Book) {
  return {
    status: book.payment.status,
    events: book.events.map(({ type }) => type),
    postings: book.postings.map(({ kind, fact, amount }) => `${kind} ${fact} ${amount.value}`),
    discrepancies: book.discrepancies.map(({ kind, fact }) => `${kind} ${fact}`)
  }
}

/** What holds of every book, whatever happened to it. */
function checkBook(t: Test, book: Book, eventsBefore: number): void {
  const { payment, events, authorisations } = book
  t.same(
    events.map(({ sequence }) => sequence),
    events.map((_, place) => eventsBefore + place + 1),
    'events are numbered on without holes'
  )
  t.equal(payment.eventCount, eventsBefore + events.length)
  t.equal(payment.finishedAt === null, ['pending', 'authorised'].includes(payment.status))
  t.equal(payment.cancelledBy !== null, payment.status === 'cancelled')
  t.equal(payment.amountCaptured > 0, payment.status === 'captured')
  t.ok(authorisations.filter(({ disposition }) => disposition === 'kept').length <= 1)
  if (['authorised', 'captured'].includes(payment.status)) {
    t.equal(payment.failure, null)
    t.ok(authorisations.find(({ reference }) => reference === payment.authorisation))
  }
  if (['refused', 'expired', 'failed'].includes(payment.status)) t.not(payment.failure, null)
  for (const event of events) t.equal(event.payment.eventCount, event.sequence)
}

type Expected = Partial<ReturnType<typeof traceOf>> & { effect: Effect }
const nothing = (effect: Effect): Expected => ({ effect })
const keptLate = (reference: string): Expected => ({
  effect: 'applied',
  status: 'captured',
  events: ['payment.captured', 'discrepancy.opened'],
  postings: [`payment ${reference} 2500`],
  discrepancies: [`paid_after_end ${reference}`]
})
const attempted: Expected = { effect: 'applied', events: ['payment.attemptRefused'] }
const differs = (postings: string[]): Expected => ({
  effect: 'applied',
  events: ['discrepancy.opened'],
  postings,
  discrepancies: [`amount_differs ${second}`]
})

/**
 * Every fact in every status: what it does to a payment with automatic capture (manual while
 * `authorised`) that nothing else is known of. What is left out does not change.
 */
const table: Record<string, { event: ProviderEvent } & Record<PaymentStatus, Expected>> = {
  'a success': {
    event: paidBy(second),
    pending: {
      effect: 'applied',
      status: 'captured',
      events: ['payment.captured'],
      postings: [`payment ${second} 2500`]
    },
    authorised: { effect: 'applied', events: ['reversal.requested'] },
    captured: {
      effect: 'applied',
      events: ['reversal.requested'],
      postings: [`held ${second} 2500`]
    },
    refused: keptLate(second),
    cancelled: keptLate(second),
    expired: keptLate(second),
    failed: keptLate(second)
  },
  'the success that is known': {
    event: paidBy(first),
    pending: {
      effect: 'applied',
      status: 'captured',
      events: ['payment.captured'],
      postings: [`payment ${first} 2500`]
    },
    authorised: nothing('applied'),
    captured: nothing('applied'),
    refused: keptLate(first),
    cancelled: keptLate(first),
    expired: keptLate(first),
    failed: keptLate(first)
  },
  'a success of another amount': {
    event: paidBy(second, { amount: { currency: 'GBP', value: 2400 } }),
    pending: differs([`held ${second} 2400`]),
    authorised: differs([]),
    captured: differs([`held ${second} 2400`]),
    refused: differs([`held ${second} 2400`]),
    cancelled: differs([`held ${second} 2400`]),
    expired: differs([`held ${second} 2400`]),
    failed: differs([`held ${second} 2400`])
  },
  'a success in another currency': {
    event: paidBy(second, { amount: { currency: 'EUR', value: 2500 } }),
    pending: differs([`held ${second} 2500`]),
    authorised: differs([]),
    captured: differs([`held ${second} 2500`]),
    refused: differs([`held ${second} 2500`]),
    cancelled: differs([`held ${second} 2500`]),
    expired: differs([`held ${second} 2500`]),
    failed: differs([`held ${second} 2500`])
  },
  'a refused attempt': {
    event: refusedBy(second),
    pending: attempted,
    authorised: attempted,
    captured: attempted,
    refused: attempted,
    cancelled: attempted,
    expired: attempted,
    failed: attempted
  },
  'a refusal of the success that is known': {
    event: refusedBy(first),
    pending: attempted,
    authorised: nothing('ignored'),
    captured: nothing('ignored'),
    refused: attempted,
    cancelled: attempted,
    expired: attempted,
    failed: attempted
  },
  'the customer closed the page': {
    event: closedBy('customer'),
    pending: { effect: 'applied', status: 'cancelled', events: ['payment.cancelled'] },
    authorised: nothing('ignored'),
    captured: nothing('ignored'),
    refused: nothing('ignored'),
    cancelled: nothing('ignored'),
    expired: nothing('ignored'),
    failed: nothing('ignored')
  },
  'the page took no more attempts': {
    event: closedBy('refusals'),
    pending: { effect: 'applied', status: 'refused', events: ['payment.refused'] },
    authorised: nothing('ignored'),
    captured: nothing('ignored'),
    refused: nothing('ignored'),
    cancelled: nothing('ignored'),
    expired: nothing('ignored'),
    failed: nothing('ignored')
  },
  'the time of the page ran out': {
    event: closedBy('time'),
    pending: { effect: 'applied', status: 'expired', events: ['payment.expired'] },
    authorised: nothing('ignored'),
    captured: nothing('ignored'),
    refused: nothing('ignored'),
    cancelled: nothing('ignored'),
    expired: nothing('ignored'),
    failed: nothing('ignored')
  },
  'the reservation expired': {
    event: expired,
    pending: nothing('early'),
    authorised: { effect: 'applied', status: 'expired', events: ['payment.expired'] },
    captured: nothing('ignored'),
    refused: nothing('early'),
    cancelled: nothing('early'),
    expired: nothing('early'),
    failed: nothing('early')
  },
  'it was cancelled or given back at the provider': {
    event: givenBack(first),
    pending: nothing('early'),
    authorised: { effect: 'applied', status: 'cancelled', events: ['payment.cancelled'] },
    captured: nothing('unsupported'),
    refused: nothing('early'),
    cancelled: nothing('early'),
    expired: nothing('early'),
    failed: nothing('early')
  },
  'a reversal was refused that nobody asked for': {
    event: reversalRefused(first),
    pending: nothing('early'),
    authorised: nothing('unsupported'),
    captured: nothing('unsupported'),
    refused: nothing('early'),
    cancelled: nothing('early'),
    expired: nothing('early'),
    failed: nothing('early')
  },
  'the provider rejected a reversal that nobody asked for': {
    event: reversalRefused(first, null),
    pending: nothing('early'),
    authorised: nothing('unsupported'),
    captured: nothing('unsupported'),
    refused: nothing('early'),
    cancelled: nothing('early'),
    expired: nothing('early'),
    failed: nothing('early')
  },
  'a reversal fell through that nobody asked for': {
    event: fellThrough(first),
    pending: nothing('early'),
    authorised: nothing('unsupported'),
    captured: nothing('unsupported'),
    refused: nothing('early'),
    cancelled: nothing('early'),
    expired: nothing('early'),
    failed: nothing('early')
  },
  'the reservation was captured': {
    event: captured(first),
    pending: nothing('early'),
    authorised: {
      effect: 'applied',
      status: 'captured',
      events: ['payment.captured'],
      postings: [`payment ${first} 2500`]
    },
    captured: nothing('applied'),
    refused: nothing('early'),
    cancelled: nothing('early'),
    expired: nothing('early'),
    failed: nothing('early')
  },
  'a part of the reservation was captured': {
    event: captured(first, { currency: 'GBP', value: 1000 }),
    pending: nothing('early'),
    authorised: {
      effect: 'applied',
      status: 'captured',
      events: ['payment.captured'],
      postings: [`payment ${first} 1000`]
    },
    captured: nothing('applied'),
    refused: nothing('early'),
    cancelled: nothing('early'),
    expired: nothing('early'),
    failed: nothing('early')
  },
  'more than the reservation was captured': {
    event: captured(first, { currency: 'GBP', value: 2501 }),
    pending: nothing('early'),
    authorised: nothing('unsupported'),
    captured: nothing('applied'),
    refused: nothing('early'),
    cancelled: nothing('early'),
    expired: nothing('early'),
    failed: nothing('early')
  },
  'it was captured in another currency': {
    event: captured(first, { currency: 'EUR', value: 2500 }),
    pending: nothing('early'),
    authorised: nothing('unsupported'),
    captured: nothing('applied'),
    refused: nothing('early'),
    cancelled: nothing('early'),
    expired: nothing('early'),
    failed: nothing('early')
  },
  'other money was captured that is not known': {
    event: captured(second),
    pending: nothing('early'),
    authorised: nothing('early'),
    captured: nothing('early'),
    refused: nothing('early'),
    cancelled: nothing('early'),
    expired: nothing('early'),
    failed: nothing('early')
  },
  'nothing is known of a reversal that nobody asked for': {
    event: unknown(first),
    pending: nothing('ignored'),
    authorised: nothing('ignored'),
    captured: nothing('ignored'),
    refused: nothing('ignored'),
    cancelled: nothing('ignored'),
    expired: nothing('ignored'),
    failed: nothing('ignored')
  },
  'the provider refused to open a page that is open': {
    event: rejected,
    pending: nothing('ignored'),
    authorised: nothing('ignored'),
    captured: nothing('ignored'),
    refused: nothing('ignored'),
    cancelled: nothing('ignored'),
    expired: nothing('ignored'),
    failed: nothing('ignored')
  }
}

for (const [name, { event, ...byStatus }] of Object.entries(table)) {
  for (const status of statuses) {
    const { effect, ...expected } = byStatus[status]
    t.test(`${name}, while ${status}: ${expected.status ?? 'no other status'}`, async (t) => {
      const book = bookOf(status)
      const before = structuredClone(book.payment)
      t.same(apply(book, event), [effect])
      t.same(traceOf(book), { status, events: [], postings: [], discrepancies: [], ...expected })
      if (book.events.length === 0) {
        t.same(book.payment, before, 'the payment is as it was')
        t.equal(book.touched.size, 0, 'nothing is to be written')
      }
      checkBook(t, book, 1)
    })

    t.test(`${name}, while ${status}: told again, changes nothing`, async (t) => {
      const book = bookOf(status)
      const [effect] = apply(book, event)
      const after = structuredClone(book)
      const [again] = apply(book, event)
      t.equal(again === 'early', effect === 'early', 'only what was early is early again')
      t.same(book, after)
    })
  }
}

t.test('with automatic capture a success is captured at once, and posted in full', async (t) => {
  const book = newBook()
  apply(book, paidBy(second, { card: visa }))
  t.match(book.payment, {
    status: 'captured',
    amountCaptured: 2500,
    authorisation: second,
    card: visa,
    failure: null,
    finishedAt: newContext().now,
    updatedAt: newContext().now
  })
  t.same(book.postings, [
    {
      kind: 'payment',
      fact: second,
      accountId: book.payment.accountId,
      amount: price,
      cause: { type: 'payment', id: book.payment.id },
      paymentId: book.payment.id
    }
  ])
  t.match(book.authorisations, [{ reference: second, outcome: 'authorised', disposition: 'kept' }])
})

t.test('with manual capture a success only reserves: the books do not move', async (t) => {
  const book = newBook({ capture: 'manual' })
  apply(book, paidBy(second))
  t.same(traceOf(book), {
    status: 'authorised',
    events: ['payment.authorised'],
    postings: [],
    discrepancies: []
  })
  t.match(book.payment, { amountCaptured: 0, authorisation: second, finishedAt: null })
})

t.test('a page that never opened fails when the provider refuses to open it', async (t) => {
  const book = newBook({ providerSession: null, checkoutUrl: null })
  t.same(apply(book, rejected, rejected), ['applied', 'ignored'])
  t.same(traceOf(book).events, ['payment.failed'])
  t.match(book.payment.failure, { code: 'provider_rejected', retryable: false })
})

t.test('late and second success', async (t) => {
  const kept: Array<[string, Partial<Payment> & { status: PaymentStatus }]> = [
    ['pending', { status: 'pending' }],
    ['refused', { status: 'refused' }],
    ['expired', { status: 'expired' }],
    ['failed', { status: 'failed' }],
    ['cancelled by the customer on the page', { status: 'cancelled', cancelledBy: 'customer' }]
  ]
  for (const capture of ['automatic', 'manual'] as const) {
    const success = capture === 'automatic' ? 'captured' : 'authorised'
    for (const [name, changes] of kept) {
      t.test(`${name}, ${capture} capture: the money is kept, and it is ${success}`, async (t) => {
        const book = bookOf(changes.status, { ...changes, capture })
        apply(book, paidBy(second))
        t.match(book.payment, { status: success, failure: null, cancelledBy: null })
        t.match(book.authorisations, [{ disposition: 'kept' }])
        const late = changes.status !== 'pending'
        t.same(traceOf(book), {
          status: success,
          events: [`payment.${success}`, ...(late ? ['discrepancy.opened'] : [])],
          postings: capture === 'automatic' ? [`payment ${second} 2500`] : [],
          discrepancies: late ? [`paid_after_end ${second}`] : []
        })
        t.equal(book.reversals.length, 0)
        checkBook(t, book, 1)
      })
    }

    t.test(`cancelled by the caller, ${capture} capture: it is sent back`, async (t) => {
      const book = bookOf('cancelled', { cancelledBy: 'client', capture })
      apply(book, paidBy(second))
      t.match(book.payment, { status: 'cancelled', cancelledBy: 'client', amountCaptured: 0 })
      t.match(book.reversals, [{ authorisation: second, amount: price, status: 'requested' }])
      t.same(traceOf(book), {
        status: 'cancelled',
        events: ['reversal.requested'],
        postings: capture === 'automatic' ? [`held ${second} 2500`] : [],
        discrepancies: []
      })
      checkBook(t, book, 1)
    })

    t.test(`paid by other money, ${capture} capture: it is sent back`, async (t) => {
      const book = bookOf(success, { capture })
      apply(book, paidBy(second), paidBy(third))
      t.equal(book.payment.status, success)
      t.equal(book.payment.authorisation, first, 'the first money stays')
      t.match(book.reversals, [{ authorisation: second }, { authorisation: third }])
      t.not(book.reversals[0]?.providerKey, book.reversals[1]?.providerKey)
      t.same(
        traceOf(book).postings,
        capture === 'automatic' ? [`held ${second} 2500`, `held ${third} 2500`] : []
      )
      checkBook(t, book, 1)
    })
  }

  t.test('the discrepancy says how the payment had ended', async (t) => {
    const book = bookOf('expired')
    apply(book, paidBy(second))
    t.same(book.discrepancies[0]?.details, { endedAs: 'expired', authorisation: second })
  })

  t.test('money that differs says what was expected and what came', async (t) => {
    const book = newBook()
    const amount = { currency: 'EUR', value: 1 }
    apply(book, paidBy(second, { amount }))
    t.same(book.discrepancies[0]?.details, {
      authorisation: second,
      expected: price,
      received: amount
    })
    t.equal(book.payment.status, 'pending')
    t.match(book.authorisations, [{ disposition: 'differs', amount }])
  })

  t.test('after money that differs the right money is still the payment', async (t) => {
    const book = newBook()
    apply(book, paidBy(second, { amount: { currency: 'GBP', value: 1 } }), paidBy(third))
    t.match(book.payment, { status: 'captured', authorisation: third, amountCaptured: 2500 })
    t.same(traceOf(book).postings, [`held ${second} 1`, `payment ${third} 2500`])
  })
})

t.test('refused, then successful under the same reference: it is paid', async (t) => {
  const book = newBook()
  t.same(apply(book, refusedBy(second), paidBy(second)), ['applied', 'applied'])
  t.same(traceOf(book), {
    status: 'captured',
    events: ['payment.attemptRefused', 'payment.captured'],
    postings: [`payment ${second} 2500`],
    discrepancies: []
  })
  t.match(book.authorisations, [{ outcome: 'authorised', disposition: 'kept' }])
  t.equal(book.payment.failure, null)
})

t.test('successful, then refused under the same reference: it stays paid', async (t) => {
  const book = newBook()
  t.same(apply(book, paidBy(second), refusedBy(second)), ['applied', 'ignored'])
  t.same(traceOf(book).events, ['payment.captured'])
  t.match(book.payment, { status: 'captured', failure: null })
})

t.test('refused for an amount, then successful for another: what succeeded counts', async (t) => {
  const book = newBook()
  const refused: ProviderEvent = {
    type: 'attemptRefused',
    authorisation: second,
    amount: { currency: 'GBP', value: 1 },
    failure: declined
  }
  apply(book, refused, paidBy(second))
  t.match(book.authorisations, [{ amount: price, disposition: 'kept' }])
})

t.test('the last refused attempt is the failure while the customer may try again', async (t) => {
  const book = newBook()
  const poor = { code: 'insufficient_funds', message: 'Not enough', retryable: true } as const
  apply(book, refusedBy(first), refusedBy(second, poor))
  t.match(book.payment, { status: 'pending', failure: poor })
  t.same(book.events[1]?.data, { attempt: { providerReference: second, failure: poor } })
})

t.test('a refused attempt after the end does not change why it ended', async (t) => {
  const book = newBook()
  apply(book, closedBy('time'), refusedBy(second))
  t.match(book.payment, { status: 'expired', failure: { code: 'expired' } })
})

t.test('how a page ends', async (t) => {
  const poor = { code: 'insufficient_funds', message: 'Not enough', retryable: true } as const
  const endings = [
    [closedBy('customer'), [], 'cancelled', 'cancelled_by_customer'],
    [closedBy('customer'), [refusedBy(first, poor)], 'cancelled', 'cancelled_by_customer'],
    [closedBy('refusals'), [], 'refused', 'card_declined'],
    [closedBy('refusals'), [refusedBy(first, poor)], 'refused', 'insufficient_funds'],
    [closedBy('time'), [], 'expired', 'expired'],
    [closedBy('time'), [refusedBy(first, poor)], 'refused', 'insufficient_funds']
  ] as const
  for (const [ending, attempts, status, code] of endings) {
    const by = ending.type === 'pageClosed' ? ending.by : ''
    const name = `by ${by}, ${attempts.length} refused attempts: ${status} (${code})`
    t.test(name, async (t) => {
      const book = newBook()
      apply(book, ...attempts, ending)
      t.match(book.payment, { status, failure: { code } })
      t.equal(book.payment.cancelledBy, status === 'cancelled' ? 'customer' : null)
      checkBook(t, book, 1)
    })
  }

  t.test('only the first ending counts', async (t) => {
    const book = newBook()
    apply(book, closedBy('customer'), closedBy('time'), closedBy('refusals'))
    t.equal(book.payment.status, 'cancelled')
    t.equal(book.events.length, 1)
  })

  t.test('money that differs is no refused attempt', async (t) => {
    const book = newBook()
    apply(book, paidBy(first, { amount: { currency: 'GBP', value: 1 } }), closedBy('time'))
    t.equal(book.payment.status, 'expired')
  })
})

t.test('a reservation that is not captured', async (t) => {
  t.test('expires, and later money is kept', async (t) => {
    const book = bookOf('authorised')
    t.same(apply(book, expired, expired), ['applied', 'applied'])
    t.match(book.payment, { status: 'expired', failure: { code: 'expired' } })
    t.match(book.authorisations, [{ disposition: 'released' }])
    t.equal(book.events.length, 1)
    apply(book, paidBy(second))
    t.match(book.payment, { status: 'authorised', authorisation: second, failure: null })
    t.same(traceOf(book).discrepancies, [`paid_after_end ${second}`])
    checkBook(t, book, 1)
  })

  t.test('is cancelled, and later money goes back', async (t) => {
    const book = bookOf('authorised')
    t.same(apply(book, givenBack(first), givenBack(first), expired), [
      'applied',
      'applied',
      'applied'
    ])
    t.match(book.payment, { status: 'cancelled', cancelledBy: 'client' })
    t.equal(book.events.length, 1)
    apply(book, paidBy(second))
    t.match(book.payment, { status: 'cancelled' })
    t.match(book.reversals, [{ authorisation: second }])
  })

  t.test('expires twice over: its success told again brings it not back', async (t) => {
    const book = bookOf('authorised')
    apply(book, expired, paidBy(first), expired)
    t.equal(book.payment.status, 'expired')
    t.equal(book.events.length, 1)
  })

  t.test('its end is early while only its refusal is known', async (t) => {
    const book = newBook({ capture: 'manual' })
    t.same(apply(book, refusedBy(first), expired, givenBack(first)), ['applied', 'early', 'early'])
    apply(book, paidBy(first), expired)
    t.equal(book.payment.status, 'expired')
  })

  t.test('the end of other money is not its own', async (t) => {
    const book = bookOf('authorised')
    apply(book, paidBy(second))
    t.same(apply(book, { ...expired, authorisation: second }), ['ignored'])
    t.equal(book.payment.status, 'authorised')
  })
})

/** A payment that is paid, and second money on its way back. */
function reversing(capture: 'automatic' | 'manual' = 'automatic'): Book {
  const book = bookOf(capture === 'automatic' ? 'captured' : 'authorised')
  apply(book, paidBy(second))
  return book
}

/** A request that somebody made at the provider. */
const byHand: Modification = { providerReference: 'MODBYHAND', reference: 'by hand' }

/** The provider took the reversal, and named it. */
function accept(book: Book, providerReference: string | null = `MOD${second}`): void {
  for (const reversal of book.reversals) reversal.providerReference = providerReference
}

/** What of the held money stands in clearing. */
function inClearing(book: Book): number {
  const signs = { held: 1, reversal: -1, reversalFailed: 1, payment: 0, charge: 0 }
  return book.postings.reduce((sum, { kind, amount }) => sum + signs[kind] * amount.value, 0)
}

t.test('a reversal', async (t) => {
  t.test('that succeeds empties clearing, once', async (t) => {
    const book = reversing()
    t.equal(inClearing(book), 2500)
    t.same(apply(book, givenBack(second), givenBack(second)), ['applied', 'applied'])
    t.match(book.reversals, [{ status: 'succeeded', failure: null }])
    t.equal(inClearing(book), 0)
    t.same(traceOf(book).events, ['reversal.requested', 'reversal.succeeded'])
    checkBook(t, book, 1)
  })

  for (const by of [requestOf(second), null]) {
    const name = by === null ? 'rejected at once' : 'refused later'
    t.test(`that is ${name} leaves the money in clearing, and a discrepancy`, async (t) => {
      const book = reversing()
      const refused = reversalRefused(second, by)
      t.same(apply(book, refused, refused), ['applied', 'applied'])
      t.match(book.reversals, [
        {
          status: 'failed',
          failure: { code: 'provider_rejected', message: 'Transaction not found' }
        }
      ])
      t.same(traceOf(book).postings, [`held ${second} 2500`])
      const id = book.reversals[0]?.id
      t.same(traceOf(book).events, ['reversal.requested', 'reversal.failed', 'discrepancy.opened'])
      t.same(traceOf(book).discrepancies, [`reversal_failed ${id}`])
      checkBook(t, book, 1)
    })
  }

  t.test('that succeeded stays so, whatever refusal is told after it', async (t) => {
    for (const by of [requestOf(second), null]) {
      const book = reversing()
      t.same(apply(book, givenBack(second)), ['applied'])
      const after = structuredClone(book)
      t.same(apply(book, reversalRefused(second, by)), ['applied'])
      t.same(book, after)
    }
  })

  t.test('that was refused, and then given back, succeeded: clearing is empty', async (t) => {
    for (const refusal of [requestOf(second), null]) {
      const book = reversing()
      const id = book.reversals[0]?.id
      apply(book, reversalRefused(second, refusal))
      t.same(apply(book, givenBack(second), givenBack(second)), ['applied', 'applied'])
      t.match(book.reversals, [{ status: 'succeeded', failure: null }])
      t.same(traceOf(book).postings, [`held ${second} 2500`, `reversal ${id}:MOD${second} 2500`])
      t.same(traceOf(book).events.slice(1), [
        'reversal.failed',
        'discrepancy.opened',
        'reversal.succeeded'
      ])
      checkBook(t, book, 1)
    }
  })

  t.test('that had succeeded falls through: the money stands in clearing again', async (t) => {
    const book = reversing()
    const id = book.reversals[0]?.id
    const outcomes = [givenBack(second), fellThrough(second)]
    t.same(apply(book, ...outcomes, ...outcomes), ['applied', 'applied', 'applied', 'applied'])
    t.match(book.reversals, [
      { status: 'failed', failure: { code: 'provider_error', message: 'Insufficient balance' } }
    ])
    t.same(traceOf(book), {
      status: 'captured',
      events: ['reversal.requested', 'reversal.succeeded', 'reversal.failed', 'discrepancy.opened'],
      postings: [
        `held ${second} 2500`,
        `reversal ${id}:MOD${second} 2500`,
        `reversalFailed ${id}:MOD${second} 2500`
      ],
      discrepancies: traceOf(book).discrepancies
    })
    t.match(book.discrepancies, [
      { kind: 'reversal_failed', details: { reversalId: id, reason: 'Insufficient balance' } }
    ])
    t.equal(book.discrepancies.length, 1)
    t.equal(inClearing(book), 2500)
    checkBook(t, book, 1)
  })

  t.test('that fell through before it was given back moved nothing', async (t) => {
    const book = reversing()
    const outcomes = [fellThrough(second), givenBack(second)]
    t.same(apply(book, ...outcomes, ...outcomes), ['applied', 'applied', 'applied', 'applied'])
    t.match(book.reversals, [{ status: 'failed', failure: { code: 'provider_error' } }])
    t.same(traceOf(book).postings, [`held ${second} 2500`])
    t.same(traceOf(book).events, ['reversal.requested', 'reversal.failed', 'discrepancy.opened'])
    checkBook(t, book, 1)
  })

  t.test('that was refused does not fall through as well', async (t) => {
    const book = reversing()
    apply(book, reversalRefused(second))
    const before = traceOf(book)
    t.same(apply(book, fellThrough(second)), ['applied'])
    t.same(traceOf(book), before)
    t.match(book.reversals, [{ status: 'failed' }])
  })

  t.test('ends alike in whatever order its facts are told', async (t) => {
    const [refused, back, fell] = [
      reversalRefused(second),
      givenBack(second),
      fellThrough(second)
    ] as const
    for (const order of [
      [refused, back, fell],
      [refused, fell, back],
      [back, refused, fell],
      [back, fell, refused],
      [fell, refused, back],
      [fell, back, refused]
    ]) {
      const book = reversing()
      apply(book, ...order)
      const name = order.map(({ type }) => type).join(', ')
      t.match(book.reversals, [{ status: 'failed' }], name)
      t.equal(inClearing(book), 2500, name)
      const after = traceOf(book)
      apply(book, ...order)
      t.same(traceOf(book), after, `${name}, told again`)
    }
  })

  t.test('that fell through is given back by another request, whoever made it', async (t) => {
    const book = reversing()
    const id = book.reversals[0]?.id
    accept(book)
    apply(book, givenBack(second), fellThrough(second))
    t.same(apply(book, givenBack(second, byHand), givenBack(second, byHand)), [
      'applied',
      'applied'
    ])
    t.match(book.reversals, [{ status: 'succeeded', failure: null }])
    t.same(traceOf(book).postings, [
      `held ${second} 2500`,
      `reversal ${id}:MOD${second} 2500`,
      `reversalFailed ${id}:MOD${second} 2500`,
      `reversal ${id}:${byHand.providerReference} 2500`
    ])
    t.equal(inClearing(book), 0)
    checkBook(t, book, 1)
  })

  t.test('is ours by either reference, or while the provider has given none', async (t) => {
    const requests: Array<[string, string | null, (id: string) => Modification, boolean]> = [
      ['none is known', null, () => byHand, true],
      ['the provider’s', `MOD${second}`, () => requestOf(second), true],
      ['our own', `MOD${second}`, (id) => ({ ...byHand, reference: id }), true],
      ['neither', `MOD${second}`, () => byHand, false],
      ['that of another reversal', `MOD${second}`, () => requestOf(third, 'rev_other'), false]
    ]
    for (const [name, providerReference, makeRequest, isOurs] of requests) {
      const book = reversing()
      accept(book, providerReference)
      const by = makeRequest(book.reversals[0]?.id ?? '')
      const before = structuredClone(book)
      t.same(apply(book, reversalRefused(second, by)), [isOurs ? 'applied' : 'ignored'], name)
      t.match(book.reversals, [{ status: isOurs ? 'failed' : 'requested' }], name)
      if (!isOurs) t.same(book, before, name)

      const fallen = reversing()
      accept(fallen, providerReference)
      apply(fallen, fellThrough(second))
      apply(fallen, givenBack(second, by))
      t.match(fallen.reversals, [{ status: isOurs ? 'failed' : 'succeeded' }], name)
      t.equal(inClearing(fallen), isOurs ? 2500 : 0, name)
    }
  })

  t.test('that the provider rejected is ours: nobody else was told so', async (t) => {
    const book = reversing()
    accept(book)
    t.same(apply(book, reversalRefused(second, null)), ['applied'])
    t.match(book.reversals, [{ status: 'failed' }])
  })

  t.test('succeeds by the request of anybody: the money went back', async (t) => {
    const book = reversing()
    accept(book)
    t.same(apply(book, givenBack(second, byHand)), ['applied'])
    t.match(book.reversals, [{ status: 'succeeded' }])
    t.same(apply(book, reversalRefused(second)), ['applied'], 'ours was too late')
    t.match(book.reversals, [{ status: 'succeeded' }])
    t.equal(inClearing(book), 0)
  })

  t.test('of a reservation moves no books, however it ends', async (t) => {
    for (const outcomes of [
      [givenBack(second)],
      [reversalRefused(second)],
      [reversalRefused(second), givenBack(second)],
      [fellThrough(second)],
      [givenBack(second), fellThrough(second)]
    ]) {
      const book = reversing('manual')
      apply(book, ...outcomes)
      t.same(book.postings, [])
      t.equal(book.payment.status, 'authorised')
    }
  })

  t.test('concerns no other money', async (t) => {
    const book = reversing()
    apply(book, paidBy(third), givenBack(third))
    t.match(book.reversals, [
      { authorisation: second, status: 'requested' },
      { authorisation: third, status: 'succeeded' }
    ])
    t.equal(inClearing(book), 2500)
  })

  t.test('whose outcome is told before the money is early, and then applied', async (t) => {
    const outcomes = [givenBack(second), reversalRefused(second), fellThrough(second)]
    for (const before of [[], [refusedBy(second)]]) {
      const book = bookOf('captured')
      apply(book, ...before)
      const seen = book.events.length
      t.same(apply(book, ...outcomes), ['early', 'early', 'early'])
      t.equal(book.events.length, seen)
      t.same(apply(book, paidBy(second), givenBack(second), fellThrough(second)), [
        'applied',
        'applied',
        'applied'
      ])
      t.match(book.reversals, [{ status: 'failed' }])
    }
  })

  t.test('of which nothing is heard is a discrepancy, once it is known no more', async (t) => {
    const book = reversing()
    t.same(apply(book, unknown(second)), ['applied'])
    t.match(book.reversals, [{ status: 'requested' }])
    t.ok(book.touched.has(book.reversals[0] as never), 'it is due no more')
    t.same(traceOf(book).discrepancies, [`outcome_unknown ${book.reversals[0]?.id}`])
    t.equal(inClearing(book), 2500)
    apply(book, givenBack(second))
    t.match(book.reversals, [{ status: 'succeeded' }], 'its outcome may come all the same')
    t.same(apply(book, unknown(second)), ['ignored'])
  })

  t.test('has an id of its own, and a key that is made of it', async (t) => {
    const book = reversing()
    const { id, providerKey } = book.reversals[0] as { id: string; providerKey: string }
    t.match(id, /^rev_/)
    t.equal(providerKey, `${id}.reversal.1`)
  })

  t.test('is shown by its events as it was then', async (t) => {
    const book = reversing()
    apply(book, givenBack(second))
    t.match(book.events, [
      { data: { reversal: { status: 'requested', paymentId: book.payment.id } } },
      { data: { reversal: { status: 'succeeded', amount: price, authorisation: second } } }
    ])
  })
})

t.test('money that differs and was given back by hand', async (t) => {
  const amount = { currency: 'EUR', value: 2400 }
  for (const capture of ['automatic', 'manual'] as const) {
    t.test(`${capture} capture: it is released, once`, async (t) => {
      const book = newBook({ capture })
      apply(book, paidBy(second, { amount }))
      const by = { type: 'payment', id: book.payment.id }
      t.same(apply(book, givenBack(second), givenBack(second)), ['applied', 'applied'])
      t.match(book.authorisations, [{ reference: second, disposition: 'released' }])
      t.ok(book.touched.has(book.authorisations[0] as never), 'it is to be written')
      t.same(
        book.postings.map(({ kind, fact, amount, cause }) => ({ kind, fact, amount, cause })),
        capture === 'automatic'
          ? [
              { kind: 'held', fact: second, amount, cause: by },
              { kind: 'reversal', fact: second, amount, cause: by }
            ]
          : []
      )
      t.equal(inClearing(book), 0)
      t.equal(book.payment.status, 'pending')
      t.same(traceOf(book).events, ['discrepancy.opened'])
      apply(book, paidBy(third))
      t.match(book.payment, { authorisation: third }, 'the right money may still come')
      checkBook(t, book, 1)
    })
  }

  t.test('an amount of 0 moves no books', async (t) => {
    const book = newBook()
    apply(book, paidBy(second, { amount: { currency: 'GBP', value: 0 } }))
    t.same(apply(book, givenBack(second)), ['applied'])
    t.match(book.authorisations, [{ disposition: 'released' }])
    t.same(book.postings, [])
  })

  t.test('a reversal of it that was refused or fell through is for a person', async (t) => {
    const book = newBook()
    apply(book, paidBy(second, { amount }))
    const before = structuredClone(book)
    t.same(apply(book, reversalRefused(second), fellThrough(second)), [
      'unsupported',
      'unsupported'
    ])
    t.same(book, before)
  })
})

t.test('a capture', async (t) => {
  t.test('of a part takes that part, and posts it', async (t) => {
    const book = newBook({ capture: 'manual' })
    const part = { currency: 'GBP', value: 1000 }
    t.same(apply(book, captured(second, part)), ['early'])
    t.same(apply(book, paidBy(second), captured(second, part)), ['applied', 'applied'])
    t.match(book.payment, {
      status: 'captured',
      amount: price,
      amountCaptured: 1000,
      failure: null,
      cancelledBy: null,
      finishedAt: newContext().now
    })
    t.match(book.postings, [
      {
        kind: 'payment',
        fact: second,
        amount: part,
        cause: { type: 'payment', id: book.payment.id }
      }
    ])
    t.same(traceOf(book).events, ['payment.authorised', 'payment.captured'])
    t.same(apply(book, captured(second, part)), ['applied'])
    t.equal(book.postings.length, 1)
    checkBook(t, book, 1)
  })

  t.test('of money that is going back is for a person', async (t) => {
    const book = reversing('manual')
    const before = structuredClone(book)
    t.same(apply(book, captured(second)), ['unsupported'])
    t.same(book, before)
    t.same(apply(book, captured(first)), ['applied'], 'that which was kept may be taken')
    t.equal(book.payment.status, 'captured')
  })

  t.test('of money that differs is for a person', async (t) => {
    const book = newBook({ capture: 'manual' })
    apply(book, paidBy(second, { amount: { currency: 'GBP', value: 2400 } }))
    t.same(apply(book, captured(second, { currency: 'GBP', value: 2400 })), ['unsupported'])
    t.equal(book.payment.status, 'pending')
    t.same(book.postings, [])
  })

  t.test('of a refused attempt is early', async (t) => {
    const book = newBook({ capture: 'manual' })
    t.same(apply(book, refusedBy(second), captured(second)), ['applied', 'early'])
    t.same(book.postings, [])
  })

  t.test('that is told after the reservation ended is money all the same', async (t) => {
    for (const end of [expired, givenBack(first)]) {
      const book = bookOf('authorised')
      t.same(apply(book, end, captured(first)), ['applied', 'applied'])
      t.match(book.payment, { status: 'captured', amountCaptured: 2500, authorisation: first })
      t.same(traceOf(book).postings, [`payment ${first} 2500`])
      checkBook(t, book, 1)
    }
  })

  t.test('keeps the money that was released', async (t) => {
    for (const end of [expired, givenBack(first)]) {
      const book = bookOf('authorised')
      apply(book, end, captured(first))
      t.match(book.authorisations, [{ disposition: 'kept' }])
      t.same(apply(book, givenBack(first)), ['unsupported'], 'it is not applied in silence')
    }
  })

  t.test('then given back at the provider is for a person', async (t) => {
    const book = bookOf('authorised')
    apply(book, captured(first))
    const before = structuredClone(book)
    t.same(apply(book, givenBack(first)), ['unsupported'])
    t.same(book, before)
  })

  t.test('makes later money second money', async (t) => {
    const book = bookOf('authorised')
    apply(book, captured(first), paidBy(second))
    t.match(book.reversals, [{ authorisation: second }])
  })
})

t.test('the face of the card may come later, from another source of the same fact', async (t) => {
  const book = newBook()
  apply(book, paidBy(second))
  t.equal(book.payment.card, null)
  apply(book, paidBy(second, { card: visa }))
  t.same(book.payment.card, visa)
  t.equal(book.events.length, 1, 'nothing has happened to the payment')
  t.ok(book.touched.size > 0, 'it is to be written')
  apply(book, paidBy(second, { card: { ...visa, lastFour: '2222' } }))
  t.equal(book.payment.card?.lastFour, '1111', 'the first stays')
})

t.test('the card of money that goes back is not the card that paid', async (t) => {
  const book = newBook()
  apply(book, paidBy(first), paidBy(second, { card: visa }), paidBy(second, { card: visa }))
  t.equal(book.payment.card, null)
})

t.test('an event shows the payment as it was right after it', async (t) => {
  const book = newBook()
  apply(book, refusedBy(first), paidBy(second))
  t.same(
    book.events.map(({ payment }) => [payment.status, payment.failure?.code ?? null]),
    [
      ['pending', 'card_declined'],
      ['captured', null]
    ]
  )
})
