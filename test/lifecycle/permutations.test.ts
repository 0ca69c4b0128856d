/**
 * Every order of what a provider can truly report of one payment, each event told once or twice,
 * ends in the same books, statuses and discrepancies; and whatever is not applied changes nothing.
 */
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { applyEvent } from '../../src/lifecycle/apply.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import { checkAggregate, contextOf, ordersOf, standOf } from './aggregates.ts'
import { stories } from './stories.ts'

/** Everything that is the same in every order. Ids and times are not, nor is the way there. */
function endOf(aggregate: PaymentAggregate) {
  const { payment, authorisations, operations, disputes, discrepancies } = aggregate
  const sorted = (texts: string[]) => texts.toSorted()
  return {
    ...standOf(aggregate),
    amountAuthorised: payment.amountAuthorised,
    failure: payment.failure?.code ?? null,
    finished: payment.finishedAt !== null,
    cancelledBy: payment.cancelledBy,
    authorisationReference: payment.authorisationReference,
    authorisations: sorted(
      authorisations.map((one) => `${one.reference} ${one.outcome} ${one.disposition}`)
    ),
    operations: sorted(
      operations.map((one) => {
        const { kind, origin, status, amount, failure } = one
        return `${kind} ${origin} ${status} ${amount.value} ${failure?.code}`
      })
    ),
    disputes: sorted(
      disputes.map(
        ({ status, stage, amount, amountChargedBack }) =>
          `${status} ${stage} ${amount.value} ${amountChargedBack}`
      )
    ),
    open: sorted(
      discrepancies.filter(({ status }) => status === 'open').map(({ kind }) => kind as string)
    )
  }
}

/** All that a rule may change, as a text that is quick to make and to compare. */
function stateOf({ touched, events, postings, ...rest }: PaymentAggregate): string {
  return JSON.stringify([rest, events.length, postings.length, touched.size])
}

/**
 * Applies one event after another, as the inbox does: what is deferred is tried again after each
 * one that was applied. Answers the first fault: what was not applied and yet changed something, or
 * what waits for ever.
 */
function play(aggregate: PaymentAggregate, events: readonly ProviderEvent[]): string | undefined {
  let waiting: ProviderEvent[] = []
  for (const event of events) {
    let due = [...waiting, event]
    for (;;) {
      const deferred: ProviderEvent[] = []
      for (const one of due) {
        const before = stateOf(aggregate)
        const effect = applyEvent(aggregate, one, contextOf(aggregate))
        if (effect === 'deferred') deferred.push(one)
        if (effect === 'contradictory') return `${one.type} is ${effect}`
        if (effect !== 'applied' && before !== stateOf(aggregate)) {
          return `${one.type} is ${effect} and changed it`
        }
      }
      const isStill = deferred.length === due.length || deferred.length === 0
      due = deferred
      if (isStill) break
    }
    waiting = due
  }
  return waiting.length === 0 ? undefined : `${waiting.map(({ type }) => type)} wait for ever`
}

/** Ways to tell events twice: each at once, all again, all again in the other direction. */
const doublings: ReadonlyArray<<Event>(order: readonly Event[]) => Event[]> = [
  (order) => order.flatMap((one) => [one, one]),
  (order) => [...order, ...order],
  (order) => [...order, ...order.toReversed()]
]

t.ok(stories.length >= 40, `${stories.length} stories`)
t.same(new Set(stories.map(({ name }) => name)).size, stories.length, 'each story once')

for (const { name, begin, events, end } of stories) {
  t.test(name, async (t) => {
    const count = events(begin()).length
    t.ok(count <= 7)
    const places = Array.from({ length: count }, (_, place) => place)
    let expected: ReturnType<typeof endOf> | undefined
    for (const [n, order] of ordersOf(places).entries()) {
      const doubled = doublings[n % doublings.length]?.(order) ?? order
      for (const told of [order, doubled]) {
        const aggregate = begin()
        const all = events(aggregate)
        const fault = play(
          aggregate,
          told.map((place) => all[place] as ProviderEvent)
        )
        const ended = endOf(aggregate)
        expected ??= ended
        const facts = aggregate.postings.map(({ kind, fact }) => `${kind} ${fact}`)
        const isOnce = new Set(facts).size === facts.length
        if (fault === undefined && isOnce && isDeepStrictEqual(ended, expected)) continue
        const label = told.map((place) => all[place]?.type).join(', ')
        t.equal(fault, undefined, label)
        t.ok(isOnce, `a fact is posted once: ${label}`)
        t.strictSame(ended, expected, label)
        return
      }
    }
    const { open = [], amountRefunded = 0, amountChargedBack = 0, ...rest } = end
    t.match(expected, { ...rest, amountRefunded, amountChargedBack })
    t.strictSame(expected?.open, open)
    const aggregate = begin()
    play(aggregate, events(aggregate))
    checkAggregate(t, aggregate)
  })
}
