import t from 'tap'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import type { RequestReference } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  byHand,
  captured,
  checkAggregate,
  first,
  gbp,
  inClearing,
  newAggregate,
  only,
  paidBy,
  price,
  refunded,
  refundFailedOf,
  refusedBy,
  rejected,
  requestOf,
  reversalRefused,
  reversed,
  standOf,
  traceOf,
  unknown
} from './aggregates.ts'

const second = 'PSP0000000000002'
const third = 'PSP0000000000003'

/** A payment that is paid, and second money on its way back. */
function reversing(capture: 'automatic' | 'manual' = 'automatic'): PaymentAggregate {
  const aggregate = aggregateOf(capture === 'automatic' ? 'captured' : 'authorised')
  apply(aggregate, paidBy(second))
  return aggregate
}

const reversalsOf = (aggregate: PaymentAggregate) => operationsOf(aggregate, 'reversal')

/** Both ways to say no: by the outcome of what was accepted, or at once. */
const refusals = {
  'refused later': () => reversalRefused(second),
  'rejected at once': (aggregate: PaymentAggregate) => rejected(only(aggregate, 'reversal').id)
}

/** The provider took the reversal, and named it. */
function accept(
  aggregate: PaymentAggregate,
  providerReference: string | null = `MOD${second}`
): void {
  for (const reversal of reversalsOf(aggregate)) reversal.providerReference = providerReference
}

t.test('a reversal', async (t) => {
  t.test('that succeeds empties clearing, once', async (t) => {
    const aggregate = reversing()
    t.equal(inClearing(aggregate), 2500)
    t.same(apply(aggregate, reversed(second), reversed(second)), ['applied', 'applied'])
    t.match(reversalsOf(aggregate), [{ status: 'succeeded', failure: null }])
    t.equal(inClearing(aggregate), 0)
    t.same(traceOf(aggregate).events, ['reversal.requested', 'reversal.succeeded'])
    checkAggregate(t, aggregate)
  })

  for (const [name, refuse] of Object.entries(refusals)) {
    t.test(`that is ${name} leaves the money in clearing, and a discrepancy`, async (t) => {
      const aggregate = reversing()
      t.same(apply(aggregate, refuse(aggregate)), ['applied'])
      const after = structuredClone(aggregate)
      t.not(apply(aggregate, refuse(aggregate))[0], 'deferred')
      t.same(aggregate, after, 'told again, it changes nothing')
      t.match(reversalsOf(aggregate), [
        {
          status: 'failed',
          failure: { code: 'provider_rejected', message: 'Transaction not found' }
        }
      ])
      t.same(traceOf(aggregate).postings, [`held ${second} 2500`])
      const id = reversalsOf(aggregate)[0]?.id
      t.same(traceOf(aggregate).events, [
        'reversal.requested',
        'reversal.failed',
        'discrepancy.opened'
      ])
      t.same(traceOf(aggregate).discrepancies, [`reversal_failed ${id}`])
      checkAggregate(t, aggregate)
    })
  }

  t.test('that succeeded stays so, whatever refusal is told after it', async (t) => {
    for (const refuse of Object.values(refusals)) {
      const aggregate = reversing()
      t.same(apply(aggregate, reversed(second)), ['applied'])
      const after = structuredClone(aggregate)
      t.not(apply(aggregate, refuse(aggregate))[0], 'deferred')
      t.same(aggregate, after)
    }
  })

  t.test('that was refused, and then given back, succeeded: clearing is empty', async (t) => {
    for (const refuse of Object.values(refusals)) {
      const aggregate = reversing()
      const id = reversalsOf(aggregate)[0]?.id
      apply(aggregate, refuse(aggregate))
      t.same(apply(aggregate, reversed(second), reversed(second)), ['applied', 'applied'])
      t.match(reversalsOf(aggregate), [{ status: 'succeeded', failure: null }])
      t.same(traceOf(aggregate).postings, [
        `held ${second} 2500`,
        `reversal ${id}:MOD${second} 2500`
      ])
      t.same(traceOf(aggregate).events.slice(1), [
        'reversal.failed',
        'discrepancy.opened',
        'reversal.succeeded'
      ])
      checkAggregate(t, aggregate)
    }
  })

  t.test('that had succeeded falls through: the money stands in clearing again', async (t) => {
    const aggregate = reversing()
    const id = reversalsOf(aggregate)[0]?.id
    const outcomes = [reversed(second), refundFailedOf(second)]
    t.same(apply(aggregate, ...outcomes, ...outcomes), ['applied', 'applied', 'applied', 'applied'])
    t.match(reversalsOf(aggregate), [
      { status: 'failed', failure: { code: 'provider_error', message: 'Insufficient balance' } }
    ])
    t.same(traceOf(aggregate), {
      status: 'captured',
      events: ['reversal.requested', 'reversal.succeeded', 'reversal.failed', 'discrepancy.opened'],
      postings: [
        `held ${second} 2500`,
        `reversal ${id}:MOD${second} 2500`,
        `reversalFailed ${id}:MOD${second} 2500`
      ],
      discrepancies: traceOf(aggregate).discrepancies
    })
    t.match(aggregate.discrepancies, [
      { kind: 'reversal_failed', details: { reversalId: id, reason: 'Insufficient balance' } }
    ])
    t.equal(aggregate.discrepancies.length, 1)
    t.equal(inClearing(aggregate), 2500)
    checkAggregate(t, aggregate)
  })

  t.test('that fell through before it was given back moved nothing', async (t) => {
    const aggregate = reversing()
    const outcomes = [refundFailedOf(second), reversed(second)]
    t.same(apply(aggregate, ...outcomes, ...outcomes), ['applied', 'applied', 'applied', 'applied'])
    t.match(reversalsOf(aggregate), [{ status: 'failed', failure: { code: 'provider_error' } }])
    t.same(traceOf(aggregate).postings, [`held ${second} 2500`])
    t.same(traceOf(aggregate).events, [
      'reversal.requested',
      'reversal.failed',
      'discrepancy.opened'
    ])
    checkAggregate(t, aggregate)
  })

  t.test('that was refused does not fall through as well', async (t) => {
    const aggregate = reversing()
    apply(aggregate, reversalRefused(second))
    const before = traceOf(aggregate)
    t.same(apply(aggregate, refundFailedOf(second)), ['applied'])
    t.same(traceOf(aggregate), before)
    t.match(reversalsOf(aggregate), [{ status: 'failed' }])
  })

  t.test('ends alike in whatever order its facts are told', async (t) => {
    const [refused, back, fell] = [
      reversalRefused(second),
      reversed(second),
      refundFailedOf(second)
    ] as const
    for (const order of [
      [refused, back, fell],
      [refused, fell, back],
      [back, refused, fell],
      [back, fell, refused],
      [fell, refused, back],
      [fell, back, refused]
    ]) {
      const aggregate = reversing()
      apply(aggregate, ...order)
      const name = order.map(({ type }) => type).join(', ')
      t.match(reversalsOf(aggregate), [{ status: 'failed' }], name)
      t.equal(inClearing(aggregate), 2500, name)
      const after = traceOf(aggregate)
      apply(aggregate, ...order)
      t.same(traceOf(aggregate), after, `${name}, told again`)
    }
  })

  t.test('that fell through is given back by another request, whoever made it', async (t) => {
    const aggregate = reversing()
    const id = reversalsOf(aggregate)[0]?.id
    accept(aggregate)
    apply(aggregate, reversed(second), refundFailedOf(second))
    t.same(apply(aggregate, reversed(second, byHand), reversed(second, byHand)), [
      'applied',
      'applied'
    ])
    t.match(reversalsOf(aggregate), [{ status: 'succeeded', failure: null }])
    t.same(traceOf(aggregate).postings, [
      `held ${second} 2500`,
      `reversal ${id}:MOD${second} 2500`,
      `reversalFailed ${id}:MOD${second} 2500`,
      `reversal ${id}:${byHand.providerReference} 2500`
    ])
    t.equal(inClearing(aggregate), 0)
    checkAggregate(t, aggregate)
  })

  t.test('that another request gave back does not fall through by the first again', async (t) => {
    const aggregate = reversing()
    accept(aggregate)
    apply(aggregate, reversed(second), refundFailedOf(second), reversed(second, byHand))
    const after = structuredClone(aggregate)
    t.same(apply(aggregate, refundFailedOf(second), reversed(second)), ['applied', 'applied'])
    t.same(aggregate, after)
    apply(aggregate, refundFailedOf(second, byHand))
    t.match(reversalsOf(aggregate), [{ status: 'failed' }], 'the other one may')
    t.equal(inClearing(aggregate), 2500)
    checkAggregate(t, aggregate)
  })

  t.test('is ours by either reference, or while the provider has given none', async (t) => {
    const requests: Array<[string, string | null, (id: string) => RequestReference, boolean]> = [
      ['none is known', null, () => byHand, true],
      ['the provider’s', `MOD${second}`, () => requestOf(second), true],
      ['our own', `MOD${second}`, (id) => ({ ...byHand, reference: id }), true],
      ['neither', `MOD${second}`, () => byHand, false],
      ['that of another reversal', `MOD${second}`, () => requestOf(third, 'rev_other'), false]
    ]
    for (const [name, providerReference, makeRequest, isOurs] of requests) {
      const aggregate = reversing()
      accept(aggregate, providerReference)
      const by = makeRequest(reversalsOf(aggregate)[0]?.id ?? '')
      const before = structuredClone(aggregate)
      t.same(apply(aggregate, reversalRefused(second, by)), [isOurs ? 'applied' : 'ignored'], name)
      t.match(reversalsOf(aggregate), [{ status: isOurs ? 'failed' : 'requested' }], name)
      if (!isOurs) t.same(aggregate, before, name)

      const fallen = reversing()
      accept(fallen, providerReference)
      apply(fallen, refundFailedOf(second))
      apply(fallen, reversed(second, by))
      t.match(reversalsOf(fallen), [{ status: isOurs ? 'failed' : 'succeeded' }], name)
      t.equal(inClearing(fallen), isOurs ? 2500 : 0, name)
    }
  })

  t.test('that the provider rejected is ours: nobody else was told so', async (t) => {
    const aggregate = reversing()
    accept(aggregate)
    t.same(apply(aggregate, rejected(only(aggregate, 'reversal').id)), ['applied'])
    t.match(reversalsOf(aggregate), [{ status: 'failed' }])
  })

  t.test('succeeds by the request of anybody: the money went back', async (t) => {
    const aggregate = reversing()
    accept(aggregate)
    t.same(apply(aggregate, reversed(second, byHand)), ['applied'])
    t.match(reversalsOf(aggregate), [{ status: 'succeeded' }])
    t.same(apply(aggregate, reversalRefused(second)), ['applied'], 'ours was too late')
    t.match(reversalsOf(aggregate), [{ status: 'succeeded' }])
    t.equal(inClearing(aggregate), 0)
  })

  t.test('of a reservation moves no books, however it ends', async (t) => {
    for (const outcomes of [
      [reversed(second)],
      [reversalRefused(second)],
      [reversalRefused(second), reversed(second)],
      [refundFailedOf(second)],
      [reversed(second), refundFailedOf(second)]
    ]) {
      const aggregate = reversing('manual')
      apply(aggregate, ...outcomes)
      t.same(aggregate.postings, [])
      t.equal(aggregate.payment.status, 'authorised')
    }
  })

  t.test('concerns no other money', async (t) => {
    const aggregate = reversing()
    apply(aggregate, paidBy(third), reversed(third))
    t.match(reversalsOf(aggregate), [
      { authorisationReference: second, status: 'requested' },
      { authorisationReference: third, status: 'succeeded' }
    ])
    t.equal(inClearing(aggregate), 2500)
  })

  t.test('whose outcome is told before the money is early, and then applied', async (t) => {
    const outcomes = [reversed(second), reversalRefused(second), refundFailedOf(second)]
    for (const before of [[], [refusedBy(second)]]) {
      const aggregate = aggregateOf('captured')
      apply(aggregate, ...before)
      const seen = aggregate.events.length
      t.same(apply(aggregate, ...outcomes), ['deferred', 'ignored', 'deferred'])
      t.equal(aggregate.events.length, seen)
      t.same(apply(aggregate, paidBy(second), reversed(second), refundFailedOf(second)), [
        'applied',
        'applied',
        'applied'
      ])
      t.match(reversalsOf(aggregate), [{ status: 'failed' }])
    }
  })

  t.test('of which nothing is heard is a discrepancy, once it is known no more', async (t) => {
    const aggregate = reversing()
    const { id } = only(aggregate, 'reversal')
    t.same(apply(aggregate, unknown(id)), ['applied'])
    t.match(reversalsOf(aggregate), [{ status: 'requested' }])
    t.same(traceOf(aggregate).discrepancies, [`outcome_unknown ${id}`])
    t.equal(inClearing(aggregate), 2500)
    apply(aggregate, reversed(second))
    t.match(reversalsOf(aggregate), [{ status: 'succeeded' }], 'its outcome may come all the same')
    t.same(apply(aggregate, unknown(id)), ['ignored'])
  })

  t.test('has an id of its own, and a key that is made of it', async (t) => {
    const aggregate = reversing()
    const { id, providerKey } = reversalsOf(aggregate)[0] as { id: string; providerKey: string }
    t.match(id, /^rev_/)
    t.equal(providerKey, `${id}.reversal.1`)
  })

  t.test('is shown by its events as it was then', async (t) => {
    const aggregate = reversing()
    apply(aggregate, reversed(second))
    t.match(aggregate.events, [
      { data: { reversal: { status: 'requested', paymentId: aggregate.payment.id } } },
      { data: { reversal: { status: 'succeeded', amount: price, authorisation: second } } }
    ])
  })
})

t.test('money that differs and was given back by hand', async (t) => {
  const amount = { currency: 'EUR', value: 2400 }
  for (const capture of ['automatic', 'manual'] as const) {
    t.test(`${capture} capture: it is released, once`, async (t) => {
      const aggregate = newAggregate({ capture })
      apply(aggregate, paidBy(second, { amount }))
      const by = { type: 'payment', id: aggregate.payment.id }
      t.same(apply(aggregate, reversed(second), reversed(second)), ['applied', 'applied'])
      t.match(aggregate.authorisations, [{ reference: second, disposition: 'released' }])
      t.ok(aggregate.touched.has(aggregate.authorisations[0] as never), 'it is to be written')
      t.same(
        aggregate.postings.map(({ kind, fact, amount, cause }) => ({ kind, fact, amount, cause })),
        capture === 'automatic'
          ? [
              { kind: 'held', fact: second, amount, cause: by },
              { kind: 'reversal', fact: second, amount, cause: by }
            ]
          : []
      )
      t.equal(inClearing(aggregate), 0)
      t.equal(aggregate.payment.status, 'pending')
      t.same(traceOf(aggregate).events, ['discrepancy.opened'])
      apply(aggregate, paidBy(third))
      t.match(
        aggregate.payment,
        { authorisationReference: third },
        'the right money may still come'
      )
      checkAggregate(t, aggregate)
    })
  }

  t.test('an amount of 0 moves no books', async (t) => {
    const aggregate = newAggregate()
    apply(aggregate, paidBy(second, { amount: gbp(0) }))
    t.same(apply(aggregate, reversed(second)), ['applied'])
    t.match(aggregate.authorisations, [{ disposition: 'released' }])
    t.same(aggregate.postings, [])
  })

  t.test('a reversal of it that was refused or fell through is for a person', async (t) => {
    const aggregate = newAggregate()
    apply(aggregate, paidBy(second, { amount }))
    const before = structuredClone(aggregate)
    t.same(apply(aggregate, reversalRefused(second), refundFailedOf(second)), [
      'ignored',
      'contradictory'
    ])
    t.same(aggregate, before)
  })
})

/** What somebody at the provider reversed was the payment's own. */
const own: ReadonlyArray<{
  name: string
  aggregate: () => PaymentAggregate
  expected: Partial<ReturnType<typeof standOf>>
  events: string[]
}> = [
  {
    name: 'captured: all of it is refunded',
    aggregate: () => aggregateOf('captured'),
    expected: { status: 'captured', amountRefunded: 2500, account: -2500 },
    events: ['refund.succeeded']
  },
  {
    name: 'captured, and refunded in part: the rest is refunded',
    aggregate: () => {
      const aggregate = aggregateOf('captured')
      apply(aggregate, refunded(first, gbp(1000), byHand))
      return aggregate
    },
    expected: { status: 'captured', amountRefunded: 2500, account: -2500 },
    events: ['refund.succeeded', 'refund.succeeded']
  },
  {
    name: 'reserved: it is cancelled, by the provider',
    aggregate: () => aggregateOf('authorised'),
    expected: { status: 'cancelled', amountCaptured: 0, account: 0 },
    events: ['cancellation.succeeded', 'payment.cancelled']
  },
  {
    name: 'reserved, and captured in part: what was captured is refunded',
    aggregate: () => {
      const aggregate = aggregateOf('authorised')
      apply(aggregate, captured(first, gbp(1000), byHand))
      return aggregate
    },
    expected: { status: 'captured', amountCaptured: 1000, amountRefunded: 1000, account: 0 },
    events: ['capture.succeeded', 'payment.captured', 'refund.succeeded']
  }
]

for (const { name, aggregate: make, expected, events } of own) {
  t.test(`a reversal in the Customer Area of what was ${name}`, async (t) => {
    const aggregate = make()
    t.same(apply(aggregate, reversed(first)), ['applied'])
    t.match(standOf(aggregate), expected)
    t.same(traceOf(aggregate).events, events)
    t.same(operationsOf(aggregate, 'reversal'), [], 'nothing of ours')
    t.match(aggregate.operations.at(-1), {
      origin: 'provider',
      status: 'succeeded',
      providerReference: requestOf(first).providerReference,
      providerKey: null
    })
    const after = structuredClone(aggregate)
    t.same(apply(aggregate, reversed(first)), ['applied'])
    t.same(aggregate, after, 'told again, it changes nothing')
    checkAggregate(t, aggregate)
  })
}

t.test('a reversal in the Customer Area that was refused concerns nobody', async (t) => {
  for (const status of ['authorised', 'captured'] as const) {
    const aggregate = aggregateOf(status)
    t.same(apply(aggregate, reversalRefused(first)), ['ignored'])
    t.same(aggregate.touched.size, 0)
  }
})
