/** What a client may ask to have captured. */
import t from 'tap'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  adjusted,
  aggregateOf,
  byHand,
  cancelled,
  captured,
  captureFailedOf,
  captureRefused,
  checkAggregate,
  expiryOf,
  first,
  gbp,
  ours,
  price,
  standOf,
  traceOf
} from './aggregates.ts'
import {
  after,
  applyAll,
  askCancellation,
  askCapture,
  checkRefusals,
  problemOf,
  type Refusal,
  tooFine
} from './requests.ts'

const captures: Refusal[] = [
  ...(['pending', 'captured', 'refused', 'cancelled', 'expired', 'failed'] as const).map(
    (status) => ({
      name: `of a payment that is ${status}`,
      aggregate: () => aggregateOf(status),
      ask: (aggregate: PaymentAggregate) => askCapture(aggregate),
      code: 'payment_not_capturable' as const
    })
  ),
  {
    name: 'of a payment that is captured automatically, where several are allowed',
    aggregate: () => aggregateOf('captured'),
    ask: (aggregate) => askCapture(aggregate, 1, { several: true }),
    code: 'payment_not_capturable'
  },
  {
    name: 'while another one is under way',
    aggregate: () => after(aggregateOf('authorised'), (aggregate) => askCapture(aggregate, 1000)),
    ask: (aggregate) => askCapture(aggregate, 1000),
    code: 'payment_not_capturable'
  },
  {
    name: 'after another one, which lets the rest go',
    aggregate: () =>
      after(aggregateOf('authorised'), (aggregate) =>
        applyAll(aggregate, captured(first, gbp(1000), ours(askCapture(aggregate, 1000))))
      ),
    ask: (aggregate) => askCapture(aggregate, 1000),
    code: 'payment_not_capturable'
  },
  {
    name: 'while a cancellation is under way',
    aggregate: () => after(aggregateOf('authorised'), (aggregate) => askCancellation(aggregate)),
    ask: (aggregate) => askCapture(aggregate, 1000, { several: true }),
    code: 'payment_not_capturable'
  },
  {
    name: 'of more than is reserved',
    aggregate: () => aggregateOf('authorised'),
    ask: (aggregate) => askCapture(aggregate, 2501),
    code: 'capture_exceeds_authorised',
    pointers: ['/amount/value']
  },
  {
    name: 'of more than the others have left',
    aggregate: () =>
      after(aggregateOf('authorised'), (aggregate) =>
        askCapture(aggregate, 1000, { several: true })
      ),
    ask: (aggregate) => askCapture(aggregate, 1501, { several: true }),
    code: 'capture_exceeds_authorised',
    pointers: ['/amount/value']
  },
  {
    name: 'of nothing, since all is captured',
    aggregate: () =>
      after(aggregateOf('authorised'), (aggregate) =>
        applyAll(
          aggregate,
          captured(first, price, ours(askCapture(aggregate, null, { several: true })))
        )
      ),
    ask: (aggregate) => askCapture(aggregate, null, { several: true }),
    code: 'capture_exceeds_authorised'
  },
  {
    name: 'of nothing, since somebody at the provider took what was asked for already',
    aggregate: () =>
      after(
        aggregateOf('authorised'),
        (aggregate) => askCapture(aggregate, null, { several: true }),
        (aggregate) => applyAll(aggregate, captured(first, gbp(1000), byHand))
      ),
    ask: (aggregate) => askCapture(aggregate, null, { several: true }),
    code: 'capture_exceeds_authorised'
  },
  {
    name: 'in another currency',
    aggregate: () => aggregateOf('authorised'),
    ask: (aggregate) => askCapture(aggregate, 1, { amount: { currency: 'EUR', value: 1 } }),
    code: 'currency_mismatch',
    pointers: ['/amount/currency']
  },
  {
    name: 'of more than is reserved since it was adjusted',
    aggregate: () => after(aggregateOf('authorised'), (one) => applyAll(one, adjusted(1000))),
    ask: (aggregate) => askCapture(aggregate, 1001),
    code: 'capture_exceeds_authorised',
    pointers: ['/amount/value']
  },
  ...[cancelled(first, byHand), expiryOf(first)].map((event) => ({
    name: `where a part is captured and the rest is gone (A4: ${event.type})`,
    aggregate: () =>
      after(aggregateOf('authorised'), (one) =>
        applyAll(one, captured(first, gbp(1000), byHand), event)
      ),
    ask: (aggregate: PaymentAggregate) => askCapture(aggregate, 1000, { several: true }),
    code: 'payment_not_capturable' as const
  })),
  ...tooFine.map(({ name, amount, canExpress }) => ({
    name,
    aggregate: () => aggregateOf('authorised', { amount: { ...amount, value: 10_000 } }),
    ask: (aggregate: PaymentAggregate) => askCapture(aggregate, 1, { amount, canExpress }),
    code: 'amount_not_representable' as const,
    pointers: ['/amount/value']
  }))
]

checkRefusals(t, 'a capture', captures)

t.test('a capture', async (t) => {
  t.test('is of all that is reserved, unless it says how much', async (t) => {
    t.match(askCapture(aggregateOf('authorised')), {
      id: /^cap_/,
      kind: 'capture',
      authorisationReference: first,
      amount: price,
      status: 'requested',
      origin: 'client',
      providerKey: /^cap_\w+\.capture\.1$/
    })
    t.match(askCapture(aggregateOf('authorised'), 1000), { amount: gbp(1000) })
    t.match(askCapture(aggregateOf('authorised'), 2500), { amount: price })
  })

  t.test('moves nothing before it is reported', async (t) => {
    const aggregate = aggregateOf('authorised')
    askCapture(aggregate)
    t.match(standOf(aggregate), { status: 'authorised', amountCaptured: 0, account: 0 })
    t.strictSame(traceOf(aggregate).events, ['capture.requested'])
    checkAggregate(t, aggregate)
  })

  t.test('one of several is of what the others have left', async (t) => {
    const aggregate = aggregateOf('authorised')
    askCapture(aggregate, 1000, { several: true })
    t.match(askCapture(aggregate, null, { several: true }), { amount: gbp(1500) })
    for (const one of operationsOf(aggregate, 'capture')) {
      applyAll(aggregate, captured(first, one.amount, ours(one)))
    }
    t.match(standOf(aggregate), { amountCaptured: 2500, account: 2500 })
    checkAggregate(t, aggregate)
  })

  t.test('is by default of what is reserved now, as it was adjusted', async (t) => {
    const turns: Array<[ProviderEvent[], number]> = [
      [[adjusted(3500, 1)], 3500],
      [[adjusted(1000, 1)], 1000],
      [[adjusted(3500, 1), adjusted(3000, 2)], 3000],
      [[adjusted(3000, 2), adjusted(3500, 1)], 3000],
      [[adjusted(3500, 1), captured(first, gbp(1200), byHand)], 2300]
    ]
    for (const [events, value] of turns) {
      const aggregate = aggregateOf('authorised')
      applyAll(aggregate, ...events)
      t.strictSame(askCapture(aggregate, null, { several: true }).amount, gbp(value))
    }
  })

  t.test('of more than was authorised first may be asked for once it was adjusted', async (t) => {
    const aggregate = after(aggregateOf('authorised'), (one) => applyAll(one, adjusted(3500)))
    const one = askCapture(aggregate, 3500)
    applyAll(aggregate, captured(first, gbp(3500), ours(one)))
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 3500, account: 3500 })
    checkAggregate(t, aggregate)
  })

  t.test('that came to nothing may be asked for again', async (t) => {
    const aggregate = aggregateOf('authorised')
    const one = askCapture(aggregate)
    applyAll(aggregate, captureRefused(ours(one)))
    const other = askCapture(aggregate)
    t.not(other.id, one.id)
    t.not(other.providerKey, one.providerKey)
    checkAggregate(t, aggregate)
  })

  t.test('of a payment whose capture failed later is not asked for: it has failed', async (t) => {
    const aggregate = aggregateOf('authorised')
    const by = ours(askCapture(aggregate))
    applyAll(aggregate, captured(first, price, by), captureFailedOf(first, price, by))
    t.equal(problemOf(() => askCapture(aggregate)).code, 'payment_not_capturable')
  })
})
