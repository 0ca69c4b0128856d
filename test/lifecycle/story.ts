/** What a story of one payment is, and what many of them begin with or are told of. */
import { requestCapture } from '../../src/lifecycle/captures.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import { requestRefund } from '../../src/lifecycle/refunds.ts'
import type { ProviderEvent, RequestReference } from '../../src/provider.ts'
import {
  aggregateOf,
  contextOf,
  disputed,
  first,
  gbp,
  newAggregate,
  ours,
  price
} from './aggregates.ts'

/** How the story stands at the end: minor units on the customer's account, and in clearing. */
export type End = {
  status: string
  amountCaptured: number
  amountRefunded?: number
  amountChargedBack?: number
  account: number
  /** Kinds of discrepancies that are open. */
  open?: string[]
}

export type Story = {
  name: string
  begin: () => PaymentAggregate
  events: (aggregate: PaymentAggregate) => ProviderEvent[]
  end: End
}

export const hand = (n: number): RequestReference => ({
  providerReference: `HAND00000000000${n}`,
  reference: 'by hand'
})

export const automatic = () => newAggregate()
export const manual = () => newAggregate({ capture: 'manual' })
/** Reserved, with a capture of ours that the provider has accepted. */
export function capturing(...values: number[]): PaymentAggregate {
  const aggregate = aggregateOf('authorised')
  for (const value of values) {
    const asked = { amount: gbp(value), several: true }
    const capture = requestCapture(aggregate, asked, contextOf(aggregate))
    capture.providerReference = `MOD${capture.id}`
  }
  return aggregate
}
/** Captured, with refunds of ours that the provider has accepted. */
export function refunding(...values: number[]): PaymentAggregate {
  const aggregate = aggregateOf('captured')
  const nothing = { reason: null, operator: null, amountRefundable: null, processor: null }
  for (const value of values) {
    const asked = { amount: gbp(value), ...nothing }
    const refund = requestRefund(aggregate, asked, null, contextOf(aggregate))
    refund.providerReference = `MOD${refund.id}`
  }
  return aggregate
}
export const own = (aggregate: PaymentAggregate, n = 0) => {
  const operation = aggregate.operations[n]
  if (operation === undefined) throw new Error(`no operation ${n}`)
  return ours(operation)
}

export const adjusted = (
  value: number,
  n: number,
  at = `2026-02-0${n}T00:00:00Z`
): ProviderEvent => ({
  type: 'amountAdjusted',
  authorisationReference: first,
  amount: gbp(value),
  by: hand(n),
  at: new Date(at)
})
export const fraud: ProviderEvent = {
  type: 'fraudReported',
  authorisationReference: first,
  reference: 'FRAUD00000000001',
  amount: price,
  reason: 'Card not present fraud'
}
export const dispute = (event: Parameters<typeof disputed>[0], changes = {}) =>
  disputed(event, { authorisationReference: first, ...changes })

export const paid = { status: 'captured', amountCaptured: 2500, account: 2500 } as const
export const notTaken = { status: 'failed', amountCaptured: 0, account: 0 } as const
