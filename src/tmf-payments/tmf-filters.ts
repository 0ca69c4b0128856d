/** What the lists of TMF676 can be filtered by: how each is written, and what it says. Pure. */
import type { FilterKind } from '../tmf/tmf-query.ts'
import { methodTypes, paymentStatuses } from './tmf-payment.ts'
import { refundStatuses } from './tmf-refund.ts'

type Table = Readonly<Record<string, readonly [FilterKind, string]>>

/** No index has them: see tmf-look-through.ts. */
const lookedFor = (what: string) => `${what}; looked for among the newest 1,000`

const lookedForOthers = (ours: string) =>
  `${ours}; others, as they were sent, are looked for among the newest 1,000`

const shared = {
  id: ['text', 'Its id'],
  href: ['text', 'Where it is'],
  statusDate: ['date', lookedFor('When it came to its status')],
  correlatorId: ['text', "The sender's own id; of a payment of /v1 its reference"],
  description: ['text', lookedFor('What it is for')],
  name: ['text', lookedFor('For people')],
  'account.id': ['text', 'The number of the account'],
  statusReason: ['text', lookedFor('Why it failed')],
  '@type': ['text', lookedFor('As it is shown')],
  '@baseType': ['text', lookedFor('As it is shown')]
} as const satisfies Table

const words = (table: Readonly<Record<string, string>>) => [...new Set(Object.values(table))]

/** A table as `readTmfQuery` reads it, and as the document shows it. */
export function filtersOf<T extends Table>(table: T) {
  const pick = <V>(part: (one: readonly [FilterKind, string]) => V) =>
    Object.fromEntries(Object.entries(table).map(([name, one]) => [name, part(one)]))
  return { kinds: pick(([kind]) => kind), described: pick(([, text]) => text) }
}

export const paymentFilters = filtersOf({
  ...shared,
  status: [words(paymentStatuses), 'How it stands'],
  paymentDate: ['date', 'When it was taken, or asked for here'],
  authorizationCode: ['text', "The bank's code of a recorded payment, or the provider's reference"],
  'channel.id': [
    'text',
    lookedForOthers("Ours: selfcare, ivr, agent, and service with all of a sender's own")
  ],
  'paymentMethod.id': ['text', lookedForOthers('A registered card')],
  'paymentMethod.@type': [
    'text',
    lookedForOthers(`Ours, also of what is by reference: ${words(methodTypes).join(', ')}`)
  ],
  'payer.id': ['text', lookedFor('Who pays')],
  'totalAmount.unit': ['text', 'ISO 4217'],
  'totalAmount.value': [
    'number',
    'Major units, as an exact decimal. Name `totalAmount.unit` too where accounts have ' +
      'currencies of different decimals: else it is looked for among the newest 1,000'
  ]
})

/** What makes the lists short enough to be looked through. */
export const paymentNarrowers = ['paymentDate.gte', 'account.id']
export const refundNarrowers = ['refundDate.gte', 'payment.id', 'account.id']

export const refundFilters = filtersOf({
  ...shared,
  status: [words(refundStatuses), lookedFor('How it stands')],
  refundDate: ['date', 'When it was asked for'],
  'payment.id': ['text', 'The payment that it is of'],
  authorizationCode: ['text', lookedFor('By which its taker knows it')],
  'requestor.id': ['text', lookedFor('Who asked for it')],
  'channel.id': ['text', lookedFor('By which way it came')],
  'paymentMethod.id': ['text', lookedFor('A registered card, or as it was sent')],
  'paymentMethod.@type': ['text', lookedFor('As it is shown, also of what is by reference')],
  'totalAmount.unit': ['text', lookedFor('ISO 4217')],
  'totalAmount.value': ['number', lookedFor('Major units, as an exact decimal')]
})
