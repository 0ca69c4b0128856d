import type { Tx } from '../database/database.ts'
import { newId } from '../id.ts'
import type { AllocatedOf } from '../ledger/ledger.store.ts'
import type { ProviderEvent } from '../provider.ts'
import { openAggregates, saveAggregates } from './aggregate.store.ts'
import { applyEvent } from './apply.ts'
import type { Effect, PaymentAggregate } from './model.ts'

export type EventOfPayment = { paymentId: string; event: ProviderEvent }

type Applied = {
  effects: Array<Effect | 'unknown'>
  aggregates: Map<string, PaymentAggregate>
  allocatedOf: AllocatedOf
}

/**
 * Applies facts of the provider to their payments, in the order given, and moves the ledger with
 * them. Every source of facts ends here. Answers the effect of each, or `unknown` where no payment
 * has the id; the books, as they were left; and what the money that came in stands for.
 */
export async function applyEvents(
  tx: Tx,
  providerName: string,
  events: readonly EventOfPayment[]
): Promise<Applied> {
  const { aggregates, now } = await openAggregates(tx, [
    ...new Set(events.map(({ paymentId }) => paymentId))
  ])
  const context = { now, newId }
  const effects = events.map(({ paymentId, event }) => {
    const aggregate = aggregates.get(paymentId)
    return aggregate === undefined ? 'unknown' : applyEvent(aggregate, event, context)
  })
  const allocatedOf = await saveAggregates(tx, [...aggregates.values()], providerName)
  return { effects, aggregates, allocatedOf }
}
