/** What notifications report of cards. Not signed: it makes us ask. */
export type CardNews = {
  /** Whose cards may have changed; null where nothing says so. */
  accountId: number | null
  /** What an attempt on a page that only registers a card came to. */
  registration: { id: string; completed: boolean } | null
}
