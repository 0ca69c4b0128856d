import t from 'tap'
import { modificationsOf } from '../../src/lifecycle/aggregate.ts'
import type { Effect } from '../../src/lifecycle/effect.ts'
import { type Payment, type PaymentStatus, statuses } from '../../src/payments/payment.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  apply,
  bookOf,
  cancellationRefused,
  cancelled,
  captured,
  captureFell,
  captureRefused,
  checkBook,
  closedBy,
  declined,
  disputed,
  expiryOf,
  fellThrough,
  first,
  gbp,
  newBook,
  newContext,
  paidBy,
  price,
  refunded,
  refundRefused,
  refusedBy,
  rejected,
  requestOf,
  reversalRefused,
  reversed,
  traceOf,
  unknown,
  visa
} from './aggregates.ts'

const second = 'PSP0000000000002'
const third = 'PSP0000000000003'

const expired = expiryOf(first)
const pageRefused: ProviderEvent = { type: 'rejected', reason: 'Adyen answered 422' }

type Expected = Partial<ReturnType<typeof traceOf>> & { effect: Effect }
const nothing = (effect: Effect): Expected => ({ effect })
/** In every status alike. */
const always = (effect: Effect, events: string[] = []) =>
  Object.fromEntries(
    statuses.map((status) => [status, { effect, ...(events.length > 0 && { events }) }])
  ) as Record<PaymentStatus, Expected>
const cancelledThere: Expected = {
  effect: 'applied',
  status: 'cancelled',
  events: ['cancellation.succeeded', 'payment.cancelled']
}
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
    event: paidBy(second, { amount: gbp(2400) }),
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
  'it was reversed at the provider': {
    event: reversed(first),
    ...always('early'),
    authorised: cancelledThere,
    captured: {
      effect: 'applied',
      events: ['refund.succeeded'],
      postings: ['refund ref_0000000000000001 2500']
    }
  },
  'it was cancelled at the provider': {
    event: cancelled(first),
    ...always('early'),
    authorised: cancelledThere,
    // With automatic capture it was let go before it was taken.
    captured: {
      effect: 'applied',
      status: 'failed',
      events: ['capture.failed', 'payment.failed', 'cancellation.succeeded'],
      postings: ['captureFailed cap_0000000000000001.1 2500']
    }
  },
  'what was cancelled by our reference is not known': {
    event: cancelled(null),
    ...always('early')
  },
  'a cancellation was refused that nobody asked for': {
    event: cancellationRefused(requestOf(first)),
    ...always('ignored')
  },
  'a link expired that nobody asked to close': {
    event: { type: 'linkExpired' },
    ...always('ignored')
  },
  'a reversal was refused that nobody asked for': {
    event: reversalRefused(first),
    ...always('ignored')
  },
  'the provider rejected a request that nobody made': {
    event: rejected('rev_0000000000000001'),
    ...always('ignored')
  },
  'nothing is known of a request that nobody made': {
    event: unknown('rev_0000000000000001'),
    ...always('ignored')
  },
  'what was given back came again, and nothing was given back': {
    event: fellThrough(first),
    ...always('early')
  },
  'the reservation was captured': {
    event: captured(first),
    ...always('early'),
    authorised: {
      effect: 'applied',
      status: 'captured',
      events: ['capture.succeeded', 'payment.captured'],
      postings: ['payment cap_0000000000000001.1 2500']
    },
    captured: nothing('applied')
  },
  'a part of the reservation was captured': {
    event: captured(first, gbp(1000)),
    ...always('early'),
    authorised: {
      effect: 'applied',
      status: 'captured',
      events: ['capture.succeeded', 'payment.captured'],
      postings: ['payment cap_0000000000000001.1 1000']
    },
    captured: nothing('applied')
  },
  'more than the reservation was captured': {
    event: captured(first, gbp(2501)),
    ...always('early'),
    authorised: nothing('unsupported'),
    captured: nothing('applied')
  },
  'it was captured in another currency': {
    event: captured(first, { currency: 'EUR', value: 2500 }),
    ...always('early'),
    authorised: nothing('unsupported'),
    captured: nothing('applied')
  },
  'other money was captured that is not known': {
    event: captured(second),
    ...always('early')
  },
  'a capture was refused that nobody asked for': {
    event: captureRefused(requestOf(first)),
    ...always('ignored')
  },
  'a capture came to nothing': {
    event: captureFell(first),
    ...always('early'),
    captured: {
      effect: 'applied',
      status: 'failed',
      events: ['capture.failed', 'payment.failed'],
      postings: ['captureFailed cap_0000000000000001.1 2500']
    }
  },
  'it was refunded at the provider': {
    event: refunded(first),
    ...always('early'),
    captured: {
      effect: 'applied',
      events: ['refund.succeeded'],
      postings: ['refund ref_0000000000000001 2500']
    }
  },
  'a refund was refused that nobody asked for': {
    event: refundRefused(requestOf(first)),
    ...always('ignored')
  },
  'a dispute is announced': {
    event: disputed('notified'),
    ...always('applied', ['dispute.opened'])
  },
  'it was charged back': {
    event: disputed('chargedBack'),
    ...always('early'),
    captured: {
      effect: 'applied',
      events: ['dispute.opened'],
      postings: ['chargeback dsp_0000000000000001.chargedBack 2500']
    }
  },
  'a chargeback was reversed that is not known': {
    event: disputed('reversed'),
    ...always('early')
  },
  'it was paid, by a source that does not know the money': {
    event: { type: 'paidWithoutReference' },
    ...always('ignored'),
    pending: {
      effect: 'applied',
      events: ['discrepancy.opened'],
      discrepancies: ['success_without_reference pay_0000000000000001']
    }
  },
  'nobody knows whether the card was charged': {
    event: { type: 'chargeUnknown' },
    ...always('ignored'),
    pending: {
      effect: 'applied',
      events: ['discrepancy.opened'],
      discrepancies: ['outcome_unknown pay_0000000000000001']
    }
  },
  'the provider refused to open a page that is open': {
    event: pageRefused,
    ...always('ignored')
  }
}

/** Told by our own work, once: it stops asking in the same transaction. */
const toldOnce = ['paidWithoutReference', 'chargeUnknown']

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
      checkBook(t, book)
    })

    if (toldOnce.includes(event.type)) continue
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
  t.same(apply(book, pageRefused, pageRefused), ['applied', 'ignored'])
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
        t.equal(book.modifications.length, 0)
        checkBook(t, book)
      })
    }

    t.test(`cancelled by the caller, ${capture} capture: it is sent back`, async (t) => {
      const book = bookOf('cancelled', { cancelledBy: 'client', capture })
      apply(book, paidBy(second))
      t.match(book.payment, { status: 'cancelled', cancelledBy: 'client', amountCaptured: 0 })
      t.match(book.modifications, [{ authorisation: second, amount: price, status: 'requested' }])
      t.same(traceOf(book), {
        status: 'cancelled',
        events: ['reversal.requested'],
        postings: capture === 'automatic' ? [`held ${second} 2500`] : [],
        discrepancies: []
      })
      checkBook(t, book)
    })

    t.test(`paid by other money, ${capture} capture: it is sent back`, async (t) => {
      const book = bookOf(success, { capture })
      apply(book, paidBy(second), paidBy(third))
      t.equal(book.payment.status, success)
      t.equal(book.payment.authorisation, first, 'the first money stays')
      t.match(book.modifications, [{ authorisation: second }, { authorisation: third }])
      t.not(book.modifications[0]?.providerKey, book.modifications[1]?.providerKey)
      t.same(
        traceOf(book).postings,
        capture === 'automatic' ? [`held ${second} 2500`, `held ${third} 2500`] : []
      )
      checkBook(t, book)
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
    apply(book, paidBy(second, { amount: gbp(1) }), paidBy(third))
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
    amount: gbp(1),
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
      checkBook(t, book)
    })
  }

  t.test('a link ends when it can be paid no more, and not with one visit to it', async (t) => {
    for (const [attempts, status, code] of [
      [[], 'expired', 'expired'],
      [[refusedBy(first, poor)], 'refused', 'insufficient_funds']
    ] as const) {
      const book = newBook({ method: 'paymentLink' })
      apply(book, ...attempts)
      const before = structuredClone(book)
      t.same(apply(book, closedBy('time')), ['ignored'])
      t.same(book, before)
      t.same(apply(book, { type: 'linkExpired' }, { type: 'linkExpired' }), ['applied', 'ignored'])
      t.match(book.payment, { status, failure: { code } })
      checkBook(t, book)
    }
  })

  t.test('only the first ending counts', async (t) => {
    const book = newBook()
    apply(book, closedBy('customer'), closedBy('time'), closedBy('refusals'))
    t.equal(book.payment.status, 'cancelled')
    t.equal(book.events.length, 1)
  })

  t.test('money that differs is no refused attempt', async (t) => {
    const book = newBook()
    apply(book, paidBy(first, { amount: gbp(1) }), closedBy('time'))
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
    checkBook(t, book)
  })

  t.test('is cancelled, and later money goes back', async (t) => {
    const book = bookOf('authorised')
    t.same(apply(book, reversed(first), reversed(first), expired), [
      'applied',
      'applied',
      'applied'
    ])
    t.match(book.payment, { status: 'cancelled', cancelledBy: 'client' })
    t.same(traceOf(book).events, ['cancellation.succeeded', 'payment.cancelled'])
    apply(book, paidBy(second))
    t.match(book.payment, { status: 'cancelled' })
    t.match(modificationsOf(book, 'reversal'), [{ authorisation: second, status: 'requested' }])
  })

  t.test('expires twice over: its success told again brings it not back', async (t) => {
    const book = bookOf('authorised')
    apply(book, expired, paidBy(first), expired)
    t.equal(book.payment.status, 'expired')
    t.equal(book.events.length, 1)
  })

  t.test('its end is early while only its refusal is known', async (t) => {
    const book = newBook({ capture: 'manual' })
    t.same(apply(book, refusedBy(first), expired, reversed(first)), ['applied', 'early', 'early'])
    apply(book, paidBy(first), expired)
    t.equal(book.payment.status, 'expired')
  })

  t.test('the end of other money is not its own', async (t) => {
    const book = bookOf('authorised')
    apply(book, paidBy(second))
    t.same(apply(book, expiryOf(second)), ['ignored'])
    t.equal(book.payment.status, 'authorised')
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
