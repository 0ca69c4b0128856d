/** Wallets that hold cards: what is paid with one is paid with the card in it. */
export const wallets = ['applepay', 'googlepay'] as const
export type Wallet = (typeof wallets)[number]
/** What a page may offer to pay with; `scheme` is a card that is typed there. */
export const pageMethods = ['scheme', ...wallets] as const
export type PageMethod = (typeof pageMethods)[number]
