import t from 'tap'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import { requestCapture } from '../../src/lifecycle/captures.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import { addOperation } from '../../src/lifecycle/operation.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  applyPatiently,
  byHand,
  cancelled,
  captured,
  captureFailedOf,
  captureRefused,
  checkAggregate,
  contextOf,
  expiryOf,
  first,
  gbp,
  newAggregate,
  newContext,
  only,
  ordersOf,
  ours,
  paidBy,
  price,
  recaptured,
  refunded,
  refusedBy,
  rejected,
  requestOf,
  reversed,
  standOf,
  traceOf
} from './aggregates.ts'

const second = 'PSP0000000000002'

/** A reservation, and a capture of ours that the provider has taken; null for all of it. */
function capturing(value: number | null = null): PaymentAggregate {
  const aggregate = aggregateOf('authorised')
  ask(aggregate, value)
  return aggregate
}

function ask(aggregate: PaymentAggregate, value: number | null = null, several = false) {
  const amount = value === null ? null : gbp(value)
  const capture = requestCapture(aggregate, { amount, several }, contextOf(aggregate))
  capture.providerReference = `MOD${capture.id}`
  return capture
}

const asked = (aggregate: PaymentAggregate) => ours(only(aggregate, 'capture'))

type Course = {
  name: string
  aggregate: () => PaymentAggregate
  /** What is told, in this order. */
  told: (aggregate: PaymentAggregate) => ProviderEvent[]
  expected: Partial<ReturnType<typeof standOf>>
  events: string[]
}

const courses: Course[] = [
  {
    name: 'all of a reservation: it is captured',
    aggregate: () => capturing(),
    told: (aggregate) => [captured(first, price, asked(aggregate))],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    events: ['capture.requested', 'capture.succeeded', 'payment.captured']
  },
  {
    name: 'a part of it: that part is captured',
    aggregate: () => capturing(1000),
    told: (aggregate) => [captured(first, gbp(1000), asked(aggregate))],
    expected: { status: 'captured', amountCaptured: 1000, account: 1000 },
    events: ['capture.requested', 'capture.succeeded', 'payment.captured']
  },
  {
    name: 'one by somebody at the provider: it is captured by that',
    aggregate: () => aggregateOf('authorised'),
    told: () => [captured(first, gbp(1000), byHand)],
    expected: { status: 'captured', amountCaptured: 1000, account: 1000 },
    events: ['capture.succeeded', 'payment.captured']
  },
  {
    name: 'one that was refused: it is reserved as it was',
    aggregate: () => capturing(),
    told: (aggregate) => [captureRefused(asked(aggregate))],
    expected: { status: 'authorised', amountCaptured: 0, account: 0 },
    events: ['capture.requested', 'capture.failed']
  },
  {
    name: 'one that the provider rejected at once: it is reserved as it was',
    aggregate: () => capturing(),
    told: (aggregate) => [rejected(only(aggregate, 'capture').id)],
    expected: { status: 'authorised', amountCaptured: 0, account: 0 },
    events: ['capture.requested', 'capture.failed']
  },
  {
    name: 'one that was refused, and went well after all: it is captured',
    aggregate: () => capturing(),
    told: (aggregate) => [
      captureRefused(asked(aggregate)),
      captured(first, price, asked(aggregate))
    ],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    events: ['capture.requested', 'capture.failed', 'capture.succeeded', 'payment.captured']
  },
  {
    name: 'one that came to nothing after it went well: the payment failed',
    aggregate: () => capturing(),
    told: (aggregate) => [
      captured(first, price, asked(aggregate)),
      captureFailedOf(first, price, asked(aggregate))
    ],
    expected: { status: 'failed', amountCaptured: 0, account: 0 },
    events: [
      ...['capture.requested', 'capture.succeeded', 'payment.captured'],
      ...['capture.failed', 'payment.failed']
    ]
  },
  {
    name: 'one that came to nothing, before it is told that it went well: it is reserved',
    aggregate: () => capturing(),
    told: (aggregate) => [
      captureFailedOf(first, price, asked(aggregate)),
      captured(first, price, asked(aggregate))
    ],
    expected: { status: 'authorised', amountCaptured: 0, account: 0 },
    events: ['capture.requested', 'capture.failed']
  },
  {
    name: 'one that came to nothing and was taken again: it is captured again',
    aggregate: () => capturing(1000),
    told: (aggregate) => [
      captured(first, gbp(1000), asked(aggregate)),
      captureFailedOf(first, gbp(1000), asked(aggregate)),
      recaptured(first, gbp(1000), asked(aggregate))
    ],
    expected: { status: 'captured', amountCaptured: 1000, account: 1000 },
    events: [
      ...['capture.requested', 'capture.succeeded', 'payment.captured'],
      ...['capture.failed', 'payment.failed', 'capture.succeeded', 'payment.captured']
    ]
  },
  {
    name: 'what came with the authorisation: it was told with it',
    aggregate: () => aggregateOf('captured'),
    told: () => [captured(first, price, byHand)],
    expected: { status: 'captured', amountCaptured: 2500, account: 0 },
    events: []
  },
  {
    name: 'what came with the authorisation, and came to nothing: the payment failed',
    aggregate: () => aggregateOf('captured'),
    told: () => [captureFailedOf(first)],
    expected: { status: 'failed', amountCaptured: 0, account: -2500 },
    events: ['capture.failed', 'payment.failed']
  },
  {
    name: 'what came with the authorisation, failed and was taken again: it is captured again',
    aggregate: () => aggregateOf('captured'),
    told: () => [captureFailedOf(first), recaptured(first, price, byHand)],
    expected: { status: 'captured', amountCaptured: 2500, account: 0 },
    events: ['capture.failed', 'payment.failed', 'capture.succeeded', 'payment.captured']
  }
]

for (const { name, aggregate: make, told, expected, events } of courses) {
  t.test(`a capture of ${name}`, async (t) => {
    const aggregate = make()
    t.same(
      apply(aggregate, ...told(aggregate)),
      told(aggregate).map(() => 'applied')
    )
    t.match(standOf(aggregate), expected)
    t.same(traceOf(aggregate).events, events)
    checkAggregate(t, aggregate)
  })

  // A success after a failure is new money, whatever its words: a redelivery does not come so far.
  if (name.includes('before it is told')) continue
  t.test(`a capture of ${name}; each news twice over is the same`, async (t) => {
    const aggregate = make()
    for (const event of told(aggregate)) {
      apply(aggregate, event)
      const stand = { ...standOf(aggregate), written: traceOf(aggregate) }
      const [again] = apply(aggregate, event)
      t.not(again, 'deferred')
      t.same({ ...standOf(aggregate), written: traceOf(aggregate) }, stand, event.type)
    }
    checkAggregate(t, aggregate)
  })
}

t.test('a capture fails and is taken again: the same in whatever order it is told', async (t) => {
  const another = { providerReference: 'MODANOTHER', reference: 'pay_0000000000000001' }
  const situations: Array<
    [string, () => PaymentAggregate, (aggregate: PaymentAggregate) => ProviderEvent[]]
  > = [
    [
      'all under our reference',
      () => capturing(),
      (aggregate) => [
        captured(first, price, asked(aggregate)),
        captureFailedOf(first, price, asked(aggregate)),
        recaptured(first, price, asked(aggregate))
      ]
    ],
    [
      'taken again under another reference',
      () => capturing(),
      (aggregate) => [
        captured(first, price, asked(aggregate)),
        captureFailedOf(first, price, asked(aggregate)),
        recaptured(first, price, another)
      ]
    ],
    [
      'failed under another reference',
      () => capturing(),
      (aggregate) => [
        captured(first, price, asked(aggregate)),
        captureFailedOf(first, price, another),
        recaptured(first, price, asked(aggregate))
      ]
    ],
    [
      'failed and taken again under another reference',
      () => capturing(),
      (aggregate) => [
        captured(first, price, asked(aggregate)),
        captureFailedOf(first, price, another),
        recaptured(first, price, another)
      ]
    ],
    [
      'by somebody at the provider, all under one reference',
      () => aggregateOf('authorised'),
      () => [
        captured(first, price, byHand),
        captureFailedOf(first, price, byHand),
        recaptured(first, price, byHand)
      ]
    ],
    [
      'automatic',
      () => aggregateOf('captured'),
      () => [captured(first), captureFailedOf(first), recaptured(first)]
    ],
    [
      'automatic, each under a reference of its own',
      () => aggregateOf('captured'),
      () => [
        captured(first),
        captureFailedOf(first, price, byHand),
        recaptured(first, price, another)
      ]
    ],
    [
      'automatic, and that it was captured is not told',
      () => aggregateOf('captured'),
      () => [captureFailedOf(first), recaptured(first)]
    ]
  ]
  for (const [name, make, told] of situations) {
    t.test(name, async (t) => {
      const count = told(make()).length
      for (const order of ordersOf(Array.from({ length: count }, (_, place) => place))) {
        const aggregate = make()
        const account = aggregate.payment.amountCaptured === 0 ? 2500 : 0
        const events = told(aggregate)
        const left = applyPatiently(
          aggregate,
          ...order.map((place) => events[place] as ProviderEvent)
        )
        const label = order.map((place) => ['went well', 'failed', 'again'].at(place)).join(', ')
        t.same(left, [], `${label}: nothing waits for ever`)
        t.match(standOf(aggregate), { status: 'captured', amountCaptured: 2500, account }, label)
        t.match(operationsOf(aggregate, 'capture'), [{ status: 'succeeded' }], label)
        checkAggregate(t, aggregate)
      }
    })
  }
})

t.test('a capture that only fails: the same in whatever order it is told', async (t) => {
  const situations: Array<
    [string, () => PaymentAggregate, (aggregate: PaymentAggregate) => ProviderEvent[]]
  > = [
    [
      'under our reference',
      () => capturing(),
      (aggregate) => [
        captured(first, price, asked(aggregate)),
        captureFailedOf(first, price, asked(aggregate))
      ]
    ],
    [
      'failed under another reference',
      () => capturing(),
      (aggregate) => [
        captured(first, price, asked(aggregate)),
        captureFailedOf(first, price, byHand)
      ]
    ],
    [
      'by somebody at the provider',
      () => aggregateOf('authorised'),
      () => [captured(first, price, byHand), captureFailedOf(first, price, byHand)]
    ]
  ]
  for (const [name, make, told] of situations) {
    for (const order of ordersOf([0, 1])) {
      const aggregate = make()
      const events = told(aggregate)
      t.same(
        applyPatiently(aggregate, ...order.map((place) => events[place] as ProviderEvent)),
        [],
        name
      )
      t.match(standOf(aggregate), { amountCaptured: 0, account: 0 }, `${name}, ${order}`)
      t.match(operationsOf(aggregate, 'capture'), [{ status: 'failed' }], `${name}, ${order}`)
      checkAggregate(t, aggregate)
    }
  }
})

t.test('a capture fails, is taken again, fails again: each time it is told', async (t) => {
  const aggregate = capturing()
  const by = asked(aggregate)
  const turns = [captureFailedOf(first, price, by), recaptured(first, price, by)]
  apply(aggregate, captured(first, price, by), ...turns, ...turns)
  t.match(standOf(aggregate), { status: 'captured', amountCaptured: 2500, account: 2500 })
  const { id } = only(aggregate, 'capture')
  t.same(traceOf(aggregate).postings, [
    `payment ${id}.1 2500`,
    `captureFailed ${id}.1 2500`,
    `payment ${id}.2 2500`,
    `captureFailed ${id}.2 2500`,
    `payment ${id}.3 2500`
  ])
  apply(aggregate, captureFailedOf(first, price, by))
  t.match(standOf(aggregate), { status: 'failed', amountCaptured: 0, account: 0 })
  t.match(aggregate.payment.failure, { code: 'capture_failed', message: 'Capture expired' })
  checkAggregate(t, aggregate)
})

t.test('several captures', async (t) => {
  /** Two captures of a reservation, both taken. */
  function both(one: number, other: number): PaymentAggregate {
    const aggregate = aggregateOf('authorised')
    for (const value of [one, other]) {
      const capture = ask(aggregate, value, true)
      t.same(apply(aggregate, captured(first, gbp(value), ours(capture))), ['applied'])
    }
    return aggregate
  }

  t.test('add up, and the payment is captured once', async (t) => {
    const aggregate = both(1000, 1500)
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 2500, account: 2500 })
    t.equal(traceOf(aggregate).events.filter((type) => type === 'payment.captured').length, 1)
    checkAggregate(t, aggregate)
  })

  t.test('one comes to nothing: the payment stays captured by the other', async (t) => {
    const aggregate = both(1000, 1500)
    const [one] = operationsOf(aggregate, 'capture')
    t.same(apply(aggregate, captureFailedOf(first, gbp(1000), ours(one as never))), ['applied'])
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 1500, account: 1500 })
    t.equal(aggregate.payment.failure, null)
    t.same(traceOf(aggregate).events.at(-1), 'capture.failed')
    apply(aggregate, recaptured(first, gbp(1000), byHand))
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 2500, account: 2500 })
    checkAggregate(t, aggregate)
  })

  t.test('both come to nothing: the payment failed with the last', async (t) => {
    const aggregate = both(1000, 1500)
    const [one, other] = operationsOf(aggregate, 'capture')
    apply(aggregate, captureFailedOf(first, gbp(1000), ours(one as never)))
    apply(aggregate, captureFailedOf(first, gbp(1500), ours(other as never)))
    t.match(standOf(aggregate), { status: 'failed', amountCaptured: 0, account: 0 })
    t.equal(traceOf(aggregate).events.filter((type) => type === 'payment.failed').length, 1)
    checkAggregate(t, aggregate)
  })

  t.test('of the same amount are told apart by their references', async (t) => {
    const aggregate = both(1000, 1000)
    const [one, other] = operationsOf(aggregate, 'capture')
    apply(aggregate, captureFailedOf(first, gbp(1000), ours(one as never)))
    t.match([one, other], [{ status: 'failed' }, { status: 'succeeded' }])
    t.match(standOf(aggregate), { amountCaptured: 1000, account: 1000 })
    checkAggregate(t, aggregate)
  })

  t.test('name the charges that the ones before have not paid', async (t) => {
    const allocations = [
      { chargeId: 'chg_a', amount: 1200 },
      { chargeId: 'chg_b', amount: 1300 }
    ]
    const aggregate = aggregateOf('authorised', { allocations })
    for (const value of [1000, 1500]) {
      apply(aggregate, captured(first, gbp(value), ours(ask(aggregate, value, true))))
    }
    t.same(
      aggregate.postings.map((posting) => posting.allocations),
      [
        allocations,
        [
          { chargeId: 'chg_a', amount: 200 },
          { chargeId: 'chg_b', amount: 1300 }
        ]
      ]
    )
  })

  t.test('together are at most what was authorised: more waits for room', async (t) => {
    const aggregate = both(1000, 1000)
    const before = structuredClone(aggregate)
    const more = captured(first, gbp(501), byHand)
    t.same(apply(aggregate, more), ['deferred'])
    t.same(aggregate, before)
    const [one] = operationsOf(aggregate, 'capture')
    apply(aggregate, captureFailedOf(first, gbp(1000), ours(one as never)))
    t.same(apply(aggregate, more), ['applied'], 'one that failed makes it')
    t.match(standOf(aggregate), { amountCaptured: 1501, account: 1501 })
    checkAggregate(t, aggregate)
  })

  t.test('one that is made of the money of one that failed may be told before it', async (t) => {
    const told = (aggregate: PaymentAggregate) => {
      const [one, other] = [ask(aggregate, 1500, true), ask(aggregate, 1000, true)]
      return [
        captured(first, gbp(1500), ours(one)),
        captureFailedOf(first, gbp(1500), ours(one)),
        captured(first, gbp(1000), ours(other)),
        // In the same amount it would be the one that failed, taken again.
        captured(first, gbp(1499), byHand)
      ]
    }
    for (const order of ordersOf([0, 1, 2, 3])) {
      const aggregate = aggregateOf('authorised')
      const events = told(aggregate)
      const left = applyPatiently(
        aggregate,
        ...order.map((place) => events[place] as ProviderEvent)
      )
      t.same(left, [], `${order}`)
      t.match(
        standOf(aggregate),
        { status: 'captured', amountCaptured: 2499, account: 2499 },
        `${order}`
      )
      checkAggregate(t, aggregate)
    }
  })

  t.test('after one failed, others were made of its money: it is not taken twice', async (t) => {
    const aggregate = aggregateOf('authorised')
    const one = ask(aggregate, 1500, true)
    apply(aggregate, captured(first, gbp(1500), ours(one)))
    const other = ask(aggregate, 1000, true)
    apply(aggregate, captured(first, gbp(1000), ours(other)))
    apply(aggregate, captureFailedOf(first, gbp(1500), ours(one)))
    const third = ask(aggregate, 1500, true)
    apply(aggregate, captured(first, gbp(1500), ours(third)))
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 2500 })
    const before = structuredClone(aggregate)
    t.same(apply(aggregate, recaptured(first, gbp(1500), ours(one))), ['deferred'])
    t.same(aggregate, before)
    checkAggregate(t, aggregate)
  })
})

t.test('a capture that fails while refunds of it stand waits until they come back', async (t) => {
  const aggregate = capturing()
  const by = asked(aggregate)
  apply(aggregate, captured(first, price, by), refunded(first, gbp(1000), byHand))
  t.same(apply(aggregate, captureFailedOf(first, price, by)), ['deferred'])
  const again = recaptured(first, price, by)
  t.same(apply(aggregate, again, captureFailedOf(first, price, by)), ['applied', 'applied'])
  t.match(standOf(aggregate), { amountCaptured: 2500, amountRefunded: 1000, account: 1500 })
  checkAggregate(t, aggregate)
})

t.test('a capture of an automatic payment is written down only when it fails', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(aggregate, captured(first, price, byHand))
  t.same(aggregate.operations, [])
  apply(aggregate, captureFailedOf(first, price, byHand))
  t.match(aggregate.operations, [
    {
      kind: 'capture',
      origin: 'provider',
      status: 'failed',
      authorisationReference: first,
      amount: price,
      providerKey: null,
      providerReference: byHand.providerReference,
      failure: { code: 'capture_failed', message: 'Capture expired', retryable: true }
    }
  ])
  t.match(aggregate.payment, { status: 'failed', failure: { code: 'capture_failed' } })
})

t.test('what is told of a capture must be true of the payment', async (t) => {
  t.test('another amount than we asked for is for a person', async (t) => {
    const aggregate = capturing(1000)
    const before = structuredClone(aggregate)
    t.same(apply(aggregate, captured(first, gbp(900), asked(aggregate))), ['contradictory'])
    t.same(apply(aggregate, captured(first, { currency: 'EUR', value: 1000 }, asked(aggregate))), [
      'contradictory'
    ])
    t.same(aggregate, before)
  })

  t.test('of money that is going back is for a person', async (t) => {
    const aggregate = aggregateOf('authorised')
    apply(aggregate, paidBy(second))
    const before = structuredClone(aggregate)
    t.same(apply(aggregate, captured(second), captureFailedOf(second)), [
      'contradictory',
      'contradictory'
    ])
    t.same(aggregate, before)
    t.same(apply(aggregate, captured(first)), ['applied'], 'that which was kept may be taken')
    t.equal(aggregate.payment.status, 'captured')
  })

  t.test('of money that differs is for a person', async (t) => {
    const aggregate = newAggregate({ capture: 'manual' })
    apply(aggregate, paidBy(second, { amount: gbp(2400) }))
    t.same(apply(aggregate, captured(second, gbp(2400))), ['contradictory'])
    t.equal(aggregate.payment.status, 'pending')
    t.same(aggregate.postings, [])
  })

  t.test('of a refused attempt is early', async (t) => {
    const aggregate = newAggregate({ capture: 'manual' })
    t.same(apply(aggregate, refusedBy(second), captured(second)), ['applied', 'deferred'])
    t.same(aggregate.postings, [])
  })

  t.test('before its authorisation is early, and then applied', async (t) => {
    const aggregate = newAggregate({ capture: 'manual' })
    const part = gbp(1000)
    t.same(apply(aggregate, captured(second, part)), ['deferred'])
    t.same(apply(aggregate, paidBy(second), captured(second, part)), ['applied', 'applied'])
    const { id } = only(aggregate, 'capture')
    t.match(aggregate.payment, {
      status: 'captured',
      amount: price,
      amountCaptured: 1000,
      failure: null,
      cancelledBy: null,
      finishedAt: newContext().now
    })
    t.match(aggregate.postings, [
      { kind: 'payment', fact: `${id}.1`, amount: part, cause: { type: 'capture', id } }
    ])
    t.same(traceOf(aggregate).events, [
      'payment.authorised',
      'capture.succeeded',
      'payment.captured'
    ])
    t.same(apply(aggregate, captured(second, part)), ['applied'])
    t.equal(aggregate.postings.length, 1)
    checkAggregate(t, aggregate)
  })

  t.test('a failure of a capture that nobody has told is early', async (t) => {
    t.same(apply(aggregateOf('authorised'), captureFailedOf(first)), ['deferred'])
    t.same(apply(capturing(1000), captureFailedOf(first, gbp(1000), byHand)), ['deferred'])
  })
})

t.test('a capture that is told after the reservation ended is money all the same', async (t) => {
  for (const end of [expiryOf(first), reversed(first)]) {
    const aggregate = aggregateOf('authorised')
    t.same(apply(aggregate, end, captured(first)), ['applied', 'applied'])
    t.match(aggregate.payment, {
      status: 'captured',
      amountCaptured: 2500,
      authorisationReference: first
    })
    t.match(aggregate.authorisations, [{ disposition: 'kept' }])
    t.same(traceOf(aggregate).postings, [`payment ${only(aggregate, 'capture').id}.1 2500`])
    checkAggregate(t, aggregate)
  }
})

t.test('other money that comes after a capture failed is the payment', async (t) => {
  for (const make of [() => aggregateOf('captured'), () => aggregateOf('authorised')]) {
    const aggregate = make()
    apply(aggregate, captured(first), captureFailedOf(first), paidBy(second))
    t.match(aggregate.payment, { authorisationReference: second, failure: null })
    t.match(aggregate.authorisations, [{ disposition: 'released' }, { disposition: 'kept' }])
    t.ok(aggregate.touched.has(aggregate.authorisations[0] as never), 'both are to be written')
    t.same(traceOf(aggregate).discrepancies, [`paid_after_end ${second}`])
    checkAggregate(t, aggregate)
    const before = structuredClone(aggregate)
    t.same(apply(aggregate, recaptured(first)), ['contradictory'], 'it is paid already')
    t.same(aggregate, before)
  }
})

t.test(
  'other money that came after a capture failed may fail, or be cancelled, as well',
  async (t) => {
    for (const end of [captureFailedOf(second), cancelled(second)]) {
      const aggregate = aggregateOf('captured')
      apply(aggregate, captureFailedOf(first), paidBy(second))
      t.match(standOf(aggregate), { status: 'captured', account: 0 })
      apply(aggregate, end)
      t.match(standOf(aggregate), { status: 'failed', amountCaptured: 0, account: -2500 }, end.type)
      t.match(operationsOf(aggregate, 'capture'), [
        { authorisationReference: first, status: 'failed' },
        { authorisationReference: second, status: 'failed' }
      ])
      checkAggregate(t, aggregate)
    }
    const again = aggregateOf('captured')
    apply(
      again,
      captureFailedOf(first),
      paidBy(second),
      captureFailedOf(second),
      recaptured(second)
    )
    t.match(standOf(again), { status: 'captured', amountCaptured: 2500, account: 0 })
  }
)

t.test('a capture makes later money second money', async (t) => {
  const aggregate = aggregateOf('authorised')
  apply(aggregate, captured(first), paidBy(second))
  t.match(operationsOf(aggregate, 'reversal'), [{ authorisationReference: second }])
})

t.test('a capture is shown by its events as it was then', async (t) => {
  const aggregate = capturing(1000)
  apply(aggregate, captured(first, gbp(1000), asked(aggregate)))
  const { id } = only(aggregate, 'capture')
  const shown = { id, paymentId: aggregate.payment.id, amount: gbp(1000), origin: 'client' }
  t.match(aggregate.events, [
    { type: 'capture.requested', data: { capture: { ...shown, status: 'requested' } } },
    { type: 'capture.succeeded', data: { capture: { ...shown, status: 'succeeded' } } },
    { type: 'payment.captured', payment: { amountCaptured: 1000 } }
  ])
})

t.test('ours is found by the reference that we sent, or that we were answered with', async (t) => {
  for (const by of [
    { providerReference: 'another', reference: '' },
    { providerReference: 'MODCAP', reference: 'another' }
  ]) {
    const aggregate = aggregateOf('authorised')
    const given = { kind: 'capture', authorisationReference: first, amount: price } as const
    const capture = addOperation(aggregate, given, contextOf(aggregate))
    capture.providerReference = 'MODCAP'
    apply(aggregate, captured(first, price, { ...by, reference: by.reference || capture.id }))
    t.match(operationsOf(aggregate, 'capture'), [{ id: capture.id, status: 'succeeded' }])
  }
  const aggregate = capturing()
  apply(aggregate, captureRefused(requestOf(first)))
  t.match(aggregate.operations, [{ status: 'requested' }], "somebody else's refusal is not ours")
})
