import t from 'tap'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import type { Operation, PaymentAggregate } from '../../src/lifecycle/model.ts'
import { requestRefund } from '../../src/lifecycle/refunds.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  applyPatiently,
  byHand,
  captured,
  captureFailedOf,
  checkAggregate,
  contextOf,
  disputed,
  first,
  gbp,
  newAggregate,
  only,
  ordersOf,
  ours,
  paidBy,
  recaptured,
  refunded,
  refundFailedOf,
  refundRefused,
  rejected,
  requestOf,
  standOf,
  traceOf,
  unknown
} from './aggregates.ts'

const second = 'PSP0000000000002'
/** How the provider may tell that refunded money came again: under a reference of its own. */
const another = { providerReference: 'MODANOTHER', reference: 'pay_0000000000000001' }

/** A captured payment with a refund that the provider has taken. */
function refunding(value = 1000): PaymentAggregate {
  const aggregate = aggregateOf('captured')
  ask(aggregate, value)
  return aggregate
}

function ask(aggregate: PaymentAggregate, value: number): Operation {
  const asked = { amount: gbp(value), reason: null, operator: null, processor: null }
  const request = { ...asked, amountRefundable: null }
  const refund = requestRefund(aggregate, request, null, contextOf(aggregate))
  refund.providerReference = `MOD${refund.id}`
  return refund
}

const asked = (aggregate: PaymentAggregate) => ours(only(aggregate, 'refund'))
const part = gbp(1000)

type Course = {
  name: string
  aggregate: () => PaymentAggregate
  told: (aggregate: PaymentAggregate) => ProviderEvent[]
  expected: Partial<ReturnType<typeof standOf>>
  refund: Partial<Operation>
  events: string[]
}

const courses: Course[] = [
  {
    name: 'reserves from the moment that it is asked for, and moves nothing',
    aggregate: () => refunding(),
    told: () => [],
    expected: { amountRefunded: 0, amountRefunding: 1000, account: 0 },
    refund: { status: 'requested' },
    events: ['refund.requested']
  },
  {
    name: 'moves the books when it went well',
    aggregate: () => refunding(),
    told: (aggregate) => [refunded(first, part, asked(aggregate))],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded', origin: 'client' },
    events: ['refund.requested', 'refund.succeeded']
  },
  {
    name: 'in the Customer Area is the provider’s, and moves the books alike',
    aggregate: () => aggregateOf('captured'),
    told: () => [refunded(first, part, byHand)],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded', origin: 'provider', providerKey: null },
    events: ['refund.succeeded']
  },
  {
    name: 'that was refused reserves no more',
    aggregate: () => refunding(),
    told: (aggregate) => [refundRefused(asked(aggregate))],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: { status: 'failed', failure: { code: 'provider_rejected' } as never },
    events: ['refund.requested', 'refund.failed']
  },
  {
    name: 'that the provider rejected at once reserves no more',
    aggregate: () => refunding(),
    told: (aggregate) => [rejected(only(aggregate, 'refund').id)],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: { status: 'failed' },
    events: ['refund.requested', 'refund.failed']
  },
  {
    name: 'that was refused, and went well after all, moves the books',
    aggregate: () => refunding(),
    told: (aggregate) => [refundRefused(asked(aggregate)), refunded(first, part, asked(aggregate))],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded', failure: null },
    events: ['refund.requested', 'refund.failed', 'refund.succeeded']
  },
  {
    name: 'that went well, and is told to have been refused, stays so',
    aggregate: () => refunding(),
    told: (aggregate) => [refunded(first, part, asked(aggregate)), refundRefused(asked(aggregate))],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded' },
    events: ['refund.requested', 'refund.succeeded']
  },
  {
    name: 'that came to nothing later moves the books back',
    aggregate: () => refunding(),
    told: (aggregate) => [
      refunded(first, part, asked(aggregate)),
      refundFailedOf(first, asked(aggregate), part)
    ],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: { status: 'failed', failure: { code: 'provider_error' } as never },
    events: ['refund.requested', 'refund.succeeded', 'refund.failed']
  },
  {
    name: 'that came to nothing, which is told first, moves nothing at all',
    aggregate: () => refunding(),
    told: (aggregate) => [
      refundFailedOf(first, asked(aggregate), part),
      refunded(first, part, asked(aggregate))
    ],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: { status: 'failed', failure: { code: 'provider_error' } as never },
    events: ['refund.requested', 'refund.failed']
  },
  {
    name: 'in the Customer Area that came to nothing later moves the books back',
    aggregate: () => aggregateOf('captured'),
    told: () => [refunded(first, part, byHand), refundFailedOf(first, byHand, part)],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: { status: 'failed', origin: 'provider' },
    events: ['refund.succeeded', 'refund.failed']
  },
  {
    name: 'of which nothing is heard stays reserved, and is a discrepancy',
    aggregate: () => refunding(),
    told: (aggregate) => [
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
    told: (aggregate) => [refunded(first, gbp(2500), asked(aggregate))],
    expected: { status: 'captured', amountRefunded: 2500, account: -2500 },
    refund: { status: 'succeeded' },
    events: ['refund.requested', 'refund.succeeded']
  }
]

for (const { name, aggregate: make, told, expected, refund, events } of courses) {
  t.test(`a refund ${name}`, async (t) => {
    const aggregate = make()
    for (const event of told(aggregate)) {
      t.same(apply(aggregate, event), ['applied'])
      if (event.type === 'operationUnknown') continue
      const after = structuredClone(aggregate)
      t.not(apply(aggregate, event)[0], 'deferred')
      t.same(aggregate, after, `${event.type} told again changes nothing`)
    }
    t.match(standOf(aggregate), expected)
    t.match(only(aggregate, 'refund'), refund)
    t.same(traceOf(aggregate).events, events)
    checkAggregate(t, aggregate)
  })
}

t.test('refunded money that came again under another reference', async (t) => {
  t.test('is that of the refund of its amount, in whatever order it is told', async (t) => {
    for (const make of [() => refunding(), () => aggregateOf('captured')]) {
      for (const order of ordersOf([0, 1])) {
        const aggregate = make()
        const by = aggregate.operations.length > 0 ? asked(aggregate) : byHand
        const events = [refunded(first, part, by), refundFailedOf(first, another, part)]
        const told = order.map((place) => events[place] as ProviderEvent)
        t.same(applyPatiently(aggregate, ...told), [])
        t.match(standOf(aggregate), { amountRefunded: 0, amountRefunding: 0, account: 0 })
        t.match(only(aggregate, 'refund'), { status: 'failed' })
        checkAggregate(t, aggregate)
      }
    }
  })

  t.test('is never that of another amount, or of a refund that has not gone well', async (t) => {
    const aggregate = refunding()
    apply(aggregate, refunded(first, part, asked(aggregate)))
    t.same(apply(aggregate, refundFailedOf(first, another, gbp(999))), ['deferred'])
    const open = refunding()
    t.same(apply(open, refundFailedOf(first, another, part)), ['deferred'])
    t.match(standOf(open), { amountRefunding: 1000 })
  })

  t.test('is that of the last that went well, where there are two', async (t) => {
    const aggregate = aggregateOf('captured')
    const refunds = [ask(aggregate, 1000), ask(aggregate, 1000)]
    for (const refund of refunds) apply(aggregate, refunded(first, part, ours(refund)))
    apply(aggregate, refundFailedOf(first, another, part))
    t.match(refunds, [{ status: 'succeeded' }, { status: 'failed' }])
    t.match(standOf(aggregate), { amountRefunded: 1000, account: -1000 })
    checkAggregate(t, aggregate)
  })
})

t.test('several refunds', async (t) => {
  t.test('are told apart by their references, and add up', async (t) => {
    const aggregate = aggregateOf('captured')
    const [one, other] = [ask(aggregate, 1000), ask(aggregate, 1000)]
    t.match(standOf(aggregate), { amountRefunding: 2000 })
    apply(aggregate, refunded(first, part, ours(other)), refundRefused(ours(one)))
    t.match([one, other], [{ status: 'failed' }, { status: 'succeeded' }])
    apply(aggregate, refunded(first, gbp(1500), byHand))
    t.match(standOf(aggregate), { amountRefunded: 2500, amountRefunding: 0, account: -2500 })
    checkAggregate(t, aggregate)
  })

  t.test('are never more than was captured: what is more waits', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, refunded(first, gbp(2000), byHand))
    const before = structuredClone(aggregate)
    t.same(apply(aggregate, refunded(first, gbp(501), requestOf(first))), ['deferred'])
    t.same(aggregate, before)
  })
})

t.test('a refund told before its capture is early, and then applied', async (t) => {
  const told = [paidBy(first), captured(first, gbp(2500), byHand), refunded(first, part)]
  for (const order of ordersOf([0, 1, 2])) {
    const aggregate = newAggregate({ capture: 'manual' })
    const left = applyPatiently(aggregate, ...order.map((place) => told[place] as ProviderEvent))
    t.same(left, [])
    t.match(standOf(aggregate), { status: 'captured', amountRefunded: 1000, account: 1500 })
    checkAggregate(t, aggregate)
  }
})

t.test('a refund and a capture that fails and is taken again: one end', async (t) => {
  const by = requestOf(first)
  const told = [
    captured(first, gbp(2500), by),
    refunded(first, part, byHand),
    captureFailedOf(first, gbp(2500), by),
    recaptured(first, gbp(2500), by)
  ]
  for (const order of ordersOf([0, 1, 2, 3])) {
    const aggregate = aggregateOf('authorised')
    const left = applyPatiently(aggregate, ...order.map((place) => told[place] as ProviderEvent))
    t.same(left, [], `${order}`)
    t.match(
      standOf(aggregate),
      { status: 'captured', amountCaptured: 2500, account: 1500 },
      `${order}`
    )
    checkAggregate(t, aggregate)
  }
})

t.test('what is told of a refund must be true of the payment', async (t) => {
  t.test('another amount than we asked for, or another currency, is for a person', async (t) => {
    const aggregate = refunding()
    const before = structuredClone(aggregate)
    t.same(apply(aggregate, refunded(first, gbp(999), asked(aggregate))), ['contradictory'])
    t.same(apply(aggregate, refunded(first, { currency: 'EUR', value: 1000 }, byHand)), [
      'contradictory'
    ])
    t.same(aggregate, before)
  })

  t.test('of other money is for a person', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, paidBy(second))
    t.same(apply(aggregate, refunded(second)), ['contradictory'])
    const differing = newAggregate()
    apply(differing, paidBy(second, { amount: gbp(2400) }))
    t.same(apply(differing, refunded(second, gbp(2400))), ['contradictory'])
  })

  t.test("somebody else's refusal is not ours", async (t) => {
    const aggregate = refunding()
    t.same(apply(aggregate, refundRefused(byHand)), ['ignored'])
    t.match(standOf(aggregate), { amountRefunding: 1000 })
  })
})

t.test('a refund after a chargeback that leaves nothing is a discrepancy', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(aggregate, disputed('chargedBack'), refunded(first, part, byHand))
  t.match(standOf(aggregate), { amountRefunded: 1000, amountChargedBack: 2500, account: -3500 })
  const { id } = only(aggregate, 'refund')
  t.same(traceOf(aggregate).discrepancies, [`refund_and_chargeback ${id}`])
  checkAggregate(t, aggregate)
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
