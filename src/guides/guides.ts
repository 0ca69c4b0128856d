/** The guides, in the order in which they are read; each is a file of `docs/` and a page. */
export const guides = {
  'quick-start': 'From nothing to a paid payment, in five minutes',
  statuses: 'What each status means, and what to do in it',
  failures: 'Why a payment failed, and what to tell the customer',
  idempotency: 'Keys, retries, and what a 409 means',
  webhooks: 'Every outcome, sent or read',
  testing: 'Break it: what can go wrong, on purpose',
  clients: 'Typed clients, in TypeScript and others',
  'tm-forum': 'TMF676, TMF670 and TMF666 over the same payments',
  'going-live': 'What to set up at Adyen and here',
  versions: 'What may change, and how you hear of it'
} as const
export type GuideName = keyof typeof guides
export const guideNames = Object.keys(guides) as readonly GuideName[]
