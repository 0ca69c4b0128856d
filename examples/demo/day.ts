/**
 * A day of payments of all kinds, the same on every machine: made through the API, and through the
 * simulator's control routes for what customers and banks do. What is there is not made again.
 */
import type { Channel, Client, Currency, Payment } from '../../clients/typescript/src/index.ts'
import { plays, type Tools } from './plays.ts'

/** How many of each kind; each is a name in `plays`. */
const plan: Readonly<Record<string, number>> = {
  ...{
    paid: 12,
    savesCard: 4,
    refusedThenPaid: 4,
    refused: 2,
    expired: 3,
    cancelled: 3,
    pending: 2
  },
  ...{ link: 6, linkWaits: 2, recorded: 4, recordedRefused: 1, authorised: 2, captured: 2 },
  ...{ partlyCaptured: 2, refunded: 3, refundFailed: 1, refundWaits: 2, refundApproved: 1 },
  ...{ refundRejected: 1, chargedBack: 1, disputeAnnounced: 1, disputeAsked: 1, disputeWon: 1 },
  ...{ disputeLost: 1, fraudReported: 1, paidAfterEnd: 1, registered: 5 }
}
const names = [
  ...['C. Customer', 'D. Subscriber', 'E. Household', 'F. Tenant', 'G. Traveller', 'H. Freelancer'],
  ...[
    'J. Student',
    'K. Landlord',
    'L. Workshop Ltd',
    'M. Bakery Ltd',
    'N. Musterkunde',
    'P. Okyakusama'
  ]
]
/** The last two accounts are kept in other currencies. */
const currencies: Readonly<Record<string, Currency>> = {
  'N. Musterkunde': 'EUR',
  'P. Okyakusama': 'JPY'
}
const firstAccount = 20_990_001
const atATime = 6
const dayMs = 24 * 3_600_000

export type Story = {
  kind: string
  reference: string
  accountId: string
  currency: Currency
  value: number
  channel: Channel
  dueInDays: number
}

/** Tells of its progress; answers how many payments it made. */
export async function makeDay(
  tools: Omit<Tools, 'invoice'>,
  hookUrl: string,
  tell: (line: string) => void
): Promise<number> {
  const { api } = tools
  const stories = writeStories()
  for (const [at, name] of names.entries()) {
    const path = { accountId: String(firstAccount + at) }
    await api.put('/v1/accounts/{accountId}', {
      path,
      body: { currency: currencies[name] ?? 'GBP', name }
    })
  }
  await subscribe(api, hookUrl)
  let made = 0
  const play = async (story: Story) => {
    if (await isThere(api, story)) return
    const invoice = await pushCharge(api, story)
    await plays[story.kind]?.({ ...tools, invoice }, story)
    made += 1
    if (made % 15 === 0) tell(`  ${made} of ${stories.length} payments`)
  }
  // A card is registered before it is charged.
  const [first, then] = [false, true].map((late) =>
    stories.filter(({ kind }) => (kind === 'registered') === late)
  )
  await eachOf(first ?? [], play)
  await eachOf(then ?? [], play)
  if (made > 0) await settle(tools)
  return made
}

/** Amounts, accounts and channels come from a generator that always begins alike (mulberry32). */
function writeStories(): Story[] {
  let state = 20_261_129
  const below = (most: number) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * most)
  }
  const kinds = Object.entries(plan)
    .flatMap(([kind, times]) => Array<string>(times).fill(kind))
    .map((kind) => ({ kind, place: below(1_000_000) }))
    .sort((a, b) => a.place - b.place)
    .map(({ kind }) => kind)
  const channelsOf = (kind: string): readonly Channel[] => {
    if (kind.startsWith('link')) return ['agent', 'ivr']
    return kind === 'registered' ? ['agent', 'ivr', 'selfcare'] : ['selfcare', 'selfcare', 'agent']
  }
  return kinds.map((kind, at) => {
    // Registered cards belong to those who saved one: `savesCard` is for the first accounts.
    const isCard = kind === 'savesCard' || kind === 'registered'
    const account = isCard ? at % 4 : below(names.length)
    const currency = currencies[names[account] ?? ''] ?? 'GBP'
    const channels = channelsOf(kind)
    return {
      ...{ kind, currency, reference: `DEMO-${String(at + 1).padStart(3, '0')}` },
      accountId: String(firstAccount + account),
      value: currency === 'JPY' ? 1_000 + 10 * below(500) : 1_000 + 5 * below(1_400),
      channel: channels[below(channels.length)] ?? 'selfcare',
      dueInDays: below(40) - 20
    }
  })
}

async function isThere(api: Client, { reference }: Story): Promise<boolean> {
  const { data } = await api.get('/v1/payments', { query: { reference, limit: 1 } })
  return data.length > 0
}

/** What the payment is for; every eighth is disputed by the customer, and one more stays open. */
async function pushCharge(api: Client, story: Story): Promise<string> {
  const { accountId, currency, value, dueInDays } = story
  const number = Number(story.reference.slice(5))
  const path = { accountId }
  const push = (reference: string, amount: number) =>
    api.post('/v1/accounts/{accountId}/charges', {
      path,
      body: {
        ...{ reference, amount: { currency, value: amount } },
        dueAt: new Date(Math.floor(Date.now() / dayMs + dueInDays) * dayMs).toISOString()
      }
    })
  const reference = `INV-${7000 + number}`
  // Pushed before by a day that was not made to its end.
  await push(reference, value).catch(() => {})
  if (number % 8 !== 0) return reference
  const { id: chargeId } = await push(`INV-${8000 + number}`, value + 400)
  const query = { path: { ...path, chargeId }, body: { inQuery: number % 16 === 0 } }
  await api.patch('/v1/accounts/{accountId}/charges/{chargeId}', query)
  return reference
}

/** One endpoint takes what it is sent; the other is not there, as its deliveries show. */
async function subscribe(api: Client, hookUrl: string): Promise<void> {
  const { data } = await api.get('/v1/webhook-endpoints')
  const wanted = [
    { url: hookUrl, description: 'Billing', events: ['payment.captured', 'refund.succeeded'] },
    {
      url: 'http://127.0.0.1:9/hook',
      description: 'Data warehouse (away)',
      events: ['dispute.opened', 'payment.refused']
    }
  ] as const
  for (const body of wanted) {
    if (data.some(({ description }) => description === body.description)) continue
    await api.post('/v1/webhook-endpoints', { body: { ...body, events: [...body.events] } })
  }
}

/** Adyen's report of the day, in which one payment has a minor unit too little. */
async function settle({ api, simulate }: Omit<Tools, 'invoice'>): Promise<void> {
  const query = { reference: 'DEMO-001', limit: 1 }
  const { data } = await api.get('/v1/payments', { query })
  const amount = data.flatMap(({ provider }: Payment) => provider.reference ?? [])
  await simulate('reports', { faults: { amount } })
}

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await work(next)
  }
  await Promise.all(Array.from({ length: atATime }, worker))
}
