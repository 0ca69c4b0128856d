/** Payments as a create writes them down, for tests below the API. */
import { type IntentOptions, insertIntent } from '../../src/checkout/intent.store.ts'
import type { Db } from '../../src/database/database.ts'
import { newLease } from '../../src/due/due.store.ts'
import type { Payment } from '../../src/payments/payment.ts'

/** Writes the payment down under a key of its own; no other is its duplicate unless it says so. */
export async function insertPayment(db: Db, payment: Payment, options?: Partial<IntentOptions>) {
  const { createdAt: _, updatedAt: __, ...asked } = payment
  const { id: key, clientId, method } = payment
  const isCard = method === 'registeredCard'
  const intent = {
    ...asked,
    idempotencyKey: key,
    cardToken: isCard ? 'TOK' : null,
    lifeS: null,
    firstLookS: null,
    endsAfterS: isCard ? null : 900
  }
  const claim = { clientId, key, fingerprint: Buffer.alloc(32) }
  const lease = newLease(clientId, key)
  const usual = { leaseS: 60, lease, duplicateWindowS: 0, allowDuplicate: true }
  return await insertIntent(db, intent, claim, { ...usual, ...options })
}

/** The same, where it must be made. */
export async function addPayment(db: Db, payment: Payment): Promise<void> {
  const result = await insertPayment(db, payment)
  if (result.outcome !== 'created') throw new Error(result.outcome)
}
