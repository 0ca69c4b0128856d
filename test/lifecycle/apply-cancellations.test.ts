import t from 'tap'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import { requestCancellation } from '../../src/lifecycle/cancellations.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import type { Payment } from '../../src/payments/payment.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  applyPatiently,
  byHand,
  cancellationRefused,
  cancelled,
  captured,
  captureFailedOf,
  checkAggregate,
  closedBy,
  contextOf,
  expiryOf,
  first,
  gbp,
  newAggregate,
  only,
  ordersOf,
  ours,
  paidBy,
  refunded,
  refusedBy,
  rejected,
  standOf,
  traceOf
} from './aggregates.ts'

const second = 'PSP0000000000002'

const link: Partial<Payment> = { method: 'paymentLink' }
/** A card that is charged, of whose outcome nothing is known. */
const charge: Partial<Payment> = {
  method: 'registeredCard',
  registeredCardId: 'crd_1',
  providerSession: null,
  checkoutUrl: null
}

function cancelling(aggregate: PaymentAggregate): PaymentAggregate {
  const reason = 'The customer rang'
  const cancellation = requestCancellation(aggregate, { reason }, contextOf(aggregate))
  if (cancellation.providerKey !== null) cancellation.providerReference = `MOD${cancellation.id}`
  return aggregate
}

const asked = (aggregate: PaymentAggregate) => ours(only(aggregate, 'cancellation'))

type Course = {
  name: string
  aggregate: () => PaymentAggregate
  told: (aggregate: PaymentAggregate) => ProviderEvent[]
  expected: Partial<ReturnType<typeof standOf>>
  cancellation: 'requested' | 'succeeded' | 'failed' | 'none'
  events: string[]
}

const atOnce = ['cancellation.succeeded', 'payment.cancelled']

const courses: Course[] = [
  {
    name: 'a pending page: at once, since it can not be closed at the provider',
    aggregate: () => cancelling(newAggregate()),
    told: () => [],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: atOnce
  },
  {
    name: 'a pending page, and then it is paid: the money goes back',
    aggregate: () => cancelling(newAggregate()),
    told: () => [paidBy(first)],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0, clearing: 2500 },
    cancellation: 'succeeded',
    events: [...atOnce, 'reversal.requested']
  },
  {
    name: 'a link that is not open yet: at once',
    aggregate: () =>
      cancelling(newAggregate({ ...link, providerSession: null, checkoutUrl: null })),
    told: () => [],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: atOnce
  },
  {
    name: 'a link: once it is closed',
    aggregate: () => cancelling(newAggregate(link)),
    told: () => [{ type: 'linkExpired' }],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a link that was paid before it was closed: it is paid, and there is no cancelling',
    aggregate: () => cancelling(newAggregate(link)),
    told: () => [paidBy(first), { type: 'linkExpired' }],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    cancellation: 'failed',
    events: ['cancellation.requested', 'payment.captured', 'cancellation.failed']
  },
  {
    name: 'a link that was paid before, which is told after: the money goes back',
    aggregate: () => cancelling(newAggregate(link)),
    told: () => [{ type: 'linkExpired' }, paidBy(first)],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0, clearing: 2500 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce, 'reversal.requested']
  },
  {
    name: 'a link that the provider would not close: it waits as before',
    aggregate: () => cancelling(newAggregate(link)),
    told: (aggregate) => [rejected(only(aggregate, 'cancellation').id)],
    expected: { status: 'pending' },
    cancellation: 'failed',
    events: ['cancellation.requested', 'cancellation.failed']
  },
  {
    name: 'a charge that sent the customer to 3-D Secure: at once',
    aggregate: () => cancelling(newAggregate({ ...charge, providerSession: 'CS0001' })),
    told: () => [],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: atOnce
  },
  {
    name: 'a charge that nothing is known of: by our reference',
    aggregate: () => cancelling(newAggregate(charge)),
    told: (aggregate) => [cancelled(null, asked(aggregate))],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a charge by our reference, whose success is told after: it is gone',
    aggregate: () => cancelling(newAggregate(charge)),
    told: (aggregate) => [cancelled(first, asked(aggregate)), paidBy(first)],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0, clearing: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a charge by our reference, whose success is told before: what it took is gone',
    aggregate: () => cancelling(newAggregate(charge)),
    told: (aggregate) => [paidBy(first), cancelled(first, asked(aggregate))],
    expected: { status: 'failed', amountCaptured: 0, account: 0, clearing: 0 },
    cancellation: 'succeeded',
    events: [
      ...['cancellation.requested', 'payment.captured', 'capture.failed', 'payment.failed'],
      'cancellation.succeeded'
    ]
  },
  {
    name: 'a charge with manual capture, whose success is told before: it is cancelled',
    aggregate: () => cancelling(newAggregate({ ...charge, capture: 'manual' })),
    told: (aggregate) => [paidBy(first), cancelled(first, asked(aggregate))],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', 'payment.authorised', ...atOnce]
  },
  {
    name: 'a charge that was refused meanwhile: it is refused, and cancelled all the same',
    aggregate: () => cancelling(newAggregate(charge)),
    told: (aggregate) => [refusedBy(first), cancelled(null, asked(aggregate))],
    expected: { status: 'refused' },
    cancellation: 'succeeded',
    events: [
      ...['cancellation.requested', 'payment.attemptRefused', 'payment.refused'],
      'cancellation.succeeded'
    ]
  },
  {
    name: 'a charge of which the provider has nothing to cancel: it is cancelled',
    aggregate: () => cancelling(newAggregate(charge)),
    told: (aggregate) => [cancellationRefused(asked(aggregate))],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a charge of which there was nothing to cancel, and then it is paid: it goes back',
    aggregate: () => cancelling(newAggregate(charge)),
    told: (aggregate) => [cancellationRefused(asked(aggregate)), paidBy(first)],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0, clearing: 2500 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce, 'reversal.requested']
  },
  {
    name: 'a charge that was paid, and then could not be cancelled: it is paid',
    aggregate: () => cancelling(newAggregate(charge)),
    told: (aggregate) => [paidBy(first), cancellationRefused(asked(aggregate))],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    cancellation: 'failed',
    events: ['cancellation.requested', 'payment.captured', 'cancellation.failed']
  },
  {
    name: 'a charge that was refused meanwhile, and could not be cancelled: it is refused',
    aggregate: () => cancelling(newAggregate(charge)),
    told: (aggregate) => [refusedBy(first), cancellationRefused(asked(aggregate))],
    expected: { status: 'refused', amountCaptured: 0, account: 0 },
    cancellation: 'failed',
    events: [
      ...['cancellation.requested', 'payment.attemptRefused', 'payment.refused'],
      'cancellation.failed'
    ]
  },
  {
    name: 'a charge that the provider would not cancel: whatever becomes of it',
    aggregate: () => cancelling(newAggregate(charge)),
    told: (aggregate) => [rejected(only(aggregate, 'cancellation').id), paidBy(first)],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    cancellation: 'failed',
    events: ['cancellation.requested', 'cancellation.failed', 'payment.captured']
  },
  {
    name: 'a reservation: once it is told',
    aggregate: () => cancelling(aggregateOf('authorised')),
    told: (aggregate) => [cancelled(first, asked(aggregate))],
    expected: { status: 'cancelled', amountCaptured: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a reservation, by somebody at the provider: ours is done with it',
    aggregate: () => cancelling(aggregateOf('authorised')),
    told: () => [cancelled(first, byHand)],
    expected: { status: 'cancelled', amountCaptured: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a reservation that the provider refused: it is reserved as it was',
    aggregate: () => cancelling(aggregateOf('authorised')),
    told: (aggregate) => [cancellationRefused(asked(aggregate))],
    expected: { status: 'authorised' },
    cancellation: 'failed',
    events: ['cancellation.requested', 'cancellation.failed']
  },
  {
    name: 'a reservation that was captured meanwhile: it is captured',
    aggregate: () => cancelling(aggregateOf('authorised')),
    told: (aggregate) => [captured(first), cancellationRefused(asked(aggregate))],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    cancellation: 'failed',
    events: [
      ...['cancellation.requested', 'capture.succeeded', 'payment.captured'],
      'cancellation.failed'
    ]
  },
  {
    name: 'a reservation that expired meanwhile: it is expired',
    aggregate: () => cancelling(aggregateOf('authorised')),
    told: (aggregate) => [expiryOf(first), cancelled(first, asked(aggregate))],
    expected: { status: 'expired', amountCaptured: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', 'payment.expired', 'cancellation.succeeded']
  },
  {
    name: 'a reservation in the Customer Area: by the provider',
    aggregate: () => aggregateOf('authorised'),
    told: () => [cancelled(first, byHand)],
    expected: { status: 'cancelled', amountCaptured: 0 },
    cancellation: 'succeeded',
    events: atOnce
  },
  {
    name: 'what is left of a reservation that was captured in part: nothing moves',
    aggregate: () => {
      const aggregate = aggregateOf('authorised')
      apply(aggregate, captured(first, gbp(1000), byHand))
      return aggregate
    },
    told: () => [cancelled(first)],
    expected: { status: 'captured', amountCaptured: 1000, account: 1000 },
    cancellation: 'none',
    events: ['capture.succeeded', 'payment.captured']
  },
  {
    name: 'an automatically captured payment in the Customer Area: it was not taken after all',
    aggregate: () => aggregateOf('captured'),
    told: () => [cancelled(first, byHand)],
    expected: { status: 'failed', amountCaptured: 0, account: -2500 },
    cancellation: 'succeeded',
    events: ['capture.failed', 'payment.failed', 'cancellation.succeeded']
  },
  {
    name: 'an automatically captured payment whose capture failed already: once',
    aggregate: () => aggregateOf('captured'),
    told: () => [captureFailedOf(first), cancelled(first, byHand)],
    expected: { status: 'failed', amountCaptured: 0, account: -2500 },
    cancellation: 'succeeded',
    events: ['capture.failed', 'payment.failed', 'cancellation.succeeded']
  },
  {
    name: 'second money, by hand: its reversal is done with it',
    aggregate: () => {
      const aggregate = aggregateOf('captured')
      apply(aggregate, paidBy(second))
      return aggregate
    },
    told: () => [cancelled(second, byHand)],
    expected: { status: 'captured', amountCaptured: 2500, account: 0, clearing: 0 },
    cancellation: 'none',
    events: ['reversal.requested', 'reversal.succeeded']
  }
]

for (const { name, aggregate: make, told, expected, cancellation, events } of courses) {
  t.test(`cancelling ${name}`, async (t) => {
    const aggregate = make()
    for (const event of told(aggregate)) {
      const [effect] = apply(aggregate, event)
      t.ok(effect === 'applied' || cancellation === 'none', `${event.type} is ${effect}`)
      const after = structuredClone(aggregate)
      t.not(apply(aggregate, event)[0], 'deferred')
      t.same(aggregate, after, `${event.type} told again changes nothing`)
    }
    t.match(standOf(aggregate), expected)
    if (expected.status === 'cancelled' && cancellation === 'succeeded') {
      const own = aggregate.authorisations.filter(({ disposition }) => disposition !== 'reversing')
      t.match(
        own,
        own.map(() => ({ disposition: 'released' }))
      )
    }
    const all = operationsOf(aggregate, 'cancellation')
    if (cancellation === 'none') t.same(all, [])
    else t.match(all, [{ status: cancellation }])
    t.same(traceOf(aggregate).events, events)
    checkAggregate(t, aggregate)
  })
}

t.test('a cancellation by our reference leaves no money, in whatever order', async (t) => {
  for (const capture of ['automatic', 'manual'] as const) {
    for (const order of ordersOf([0, 1])) {
      const aggregate = cancelling(newAggregate({ ...charge, capture }))
      const events = [paidBy(first), cancelled(first, asked(aggregate))]
      const left = applyPatiently(
        aggregate,
        ...order.map((place) => events[place] as ProviderEvent)
      )
      t.same(left, [])
      t.match(standOf(aggregate), { amountCaptured: 0, account: 0, clearing: 0 })
      t.match(only(aggregate, 'cancellation'), { status: 'succeeded', failure: null })
      checkAggregate(t, aggregate)
    }
  }
})

t.test('a cancellation that nobody of ours asked for waits for its authorisation', async (t) => {
  const aggregate = newAggregate({ capture: 'manual' })
  t.same(apply(aggregate, cancelled(first, byHand)), ['deferred'])
  t.same(apply(aggregate, paidBy(first), cancelled(first, byHand)), ['applied', 'applied'])
  t.equal(aggregate.payment.status, 'cancelled')
  t.match(only(aggregate, 'cancellation'), { origin: 'provider', providerReference: 'MODBYHAND' })
})

t.test('a refunded payment that is told to be cancelled waits until it comes back', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(aggregate, refunded(first, gbp(1000), byHand))
  const before = structuredClone(aggregate)
  t.same(apply(aggregate, cancelled(first)), ['deferred'])
  t.same(aggregate, before)
})

t.test('a cancellation says who, why, and of what', async (t) => {
  const aggregate = cancelling(aggregateOf('authorised'))
  t.match(aggregate.events, [
    {
      type: 'cancellation.requested',
      data: {
        cancellation: {
          id: /^can_/,
          paymentId: aggregate.payment.id,
          amount: gbp(2500),
          status: 'requested',
          origin: 'client',
          reason: 'The customer rang',
          failure: null
        }
      }
    }
  ])
  t.match(only(aggregate, 'cancellation'), {
    authorisationReference: first,
    providerKey: /^can_.*\.cancel/
  })
  t.equal(only(cancelling(newAggregate()), 'cancellation').providerKey, null, 'nothing is asked')
  t.match(only(cancelling(newAggregate(charge)), 'cancellation'), { authorisationReference: null })
})

t.test('what the customer has ended is not cancelled by a late word', async (t) => {
  const aggregate = cancelling(newAggregate(link))
  apply(aggregate, closedBy('customer'), { type: 'linkExpired' })
  t.match(aggregate.payment, { status: 'cancelled', cancelledBy: 'customer' })
  t.match(only(aggregate, 'cancellation'), { status: 'failed' })
  checkAggregate(t, aggregate)
})
