/**
 * What is asked about a payment once it is made: captures, cancellations, refunds, and reversals of
 * money that is not wanted. Pure: the record, and what all kinds have in common. What an operation
 * has come to is read from the set of what the provider reported of it, so that the order in which
 * the reports came does not matter.
 */
import type { EventType } from '../payments/event.ts'
import { providerKey } from '../payments/payment.ts'
import type { Failure, RequestReference } from '../provider.ts'
import { record } from './aggregate.ts'
import type {
  LifecycleContext,
  Operation,
  OperationKind,
  OperationPrefix,
  OperationStatus,
  PaymentAggregate,
  Report
} from './model.ts'
import { toOperationView } from './operation-view.ts'

const prefixes: Readonly<Record<OperationKind, OperationPrefix>> = {
  capture: 'cap',
  cancellation: 'can',
  refund: 'ref',
  reversal: 'rev'
}

type NewOperation = Pick<Operation, 'kind' | 'authorisationReference' | 'amount'> &
  Partial<Operation>

/** One that was just asked for, by a client unless `given` says otherwise. */
export function newOperation(given: NewOperation, context: LifecycleContext): Operation {
  const id = context.newId(prefixes[given.kind])
  const origin = given.origin ?? 'client'
  return {
    id,
    status: 'requested',
    failure: null,
    origin,
    reason: null,
    operator: null,
    decision: null,
    processor: null,
    providerKey: origin === 'client' ? providerKey(id, given.kind) : null,
    providerReference: null,
    alsoReportedAs: [],
    reported: [],
    createdAt: context.now,
    ...given
  }
}

export function addOperation(
  aggregate: PaymentAggregate,
  given: NewOperation,
  context: LifecycleContext
): Operation {
  const added = newOperation(given, context)
  aggregate.operations.push(added)
  aggregate.touched.add(added)
  return added
}

/** One that somebody asked for at the provider, under a reference that is not known here. */
export function addProvidersOperation(
  aggregate: PaymentAggregate,
  given: NewOperation,
  by: RequestReference,
  context: LifecycleContext
): Operation {
  const { providerReference } = by
  return addOperation(aggregate, { origin: 'provider', providerReference, ...given }, context)
}

/** Whether the request that the provider names is this one. */
export function isSame(operation: Operation, by: RequestReference): boolean {
  const { providerReference, alsoReportedAs, id } = operation
  const isKnown =
    by.providerReference === providerReference || alsoReportedAs.includes(by.providerReference)
  return isKnown || by.reference === id
}

/** Whatever is reported under this reference from now on is about this one. */
export function recognise(
  aggregate: PaymentAggregate,
  operation: Operation,
  by: RequestReference
): void {
  if (isSame(operation, by)) return
  operation.alsoReportedAs = [...operation.alsoReportedAs, by.providerReference]
  aggregate.touched.add(operation)
}

/** Its outcome is still to come. */
export function isUnderWay({ status }: Operation): boolean {
  return status === 'requested' || status === 'awaitingApproval'
}

/**
 * Which report has the last word where the provider made several of one operation. A capture that
 * failed may be taken again (docs.adyen.com/online-payments/capture/failure-reasons), and what a
 * reversal gave back may come back and be given back by another: both stand while they succeeded
 * more often than they failed. A refund that failed is never done again, and a cancellation cannot
 * come to nothing.
 */
const lastWord: Readonly<Record<OperationKind, 'majority' | 'success' | 'failure'>> = {
  capture: 'majority',
  reversal: 'majority',
  cancellation: 'success',
  refund: 'failure'
}

/**
 * How often the provider reported that the operation went well: under how many references. A report
 * that is worded as taken again counts only where its reference was never reported plainly, since
 * the wording is not signed: the same signed report in other words is no second success.
 */
export function timesSucceeded({ kind, reported, authorisationReference }: Operation): number {
  const successes = reported.filter(({ outcome }) => outcome === 'succeeded')
  const plain = new Set(successes.filter(({ again }) => !again).map(({ reference }) => reference))
  const again = new Set(
    successes.map(({ reference }) => reference).filter((one) => !plain.has(one))
  )
  // An automatic capture was reported with its authorisation, and perhaps as a capture as well.
  const isImplied = kind === 'capture' && plain.delete(authorisationReference ?? '')
  return Math.max(plain.size, isImplied ? 1 : 0) + again.size
}

export function timesFailed({ reported }: Operation): number {
  return new Set(
    reported.filter(({ outcome }) => outcome === 'failed').map(({ reference }) => reference)
  ).size
}

/** What the reports of an operation come to; undefined where there are none that say. */
export function standingOf(operation: Operation): 'succeeded' | 'failed' | undefined {
  const successes = timesSucceeded(operation)
  const failures = timesFailed(operation)
  const stands = {
    majority: successes > failures,
    success: successes > 0,
    failure: successes > 0 && failures === 0
  }[lastWord[operation.kind]]
  if (stands) return 'succeeded'
  return operation.reported.length > 0 ? 'failed' : undefined
}

/** Whether a capture was reported to have been taken again under a reference that it had before. */
export function isDoubtful(operation: Operation): boolean {
  const { kind, status, reported } = operation
  if (kind !== 'capture' || status !== 'failed') return false
  const successes = reported.filter(({ outcome }) => outcome === 'succeeded')
  return successes.some(
    ({ again, reference }) =>
      again && successes.some((one) => one.reference === reference && !one.again)
  )
}

/**
 * Adds a report and moves the status to what all reports come to. Answers the status before, or
 * undefined where the status stays: then nothing is to be done.
 */
export function addReport(
  aggregate: PaymentAggregate,
  operation: Operation,
  report: Report
): OperationStatus | undefined {
  const isKnown = operation.reported.some(
    (one) =>
      one.outcome === report.outcome &&
      one.reference === report.reference &&
      one.again === report.again
  )
  if (isKnown) return undefined
  operation.reported = [...operation.reported, report]
  aggregate.touched.add(operation)
  return followReports(operation)
}

/** Takes reports away that turned out to be about another operation. */
export function dropReports(
  aggregate: PaymentAggregate,
  operation: Operation,
  reference: string
): OperationStatus | undefined {
  operation.reported = operation.reported.filter((one) => one.reference !== reference)
  operation.alsoReportedAs = operation.alsoReportedAs.filter((one) => one !== reference)
  aggregate.touched.add(operation)
  return followReports(operation)
}

function followReports(operation: Operation): OperationStatus | undefined {
  const before = operation.status
  operation.status = standingOf(operation) ?? 'requested'
  operation.failure = operation.status === 'failed' ? failureOf(operation) : null
  return operation.status === before ? undefined : before
}

/** That it failed later says more than that it was refused. */
function failureOf({ kind, reported }: Operation): Failure {
  const failed = reported.find(({ outcome }) => outcome === 'failed')
  const { reason } = failed ?? reported.find(({ outcome }) => outcome === 'refused') ?? {}
  const message = reason ?? 'The payment provider reported a failure.'
  if (failed === undefined) return { code: 'provider_rejected', message, retryable: true }
  const code = kind === 'capture' ? 'capture_failed' : 'provider_error'
  return { code, message, retryable: true }
}

/** Records what an operation has come to; by default its status says it. */
export function recordOperation(
  aggregate: PaymentAggregate,
  operation: Operation,
  context: LifecycleContext,
  what: OperationStatus | 'approved' = operation.status
): void {
  const { kind } = operation
  aggregate.touched.add(operation)
  const data = { [kind]: toOperationView(operation, aggregate.payment.id) }
  record(aggregate, `${kind}.${what}` as EventType, data, context)
}
