/** Captures that come to nothing after they were accepted, and are taken again. */
import t from 'tap'
import { confirmRecapture } from '../../src/discrepancies/discrepancy.ts'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import { reviewDiscrepancies } from '../../src/lifecycle/apply.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  applyTwice,
  byHand,
  cancelled,
  captured,
  captureFailedOf,
  checkAggregate,
  checkUnchanged,
  contextOf,
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
  standOf,
  traceOf
} from './aggregates.ts'
import { askCapture } from './requests.ts'

const another = { providerReference: 'MODANOTHER', reference: 'by hand' }

/** A reservation, and a capture of ours that the provider has accepted; null for all of it. */
function capturing(value: number | null = null): PaymentAggregate {
  const aggregate = aggregateOf('authorised')
  askCapture(aggregate, value)
  return aggregate
}

const asked = (aggregate: PaymentAggregate) => ours(only(aggregate, 'capture'))

t.test('why a payment has no money is why its capture failed', async (t) => {
  for (const make of [capturing, () => aggregateOf('captured')]) {
    const aggregate = make()
    const by = aggregate.operations.length > 0 ? asked(aggregate) : byHand
    apply(aggregate, captured(first, price, by), captureFailedOf(first, price, by))
    const failure = { code: 'capture_failed', message: 'Capture expired', retryable: true } as const
    t.strictSame(aggregate.payment.failure, failure)
    t.strictSame(only(aggregate, 'capture').failure, failure)
    t.match(aggregate.events.at(-1), { data: { capture: only(aggregate, 'capture').id } })
  }
})

t.test('a capture is taken again under another reference: a capture by the provider', async (t) => {
  const aggregate = capturing()
  const by = asked(aggregate)
  apply(aggregate, captured(first, price, by), captureFailedOf(first, price, by))
  apply(aggregate, recaptured(first, price, another))
  const captures = operationsOf(aggregate, 'capture')
  t.match(captures, [
    { origin: 'client', status: 'failed' },
    { origin: 'provider', status: 'succeeded', providerReference: 'MODANOTHER', amount: price }
  ])
  const [ourId, theirId] = captures.map(({ id }) => id)
  t.strictSame(traceOf(aggregate).postings, [
    `payment ${ourId} 2500`,
    `captureFailed ${ourId} 2500`,
    `payment ${theirId} 2500`
  ])
  t.match(aggregate.payment, { status: 'captured', failure: null })
  apply(aggregate, captureFailedOf(first, price, another))
  t.match(standOf(aggregate), { status: 'failed', amountCaptured: 0, account: 0 })
  t.match(captures, [{ status: 'failed' }, { status: 'failed' }])
  checkAggregate(t, aggregate)
})

t.test('A2: the same signed capture in other words is no second success', async (t) => {
  const doubtful = (make = capturing) => {
    const aggregate = make()
    const by = aggregate.operations.length > 0 ? asked(aggregate) : byHand
    applyTwice(t, aggregate, captured(first, price, by), captureFailedOf(first, price, by))
    applyTwice(t, aggregate, recaptured(first, price, by))
    return aggregate
  }

  t.test('after its failure it stays failed, and a person must look', async (t) => {
    for (const make of [capturing, () => aggregateOf('captured')]) {
      const aggregate = doubtful(make)
      const { id, status } = only(aggregate, 'capture')
      t.equal(status, 'failed')
      t.match(aggregate.payment, { status: 'failed', failure: { code: 'capture_failed' } })
      t.match(standOf(aggregate), { amountCaptured: 0, account: make === capturing ? 0 : -2500 })
      t.match(aggregate.discrepancies, [
        { kind: 'recapture_unconfirmed', fact: id, status: 'open' }
      ])
      t.strictSame(aggregate.discrepancies[0]?.details, { captureId: id, amount: price })
      checkAggregate(t, aggregate)
    }
  })

  t.test('where it stands, there is no doubt', async (t) => {
    const aggregate = capturing()
    const by = asked(aggregate)
    apply(aggregate, captured(first, price, by), recaptured(first, price, by))
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 2500, account: 2500 })
    t.strictSame(aggregate.discrepancies, [])
  })

  t.test('a person confirms it: it is captured again, and the doubt is resolved', async (t) => {
    for (const make of [capturing, () => aggregateOf('captured')]) {
      const aggregate = doubtful(make)
      const { id } = only(aggregate, 'capture')
      t.equal(confirmRecapture(aggregate, id, contextOf(aggregate)), only(aggregate, 'capture'))
      reviewDiscrepancies(aggregate, contextOf(aggregate))
      t.match(only(aggregate, 'capture'), { status: 'succeeded', failure: null })
      t.match(aggregate.payment, { status: 'captured', amountCaptured: 2500, failure: null })
      t.match(aggregate.discrepancies, [{ status: 'resolved', resolution: 'noLongerTrue' }])
      t.strictSame(traceOf(aggregate).postings.at(-1), `payment ${id} 2500`)
      checkAggregate(t, aggregate)
      const after = structuredClone(aggregate)
      t.equal(confirmRecapture(aggregate, id, contextOf(aggregate)), undefined, 'it stands already')
      t.strictSame(aggregate, after)
    }
  })

  t.test('nothing is confirmed that is not known, or has no room any more', async (t) => {
    const aggregate = doubtful()
    const { id } = only(aggregate, 'capture')
    apply(aggregate, captured(first, gbp(1), another))
    const before = structuredClone(aggregate)
    t.equal(confirmRecapture(aggregate, id, contextOf(aggregate)), undefined)
    t.equal(confirmRecapture(aggregate, 'cap_other', contextOf(aggregate)), undefined)
    t.strictSame(aggregate, before)
  })

  t.test('one that failed after it was confirmed is in doubt no more than once', async (t) => {
    const aggregate = doubtful()
    const { id } = only(aggregate, 'capture')
    confirmRecapture(aggregate, id, contextOf(aggregate))
    reviewDiscrepancies(aggregate, contextOf(aggregate))
    apply(aggregate, captureFailedOf(first, price, another))
    t.match(standOf(aggregate), { status: 'failed', amountCaptured: 0, account: 0 })
    checkAggregate(t, aggregate)
  })
})

t.test('an automatic capture', async (t) => {
  t.test('is written down only when it fails, with the name that it was given', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, captured(first, price, byHand))
    t.strictSame(aggregate.operations, [])
    apply(aggregate, captureFailedOf(first, price, another))
    t.match(aggregate.operations, [
      {
        kind: 'capture',
        origin: 'provider',
        status: 'failed',
        authorisationReference: first,
        amount: price,
        providerKey: null,
        alsoReportedAs: [byHand.providerReference, another.providerReference]
      }
    ])
    t.match(aggregate.payment, { status: 'failed', failure: { code: 'capture_failed' } })
  })

  t.test('A11: that failed stays failed when the older plain capture is reported', async (t) => {
    for (const by of [byHand, another]) {
      const aggregate = aggregateOf('captured')
      apply(aggregate, captureFailedOf(first, price, byHand))
      applyTwice(t, aggregate, captured(first, price, by))
      t.match(standOf(aggregate), { status: 'failed', amountCaptured: 0, account: -2500 })
      t.strictSame(aggregate.discrepancies, [])
      checkAggregate(t, aggregate)
    }
  })

  t.test('is taken again, by the words, under a reference never reported plainly', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, captureFailedOf(first, price, byHand), recaptured(first, price, byHand))
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 2500, account: 0 })
    t.strictSame(aggregate.discrepancies, [])
    apply(aggregate, captured(first, price, byHand))
    t.match(standOf(aggregate), { status: 'failed', amountCaptured: 0, account: -2500 })
    t.strictSame(traceOf(aggregate).discrepancies, [
      `recapture_unconfirmed ${only(aggregate, 'capture').id}`
    ])
    checkAggregate(t, aggregate)
  })

  t.test('of another amount than was authorised, or another currency: contradictory', async (t) => {
    const part = captured(first, gbp(2499), byHand)
    const euros = captured(first, { currency: 'EUR', value: 2500 }, byHand)
    checkUnchanged(t, aggregateOf('captured'), 'contradictory', part, euros)
  })
})

t.test('A10: the capture of a payment with refunds fails: it is applied at once', async (t) => {
  const standing = { amountCaptured: 0, amountRefunded: 1000, account: -1000 }
  for (const fail of [captureFailedOf, (reference: string) => cancelled(reference, byHand)]) {
    const aggregate = newAggregate()
    apply(aggregate, paidBy(first), refunded(first, gbp(1000), byHand))
    applyTwice(t, aggregate, fail(first))
    t.match(standOf(aggregate), { ...standing, status: 'failed' })
    const { id } = aggregate.payment
    t.match(aggregate.discrepancies, [
      { kind: 'refunded_beyond_captured', fact: id, status: 'open' }
    ])
    t.strictSame(aggregate.discrepancies[0]?.details, {
      amountCaptured: 0,
      amountRefunded: 1000,
      amountChargedBack: 0
    })
    checkAggregate(t, aggregate)
  }

  const ends: Array<[string, ProviderEvent, object]> = [
    ['taken again', recaptured(first, price, another), { amountCaptured: 2500, account: 1500 }],
    [
      'the refund fails',
      refundFailedOf(first, byHand, gbp(1000)),
      { amountRefunded: 0, account: 0 }
    ]
  ]
  for (const [name, event, expected] of ends) {
    t.test(`and it is resolved by itself: ${name}`, async (t) => {
      const aggregate = capturing()
      const by = asked(aggregate)
      apply(aggregate, captured(first, price, by), refunded(first, gbp(1000), byHand))
      apply(aggregate, captureFailedOf(first, price, by), event)
      t.match(standOf(aggregate), expected)
      t.match(aggregate.discrepancies, [{ status: 'resolved', resolution: 'noLongerTrue' }])
      t.match(aggregate.events.at(-1), {
        type: 'discrepancy.resolved',
        data: { discrepancy: { kind: 'refunded_beyond_captured', resolution: 'noLongerTrue' } }
      })
      checkAggregate(t, aggregate)
    })
  }
})
