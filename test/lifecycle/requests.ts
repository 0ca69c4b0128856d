/** What a client asks about a payment, and how it is refused. */
import type { Test } from 'tap'
import { requestCancellation } from '../../src/lifecycle/cancellations.ts'
import { type CaptureAsked, requestCapture } from '../../src/lifecycle/captures.ts'
import type { Operation, PaymentAggregate } from '../../src/lifecycle/model.ts'
import { type RefundAsked, requestRefund } from '../../src/lifecycle/refunds.ts'
import type { Money } from '../../src/money.ts'
import type { Operator } from '../../src/payments/payment.ts'
import { Problem } from '../../src/problem.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import { apply, contextOf, gbp } from './aggregates.ts'

export const anna: Operator = { id: 'anna', reason: 'The customer rang' }
export const bert: Operator = { id: 'bert' }
/** Who made the refund of a recorded payment. */
export const processor = { name: 'acme', reference: 'R1' }

/** A capture that the provider has accepted, of `value` minor units; null for all that is left. */
export function askCapture(
  aggregate: PaymentAggregate,
  value: number | null = null,
  changes: Partial<CaptureAsked> = {}
): Operation {
  const asked = { amount: value === null ? null : gbp(value), several: false, ...changes }
  return accepted(requestCapture(aggregate, asked, contextOf(aggregate)))
}

/** A cancellation that the provider has accepted, where it is asked at all. */
export function askCancellation(
  aggregate: PaymentAggregate,
  reason: string | null = null
): Operation {
  return accepted(requestCancellation(aggregate, { reason }, contextOf(aggregate)))
}

/** A refund that the provider has accepted, unless it waits; `approvalAbove` in minor units. */
export function askRefund(
  aggregate: PaymentAggregate,
  value: number,
  changes: Partial<RefundAsked> = {},
  approvalAbove: number | null = null
): Operation {
  const nothing = { reason: null, operator: null, amountRefundable: null, processor: null }
  const asked = { amount: gbp(value), ...nothing, ...changes }
  return accepted(requestRefund(aggregate, asked, approvalAbove, contextOf(aggregate)))
}

function accepted(operation: Operation): Operation {
  const isAsked = operation.status === 'requested' && operation.providerKey !== null
  if (isAsked) operation.providerReference = `MOD${operation.id}`
  return operation
}

/** The aggregate after these steps. */
export function after(
  aggregate: PaymentAggregate,
  ...steps: Array<(aggregate: PaymentAggregate) => unknown>
): PaymentAggregate {
  for (const step of steps) step(aggregate)
  return aggregate
}

/** Applies events that must have an effect. */
export function applyAll(aggregate: PaymentAggregate, ...events: ProviderEvent[]): void {
  const effects = apply(aggregate, ...events)
  if (effects.some((effect) => effect !== 'applied')) throw new Error(effects.join())
}

/** The problem with which something is refused. */
export function problemOf(ask: () => unknown): Problem {
  try {
    ask()
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
  throw new Error('it was not refused')
}

export type Refusal = {
  name: string
  aggregate: () => PaymentAggregate
  ask: (aggregate: PaymentAggregate) => unknown
  code: Problem['code']
  /** The fields that are at fault. */
  pointers?: string[]
}

/** Each is refused with its code, and nothing is changed. */
export function checkRefusals(t: Test, what: string, refusals: readonly Refusal[]): void {
  for (const { name, aggregate: make, ask, code, pointers } of refusals) {
    t.test(`${what} ${name} is ${code}`, async (t) => {
      const aggregate = make()
      const before = structuredClone(aggregate)
      const problem = problemOf(() => ask(aggregate))
      t.equal(problem.code, code)
      const found = problem.errors?.map(({ pointer }) => pointer)
      if (pointers) t.strictSame(found, pointers)
      t.strictSame(aggregate, before, 'nothing is changed')
    })
  }
}

/** A provider that counts whole units only, of a currency that has two decimals here. */
export const wholeUnits = ({ value }: Money) => value % 100 === 0

/** Parts of a payment that have decimals which somebody has not. */
export const tooFine: ReadonlyArray<{
  name: string
  amount: Money
  canExpress: (amount: Money) => boolean
}> = [
  {
    name: 'of a part that the provider can not express',
    amount: { currency: 'IDR', value: 150 },
    canExpress: wholeUnits
  },
  {
    name: 'of a part that billing can not hold',
    amount: { currency: 'BHD', value: 1001 },
    canExpress: () => true
  }
]
