/**
 * Money that was taken and is not the customer's payment stands in clearing: on its way back, or in
 * doubt. What a person may decide about it once it can't go back by itself. Pure.
 */
import { Problem } from '../problem.ts'
import {
  type Authorisation,
  addOperation,
  findAuthorisation,
  findReversal,
  type LifecycleContext,
  type PaymentAggregate,
  post,
  recordOperation
} from './aggregate.ts'
import { isTaken } from './effect.ts'

export type HeldDecision = 'applyToAccount' | 'sendBack' | 'writtenOff'

/** Held money that waits for a decision; undefined where it went back, or was decided about. */
export function findHeld(
  aggregate: PaymentAggregate,
  reference: string
): Authorisation | undefined {
  const known = findAuthorisation(aggregate, reference)
  if (known?.disposition === 'differs') return known
  if (known?.disposition !== 'reversing') return undefined
  return findReversal(aggregate, reference)?.status === 'failed' ? known : undefined
}

/**
 * Does with held money what was decided: `resolution_not_allowed` where that can't be. `cause` is
 * the discrepancy that was resolved by it.
 */
export function decideHeld(
  aggregate: PaymentAggregate,
  reference: string,
  decision: HeldDecision,
  cause: string,
  context: LifecycleContext
): void {
  const held = findHeld(aggregate, reference)
  if (held === undefined) {
    throw refused('The money went back, is on its way back, or was decided about already.')
  }
  aggregate.touched.add(held)
  if (decision === 'sendBack') sendBackAgain(aggregate, held, context)
  else keepHeld(aggregate, held, decision, cause)
}

function sendBackAgain(
  aggregate: PaymentAggregate,
  held: Authorisation,
  context: LifecycleContext
): void {
  const { reference, amount } = held
  if (amount.value === 0) throw refused('It is an amount of 0: there is nothing to send back.')
  held.disposition = 'reversing'
  const asked = { kind: 'reversal', authorisationReference: reference, amount } as const
  recordOperation(aggregate, addOperation(aggregate, asked, context), context)
}

function keepHeld(
  aggregate: PaymentAggregate,
  held: Authorisation,
  decision: 'applyToAccount' | 'writtenOff',
  cause: string
): void {
  const { payment } = aggregate
  const { amount } = held
  const isMoney = isTaken(payment) && amount.value > 0
  if (decision === 'applyToAccount') {
    if (!isMoney) throw refused('Nothing was taken: it was only reserved, or is an amount of 0.')
    if (amount.currency !== payment.amount.currency) {
      throw refused(`The account is in ${payment.amount.currency}, the money ${amount.currency}.`)
    }
  }
  held.disposition = decision === 'applyToAccount' ? 'applied' : 'writtenOff'
  if (!isMoney) return
  const kind = decision === 'applyToAccount' ? 'heldApplied' : 'heldWrittenOff'
  post(aggregate, kind, cause, amount, { type: 'discrepancy', id: cause })
}

function refused(detail: string): Problem {
  return new Problem('resolution_not_allowed', detail)
}
