/** `token`: the provider's name of the card that was registered, where it says so. */
export type RegistrationOutcome = { id: string; completed: boolean; token: string | null }

/** What notifications report of cards. Not signed: it makes us ask. */
export type CardNews = {
  /** Whose cards may have changed; null where nothing says so. */
  accountId: number | null
  /** What an attempt on a page that only registers a card came to. */
  registration: RegistrationOutcome | null
}
