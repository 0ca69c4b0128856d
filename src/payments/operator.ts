/** The persons who act for customers, ask and decide. */
import { foldIdentifier } from '../identifier.ts'
import { Problem } from '../problem.ts'
import type { Operator } from './payment.ts'

/** What one person asked for another decides: `approver_is_requester` where both are one. */
export function checkIsAnother(asker: Operator | null, decider: Operator): void {
  if (asker === null || foldIdentifier(asker.id) !== foldIdentifier(decider.id)) return
  const errors = [{ pointer: '/operator/id', detail: 'It must be another operator.' }]
  const detail = 'Whoever asked for a refund does not decide on it.'
  throw new Problem('approver_is_requester', detail, { errors })
}
