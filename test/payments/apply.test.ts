import t, { type Test } from 'tap'
import { applyEvent, type Effect } from '../../src/payments/apply.ts'
import type { Book } from '../../src/payments/book.ts'
import { type Payment, type PaymentStatus, statuses } from '../../src/payments/payment.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  bookOf,
  closedBy,
  declined,
  first,
  newBook,
  newContext,
  paidBy,
  price,
  refusedBy,
  visa
} from './book.ts'

const second = 'PSP0000000000002'
const third = 'PSP0000000000003'

const expired: ProviderEvent = { type: 'authorisationExpired', authorisation: first }
const givenBack = (authorisation: string): ProviderEvent => ({ type: 'givenBack', authorisation })
const reversalFailed = (authorisation: string): ProviderEvent => ({
  type: 'reversalFailed',
  authorisation,
  reason: 'Insufficient balance'
})
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
  'the reservation was cancelled at the provider': {
    event: givenBack(first),
    pending: nothing('early'),
    authorised: { effect: 'applied', status: 'cancelled', events: ['payment.cancelled'] },
    captured: nothing('ignored'),
    refused: nothing('early'),
    cancelled: nothing('early'),
    expired: nothing('early'),
    failed: nothing('early')
  },
  'a reversal failed that nobody asked for': {
    event: reversalFailed(first),
    pending: nothing('early'),
    authorised: nothing('ignored'),
    captured: nothing('ignored'),
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

  t.test('that fails leaves the money in clearing, and a discrepancy', async (t) => {
    const book = reversing()
    t.same(apply(book, reversalFailed(second), reversalFailed(second)), ['applied', 'applied'])
    t.match(book.reversals, [
      {
        status: 'failed',
        failure: { code: 'provider_rejected', message: 'Insufficient balance' }
      }
    ])
    t.equal(inClearing(book), 2500)
    const id = book.reversals[0]?.id
    t.same(traceOf(book).events, ['reversal.requested', 'reversal.failed', 'discrepancy.opened'])
    t.same(traceOf(book).discrepancies, [`reversal_failed ${id}`])
    checkBook(t, book, 1)
  })

  for (const order of [
    [givenBack(second), reversalFailed(second)],
    [reversalFailed(second), givenBack(second)]
  ]) {
    const name = order.map(({ type }) => type).join(', then ')
    t.test(`${name}: it failed, and the money stands in clearing`, async (t) => {
      const book = reversing()
      apply(book, ...order, ...order)
      t.match(book.reversals, [{ status: 'failed' }])
      t.equal(inClearing(book), 2500)
      t.equal(book.discrepancies.length, 1)
      checkBook(t, book, 1)
    })
  }

  t.test('of a reservation moves no books, however it ends', async (t) => {
    for (const outcomes of [
      [givenBack(second)],
      [reversalFailed(second)],
      [givenBack(second), reversalFailed(second)]
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
    const book = bookOf('captured')
    t.same(apply(book, givenBack(second), reversalFailed(second)), ['early', 'early'])
    t.same(book.events, [])
    apply(book, paidBy(second), givenBack(second), reversalFailed(second))
    t.match(book.reversals, [{ status: 'failed' }])
  })

  t.test('whose failure is told while only a refusal is known is early too', async (t) => {
    const book = bookOf('captured')
    t.same(apply(book, refusedBy(second), reversalFailed(second)), ['applied', 'early'])
    t.same(apply(book, paidBy(second), reversalFailed(second)), ['applied', 'applied'])
    t.match(book.reversals, [{ status: 'failed' }])
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
