/** What a page that only registers a card came to, until now. */
export const registrationStatuses = [
  'pending',
  'completed',
  'refused',
  'expired',
  'failed'
] as const
export type Registration = {
  id: string
  accountId: number
  status: (typeof registrationStatuses)[number]
  checkoutUrl: string | null
  expiresAt: Date
  /** The card, once it is known, and as long as the account has it. */
  registeredCardId: string | null
}
