/** Money that is sent back whole, and what is reversed of a payment's own. */
import t from 'tap'
import { decideHeld } from '../../src/discrepancies/held-money.ts'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import type { RequestReference } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  applyTwice,
  byHand,
  cancelled,
  captured,
  checkAggregate,
  checkUnchanged,
  contextOf,
  first,
  gbp,
  inClearing,
  newAggregate,
  only,
  ordersOf,
  ours,
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
import { after, askCapture } from './requests.ts'

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

/** The provider accepted the reversal, under this reference. */
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
    applyTwice(t, aggregate, reversed(second))
    t.match(reversalsOf(aggregate), [{ status: 'succeeded', failure: null }])
    t.equal(inClearing(aggregate), 0)
    t.strictSame(traceOf(aggregate).events, ['reversal.requested', 'reversal.succeeded'])
    checkAggregate(t, aggregate)
  })

  for (const [name, refuse] of Object.entries(refusals)) {
    t.test(`that is ${name} leaves the money in clearing, and a discrepancy`, async (t) => {
      const aggregate = reversing()
      applyTwice(t, aggregate, refuse(aggregate))
      const { id, status, failure } = only(aggregate, 'reversal')
      t.equal(status, 'failed')
      t.match(failure, { code: 'provider_rejected', message: 'Transaction not found' })
      t.strictSame(traceOf(aggregate), {
        status: 'captured',
        events: ['reversal.requested', 'reversal.failed', 'discrepancy.opened'],
        postings: [`held ${second} 2500`],
        discrepancies: [`reversal_failed ${id}`]
      })
      checkAggregate(t, aggregate)
    })
  }

  t.test('that succeeded stays so, whatever refusal is reported after it', async (t) => {
    for (const [effect, refuse] of [
      ['applied', refusals['refused later']],
      ['ignored', refusals['rejected at once']]
    ] as const) {
      const aggregate = reversing()
      apply(aggregate, reversed(second))
      const written = traceOf(aggregate)
      t.strictSame(apply(aggregate, refuse(aggregate)), [effect])
      t.match(reversalsOf(aggregate), [{ status: 'succeeded', failure: null }])
      t.strictSame(traceOf(aggregate), written)
    }
  })

  t.test('that was refused, and then given back, succeeded: clearing is empty', async (t) => {
    for (const refuse of Object.values(refusals)) {
      const aggregate = reversing()
      apply(aggregate, refuse(aggregate))
      applyTwice(t, aggregate, reversed(second))
      t.match(reversalsOf(aggregate), [{ status: 'succeeded', failure: null }])
      t.strictSame(traceOf(aggregate).postings, [
        `held ${second} 2500`,
        `reversal ${only(aggregate, 'reversal').id} 2500`
      ])
      t.strictSame(traceOf(aggregate).events.slice(1), [
        'reversal.failed',
        'discrepancy.opened',
        'reversal.succeeded'
      ])
      checkAggregate(t, aggregate)
    }
  })

  t.test('that had succeeded comes to nothing: the money is in clearing again', async (t) => {
    const aggregate = reversing()
    const { id } = only(aggregate, 'reversal')
    applyTwice(t, aggregate, reversed(second), refundFailedOf(second))
    t.strictSame(apply(aggregate, reversed(second)), ['applied'])
    t.match(reversalsOf(aggregate), [
      { status: 'failed', failure: { code: 'provider_error', message: 'Insufficient balance' } }
    ])
    t.strictSame(traceOf(aggregate), {
      status: 'captured',
      events: ['reversal.requested', 'reversal.succeeded', 'reversal.failed', 'discrepancy.opened'],
      postings: [`held ${second} 2500`, `reversal ${id} 2500`, `reversalFailed ${id} 2500`],
      discrepancies: [`reversal_failed ${id}`]
    })
    t.match(aggregate.discrepancies[0]?.details, {
      reversalId: id,
      authorisation: second,
      reason: 'Insufficient balance'
    })
    t.equal(inClearing(aggregate), 2500)
    checkAggregate(t, aggregate)
  })

  t.test(
    'that came to nothing before it is reported to have succeeded moved nothing',
    async (t) => {
      const aggregate = reversing()
      applyTwice(t, aggregate, refundFailedOf(second))
      apply(aggregate, reversed(second), reversed(second))
      t.match(reversalsOf(aggregate), [{ status: 'failed', failure: { code: 'provider_error' } }])
      t.strictSame(traceOf(aggregate).postings, [`held ${second} 2500`])
      t.strictSame(traceOf(aggregate).events, [
        'reversal.requested',
        'reversal.failed',
        'discrepancy.opened'
      ])
      checkAggregate(t, aggregate)
    }
  )

  t.test('ends alike in whatever order its facts are reported', async (t) => {
    const facts = [reversalRefused(second), reversed(second), refundFailedOf(second)]
    for (const order of ordersOf(facts)) {
      const aggregate = reversing()
      apply(aggregate, ...order)
      const name = order.map(({ type }) => type).join(', ')
      t.match(reversalsOf(aggregate), [{ status: 'failed' }], name)
      t.equal(inClearing(aggregate), 2500, name)
      const after = structuredClone(aggregate)
      apply(aggregate, ...order)
      t.strictSame(aggregate, after, `${name}, all again`)
      checkAggregate(t, aggregate)
    }
  })

  t.test('that came to nothing is given back by another request, whoever made it', async (t) => {
    const facts = [reversed(second), refundFailedOf(second), reversed(second, byHand)]
    for (const order of ordersOf(facts)) {
      const aggregate = reversing()
      accept(aggregate)
      apply(aggregate, ...order)
      const name = order.map((one) => JSON.stringify(one)).join()
      t.match(reversalsOf(aggregate), [{ status: 'succeeded', failure: null }], name)
      t.equal(inClearing(aggregate), 0, name)
      const after = structuredClone(aggregate)
      apply(aggregate, ...order)
      t.strictSame(aggregate, after, `${name}, all again`)
      checkAggregate(t, aggregate)
      apply(aggregate, refundFailedOf(second, byHand))
      t.match(reversalsOf(aggregate), [{ status: 'failed' }], 'that one may come to nothing too')
      t.equal(inClearing(aggregate), 2500, name)
      checkAggregate(t, aggregate)
    }
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
      t.strictSame(
        apply(aggregate, reversalRefused(second, by)),
        [isOurs ? 'applied' : 'ignored'],
        name
      )
      t.match(reversalsOf(aggregate), [{ status: isOurs ? 'failed' : 'requested' }], name)
      if (!isOurs) t.strictSame(aggregate, before, name)
    }
  })

  t.test('that the provider rejected is ours: nobody else was answered so', async (t) => {
    const aggregate = reversing()
    accept(aggregate)
    t.strictSame(apply(aggregate, rejected(only(aggregate, 'reversal').id)), ['applied'])
    t.match(reversalsOf(aggregate), [{ status: 'failed' }])
  })

  t.test('succeeds by the request of anybody: the money went back', async (t) => {
    const aggregate = reversing()
    accept(aggregate)
    t.strictSame(apply(aggregate, reversed(second, byHand)), ['applied'])
    t.match(reversalsOf(aggregate), [{ status: 'succeeded' }])
    apply(aggregate, reversalRefused(second))
    t.match(reversalsOf(aggregate), [{ status: 'succeeded' }])
    t.equal(inClearing(aggregate), 0)
  })

  t.test('of a reservation moves no ledger, however it ends', async (t) => {
    for (const outcomes of [
      [reversed(second)],
      [reversalRefused(second)],
      [reversalRefused(second), reversed(second)],
      [refundFailedOf(second)],
      [reversed(second), refundFailedOf(second)]
    ]) {
      const aggregate = reversing('manual')
      apply(aggregate, ...outcomes)
      t.strictSame(aggregate.postings, [])
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

  t.test('whose outcome is reported before the money is deferred, and then applied', async (t) => {
    const outcomes = [reversed(second), reversalRefused(second), refundFailedOf(second)]
    for (const before of [[], [refusedBy(second)]]) {
      const aggregate = aggregateOf('captured')
      apply(aggregate, ...before)
      const seen = aggregate.events.length
      t.strictSame(apply(aggregate, ...outcomes), ['deferred', 'ignored', 'deferred'])
      t.equal(aggregate.events.length, seen)
      t.strictSame(apply(aggregate, paidBy(second), reversed(second), refundFailedOf(second)), [
        'applied',
        'applied',
        'applied'
      ])
      t.match(reversalsOf(aggregate), [{ status: 'failed' }])
    }
  })

  t.test(
    'of which nothing is known is a discrepancy, and its outcome may still be reported',
    async (t) => {
      const aggregate = reversing()
      const { id } = only(aggregate, 'reversal')
      t.strictSame(apply(aggregate, unknown(id)), ['applied'])
      t.match(reversalsOf(aggregate), [{ status: 'requested' }])
      t.strictSame(traceOf(aggregate).discrepancies, [`outcome_unknown ${id}`])
      t.equal(inClearing(aggregate), 2500)
      apply(aggregate, reversed(second))
      t.match(
        reversalsOf(aggregate),
        [{ status: 'succeeded' }],
        'its outcome may come all the same'
      )
      t.strictSame(apply(aggregate, unknown(id)), ['ignored'])
    }
  )

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
      applyTwice(t, aggregate, reversed(second))
      t.match(aggregate.authorisations, [{ reference: second, disposition: 'released' }])
      const [held] = aggregate.authorisations
      t.ok(held && aggregate.touched.has(held), 'it is to be written')
      t.strictSame(
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
      t.strictSame(traceOf(aggregate).events, ['discrepancy.opened'])
      apply(aggregate, paidBy(third))
      t.match(
        aggregate.payment,
        { authorisationReference: third },
        'the right money may still come'
      )
      checkAggregate(t, aggregate)
    })
  }

  t.test('an amount of 0 moves no ledger', async (t) => {
    const aggregate = newAggregate()
    apply(aggregate, paidBy(second, { amount: gbp(0) }))
    t.strictSame(apply(aggregate, reversed(second)), ['applied'])
    t.match(aggregate.authorisations, [{ disposition: 'released' }])
    t.strictSame(aggregate.postings, [])
  })

  t.test(
    'a reversal of it that was refused is of nobody here; that failed: contradictory',
    async (t) => {
      const aggregate = newAggregate()
      apply(aggregate, paidBy(second, { amount }))
      checkUnchanged(t, aggregate, 'ignored', reversalRefused(second))
      checkUnchanged(t, aggregate, 'contradictory', refundFailedOf(second))
    }
  )

  t.test('after a person has decided about it, it cannot have gone back', async (t) => {
    for (const decision of ['applyToAccount', 'writtenOff'] as const) {
      const aggregate = newAggregate()
      apply(aggregate, paidBy(second, { amount: gbp(2400) }))
      decideHeld(aggregate, second, decision, 'dis_1', contextOf(aggregate))
      checkUnchanged(t, aggregate, 'contradictory', reversed(second), cancelled(second))
    }
  })
})

t.test('what is reported again of a reversal that failed is not booked on the next', async (t) => {
  const [one, two] = [1, 2].map((n) => ({ providerReference: `REV${n}`, reference: `rev ${n}` }))
  const reports = [reversed(second, one), refundFailedOf(second, one)]
  const aggregate = newAggregate()
  apply(aggregate, paidBy(first), paidBy(second), ...reports)
  const [failed] = aggregate.operations.filter(({ kind }) => kind === 'reversal')
  if (failed !== undefined) failed.providerReference = 'REV1'
  decideHeld(aggregate, second, 'sendBack', 'dis_1', contextOf(aggregate))
  const repeat = () => {
    const before = structuredClone(aggregate)
    apply(aggregate, ...reports)
    t.strictSame(aggregate, before)
  }
  repeat()
  apply(aggregate, reversed(second, two))
  repeat()
  const reversals = aggregate.operations.filter(({ kind }) => kind === 'reversal')
  const statuses = reversals.map(({ status }) => status)
  t.strictSame(statuses, ['failed', 'succeeded'])
  checkAggregate(t, aggregate)
})

/** What somebody at the provider reversed was the payment's own. */
const own: ReadonlyArray<{
  name: string
  aggregate: () => PaymentAggregate
  action?: 'cancel' | 'refund'
  expected: Partial<ReturnType<typeof standOf>>
  events: string[]
}> = [
  ...(['refund', undefined] as const).map((action) => ({
    name: `captured (${action}): all of it is refunded`,
    aggregate: () => aggregateOf('captured'),
    ...(action && { action }),
    expected: { status: 'captured', amountRefunded: 2500, account: -2500 } as const,
    events: ['refund.succeeded']
  })),
  {
    name: 'A5: captured automatically, a cancel: it was not taken after all',
    aggregate: () => aggregateOf('captured'),
    action: 'cancel',
    expected: { status: 'failed', amountCaptured: 0, amountRefunded: 0, account: -2500 },
    events: ['capture.failed', 'payment.failed', 'cancellation.succeeded']
  },
  {
    name: 'captured automatically and refunded in part, a cancel: it was taken, and is refunded',
    aggregate: () =>
      after(aggregateOf('captured'), (one) => apply(one, refunded(first, gbp(1000), byHand))),
    action: 'cancel',
    expected: { status: 'captured', amountRefunded: 2500, account: -2500 },
    events: ['refund.succeeded', 'refund.succeeded']
  },
  {
    name: 'captured, and refunded in part: the rest is refunded',
    aggregate: () =>
      after(aggregateOf('captured'), (one) => apply(one, refunded(first, gbp(1000), byHand))),
    expected: { status: 'captured', amountRefunded: 2500, account: -2500 },
    events: ['refund.succeeded', 'refund.succeeded']
  },
  ...(['cancel', undefined] as const).map((action) => ({
    name: `reserved (${action}): it is cancelled, by the provider`,
    aggregate: () => aggregateOf('authorised'),
    ...(action && { action }),
    expected: { status: 'cancelled', amountCaptured: 0, account: 0 } as const,
    events: ['cancellation.succeeded', 'payment.cancelled']
  })),
  {
    name: 'reserved, and captured in part: what was captured is refunded',
    aggregate: () =>
      after(aggregateOf('authorised'), (one) => apply(one, captured(first, gbp(1000), byHand))),
    expected: { status: 'captured', amountCaptured: 1000, amountRefunded: 1000, account: 0 },
    events: ['capture.succeeded', 'payment.captured', 'refund.succeeded']
  }
]

for (const { name, aggregate: make, action, expected, events } of own) {
  t.test(`a reversal in the Customer Area of what was ${name}`, async (t) => {
    const aggregate = make()
    applyTwice(t, aggregate, reversed(first, requestOf(first), price, action))
    t.match(standOf(aggregate), expected)
    t.strictSame(traceOf(aggregate).events, events)
    t.strictSame(operationsOf(aggregate, 'reversal'), [], 'nothing of ours')
    t.match(aggregate.operations.at(-1), {
      origin: 'provider',
      status: 'succeeded',
      providerReference: requestOf(first).providerReference,
      providerKey: null
    })
    checkAggregate(t, aggregate)
  })
}

t.test('a reversal in the Customer Area waits while it may be either', async (t) => {
  const refund = reversed(first, byHand, price, 'refund')
  checkUnchanged(t, newAggregate(), 'deferred', refund, reversed(first, byHand))
  checkUnchanged(t, aggregateOf('authorised'), 'deferred', refund)
  const aggregate = after(aggregateOf('authorised'), (one) => askCapture(one))
  checkUnchanged(t, aggregate, 'deferred', refund, reversed(first, byHand))
  apply(aggregate, captured(first, price, ours(only(aggregate, 'capture'))))
  applyTwice(t, aggregate, refund)
  t.match(standOf(aggregate), { status: 'captured', amountRefunded: 2500, account: 0 })
  checkAggregate(t, aggregate)
})

t.test('a reversal in the Customer Area that was refused concerns nobody', async (t) => {
  for (const status of ['authorised', 'captured'] as const) {
    const aggregate = aggregateOf(status)
    checkUnchanged(t, aggregate, 'ignored', reversalRefused(first))
  }
})
