export const threeDSecureMeanings = {
  authenticated: 'The bank confirmed that it was the customer, whether or not it asked them',
  attempted: 'It was tried, and the bank did not confirm',
  none: 'It was not tried, as with a card in a wallet or an exemption'
} as const

/** How the customer was authenticated. For display only, as the face of the card is. */
export type Authentication = {
  threeDSecure: keyof typeof threeDSecureMeanings | null
  /** Whether the card's bank, not the merchant, bears a fraud. */
  liabilityShift: boolean | null
  /** From strong customer authentication, in the provider's name of it. */
  exemptionRequested: string | null
}
