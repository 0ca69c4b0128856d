/** What applying a fact came to, and the questions that all its rules ask. */

import type { Payment } from '../payments/payment.ts'
import type { Failure, ProviderEvent } from '../provider.ts'
import { type Authorisation, findAuthorisation, type PaymentAggregate } from './aggregate.ts'

/**
 * `applied`: it changed something, or had changed it already. `ignored`: of no effect here.
 * `early`: it rests on a fact that is not known yet, so it must be applied again. `unsupported`: it
 * says that money moved in a way that can't be true of this payment: a person must look.
 */
export type Effect = 'applied' | 'ignored' | 'early' | 'unsupported'

export type EventOf<Type extends ProviderEvent['type']> = Extract<ProviderEvent, { type: Type }>

/** With manual capture an authorisation only reserves. */
export function isTaken(payment: Payment): boolean {
  return payment.capture === 'automatic'
}

/** The authorisation, where it is the payment's own money; else why a fact about it waits. */
export function findOwn(
  aggregate: PaymentAggregate,
  reference: string
): Authorisation | 'early' | 'unsupported' {
  const found = findAuthorisation(aggregate, reference)
  if (found?.outcome !== 'authorised') return 'early'
  return aggregate.payment.authorisationReference === reference ? found : 'unsupported'
}

/** The provider said no: nothing moved. */
export function refused(message: string): Failure {
  return { code: 'provider_rejected', message, retryable: true }
}
