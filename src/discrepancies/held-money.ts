/**
 * What a person decides about money that is held: it stands in clearing, since it is not what was
 * asked for, or since its reversal came to nothing. Pure.
 */
import { findAuthorisation, isTaken, post } from '../lifecycle/aggregate.ts'
import type { Authorisation, LifecycleContext, PaymentAggregate } from '../lifecycle/model.ts'
import { addOperation, recordOperation } from '../lifecycle/operation.ts'
import { findReversal } from '../lifecycle/reversals.ts'
import { Problem } from '../problem.ts'

type HeldDecision = 'applyToAccount' | 'sendBack' | 'writtenOff'

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
    throw notAllowed('The money went back, is on its way back, or was decided about already.')
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
  const { reference: authorisationReference, amount } = held
  if (amount.value === 0) throw notAllowed('It is an amount of 0: there is nothing to send back.')
  held.disposition = 'reversing'
  const given = { kind: 'reversal', authorisationReference, amount } as const
  recordOperation(aggregate, addOperation(aggregate, given, context), context)
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
    if (!isMoney) throw notAllowed('Nothing was taken: it was only reserved, or is an amount of 0.')
    if (amount.currency !== payment.amount.currency) {
      const { currency } = payment.amount
      throw notAllowed(`The account is in ${currency}, the money ${amount.currency}.`)
    }
  }
  held.disposition = decision === 'applyToAccount' ? 'applied' : 'writtenOff'
  if (!isMoney) return
  const kind = decision === 'applyToAccount' ? 'heldApplied' : 'heldWrittenOff'
  post(aggregate, kind, cause, amount, { type: 'discrepancy', id: cause })
}

function notAllowed(detail: string): Problem {
  return new Problem('resolution_not_allowed', detail)
}
