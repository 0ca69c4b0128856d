import t from 'tap'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import type { Effect } from '../../src/lifecycle/model.ts'
import { type Payment, type PaymentStatus, statuses } from '../../src/payments/payment.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  cancellationRefused,
  cancelled,
  captured,
  captureFailedOf,
  captureRefused,
  checkAggregate,
  closedBy,
  declined,
  disputed,
  expiryOf,
  first,
  gbp,
  newAggregate,
  newContext,
  paidBy,
  price,
  refunded,
  refundFailedOf,
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
    pending: nothing('deferred'),
    authorised: { effect: 'applied', status: 'expired', events: ['payment.expired'] },
    captured: nothing('ignored'),
    refused: nothing('deferred'),
    cancelled: nothing('deferred'),
    expired: nothing('deferred'),
    failed: nothing('deferred')
  },
  'it was reversed at the provider': {
    event: reversed(first),
    ...always('deferred'),
    authorised: cancelledThere,
    captured: {
      effect: 'applied',
      events: ['refund.succeeded'],
      postings: ['refund ref_0000000000000001 2500']
    }
  },
  'it was cancelled at the provider': {
    event: cancelled(first),
    ...always('deferred'),
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
    ...always('deferred')
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
    event: refundFailedOf(first),
    ...always('deferred')
  },
  'the reservation was captured': {
    event: captured(first),
    ...always('deferred'),
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
    ...always('deferred'),
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
    ...always('deferred'),
    authorised: nothing('contradictory'),
    captured: nothing('applied')
  },
  'it was captured in another currency': {
    event: captured(first, { currency: 'EUR', value: 2500 }),
    ...always('deferred'),
    authorised: nothing('contradictory'),
    captured: nothing('applied')
  },
  'other money was captured that is not known': {
    event: captured(second),
    ...always('deferred')
  },
  'a capture was refused that nobody asked for': {
    event: captureRefused(requestOf(first)),
    ...always('ignored')
  },
  'a capture came to nothing': {
    event: captureFailedOf(first),
    ...always('deferred'),
    captured: {
      effect: 'applied',
      status: 'failed',
      events: ['capture.failed', 'payment.failed'],
      postings: ['captureFailed cap_0000000000000001.1 2500']
    }
  },
  'it was refunded at the provider': {
    event: refunded(first),
    ...always('deferred'),
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
    ...always('deferred'),
    captured: {
      effect: 'applied',
      events: ['dispute.opened'],
      postings: ['chargeback dsp_0000000000000001.chargedBack 2500']
    }
  },
  'a chargeback was reversed that is not known': {
    event: disputed('reversed'),
    ...always('deferred')
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
    event: { type: 'cardPaymentUnknown' },
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
const toldOnce = ['paidWithoutReference', 'cardPaymentUnknown']

for (const [name, { event, ...byStatus }] of Object.entries(table)) {
  for (const status of statuses) {
    const { effect, ...expected } = byStatus[status]
    t.test(`${name}, while ${status}: ${expected.status ?? 'no other status'}`, async (t) => {
      const aggregate = aggregateOf(status)
      const before = structuredClone(aggregate.payment)
      t.same(apply(aggregate, event), [effect])
      t.same(traceOf(aggregate), {
        status,
        events: [],
        postings: [],
        discrepancies: [],
        ...expected
      })
      if (aggregate.events.length === 0) {
        t.same(aggregate.payment, before, 'the payment is as it was')
        t.equal(aggregate.touched.size, 0, 'nothing is to be written')
      }
      checkAggregate(t, aggregate)
    })

    if (toldOnce.includes(event.type)) continue
    t.test(`${name}, while ${status}: told again, changes nothing`, async (t) => {
      const aggregate = aggregateOf(status)
      const [effect] = apply(aggregate, event)
      const after = structuredClone(aggregate)
      const [again] = apply(aggregate, event)
      t.equal(again === 'deferred', effect === 'deferred', 'only what was early is early again')
      t.same(aggregate, after)
    })
  }
}

t.test('with automatic capture a success is captured at once, and posted in full', async (t) => {
  const aggregate = newAggregate()
  apply(aggregate, paidBy(second, { card: visa }))
  t.match(aggregate.payment, {
    status: 'captured',
    amountCaptured: 2500,
    authorisationReference: second,
    card: visa,
    failure: null,
    finishedAt: newContext().now,
    updatedAt: newContext().now
  })
  t.same(aggregate.postings, [
    {
      kind: 'payment',
      fact: second,
      accountId: aggregate.payment.accountId,
      amount: price,
      cause: { type: 'payment', id: aggregate.payment.id },
      paymentId: aggregate.payment.id
    }
  ])
  t.match(aggregate.authorisations, [
    { reference: second, outcome: 'authorised', disposition: 'kept' }
  ])
})

t.test('with manual capture a success only reserves: the books do not move', async (t) => {
  const aggregate = newAggregate({ capture: 'manual' })
  apply(aggregate, paidBy(second))
  t.same(traceOf(aggregate), {
    status: 'authorised',
    events: ['payment.authorised'],
    postings: [],
    discrepancies: []
  })
  t.match(aggregate.payment, {
    amountCaptured: 0,
    authorisationReference: second,
    finishedAt: null
  })
})

t.test('a page that never opened fails when the provider refuses to open it', async (t) => {
  const aggregate = newAggregate({ providerSession: null, checkoutUrl: null })
  t.same(apply(aggregate, pageRefused, pageRefused), ['applied', 'ignored'])
  t.same(traceOf(aggregate).events, ['payment.failed'])
  t.match(aggregate.payment.failure, { code: 'provider_rejected', retryable: false })
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
        const aggregate = aggregateOf(changes.status, { ...changes, capture })
        apply(aggregate, paidBy(second))
        t.match(aggregate.payment, { status: success, failure: null, cancelledBy: null })
        t.match(aggregate.authorisations, [{ disposition: 'kept' }])
        const late = changes.status !== 'pending'
        t.same(traceOf(aggregate), {
          status: success,
          events: [`payment.${success}`, ...(late ? ['discrepancy.opened'] : [])],
          postings: capture === 'automatic' ? [`payment ${second} 2500`] : [],
          discrepancies: late ? [`paid_after_end ${second}`] : []
        })
        t.equal(aggregate.operations.length, 0)
        checkAggregate(t, aggregate)
      })
    }

    t.test(`cancelled by the caller, ${capture} capture: it is sent back`, async (t) => {
      const aggregate = aggregateOf('cancelled', { cancelledBy: 'client', capture })
      apply(aggregate, paidBy(second))
      t.match(aggregate.payment, { status: 'cancelled', cancelledBy: 'client', amountCaptured: 0 })
      t.match(aggregate.operations, [
        { authorisationReference: second, amount: price, status: 'requested' }
      ])
      t.same(traceOf(aggregate), {
        status: 'cancelled',
        events: ['reversal.requested'],
        postings: capture === 'automatic' ? [`held ${second} 2500`] : [],
        discrepancies: []
      })
      checkAggregate(t, aggregate)
    })

    t.test(`paid by other money, ${capture} capture: it is sent back`, async (t) => {
      const aggregate = aggregateOf(success, { capture })
      apply(aggregate, paidBy(second), paidBy(third))
      t.equal(aggregate.payment.status, success)
      t.equal(aggregate.payment.authorisationReference, first, 'the first money stays')
      t.match(aggregate.operations, [
        { authorisationReference: second },
        { authorisationReference: third }
      ])
      t.not(aggregate.operations[0]?.providerKey, aggregate.operations[1]?.providerKey)
      t.same(
        traceOf(aggregate).postings,
        capture === 'automatic' ? [`held ${second} 2500`, `held ${third} 2500`] : []
      )
      checkAggregate(t, aggregate)
    })
  }

  t.test('the discrepancy says how the payment had ended', async (t) => {
    const aggregate = aggregateOf('expired')
    apply(aggregate, paidBy(second))
    t.same(aggregate.discrepancies[0]?.details, { endedAs: 'expired', authorisation: second })
  })

  t.test('money that differs says what was expected and what came', async (t) => {
    const aggregate = newAggregate()
    const amount = { currency: 'EUR', value: 1 }
    apply(aggregate, paidBy(second, { amount }))
    t.same(aggregate.discrepancies[0]?.details, {
      authorisation: second,
      expected: price,
      received: amount
    })
    t.equal(aggregate.payment.status, 'pending')
    t.match(aggregate.authorisations, [{ disposition: 'differs', amount }])
  })

  t.test('after money that differs the right money is still the payment', async (t) => {
    const aggregate = newAggregate()
    apply(aggregate, paidBy(second, { amount: gbp(1) }), paidBy(third))
    t.match(aggregate.payment, {
      status: 'captured',
      authorisationReference: third,
      amountCaptured: 2500
    })
    t.same(traceOf(aggregate).postings, [`held ${second} 1`, `payment ${third} 2500`])
  })
})

t.test('refused, then successful under the same reference: it is paid', async (t) => {
  const aggregate = newAggregate()
  t.same(apply(aggregate, refusedBy(second), paidBy(second)), ['applied', 'applied'])
  t.same(traceOf(aggregate), {
    status: 'captured',
    events: ['payment.attemptRefused', 'payment.captured'],
    postings: [`payment ${second} 2500`],
    discrepancies: []
  })
  t.match(aggregate.authorisations, [{ outcome: 'authorised', disposition: 'kept' }])
  t.equal(aggregate.payment.failure, null)
})

t.test('successful, then refused under the same reference: it stays paid', async (t) => {
  const aggregate = newAggregate()
  t.same(apply(aggregate, paidBy(second), refusedBy(second)), ['applied', 'ignored'])
  t.same(traceOf(aggregate).events, ['payment.captured'])
  t.match(aggregate.payment, { status: 'captured', failure: null })
})

t.test('refused for an amount, then successful for another: what succeeded counts', async (t) => {
  const aggregate = newAggregate()
  const refused: ProviderEvent = {
    type: 'attemptRefused',
    authorisationReference: second,
    amount: gbp(1),
    failure: declined
  }
  apply(aggregate, refused, paidBy(second))
  t.match(aggregate.authorisations, [{ amount: price, disposition: 'kept' }])
})

t.test('the last refused attempt is the failure while the customer may try again', async (t) => {
  const aggregate = newAggregate()
  const poor = { code: 'insufficient_funds', message: 'Not enough', retryable: true } as const
  apply(aggregate, refusedBy(first), refusedBy(second, poor))
  t.match(aggregate.payment, { status: 'pending', failure: poor })
  t.same(aggregate.events[1]?.data, { attempt: { providerReference: second, failure: poor } })
})

t.test('a refused attempt after the end does not change why it ended', async (t) => {
  const aggregate = newAggregate()
  apply(aggregate, closedBy('time'), refusedBy(second))
  t.match(aggregate.payment, { status: 'expired', failure: { code: 'expired' } })
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
      const aggregate = newAggregate()
      apply(aggregate, ...attempts, ending)
      t.match(aggregate.payment, { status, failure: { code } })
      t.equal(aggregate.payment.cancelledBy, status === 'cancelled' ? 'customer' : null)
      checkAggregate(t, aggregate)
    })
  }

  t.test('a link ends when it can be paid no more, and not with one visit to it', async (t) => {
    for (const [attempts, status, code] of [
      [[], 'expired', 'expired'],
      [[refusedBy(first, poor)], 'refused', 'insufficient_funds']
    ] as const) {
      const aggregate = newAggregate({ method: 'paymentLink' })
      apply(aggregate, ...attempts)
      const before = structuredClone(aggregate)
      t.same(apply(aggregate, closedBy('time')), ['ignored'])
      t.same(aggregate, before)
      t.same(apply(aggregate, { type: 'linkExpired' }, { type: 'linkExpired' }), [
        'applied',
        'ignored'
      ])
      t.match(aggregate.payment, { status, failure: { code } })
      checkAggregate(t, aggregate)
    }
  })

  t.test('only the first ending counts', async (t) => {
    const aggregate = newAggregate()
    apply(aggregate, closedBy('customer'), closedBy('time'), closedBy('refusals'))
    t.equal(aggregate.payment.status, 'cancelled')
    t.equal(aggregate.events.length, 1)
  })

  t.test('money that differs is no refused attempt', async (t) => {
    const aggregate = newAggregate()
    apply(aggregate, paidBy(first, { amount: gbp(1) }), closedBy('time'))
    t.equal(aggregate.payment.status, 'expired')
  })
})

t.test('a reservation that is not captured', async (t) => {
  t.test('expires, and later money is kept', async (t) => {
    const aggregate = aggregateOf('authorised')
    t.same(apply(aggregate, expired, expired), ['applied', 'applied'])
    t.match(aggregate.payment, { status: 'expired', failure: { code: 'expired' } })
    t.match(aggregate.authorisations, [{ disposition: 'released' }])
    t.equal(aggregate.events.length, 1)
    apply(aggregate, paidBy(second))
    t.match(aggregate.payment, {
      status: 'authorised',
      authorisationReference: second,
      failure: null
    })
    t.same(traceOf(aggregate).discrepancies, [`paid_after_end ${second}`])
    checkAggregate(t, aggregate)
  })

  t.test('is cancelled, and later money goes back', async (t) => {
    const aggregate = aggregateOf('authorised')
    t.same(apply(aggregate, reversed(first), reversed(first), expired), [
      'applied',
      'applied',
      'applied'
    ])
    t.match(aggregate.payment, { status: 'cancelled', cancelledBy: 'client' })
    t.same(traceOf(aggregate).events, ['cancellation.succeeded', 'payment.cancelled'])
    apply(aggregate, paidBy(second))
    t.match(aggregate.payment, { status: 'cancelled' })
    t.match(operationsOf(aggregate, 'reversal'), [
      { authorisationReference: second, status: 'requested' }
    ])
  })

  t.test('expires twice over: its success told again brings it not back', async (t) => {
    const aggregate = aggregateOf('authorised')
    apply(aggregate, expired, paidBy(first), expired)
    t.equal(aggregate.payment.status, 'expired')
    t.equal(aggregate.events.length, 1)
  })

  t.test('its end is early while only its refusal is known', async (t) => {
    const aggregate = newAggregate({ capture: 'manual' })
    t.same(apply(aggregate, refusedBy(first), expired, reversed(first)), [
      'applied',
      'deferred',
      'deferred'
    ])
    apply(aggregate, paidBy(first), expired)
    t.equal(aggregate.payment.status, 'expired')
  })

  t.test('the end of other money is not its own', async (t) => {
    const aggregate = aggregateOf('authorised')
    apply(aggregate, paidBy(second))
    t.same(apply(aggregate, expiryOf(second)), ['ignored'])
    t.equal(aggregate.payment.status, 'authorised')
  })
})

t.test('the face of the card may come later, from another source of the same fact', async (t) => {
  const aggregate = newAggregate()
  apply(aggregate, paidBy(second))
  t.equal(aggregate.payment.card, null)
  apply(aggregate, paidBy(second, { card: visa }))
  t.same(aggregate.payment.card, visa)
  t.equal(aggregate.events.length, 1, 'nothing has happened to the payment')
  t.ok(aggregate.touched.size > 0, 'it is to be written')
  apply(aggregate, paidBy(second, { card: { ...visa, lastFour: '2222' } }))
  t.equal(aggregate.payment.card?.lastFour, '1111', 'the first stays')
})

t.test('the card of money that goes back is not the card that paid', async (t) => {
  const aggregate = newAggregate()
  apply(aggregate, paidBy(first), paidBy(second, { card: visa }), paidBy(second, { card: visa }))
  t.equal(aggregate.payment.card, null)
})

t.test('an event shows the payment as it was right after it', async (t) => {
  const aggregate = newAggregate()
  apply(aggregate, refusedBy(first), paidBy(second))
  t.same(
    aggregate.events.map(({ payment }) => [payment.status, payment.failure?.code ?? null]),
    [
      ['pending', 'card_declined'],
      ['captured', null]
    ]
  )
})
