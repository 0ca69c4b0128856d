/** Authorisations: whose money is kept, held or sent back; adjusted, expired, reported as fraud. */
import t from 'tap'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import { applyEvent } from '../../src/lifecycle/apply.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import type { Payment, PaymentStatus } from '../../src/payments/payment.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  adjusted,
  aggregateOf,
  apply,
  applyTwice,
  captured,
  checkAggregate,
  checkUnchanged,
  closedBy,
  declined,
  expiryOf,
  first,
  fraudReported,
  gbp,
  newAggregate,
  newContext,
  only,
  ordersOf,
  paidBy,
  price,
  refusedBy,
  reversed,
  standOf,
  traceOf,
  visa
} from './aggregates.ts'

const second = 'PSP0000000000002'
const third = 'PSP0000000000003'

t.test('with automatic capture a success is captured at once, and posted in full', async (t) => {
  const aggregate = newAggregate()
  apply(aggregate, paidBy(second, { card: visa }))
  t.match(aggregate.payment, {
    status: 'captured',
    amountCaptured: 2500,
    authorisationReference: second,
    card: visa,
    failure: null,
    finishedAt: newContext().now,
    updatedAt: newContext().now
  })
  t.strictSame(aggregate.postings, [
    {
      kind: 'payment',
      fact: second,
      accountId: aggregate.payment.accountId,
      amount: price,
      cause: { type: 'payment', id: aggregate.payment.id },
      paymentId: aggregate.payment.id
    }
  ])
  t.match(aggregate.authorisations, [
    { reference: second, outcome: 'authorised', disposition: 'kept' }
  ])
})

t.test('money that goes back or differs is held under its own reference', async (t) => {
  const aggregate = aggregateOf('captured')
  const { id: paymentId, accountId } = aggregate.payment
  apply(aggregate, paidBy(second), paidBy(third, { amount: gbp(2400) }))
  const { id } = only(aggregate, 'reversal')
  const shared = { kind: 'held', accountId, paymentId } as const
  t.strictSame(aggregate.postings, [
    { ...shared, fact: second, amount: price, cause: { type: 'reversal', id } },
    { ...shared, fact: third, amount: gbp(2400), cause: { type: 'payment', id: paymentId } }
  ])
})

t.test('with manual capture a success only reserves: the books do not move', async (t) => {
  const aggregate = newAggregate({ capture: 'manual' })
  apply(aggregate, paidBy(second))
  t.strictSame(traceOf(aggregate), {
    status: 'authorised',
    events: ['payment.authorised'],
    postings: [],
    discrepancies: []
  })
  t.match(aggregate.payment, {
    amountCaptured: 0,
    authorisationReference: second,
    finishedAt: null
  })
})

t.test('late and second success', async (t) => {
  const kept: Array<[string, Partial<Payment> & { status: PaymentStatus }]> = [
    ['pending', { status: 'pending' }],
    ['refused', { status: 'refused' }],
    ['expired', { status: 'expired' }],
    ['failed', { status: 'failed' }],
    ['cancelled by the customer on the page', { status: 'cancelled', cancelledBy: 'customer' }]
  ]
  for (const capture of ['automatic', 'manual'] as const) {
    const success = capture === 'automatic' ? 'captured' : 'authorised'
    for (const [name, changes] of kept) {
      t.test(`${name}, ${capture} capture: the money is kept, and it is ${success}`, async (t) => {
        const aggregate = aggregateOf(changes.status, { ...changes, capture })
        apply(aggregate, paidBy(second))
        t.match(aggregate.payment, { status: success, failure: null, cancelledBy: null })
        t.match(aggregate.authorisations, [{ disposition: 'kept' }])
        const late = changes.status !== 'pending'
        t.strictSame(traceOf(aggregate), {
          status: success,
          events: [`payment.${success}`, ...(late ? ['discrepancy.opened'] : [])],
          postings: capture === 'automatic' ? [`payment ${second} 2500`] : [],
          discrepancies: late ? [`paid_after_end ${second}`] : []
        })
        t.equal(aggregate.operations.length, 0)
        checkAggregate(t, aggregate)
      })
    }

    t.test(`cancelled by the caller, ${capture} capture: it is sent back`, async (t) => {
      const aggregate = aggregateOf('cancelled', { cancelledBy: 'client', capture })
      apply(aggregate, paidBy(second))
      t.match(aggregate.payment, { status: 'cancelled', cancelledBy: 'client', amountCaptured: 0 })
      t.match(aggregate.operations, [
        { authorisationReference: second, amount: price, status: 'requested' }
      ])
      t.strictSame(traceOf(aggregate), {
        status: 'cancelled',
        events: ['reversal.requested'],
        postings: capture === 'automatic' ? [`held ${second} 2500`] : [],
        discrepancies: []
      })
      checkAggregate(t, aggregate)
    })

    t.test(`paid by other money, ${capture} capture: it is sent back`, async (t) => {
      const aggregate = aggregateOf(success, { capture })
      apply(aggregate, paidBy(second), paidBy(third))
      t.equal(aggregate.payment.status, success)
      t.equal(aggregate.payment.authorisationReference, first, 'the first money stays')
      t.match(aggregate.operations, [
        { authorisationReference: second },
        { authorisationReference: third }
      ])
      t.not(aggregate.operations[0]?.providerKey, aggregate.operations[1]?.providerKey)
      t.strictSame(
        traceOf(aggregate).postings,
        capture === 'automatic' ? [`held ${second} 2500`, `held ${third} 2500`] : []
      )
      checkAggregate(t, aggregate)
    })
  }

  t.test('the discrepancy says how the payment had ended', async (t) => {
    const aggregate = aggregateOf('expired')
    apply(aggregate, paidBy(second))
    t.strictSame(aggregate.discrepancies[0]?.details, { endedAs: 'expired', authorisation: second })
  })

  t.test('money that differs says what was expected and what came', async (t) => {
    const aggregate = newAggregate()
    const amount = { currency: 'EUR', value: 1 }
    apply(aggregate, paidBy(second, { amount }))
    t.strictSame(aggregate.discrepancies[0]?.details, {
      authorisation: second,
      expected: price,
      received: amount
    })
    t.equal(aggregate.payment.status, 'pending')
    t.match(aggregate.authorisations, [{ disposition: 'differs', amount }])
  })

  t.test('after money that differs the right money is still the payment', async (t) => {
    const aggregate = newAggregate()
    apply(aggregate, paidBy(second, { amount: gbp(1) }), paidBy(third))
    t.match(aggregate.payment, {
      status: 'captured',
      authorisationReference: third,
      amountCaptured: 2500
    })
    t.strictSame(traceOf(aggregate).postings, [`held ${second} 1`, `payment ${third} 2500`])
  })
})

t.test('refused, then successful under the same reference: it is paid', async (t) => {
  const aggregate = newAggregate()
  t.strictSame(apply(aggregate, refusedBy(second), paidBy(second)), ['applied', 'applied'])
  t.strictSame(traceOf(aggregate), {
    status: 'captured',
    events: ['payment.attemptRefused', 'payment.captured'],
    postings: [`payment ${second} 2500`],
    discrepancies: []
  })
  t.match(aggregate.authorisations, [{ outcome: 'authorised', disposition: 'kept' }])
  t.equal(aggregate.payment.failure, null)
})

t.test('successful, then refused under the same reference: it stays paid', async (t) => {
  const aggregate = newAggregate()
  t.strictSame(apply(aggregate, paidBy(second), refusedBy(second)), ['applied', 'ignored'])
  t.strictSame(traceOf(aggregate).events, ['payment.captured'])
  t.match(aggregate.payment, { status: 'captured', failure: null })
})

t.test('refused for an amount, then successful for another: what succeeded counts', async (t) => {
  const aggregate = newAggregate()
  const refused: ProviderEvent = {
    type: 'attemptRefused',
    authorisationReference: second,
    amount: gbp(1),
    failure: declined
  }
  apply(aggregate, refused, paidBy(second))
  t.match(aggregate.authorisations, [{ amount: price, disposition: 'kept' }])
})

t.test('the last refused attempt is the failure while the customer may try again', async (t) => {
  const aggregate = newAggregate()
  const poor = { code: 'insufficient_funds', message: 'Not enough', retryable: true } as const
  apply(aggregate, refusedBy(first), refusedBy(second, poor))
  t.match(aggregate.payment, { status: 'pending', failure: poor })
  const said = { code: 'insufficient_funds', message: /not have enough funds/ }
  t.match(aggregate.events[1]?.data, { attempt: { providerReference: second, failure: said } })
})

t.test('a refused attempt after the end does not change why it ended', async (t) => {
  const aggregate = newAggregate()
  apply(aggregate, closedBy('time'), refusedBy(second))
  t.match(aggregate.payment, { status: 'expired', failure: { code: 'expired' } })
})

t.test('a reservation that is not captured', async (t) => {
  t.test('expires, and later money is kept', async (t) => {
    const aggregate = aggregateOf('authorised')
    applyTwice(t, aggregate, expiryOf(first))
    t.match(aggregate.payment, { status: 'expired', failure: { code: 'expired' } })
    t.match(aggregate.authorisations, [{ disposition: 'released' }])
    t.equal(aggregate.events.length, 1)
    apply(aggregate, paidBy(second))
    t.match(aggregate.payment, {
      status: 'authorised',
      authorisationReference: second,
      failure: null
    })
    t.strictSame(traceOf(aggregate).discrepancies, [`paid_after_end ${second}`])
    checkAggregate(t, aggregate)
  })

  t.test('is cancelled, and later money goes back', async (t) => {
    const aggregate = aggregateOf('authorised')
    applyTwice(t, aggregate, reversed(first), expiryOf(first))
    t.match(aggregate.payment, { status: 'cancelled', cancelledBy: 'client' })
    t.strictSame(traceOf(aggregate).events, ['cancellation.succeeded', 'payment.cancelled'])
    apply(aggregate, paidBy(second))
    t.match(aggregate.payment, { status: 'cancelled' })
    t.match(operationsOf(aggregate, 'reversal'), [
      { authorisationReference: second, status: 'requested' }
    ])
  })

  t.test('stays expired when its success is reported again', async (t) => {
    const aggregate = aggregateOf('authorised')
    apply(aggregate, expiryOf(first), paidBy(first), expiryOf(first))
    t.equal(aggregate.payment.status, 'expired')
    t.equal(aggregate.events.length, 1)
  })

  t.test('cannot end while only its refusal is known', async (t) => {
    const aggregate = newAggregate({ capture: 'manual' })
    apply(aggregate, refusedBy(first))
    checkUnchanged(t, aggregate, 'deferred', expiryOf(first), reversed(first))
    apply(aggregate, paidBy(first), expiryOf(first))
    t.equal(aggregate.payment.status, 'expired')
  })

  t.test('does not end with other money', async (t) => {
    const aggregate = aggregateOf('authorised')
    apply(aggregate, paidBy(second))
    checkUnchanged(t, aggregate, 'ignored', expiryOf(second))
    t.equal(aggregate.payment.status, 'authorised')
  })
})

t.test('A1: a reservation is adjusted', async (t) => {
  const amounts = ({ payment }: PaymentAggregate) => [payment.amount, payment.amountAuthorised]
  const shown = ({ events }: PaymentAggregate) => events.map(({ type, data }) => ({ type, data }))
  const event = (amountAuthorised: number) => ({
    type: 'payment.amountAdjusted',
    data: { amountAuthorised }
  })

  t.test('up: more can be captured of it', async (t) => {
    const aggregate = aggregateOf('authorised')
    checkUnchanged(t, aggregate, 'deferred', captured(first, gbp(3000)))
    applyTwice(t, aggregate, adjusted(3000))
    t.strictSame(amounts(aggregate), [price, 3000])
    t.strictSame(shown(aggregate), [event(3000)])
    t.strictSame(aggregate.postings, [])
    checkUnchanged(t, aggregate, 'deferred', captured(first, gbp(3001)))
    apply(aggregate, captured(first, gbp(3000)))
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 3000, account: 3000 })
    checkAggregate(t, aggregate)
  })

  t.test('down: the largest amount is still the most that a capture can have taken', async (t) => {
    const aggregate = aggregateOf('authorised')
    applyTwice(t, aggregate, adjusted(1000))
    t.strictSame(amounts(aggregate), [price, 2500])
    t.strictSame(shown(aggregate), [event(1000)])
    checkUnchanged(t, aggregate, 'deferred', captured(first, gbp(2501)))
    apply(aggregate, captured(first, price))
    t.match(standOf(aggregate), { status: 'captured', amountCaptured: 2500, account: 2500 })
    checkAggregate(t, aggregate)
  })

  t.test('twice: its own time says which is the last, whichever is reported first', async (t) => {
    for (const order of ordersOf([adjusted(3500, 1), adjusted(2000, 2), adjusted(3000, 3)])) {
      const aggregate = aggregateOf('authorised')
      applyTwice(t, aggregate, ...order)
      t.strictSame(shown(aggregate).at(-1), event(3000))
      t.strictSame(amounts(aggregate), [price, 3500])
    }
  })

  t.test('to the same amount again by another request: that is the last', async (t) => {
    const aggregate = aggregateOf('authorised')
    apply(aggregate, adjusted(3000, 1), adjusted(2500, 2), adjusted(3000, 3))
    t.strictSame(shown(aggregate), [event(3000), event(2500), event(3000)])
  })

  t.test('in another currency: contradictory', async (t) => {
    const euros = { ...adjusted(3000), amount: { currency: 'EUR', value: 3000 } }
    checkUnchanged(t, aggregateOf('authorised'), 'contradictory', euros)
  })

  t.test('that is not known yet: deferred; of other money: contradictory', async (t) => {
    const aggregate = newAggregate({ capture: 'manual' })
    checkUnchanged(t, aggregate, 'deferred', adjusted(3000))
    apply(aggregate, refusedBy(first))
    checkUnchanged(t, aggregate, 'deferred', adjusted(3000))
    apply(aggregate, paidBy(second), paidBy(first))
    checkUnchanged(t, aggregate, 'contradictory', adjusted(3000))
  })
})

t.test('A6: fraud is reported', async (t) => {
  t.test('nothing moves: an event and a discrepancy say what the bank says', async (t) => {
    for (const status of ['authorised', 'captured'] as const) {
      const aggregate = aggregateOf(status)
      const before = standOf(aggregate)
      applyTwice(t, aggregate, fraudReported(first))
      t.strictSame(standOf(aggregate), before)
      const { reference, amount, reason } = fraudReported(first)
      const details = { authorisation: first, reference, amount, reason }
      t.match(aggregate.events, [
        { type: 'payment.fraudReported', data: { fraud: details } },
        { type: 'discrepancy.opened', data: { discrepancy: { kind: 'fraud_reported' } } }
      ])
      t.match(aggregate.discrepancies, [
        { kind: 'fraud_reported', fact: reference, status: 'open' }
      ])
      t.strictSame(aggregate.discrepancies[0]?.details, details)
      checkAggregate(t, aggregate)
    }
  })

  t.test('twice under references of their own: two discrepancies', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, fraudReported(first), { ...fraudReported(first), reference: 'FRAUD2' })
    t.strictSame(traceOf(aggregate).discrepancies, [
      `fraud_reported FRAUD${first}`,
      'fraud_reported FRAUD2'
    ])
    checkAggregate(t, aggregate)
  })

  t.test('of money that goes back: that is said as well', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, paidBy(second))
    applyTwice(t, aggregate, fraudReported(second))
    t.strictSame(traceOf(aggregate).discrepancies, [`fraud_reported FRAUD${second}`])
  })

  t.test('of money that is not known, or was refused: deferred', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, refusedBy(second))
    checkUnchanged(t, aggregate, 'deferred', fraudReported(second), fraudReported(third))
  })
})

t.test('the face of the card may come later, from another source of the same fact', async (t) => {
  const aggregate = newAggregate()
  apply(aggregate, paidBy(second))
  t.equal(aggregate.payment.card, null)
  const { updatedAt } = aggregate.payment
  const later = { ...newContext(), now: new Date('2026-01-31T11:00:00Z') }
  applyEvent(aggregate, paidBy(second, { card: visa }), later)
  t.strictSame(aggregate.payment.updatedAt, updatedAt)
  t.strictSame(aggregate.payment.card, visa)
  t.equal(aggregate.events.length, 1, 'nothing has happened to the payment')
  t.ok(aggregate.touched.size > 0, 'it is to be written')
  apply(aggregate, paidBy(second, { card: { ...visa, lastFour: '2222' } }))
  t.equal(aggregate.payment.card?.lastFour, '1111', 'the first stays')
})

t.test('each source adds what it knows, and the end is the same in any order', async (t) => {
  const none = { ...visa, lastFour: null, expiryMonth: null, expiryYear: null, funding: null }
  const tried = {
    threeDSecure: 'attempted',
    liabilityShift: null,
    exemptionRequested: null
  } as const
  const sources = [
    paidBy(second, { card: { ...none, wallet: 'applepay' } }),
    paidBy(second, { card: visa, authentication: tried }),
    paidBy(second, { authentication: { ...tried, threeDSecure: null, liabilityShift: true } })
  ]
  for (const order of ordersOf(sources)) {
    const aggregate = newAggregate()
    apply(aggregate, ...order)
    t.strictSame(aggregate.payment.card, { ...visa, wallet: 'applepay' })
    t.strictSame(aggregate.payment.authentication, { ...tried, liabilityShift: true })
  }
})

t.test('what is said of other money is not shown', async (t) => {
  const authentication = { threeDSecure: 'none', liabilityShift: false } as never
  const aggregate = newAggregate()
  apply(aggregate, paidBy(first), paidBy(second, { authentication }))
  apply(aggregate, paidBy(second, { authentication }))
  t.equal(aggregate.payment.authentication, null)
})

t.test('the face of a registered card is that of its registration', async (t) => {
  const card = { ...visa, funding: null, registeredCardId: 'crd_1' }
  const aggregate = aggregateOf('captured', { registeredCardId: 'crd_1', card })
  apply(aggregate, paidBy(first, { card: visa }))
  t.strictSame(aggregate.payment.card, card)
})

t.test('the card of money that goes back is not the card that paid', async (t) => {
  const aggregate = newAggregate()
  apply(aggregate, paidBy(first), paidBy(second, { card: visa }), paidBy(second, { card: visa }))
  t.equal(aggregate.payment.card, null)
})
