/**
 * Automatic captures: the authorisation reports that the money is taken. A capture is written down
 * only when it comes to nothing (docs.adyen.com/online-payments/capture).
 */
import { addToAuthorisation, findOwn } from './aggregate.ts'
import { capturesOf, reportCapture, successOf } from './captures.ts'
import type {
  Authorisation,
  Effect,
  EventOf,
  LifecycleContext,
  Operation,
  PaymentAggregate
} from './model.ts'
import { addOperation, recognise, recordOperation } from './operation.ts'

/**
 * The authorisation said so already, and a plain CAPTURE only gives the capture a name. After it
 * has failed, one that is worded as taken again takes it again.
 */
export function onTaken(
  aggregate: PaymentAggregate,
  { authorisationReference, amount, by, again }: EventOf<'captured'>,
  context: LifecycleContext
): Effect {
  const own = findOwn(aggregate, authorisationReference)
  if (typeof own === 'string') return own
  const isSame = amount.currency === own.amount.currency && amount.value === own.amount.value
  if (!isSame) return 'contradictory'
  const [capture] = capturesOf(aggregate, own.reference)
  if (capture === undefined) {
    const reference = by.providerReference
    addToAuthorisation(aggregate, own, { what: 'captured', reference, again })
  } else {
    recognise(aggregate, capture, by)
    reportCapture(aggregate, capture, own, successOf(by, again), context)
  }
  return 'applied'
}

/** What the authorisation took came to nothing. */
export function onTakenFailed(
  aggregate: PaymentAggregate,
  { authorisationReference, by, reason }: EventOf<'captureFailed'>,
  context: LifecycleContext
): Effect {
  const own = findOwn(aggregate, authorisationReference)
  if (typeof own === 'string') return own
  failTaken(aggregate, own, { reference: by.providerReference, reason }, context)
  return 'applied'
}

/** Writes the capture down, and what is reported of its failure. */
export function failTaken(
  aggregate: PaymentAggregate,
  own: Authorisation,
  failure: { reference: string; reason: string },
  context: LifecycleContext
): void {
  const [known] = capturesOf(aggregate, own.reference)
  const capture = known ?? addTaken(aggregate, own, context)
  recognise(aggregate, capture, { providerReference: failure.reference, reference: '' })
  reportCapture(aggregate, capture, own, { outcome: 'failed', ...failure }, context)
  // That it was taken again is known already: it is shown as it stands.
  if (known === undefined && capture.status === 'succeeded') {
    recordOperation(aggregate, capture, context)
  }
}

function addTaken(
  aggregate: PaymentAggregate,
  own: Authorisation,
  context: LifecycleContext
): Operation {
  const { reference: authorisationReference, amount, reported } = own
  const named = reported.filter((one) => one.what === 'captured')
  const reports = named.map(({ reference, again }) =>
    successOf({ providerReference: reference, reference: '' }, again)
  )
  return addOperation(
    aggregate,
    {
      kind: 'capture',
      authorisationReference,
      amount,
      origin: 'provider',
      status: 'succeeded',
      alsoReportedAs: named.map(({ reference }) => reference),
      reported: [{ outcome: 'succeeded', reference: authorisationReference }, ...reports]
    },
    context
  )
}
