/** The rules of a page that only registers a card. Pure. */

/** How long the customer has. */
export const registrationLifeS = 60 * 60

/**
 * The idempotency key of the n-th call for the page: stored before the call, at most 64 characters
 * (Adyen, API idempotency).
 */
export function registrationKey(id: string, n: number): string {
  return `${id}.registration.${n}`
}
