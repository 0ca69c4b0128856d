/** Cancellations: what a client may ask for, and what the provider reports. */
import t from 'tap'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import type { Payment } from '../../src/payments/payment.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  applyTwice,
  byHand,
  cancellationRefused,
  cancelled,
  captured,
  captureFailedOf,
  captureRefused,
  checkAggregate,
  checkUnchanged,
  closedBy,
  expiryOf,
  first,
  gbp,
  newAggregate,
  only,
  ordersOf,
  ours,
  paidBy,
  price,
  refunded,
  refusedBy,
  rejected,
  standOf,
  traceOf
} from './aggregates.ts'
import {
  after,
  applyAll,
  askCancellation,
  askCapture,
  checkRefusals,
  type Refusal
} from './requests.ts'

const second = 'PSP0000000000002'
const another = { providerReference: 'MODANOTHER', reference: 'by hand' }

const link: Partial<Payment> = { method: 'paymentLink' }
/** A card that is charged, of whose outcome nothing is known. */
const charge: Partial<Payment> = {
  method: 'registeredCard',
  registeredCardId: 'crd_1',
  providerSession: null,
  checkoutUrl: null
}

function cancelling(aggregate: PaymentAggregate): PaymentAggregate {
  askCancellation(aggregate, 'The customer rang')
  return aggregate
}

const asked = (aggregate: PaymentAggregate) => ours(only(aggregate, 'cancellation'))

type Course = {
  name: string
  aggregate: () => PaymentAggregate
  reported: (aggregate: PaymentAggregate) => ProviderEvent[]
  expected: Partial<ReturnType<typeof standOf>>
  cancellation: 'requested' | 'succeeded' | 'failed' | 'none'
  events: string[]
}

const atOnce = ['cancellation.succeeded', 'payment.cancelled']

const courses: Course[] = [
  {
    name: 'a pending page: at once, since it can not be closed at the provider',
    aggregate: () => cancelling(newAggregate()),
    reported: () => [],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: atOnce
  },
  {
    name: 'a pending page, and then it is paid: the money goes back',
    aggregate: () => cancelling(newAggregate()),
    reported: () => [paidBy(first)],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0, clearing: 2500 },
    cancellation: 'succeeded',
    events: [...atOnce, 'reversal.requested']
  },
  {
    name: 'a link that is not open yet: at once',
    aggregate: () =>
      cancelling(newAggregate({ ...link, providerSession: null, checkoutUrl: null })),
    reported: () => [],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: atOnce
  },
  {
    name: 'a link: once it is closed',
    aggregate: () => cancelling(newAggregate(link)),
    reported: () => [{ type: 'linkExpired' }],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a link that was paid before it was closed: it is paid, and there is no cancelling',
    aggregate: () => cancelling(newAggregate(link)),
    reported: () => [paidBy(first), { type: 'linkExpired' }],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    cancellation: 'failed',
    events: ['cancellation.requested', 'payment.captured', 'cancellation.failed']
  },
  {
    name: 'a link that was paid before, which is reported after: the money goes back',
    aggregate: () => cancelling(newAggregate(link)),
    reported: () => [{ type: 'linkExpired' }, paidBy(first)],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0, clearing: 2500 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce, 'reversal.requested']
  },
  {
    name: 'a link that the provider would not close: it waits as before',
    aggregate: () => cancelling(newAggregate(link)),
    reported: (aggregate) => [rejected(only(aggregate, 'cancellation').id)],
    expected: { status: 'pending' },
    cancellation: 'failed',
    events: ['cancellation.requested', 'cancellation.failed']
  },
  {
    name: 'a charge that sent the customer to 3-D Secure: at once',
    aggregate: () => cancelling(newAggregate({ ...charge, providerSession: 'CS0001' })),
    reported: () => [],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: atOnce
  },
  {
    name: 'a charge that nothing is known of: by our reference',
    aggregate: () => cancelling(newAggregate(charge)),
    reported: (aggregate) => [cancelled(null, asked(aggregate))],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a charge by our reference, whose success is reported after: it is gone',
    aggregate: () => cancelling(newAggregate(charge)),
    reported: (aggregate) => [cancelled(first, asked(aggregate)), paidBy(first)],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0, clearing: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a charge by our reference, whose success is reported before: what it took is gone',
    aggregate: () => cancelling(newAggregate(charge)),
    reported: (aggregate) => [paidBy(first), cancelled(first, asked(aggregate))],
    expected: { status: 'failed', amountCaptured: 0, account: 0, clearing: 0 },
    cancellation: 'succeeded',
    events: [
      ...['cancellation.requested', 'payment.captured', 'capture.failed', 'payment.failed'],
      'cancellation.succeeded'
    ]
  },
  {
    name: 'a charge with manual capture, whose success is reported before: it is cancelled',
    aggregate: () => cancelling(newAggregate({ ...charge, capture: 'manual' })),
    reported: (aggregate) => [paidBy(first), cancelled(first, asked(aggregate))],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', 'payment.authorised', ...atOnce]
  },
  {
    name: 'a charge that was refused meanwhile: it is refused, and cancelled all the same',
    aggregate: () => cancelling(newAggregate(charge)),
    reported: (aggregate) => [refusedBy(first), cancelled(null, asked(aggregate))],
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
    reported: (aggregate) => [cancellationRefused(asked(aggregate))],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a charge of which there was nothing to cancel, and then it is paid: it goes back',
    aggregate: () => cancelling(newAggregate(charge)),
    reported: (aggregate) => [cancellationRefused(asked(aggregate)), paidBy(first)],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0, clearing: 2500 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce, 'reversal.requested']
  },
  {
    name: 'a charge that was paid, and then could not be cancelled: it is paid',
    aggregate: () => cancelling(newAggregate(charge)),
    reported: (aggregate) => [paidBy(first), cancellationRefused(asked(aggregate))],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    cancellation: 'failed',
    events: ['cancellation.requested', 'payment.captured', 'cancellation.failed']
  },
  {
    name: 'a charge that was refused meanwhile, and could not be cancelled: it is refused',
    aggregate: () => cancelling(newAggregate(charge)),
    reported: (aggregate) => [refusedBy(first), cancellationRefused(asked(aggregate))],
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
    reported: (aggregate) => [rejected(only(aggregate, 'cancellation').id), paidBy(first)],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    cancellation: 'failed',
    events: ['cancellation.requested', 'cancellation.failed', 'payment.captured']
  },
  {
    name: 'a reservation: once it is reported',
    aggregate: () => cancelling(aggregateOf('authorised')),
    reported: (aggregate) => [cancelled(first, asked(aggregate))],
    expected: { status: 'cancelled', amountCaptured: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a reservation, by somebody at the provider: ours is done with it',
    aggregate: () => cancelling(aggregateOf('authorised')),
    reported: () => [cancelled(first, byHand)],
    expected: { status: 'cancelled', amountCaptured: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a reservation that the provider refused: it is reserved as it was',
    aggregate: () => cancelling(aggregateOf('authorised')),
    reported: (aggregate) => [cancellationRefused(asked(aggregate))],
    expected: { status: 'authorised' },
    cancellation: 'failed',
    events: ['cancellation.requested', 'cancellation.failed']
  },
  {
    name: 'a reservation that was captured meanwhile: it is captured',
    aggregate: () => cancelling(aggregateOf('authorised')),
    reported: (aggregate) => [captured(first), cancellationRefused(asked(aggregate))],
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
    reported: (aggregate) => [expiryOf(first), cancelled(first, asked(aggregate))],
    expected: { status: 'expired', amountCaptured: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', 'payment.expired', 'cancellation.succeeded']
  },
  {
    name: 'a reservation in the Customer Area: by the provider',
    aggregate: () => aggregateOf('authorised'),
    reported: () => [cancelled(first, byHand)],
    expected: { status: 'cancelled', amountCaptured: 0 },
    cancellation: 'succeeded',
    events: atOnce
  },
  {
    name: 'A4: what is left of a reservation that was captured in part: it stays captured',
    aggregate: () =>
      after(aggregateOf('authorised'), (one) => apply(one, captured(first, gbp(1000), byHand))),
    reported: () => [cancelled(first)],
    expected: { status: 'captured', amountCaptured: 1000, account: 1000 },
    cancellation: 'succeeded',
    events: ['capture.succeeded', 'payment.captured', 'cancellation.succeeded']
  },
  {
    name: 'an automatically captured payment in the Customer Area: it was not taken after all',
    aggregate: () => aggregateOf('captured'),
    reported: () => [cancelled(first, byHand)],
    expected: { status: 'failed', amountCaptured: 0, account: -2500 },
    cancellation: 'succeeded',
    events: ['capture.failed', 'payment.failed', 'cancellation.succeeded']
  },
  {
    name: 'an automatically captured payment whose capture failed already: once',
    aggregate: () => aggregateOf('captured'),
    reported: () => [captureFailedOf(first), cancelled(first, byHand)],
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
    reported: () => [cancelled(second, byHand)],
    expected: { status: 'captured', amountCaptured: 2500, account: 0, clearing: 0 },
    cancellation: 'none',
    events: ['reversal.requested', 'reversal.succeeded']
  }
]

for (const { name, aggregate: make, reported, expected, cancellation, events } of courses) {
  t.test(`cancelling ${name}`, async (t) => {
    const aggregate = make()
    applyTwice(t, aggregate, ...reported(aggregate))
    t.match(standOf(aggregate), expected)
    if (expected.status === 'cancelled' && cancellation === 'succeeded') {
      const own = aggregate.authorisations.filter(({ disposition }) => disposition !== 'reversing')
      t.match(
        own,
        own.map(() => ({ disposition: 'released' }))
      )
    }
    const all = operationsOf(aggregate, 'cancellation')
    if (cancellation === 'none') t.strictSame(all, [])
    else t.match(all, [{ status: cancellation }])
    t.strictSame(traceOf(aggregate).events, events)
    checkAggregate(t, aggregate)
  })
}

t.test('a cancellation by our reference leaves no money, in whatever order', async (t) => {
  for (const capture of ['automatic', 'manual'] as const) {
    for (const order of ordersOf([0, 1])) {
      const aggregate = cancelling(newAggregate({ ...charge, capture }))
      const events = [paidBy(first), cancelled(first, asked(aggregate))]
      const effects = apply(aggregate, ...order.map((place) => events[place] as ProviderEvent))
      t.strictSame(effects, ['applied', 'applied'])
      t.match(standOf(aggregate), { amountCaptured: 0, account: 0, clearing: 0 })
      t.match(only(aggregate, 'cancellation'), { status: 'succeeded', failure: null })
      checkAggregate(t, aggregate)
    }
  }
})

t.test('one that no client asked for is deferred until its authorisation is known', async (t) => {
  const aggregate = newAggregate({ capture: 'manual' })
  checkUnchanged(t, aggregate, 'deferred', cancelled(first, byHand))
  applyTwice(t, aggregate, paidBy(first), cancelled(first, byHand))
  t.equal(aggregate.payment.status, 'cancelled')
  t.match(only(aggregate, 'cancellation'), { origin: 'provider', providerReference: 'MODBYHAND' })
})

t.test('A10: a refunded payment is cancelled: it is applied at once', async (t) => {
  const aggregate = aggregateOf('captured')
  applyTwice(t, aggregate, refunded(first, gbp(1000), byHand), cancelled(first, another))
  t.match(standOf(aggregate), {
    status: 'failed',
    amountCaptured: 0,
    amountRefunded: 1000,
    account: -3500
  })
  t.match(operationsOf(aggregate, 'capture'), [{ status: 'failed', amount: price }])
  t.match(only(aggregate, 'cancellation'), { status: 'succeeded', origin: 'provider' })
  t.strictSame(traceOf(aggregate).discrepancies, [
    `refunded_beyond_captured ${aggregate.payment.id}`
  ])
  checkAggregate(t, aggregate)
})

t.test(
  'money that differs, or that a person decided about: contradictory, or it went back',
  async (t) => {
    const aggregate = newAggregate({ capture: 'manual' })
    apply(aggregate, paidBy(second, { amount: gbp(2400) }))
    const [held] = aggregate.authorisations
    for (const disposition of ['applied', 'writtenOff'] as const) {
      if (held) held.disposition = disposition
      checkUnchanged(t, aggregate, 'contradictory', cancelled(second, byHand))
    }
    if (held) held.disposition = 'differs'
    applyTwice(t, aggregate, cancelled(second, byHand))
    t.match(aggregate.authorisations, [{ disposition: 'released' }])
  }
)

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

t.test('what the customer has ended is not cancelled when the link expires later', async (t) => {
  const aggregate = cancelling(newAggregate(link))
  apply(aggregate, closedBy('customer'), { type: 'linkExpired' })
  t.match(aggregate.payment, { status: 'cancelled', cancelledBy: 'customer' })
  t.match(only(aggregate, 'cancellation'), { status: 'failed' })
  checkAggregate(t, aggregate)
})

const cancellations: Refusal[] = [
  ...(['captured', 'refused', 'cancelled', 'expired', 'failed'] as const).map((status) => ({
    name: `of a payment that is ${status}`,
    aggregate: () => aggregateOf(status),
    ask: (aggregate: PaymentAggregate) => askCancellation(aggregate),
    code: 'payment_not_cancellable' as const
  })),
  {
    name: 'while another one is under way',
    aggregate: () => after(aggregateOf('authorised'), (aggregate) => askCancellation(aggregate)),
    ask: (aggregate: PaymentAggregate) => askCancellation(aggregate),
    code: 'payment_not_cancellable'
  },
  {
    name: 'while a capture is under way',
    aggregate: () => after(aggregateOf('authorised'), (aggregate) => askCapture(aggregate, 1000)),
    ask: (aggregate: PaymentAggregate) => askCancellation(aggregate),
    code: 'payment_not_cancellable'
  }
]

checkRefusals(t, 'a cancellation', cancellations)

t.test('a cancellation after a capture that was refused is asked for', async (t) => {
  const aggregate = aggregateOf('authorised')
  applyAll(aggregate, captureRefused(ours(askCapture(aggregate))))
  t.match(askCancellation(aggregate), { status: 'requested', authorisationReference: first })
})
