/** Refunds: what the provider reports of them, and what stands. */
import t from 'tap'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import type { Operation, PaymentAggregate } from '../../src/lifecycle/model.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  applyTwice,
  byHand,
  captured,
  captureFailedOf,
  checkAggregate,
  checkUnchanged,
  disputed,
  first,
  gbp,
  newAggregate,
  only,
  ours,
  paidBy,
  price,
  recaptured,
  refunded,
  refundFailedOf,
  refundRefused,
  rejected,
  requestOf,
  reversed,
  standOf,
  traceOf,
  unknown
} from './aggregates.ts'
import { after, askRefund } from './requests.ts'

const second = 'PSP0000000000002'
/** A reference of its own, under which the provider may report that refunded money came back. */
const another = { providerReference: 'MODANOTHER', reference: 'pay_0000000000000001' }

/** A captured payment with a refund that the provider has accepted. */
const refunding = (value = 1000) => after(aggregateOf('captured'), (one) => askRefund(one, value))

const asked = (aggregate: PaymentAggregate) => ours(only(aggregate, 'refund'))
const part = gbp(1000)

type Course = {
  name: string
  aggregate: () => PaymentAggregate
  reported: (aggregate: PaymentAggregate) => ProviderEvent[]
  expected: Partial<ReturnType<typeof standOf>>
  refund: Partial<Operation>
  events: string[]
}

const notCaptured = "Transaction hasn't been captured, refund not possible"

const courses: Course[] = [
  {
    name: 'reserves from the moment that it is asked for, and moves nothing',
    aggregate: () => refunding(),
    reported: () => [],
    expected: { amountRefunded: 0, amountRefunding: 1000, account: 0 },
    refund: { status: 'requested' },
    events: ['refund.requested']
  },
  {
    name: 'moves the books when it went well',
    aggregate: () => refunding(),
    reported: (aggregate) => [refunded(first, part, asked(aggregate))],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded', origin: 'client' },
    events: ['refund.requested', 'refund.succeeded']
  },
  {
    name: 'in the Customer Area is the provider’s, and moves the books alike',
    aggregate: () => aggregateOf('captured'),
    reported: () => [refunded(first, part, byHand)],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded', origin: 'provider', providerKey: null },
    events: ['refund.succeeded']
  },
  {
    name: 'that was refused reserves no more',
    aggregate: () => refunding(),
    reported: (aggregate) => [refundRefused(asked(aggregate))],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: {
      status: 'failed',
      failure: { code: 'provider_rejected', message: notCaptured, retryable: true }
    },
    events: ['refund.requested', 'refund.failed']
  },
  {
    name: 'that the provider rejected at once reserves no more',
    aggregate: () => refunding(),
    reported: (aggregate) => [rejected(only(aggregate, 'refund').id)],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: { status: 'failed' },
    events: ['refund.requested', 'refund.failed']
  },
  {
    name: 'that was refused, and went well after all, moves the books',
    aggregate: () => refunding(),
    reported: (aggregate) => [
      refundRefused(asked(aggregate)),
      refunded(first, part, asked(aggregate))
    ],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded', failure: null },
    events: ['refund.requested', 'refund.failed', 'refund.succeeded']
  },
  {
    name: 'that went well, and is reported to have been refused, stays so',
    aggregate: () => refunding(),
    reported: (aggregate) => [
      refunded(first, part, asked(aggregate)),
      refundRefused(asked(aggregate))
    ],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded' },
    events: ['refund.requested', 'refund.succeeded']
  },
  {
    name: 'that came to nothing later moves the books back',
    aggregate: () => refunding(),
    reported: (aggregate) => [
      refunded(first, part, asked(aggregate)),
      refundFailedOf(first, asked(aggregate), part)
    ],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: {
      status: 'failed',
      failure: { code: 'provider_error', message: 'Insufficient balance', retryable: true }
    },
    events: ['refund.requested', 'refund.succeeded', 'refund.failed']
  },
  {
    name: 'that came to nothing, which is reported first, moves nothing at all',
    aggregate: () => refunding(),
    reported: (aggregate) => [
      refundFailedOf(first, asked(aggregate), part),
      refunded(first, part, asked(aggregate))
    ],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: {
      status: 'failed',
      failure: { code: 'provider_error', message: 'Insufficient balance', retryable: true }
    },
    events: ['refund.requested', 'refund.failed']
  },
  {
    name: 'in the Customer Area that came to nothing later moves the books back',
    aggregate: () => aggregateOf('captured'),
    reported: () => [refunded(first, part, byHand), refundFailedOf(first, byHand, part)],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: { status: 'failed', origin: 'provider' },
    events: ['refund.succeeded', 'refund.failed']
  },
  {
    name: 'of which nothing is known stays reserved, and is a discrepancy',
    aggregate: () => refunding(),
    reported: (aggregate) => [
      unknown(only(aggregate, 'refund').id),
      refunded(first, part, asked(aggregate))
    ],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded' },
    events: ['refund.requested', 'discrepancy.opened', 'refund.succeeded']
  },
  {
    name: 'of all that there is leaves the payment captured',
    aggregate: () => refunding(2500),
    reported: (aggregate) => [refunded(first, gbp(2500), asked(aggregate))],
    expected: { status: 'captured', amountRefunded: 2500, account: -2500 },
    refund: { status: 'succeeded' },
    events: ['refund.requested', 'refund.succeeded']
  }
]

for (const { name, aggregate: make, reported, expected, refund, events } of courses) {
  t.test(`a refund ${name}`, async (t) => {
    const aggregate = make()
    for (const event of reported(aggregate)) {
      if (event.type === 'operationUnknown') apply(aggregate, event)
      else applyTwice(t, aggregate, event)
    }
    t.match(standOf(aggregate), expected)
    t.match(only(aggregate, 'refund'), refund)
    t.strictSame(traceOf(aggregate).events, events)
    checkAggregate(t, aggregate)
  })
}

t.test('refunded money came back under another reference', async (t) => {
  const failed = refundFailedOf(first, another, part)

  t.test('A12: it is none of a refund that is known under its own reference', async (t) => {
    const own = refunding()
    apply(own, refunded(first, part, asked(own)))
    const theirs = after(aggregateOf('captured'), (one) =>
      apply(one, refunded(first, part, byHand))
    )
    for (const aggregate of [own, theirs]) checkUnchanged(t, aggregate, 'deferred', failed)
  })

  t.test('A12: it is that of the refund that is reported under it later', async (t) => {
    const aggregate = refunding()
    apply(aggregate, refunded(first, part, asked(aggregate)))
    t.strictSame(apply(aggregate, failed, refunded(first, part, another), failed), [
      'deferred',
      'applied',
      'applied'
    ])
    t.match(operationsOf(aggregate, 'refund'), [
      { origin: 'client', status: 'succeeded' },
      { origin: 'provider', status: 'failed' }
    ])
    t.match(standOf(aggregate), { amountRefunded: 1000, amountRefunding: 0, account: -1000 })
    checkAggregate(t, aggregate)
  })

  t.test(
    'it is that of one whose own reference is not known yet, and that went well',
    async (t) => {
      const aggregate = refunding()
      only(aggregate, 'refund').providerReference = null
      checkUnchanged(t, aggregate, 'deferred', failed)
      apply(aggregate, refunded(first, part, ours(only(aggregate, 'refund'))))
      checkUnchanged(t, aggregate, 'deferred', refundFailedOf(first, another, gbp(999)))
      applyTwice(t, aggregate, failed)
      t.match(standOf(aggregate), { amountRefunded: 0, amountRefunding: 0, account: 0 })
      t.match(only(aggregate, 'refund'), { status: 'failed', alsoReportedAs: ['MODANOTHER'] })
      checkAggregate(t, aggregate)
    }
  )
})

t.test('several refunds', async (t) => {
  t.test('are known by their references, and add up', async (t) => {
    const aggregate = aggregateOf('captured')
    const [one, other] = [askRefund(aggregate, 1000), askRefund(aggregate, 1000)]
    t.match(standOf(aggregate), { amountRefunding: 2000 })
    apply(aggregate, refunded(first, part, ours(other)), refundRefused(ours(one)))
    t.match([one, other], [{ status: 'failed' }, { status: 'succeeded' }])
    apply(aggregate, refunded(first, gbp(1500), byHand))
    t.match(standOf(aggregate), { amountRefunded: 2500, amountRefunding: 0, account: -2500 })
    checkAggregate(t, aggregate)
  })

  t.test('are more than was captured: a discrepancy, until it is so no more', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, refunded(first, gbp(2000), byHand))
    applyTwice(t, aggregate, refunded(first, gbp(501), another))
    t.match(standOf(aggregate), { status: 'captured', amountRefunded: 2501, account: -2501 })
    const [found] = aggregate.discrepancies
    t.match(found, { kind: 'refunded_beyond_captured', fact: aggregate.payment.id, status: 'open' })
    t.strictSame(found?.details, {
      amountCaptured: 2500,
      amountRefunded: 2501,
      amountChargedBack: 0
    })
    checkAggregate(t, aggregate)
    apply(aggregate, refundFailedOf(first, another, gbp(501)))
    t.match(found, { status: 'resolved', resolution: 'noLongerTrue' })
    checkAggregate(t, aggregate)
    apply(aggregate, refunded(first, gbp(502), requestOf(first)))
    t.match(aggregate.discrepancies, [{ status: 'open', details: { amountRefunded: 2502 } }])
    checkAggregate(t, aggregate)
  })

  t.test('one of more than was ever captured is deferred', async (t) => {
    const whole = refunded(first, gbp(2501), byHand)
    checkUnchanged(t, aggregateOf('captured'), 'deferred', whole)
    const aggregate = aggregateOf('authorised')
    checkUnchanged(t, aggregate, 'deferred', refunded(first, part, byHand))
    apply(aggregate, captured(first, gbp(999), another))
    checkUnchanged(t, aggregate, 'deferred', refunded(first, part, byHand))
    apply(aggregate, captured(first, gbp(1), requestOf(first)))
    applyTwice(t, aggregate, refunded(first, part, byHand))
    t.match(standOf(aggregate), { amountCaptured: 1000, amountRefunded: 1000, account: 0 })
    checkAggregate(t, aggregate)
  })

  t.test('after the capture failed: what was ever captured may have been refunded', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, captureFailedOf(first, price, another))
    applyTwice(t, aggregate, refunded(first, part, byHand))
    t.match(standOf(aggregate), { status: 'failed', amountRefunded: 1000, account: -3500 })
    t.strictSame(traceOf(aggregate).discrepancies, [
      `refunded_beyond_captured ${aggregate.payment.id}`
    ])
    checkAggregate(t, aggregate)
  })
})

t.test('the reversal of the whole', async (t) => {
  t.test('shrinks by a part that is reported after it', async (t) => {
    const aggregate = aggregateOf('captured')
    applyTwice(t, aggregate, reversed(first, byHand, price, 'refund'))
    applyTwice(t, aggregate, refunded(first, part, another), refunded(first, gbp(500)))
    t.strictSame(
      operationsOf(aggregate, 'refund').map(({ amount }) => amount),
      [gbp(1000), gbp(1000), gbp(500)]
    )
    t.match(standOf(aggregate), { amountRefunded: 2500, account: -2500 })
    t.strictSame(aggregate.discrepancies, [])
    checkAggregate(t, aggregate)
  })

  t.test('shrinks before the part is shown: no event has more than was captured', async (t) => {
    const aggregate = newAggregate()
    apply(aggregate, paidBy(first), reversed(first, byHand), refunded(first, gbp(1000)))
    t.same(
      aggregate.events.map(({ payment }) => payment.amountRefunded),
      [0, 2500, 2500, 2500]
    )
    checkAggregate(t, aggregate)
  })

  t.test(
    'stays as it is when one of two captures fails, and a part is reported again',
    async (t) => {
      const aggregate = newAggregate({ capture: 'manual' })
      const by = (n: number) => ({ providerReference: `MODBYHAND${n}`, reference: 'by hand' })
      const part = refunded(first, gbp(500), by(3))
      apply(
        aggregate,
        paidBy(first),
        captured(first, gbp(1000), by(1)),
        captured(first, gbp(1500), by(2)),
        part,
        reversed(first, by(4)),
        captureFailedOf(first, gbp(1000), by(1))
      )
      const before = structuredClone(aggregate)
      apply(aggregate, part)
      t.strictSame(aggregate, before)
      t.match(standOf(aggregate), { amountCaptured: 1500, amountRefunded: 2500 })
      checkAggregate(t, aggregate)
    }
  )

  t.test('is of what was captured once, where a capture failed and was taken again', async (t) => {
    const aggregate = newAggregate({ capture: 'manual' })
    const retaken = { providerReference: 'MODRETAKEN', reference: 'by hand' }
    apply(
      aggregate,
      paidBy(first),
      captured(first),
      captureFailedOf(first),
      recaptured(first, price, retaken),
      reversed(first, byHand)
    )
    t.match(standOf(aggregate), { amountCaptured: 2500, amountRefunded: 2500, account: 0 })
    checkAggregate(t, aggregate)
  })

  t.test('comes to nothing: only the part stays refunded', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, reversed(first, byHand, price, 'refund'), refunded(first, part, another))
    applyTwice(t, aggregate, refundFailedOf(first, byHand))
    t.match(standOf(aggregate), { amountRefunded: 1000, account: -1000 })
    checkAggregate(t, aggregate)
  })
})

t.test('what is reported of a refund must be true of the payment', async (t) => {
  t.test('another amount than we asked for, or another currency, is for a person', async (t) => {
    const aggregate = refunding()
    const less = refunded(first, gbp(999), asked(aggregate))
    const euros = refunded(first, { currency: 'EUR', value: 1000 }, byHand)
    checkUnchanged(t, aggregate, 'contradictory', less, euros)
  })

  t.test('of other money is for a person', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, paidBy(second))
    checkUnchanged(t, aggregate, 'contradictory', refunded(second), refunded(second, part))
    const differing = newAggregate()
    apply(differing, paidBy(second, { amount: gbp(2400) }))
    checkUnchanged(t, differing, 'contradictory', refunded(second, gbp(2400)))
  })

  t.test("somebody else's refusal is not ours", async (t) => {
    const aggregate = refunding()
    checkUnchanged(t, aggregate, 'ignored', refundRefused(byHand))
  })
})

t.test(
  'a refund and a chargeback of the same money are a discrepancy, as long as both stand',
  async (t) => {
    const aggregate = aggregateOf('captured')
    applyTwice(t, aggregate, disputed('chargedBack'), refunded(first, part, byHand))
    t.match(standOf(aggregate), { amountRefunded: 1000, amountChargedBack: 2500, account: -3500 })
    const [found] = aggregate.discrepancies
    t.match(found, { kind: 'refund_and_chargeback', fact: aggregate.payment.id, status: 'open' })
    t.strictSame(found?.details, {
      amountCaptured: 2500,
      amountRefunded: 1000,
      amountChargedBack: 2500
    })
    checkAggregate(t, aggregate)
    apply(aggregate, disputed('reversed'))
    t.match(aggregate.discrepancies, [{ status: 'resolved', resolution: 'noLongerTrue' }])
    apply(aggregate, disputed('chargedBackAgain'))
    t.match(aggregate.discrepancies, [{ status: 'open', resolution: null }])
    apply(aggregate, refundFailedOf(first, byHand, part))
    t.match(aggregate.discrepancies, [{ status: 'resolved' }])
    const ofIt = aggregate.events.filter(({ type }) => type.startsWith('discrepancy'))
    t.strictSame(
      ofIt.map(({ type }) => type.slice('discrepancy.'.length)),
      ['opened', 'resolved', 'opened', 'resolved']
    )
    checkAggregate(t, aggregate)
  }
)

t.test('a discrepancy that a person has resolved stays resolved', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(aggregate, disputed('chargedBack'), refunded(first, part, byHand))
  const [found] = aggregate.discrepancies
  if (found) Object.assign(found, { status: 'resolved', resolution: 'writtenOff' })
  apply(aggregate, refunded(first, gbp(1), another), disputed('reversed'))
  apply(aggregate, disputed('chargedBackAgain'))
  t.match(aggregate.discrepancies, [{ status: 'resolved', resolution: 'writtenOff' }])
  t.equal(aggregate.discrepancies.length, 1)
})

t.test('a refund is shown by its events as it was then', async (t) => {
  const aggregate = refunding()
  apply(aggregate, refunded(first, part, asked(aggregate)))
  const { id } = only(aggregate, 'refund')
  const shown = { id, paymentId: aggregate.payment.id, amount: part, origin: 'client' }
  t.match(aggregate.events, [
    { data: { refund: { ...shown, status: 'requested' } }, payment: { amountRefunding: 1000 } },
    { data: { refund: { ...shown, status: 'succeeded' } }, payment: { amountRefunded: 1000 } }
  ])
  t.match(operationsOf(aggregate, 'refund'), [{ providerKey: `${id}.refund.1` }])
})
