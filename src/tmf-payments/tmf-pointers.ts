/** Faults that our own commands find, at the members that TMF676 has for them. Pure. */
import { type FieldFault, Problem } from '../problem.ts'
import type { ProblemCode } from '../problems/problems.ts'

/** Of our own fields, by the beginning of the pointer. */
const places: ReadonlyArray<readonly [RegExp, string]> = [
  [/^\/amount\/currency/, '/totalAmount/unit'],
  [/^\/amount/, '/totalAmount'],
  [/^\/(returnUrl|capture|saveCard).*/, '/characteristic'],
  [/^\/registeredCardId/, '/paymentMethod/id'],
  [/^\/allocations.*/, '/paymentItem'],
  [/^\/takenAt/, '/paymentDate'],
  [/^\/operator/, '/requestor'],
  [/^\/processor.*/, '/authorizationCode']
]

/** What a problem is about that names no field. */
const membersOf: Partial<Record<ProblemCode, string>> = {
  account_not_found: '/account/id',
  account_closed: '/account/id',
  currency_mismatch: '/totalAmount/unit',
  payment_not_found: '/payment/id',
  refund_exceeds_captured: '/totalAmount/value'
}

/** The problem with its faults where the sender has them, and `others` besides. */
export function atTmfMembers(problem: Problem, others: readonly FieldFault[] = []): Problem {
  const { code, message, paymentId, difference, retryAfterS, cause } = problem
  const member = membersOf[code]
  const own =
    problem.errors?.map(({ pointer, detail }) => ({ pointer: toPlace(pointer), detail })) ??
    (member === undefined ? [] : [{ pointer: member, detail: message }])
  const known = new Set(own.map(({ pointer }) => pointer))
  const errors = [...own, ...others.filter(({ pointer }) => !known.has(pointer))]
  return new Problem(code, message, {
    ...(errors.length > 0 && { errors }),
    ...(paymentId !== undefined && { paymentId }),
    ...(difference !== undefined && { difference }),
    ...(retryAfterS !== undefined && { retryAfterS }),
    cause
  })
}

function toPlace(pointer: string): string {
  const found = places.find(([own]) => own.test(pointer))
  return found === undefined ? pointer : pointer.replace(...found)
}
