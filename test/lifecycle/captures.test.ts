/** Captures: what the provider reports of them, and what stands. */
import t from 'tap'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import type { Operation, PaymentAggregate } from '../../src/lifecycle/model.ts'
import { addOperation } from '../../src/lifecycle/operation.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  applyTwice,
  byHand,
  cancelled,
  captured,
  captureFailedOf,
  captureRefused,
  checkAggregate,
  checkUnchanged,
  contextOf,
  expiryOf,
  first,
  gbp,
  newAggregate,
  newContext,
  only,
  ours,
  paidBy,
  price,
  recaptured,
  refusedBy,
  rejected,
  requestOf,
  reversed,
  standOf,
  traceOf
} from './aggregates.ts'
import { askCapture } from './requests.ts'

const second = 'PSP0000000000002'
/** Another request at the provider. */
const another = { providerReference: 'MODANOTHER', reference: 'by hand' }

/** A reservation, and a capture of ours that the provider has accepted; null for all of it. */
function capturing(value: number | null = null): PaymentAggregate {
  const aggregate = aggregateOf('authorised')
  askCapture(aggregate, value)
  return aggregate
}

const asked = (aggregate: PaymentAggregate) => ours(only(aggregate, 'capture'))

type Course = {
  name: string
  aggregate: () => PaymentAggregate
  /** What is reported, in this order. */
  reported: (aggregate: PaymentAggregate) => ProviderEvent[]
  expected: Partial<ReturnType<typeof standOf>>
  events: string[]
}

const courses: Course[] = [
  {
    name: 'all of a reservation: it is captured',
    aggregate: () => capturing(),
    reported: (aggregate) => [captured(first, price, asked(aggregate))],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    events: ['capture.requested', 'capture.succeeded', 'payment.captured']
  },
  {
    name: 'a part of it: that part is captured',
    aggregate: () => capturing(1000),
    reported: (aggregate) => [captured(first, gbp(1000), asked(aggregate))],
    expected: { status: 'captured', amountCaptured: 1000, account: 1000 },
    events: ['capture.requested', 'capture.succeeded', 'payment.captured']
  },
  {
    name: 'one by somebody at the provider: it is captured by that',
    aggregate: () => aggregateOf('authorised'),
    reported: () => [captured(first, gbp(1000), byHand)],
    expected: { status: 'captured', amountCaptured: 1000, account: 1000 },
    events: ['capture.succeeded', 'payment.captured']
  },
  {
    name: 'one that was refused: it is reserved as it was',
    aggregate: () => capturing(),
    reported: (aggregate) => [captureRefused(asked(aggregate))],
    expected: { status: 'authorised', amountCaptured: 0, account: 0 },
    events: ['capture.requested', 'capture.failed']
  },
  {
    name: 'one that the provider rejected at once: it is reserved as it was',
    aggregate: () => capturing(),
    reported: (aggregate) => [rejected(only(aggregate, 'capture').id)],
    expected: { status: 'authorised', amountCaptured: 0, account: 0 },
    events: ['capture.requested', 'capture.failed']
  },
  {
    name: 'one that was refused, and went well after all: it is captured',
    aggregate: () => capturing(),
    reported: (aggregate) => [
      captureRefused(asked(aggregate)),
      captured(first, price, asked(aggregate))
    ],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    events: ['capture.requested', 'capture.failed', 'capture.succeeded', 'payment.captured']
  },
  {
    name: 'one that came to nothing after it went well: the payment failed',
    aggregate: () => capturing(),
    reported: (aggregate) => [
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
    name: 'one that came to nothing, before it is reported that it went well: the payment failed',
    aggregate: () => capturing(),
    reported: (aggregate) => [
      captureFailedOf(first, price, asked(aggregate)),
      captured(first, price, asked(aggregate))
    ],
    expected: { status: 'failed', amountCaptured: 0, account: 0 },
    events: ['capture.requested', 'capture.failed', 'payment.failed']
  },
  {
    name: 'one that came to nothing and was taken again under another reference: captured again',
    aggregate: () => capturing(1000),
    reported: (aggregate) => [
      captured(first, gbp(1000), asked(aggregate)),
      captureFailedOf(first, gbp(1000), asked(aggregate)),
      recaptured(first, gbp(1000), another)
    ],
    expected: { status: 'captured', amountCaptured: 1000, account: 1000 },
    events: [
      ...['capture.requested', 'capture.succeeded', 'payment.captured'],
      ...['capture.failed', 'payment.failed', 'capture.succeeded', 'payment.captured']
    ]
  },
  {
    name: 'what came with the authorisation: it was reported with it',
    aggregate: () => aggregateOf('captured'),
    reported: () => [captured(first, price, byHand)],
    expected: { status: 'captured', amountCaptured: 2500, account: 0 },
    events: []
  },
  {
    name: 'what came with the authorisation, and came to nothing: the payment failed',
    aggregate: () => aggregateOf('captured'),
    reported: () => [captureFailedOf(first)],
    expected: { status: 'failed', amountCaptured: 0, account: -2500 },
    events: ['capture.failed', 'payment.failed']
  },
  {
    name: 'what came with the authorisation, failed and was taken again: it is captured again',
    aggregate: () => aggregateOf('captured'),
    reported: () => [captureFailedOf(first), recaptured(first, price, byHand)],
    expected: { status: 'captured', amountCaptured: 2500, account: 0 },
    events: ['capture.failed', 'payment.failed', 'capture.succeeded', 'payment.captured']
  }
]

for (const { name, aggregate: make, reported, expected, events } of courses) {
  t.test(`a capture of ${name}`, async (t) => {
    const aggregate = make()
    applyTwice(t, aggregate, ...reported(aggregate))
    t.match(standOf(aggregate), expected)
    t.strictSame(traceOf(aggregate).events, events)
    checkAggregate(t, aggregate)
  })
}

t.test('several captures', async (t) => {
  /** Two captures of a reservation that went well. */
  function both(one: number, other: number): PaymentAggregate {
    const aggregate = aggregateOf('authorised')
    for (const value of [one, other]) {
      const capture = askCapture(aggregate, value, { several: true })
      t.strictSame(apply(aggregate, captured(first, gbp(value), ours(capture))), ['applied'])
    }
    return aggregate
  }

  const pairOf = (aggregate: PaymentAggregate) =>
    operationsOf(aggregate, 'capture') as [Operation, Operation]

  t.test('add up, and the payment is captured once', async (t) => {
    const aggregate = both(1000, 1500)
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 2500, account: 2500 })
    t.equal(traceOf(aggregate).events.filter((type) => type === 'payment.captured').length, 1)
    checkAggregate(t, aggregate)
  })

  t.test('one comes to nothing: the payment stays captured by the other', async (t) => {
    const aggregate = both(1000, 1500)
    const [one] = pairOf(aggregate)
    t.strictSame(apply(aggregate, captureFailedOf(first, gbp(1000), ours(one))), ['applied'])
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 1500, account: 1500 })
    t.equal(aggregate.payment.failure, null)
    t.strictSame(traceOf(aggregate).events.at(-1), 'capture.failed')
    apply(aggregate, recaptured(first, gbp(1000), byHand))
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 2500, account: 2500 })
    checkAggregate(t, aggregate)
  })

  t.test('both come to nothing: the payment failed with the last', async (t) => {
    const aggregate = both(1000, 1500)
    const [one, other] = pairOf(aggregate)
    apply(aggregate, captureFailedOf(first, gbp(1000), ours(one)))
    apply(aggregate, captureFailedOf(first, gbp(1500), ours(other)))
    t.match(standOf(aggregate), { status: 'failed', amountCaptured: 0, account: 0 })
    t.equal(traceOf(aggregate).events.filter((type) => type === 'payment.failed').length, 1)
    checkAggregate(t, aggregate)
  })

  t.test('of the same amount are known by their references', async (t) => {
    const aggregate = both(1000, 1000)
    const [one, other] = pairOf(aggregate)
    apply(aggregate, captureFailedOf(first, gbp(1000), ours(one)))
    t.match([one, other], [{ status: 'failed' }, { status: 'succeeded' }])
    t.match(standOf(aggregate), { amountCaptured: 1000, account: 1000 })
    checkAggregate(t, aggregate)
  })

  t.test('of the same amount, of which one failed under another reference: the last', async (t) => {
    const aggregate = both(1000, 1000)
    const [one, other] = pairOf(aggregate)
    apply(aggregate, captureFailedOf(first, gbp(1000), another))
    t.match([one, other], [{ status: 'succeeded' }, { status: 'failed' }])
    t.match(standOf(aggregate), { amountCaptured: 1000, account: 1000 })
    t.test('until a capture is reported under it: it was that which failed', async (t) => {
      apply(aggregate, captured(first, gbp(1000), another))
      t.match(operationsOf(aggregate, 'capture'), [
        { status: 'succeeded' },
        { status: 'succeeded' },
        { status: 'failed', origin: 'provider', providerReference: another.providerReference }
      ])
      t.match(standOf(aggregate), { amountCaptured: 2000, account: 2000 })
      checkAggregate(t, aggregate)
    })
  })

  t.test('name the charges that the ones before have not paid', async (t) => {
    const allocations = [
      { chargeId: 'chg_a', amount: 1200 },
      { chargeId: 'chg_b', amount: 1300 }
    ]
    const aggregate = aggregateOf('authorised', { allocations })
    for (const value of [1000, 1500]) {
      apply(
        aggregate,
        captured(first, gbp(value), ours(askCapture(aggregate, value, { several: true })))
      )
    }
    t.strictSame(
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
    const more = captured(first, gbp(501), byHand)
    checkUnchanged(t, aggregate, 'deferred', more)
    const [one] = pairOf(aggregate)
    apply(aggregate, captureFailedOf(first, gbp(1000), ours(one)))
    t.strictSame(apply(aggregate, more), ['applied'], 'one that failed makes it')
    t.match(standOf(aggregate), { amountCaptured: 1501, account: 1501 })
    checkAggregate(t, aggregate)
  })

  t.test('after one failed, others were made of its money: it is not taken twice', async (t) => {
    const aggregate = aggregateOf('authorised')
    const one = askCapture(aggregate, 1500, { several: true })
    apply(aggregate, captured(first, gbp(1500), ours(one)))
    const other = askCapture(aggregate, 1000, { several: true })
    apply(aggregate, captured(first, gbp(1000), ours(other)))
    apply(aggregate, captureFailedOf(first, gbp(1500), ours(one)))
    const third = askCapture(aggregate, 1500, { several: true })
    apply(aggregate, captured(first, gbp(1500), ours(third)))
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 2500 })
    checkUnchanged(t, aggregate, 'deferred', recaptured(first, gbp(1500), another))
    checkAggregate(t, aggregate)
  })
})

t.test('what is reported of a capture must be true of the payment', async (t) => {
  t.test('another amount than we asked for is for a person', async (t) => {
    const aggregate = capturing(1000)
    const less = captured(first, gbp(900), asked(aggregate))
    const euros = captured(first, { currency: 'EUR', value: 1000 }, asked(aggregate))
    checkUnchanged(t, aggregate, 'contradictory', less, euros)
  })

  t.test('of money that is going back is for a person', async (t) => {
    const aggregate = aggregateOf('authorised')
    apply(aggregate, paidBy(second))
    checkUnchanged(t, aggregate, 'contradictory', captured(second), captureFailedOf(second))
    t.strictSame(apply(aggregate, captured(first)), ['applied'], 'what was kept may be taken')
    t.equal(aggregate.payment.status, 'captured')
  })

  t.test('of money that differs is for a person', async (t) => {
    const aggregate = newAggregate({ capture: 'manual' })
    apply(aggregate, paidBy(second, { amount: gbp(2400) }))
    checkUnchanged(t, aggregate, 'contradictory', captured(second, gbp(2400)))
  })

  t.test('of a refused attempt is deferred', async (t) => {
    const aggregate = newAggregate({ capture: 'manual' })
    apply(aggregate, refusedBy(second))
    checkUnchanged(t, aggregate, 'deferred', captured(second), captureFailedOf(second))
  })

  t.test('before its authorisation is deferred, and then applied', async (t) => {
    const aggregate = newAggregate({ capture: 'manual' })
    const part = gbp(1000)
    checkUnchanged(t, aggregate, 'deferred', captured(second, part))
    apply(aggregate, paidBy(second))
    applyTwice(t, aggregate, captured(second, part))
    const { id } = only(aggregate, 'capture')
    t.match(aggregate.payment, {
      status: 'captured',
      amount: price,
      amountCaptured: 1000,
      failure: null,
      cancelledBy: null,
      finishedAt: newContext().now
    })
    t.match(aggregate.postings, [{ kind: 'payment', cause: { type: 'capture', id } }])
    t.strictSame(aggregate.postings[0]?.amount, part)
    checkAggregate(t, aggregate)
  })

  t.test('a failure of a capture that nobody has reported is deferred', async (t) => {
    checkUnchanged(t, aggregateOf('authorised'), 'deferred', captureFailedOf(first))
    const failed = captureFailedOf(first, gbp(1000), byHand)
    checkUnchanged(t, capturing(1000), 'deferred', failed)
  })
})

t.test(
  'a capture that is reported after the reservation expired is money all the same',
  async (t) => {
    const aggregate = aggregateOf('authorised')
    t.strictSame(apply(aggregate, expiryOf(first), captured(first)), ['applied', 'applied'])
    t.match(aggregate.payment, {
      status: 'captured',
      amountCaptured: 2500,
      amountRefunded: 0,
      authorisationReference: first
    })
    t.match(aggregate.authorisations, [{ disposition: 'kept' }])
    t.strictSame(traceOf(aggregate).postings, [`payment ${only(aggregate, 'capture').id} 2500`])
    checkAggregate(t, aggregate)
  }
)

t.test('a capture that is reported after its reversal was given back by it', async (t) => {
  const aggregate = aggregateOf('authorised')
  t.strictSame(apply(aggregate, reversed(first), captured(first)), ['applied', 'applied'])
  t.match(aggregate.payment, { status: 'captured', amountCaptured: 2500, amountRefunded: 2500 })
  t.strictSame(traceOf(aggregate).postings, [
    `payment ${only(aggregate, 'capture').id} 2500`,
    `refund ${only(aggregate, 'refund').id} 2500`
  ])
  checkAggregate(t, aggregate)
})

t.test('other money that comes after a capture failed is the payment', async (t) => {
  for (const make of [() => aggregateOf('captured'), () => aggregateOf('authorised')]) {
    const aggregate = make()
    apply(aggregate, captured(first), captureFailedOf(first), paidBy(second))
    t.match(aggregate.payment, { authorisationReference: second, failure: null })
    t.match(aggregate.authorisations, [{ disposition: 'released' }, { disposition: 'kept' }])
    const [replaced] = aggregate.authorisations
    t.ok(replaced && aggregate.touched.has(replaced), 'both are to be written')
    t.strictSame(traceOf(aggregate).discrepancies, [`paid_after_end ${second}`])
    checkAggregate(t, aggregate)
    checkUnchanged(t, aggregate, 'contradictory', recaptured(first))
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
