/** What happens in each kind of story: what callers ask for, what customers and banks do. */
import type { Client, CreatePayment, Payment, Refund } from '../../clients/typescript/src/index.ts'
import type { Story } from './day.ts'

export type Tools = {
  api: Client
  /** `POST /_simulator/…` */
  simulate: (path: string, body?: unknown) => Promise<unknown>
  /** Where customers come back to. */
  returnUrl: string
  /** The reference of the charge that is paid. */
  invoice: string
}
type Play = (tools: Tools, story: Story) => Promise<unknown>

const agent = { id: 'agent-7', reason: 'The caller asked for it' }
const supervisor = { id: 'supervisor-2' }

async function create(tools: Tools, story: Story, more: Partial<CreatePayment> = {}) {
  const { accountId, channel, reference, currency, value } = story
  return await tools.api.post('/v1/payments', {
    idempotencyKey: `demo-${reference}`,
    body: {
      ...{ accountId, channel, reference, amount: { currency, value }, allowDuplicate: true },
      ...{ description: `Invoice ${tools.invoice}`, returnUrl: tools.returnUrl },
      ...(channel === 'agent' && { operator: agent }),
      ...more
    } as CreatePayment
  })
}

/** The simulator knows a page by the end of its address. */
const pageOf = ({ checkout }: Payment) => new URL(checkout?.url ?? '').pathname.split('/').at(-1)

async function pay(tools: Tools, story: Story, more: Partial<CreatePayment> = {}, holderName = '') {
  const payment = await create(tools, story, more)
  const kind = more.method === 'paymentLink' ? 'links' : 'sessions'
  await tools.simulate(`${kind}/${pageOf(payment)}/pay`, { holderName, number: cardOf(story) })
  return await until(tools, payment, ({ status }) => status !== 'pending')
}

const until = ({ api }: Tools, { id }: Payment, isDone: (payment: Payment) => boolean) =>
  api.waitUntilFinished(id, { until: isDone, timeoutMs: 10_000 })

const cards = ['4111 1111 1111 1111', '5555 5555 5555 4444', '4111 1111 1111 1111']
const cardOf = ({ reference }: Story) => cards[Number(reference.slice(5)) % cards.length] ?? ''

/** One attempt that the bank refuses; the customer may try again. */
async function refuse(tools: Tools, payment: Payment, holderName: string) {
  await tools.simulate(`sessions/${pageOf(payment)}/pay`, { holderName })
  await until(tools, payment, ({ failure }) => failure !== null)
}

const expire = (tools: Tools, payment: Payment) =>
  tools.simulate(`sessions/${pageOf(payment)}/expire`)

async function refund(tools: Tools, payment: Payment, part: number, reason: string) {
  const { currency, value } = payment.amount
  return await tools.api.post('/v1/payments/{id}/refunds', {
    path: { id: payment.id },
    body: {
      amount: { currency, value: Math.ceil(value * part) },
      reason,
      operator: { id: agent.id }
    }
  })
}

/** Above what needs an approval in the demo. */
const large = (story: Story): Story => ({ ...story, value: story.value + 5_000 })

async function decide(tools: Tools, story: Story, how: 'approval' | 'rejection') {
  const payment = await pay(tools, large(story))
  const { id }: Refund = await refund(tools, payment, 1, 'Paid twice by standing order')
  const asked = { path: { id }, body: { operator: supervisor } }
  if (how === 'approval') return await tools.api.post('/v1/refunds/{id}/approval', asked)
  return await tools.api.post('/v1/refunds/{id}/rejection', asked)
}

/** The bank's letters about a payment, one after the other. */
async function dispute(tools: Tools, story: Story, ...letters: readonly object[]) {
  const { provider } = await pay(tools, story)
  for (const letter of letters)
    await tools.simulate(`payments/${provider.reference}/dispute`, letter)
}

const capture = (tools: Tools, { id, amount }: Payment, part: number) =>
  tools.api.post('/v1/payments/{id}/captures', {
    path: { id },
    body: { amount: { ...amount, value: Math.ceil(amount.value * part) } }
  })

async function record({ api }: Tools, story: Story, outcome: 'captured' | 'refused') {
  const { accountId, currency, value, reference } = story
  await api.post('/v1/recorded-payments', {
    body: {
      ...{ accountId, reference, outcome, channel: 'ivr', amount: { currency, value } },
      processor: { name: 'ivr-platform', reference: `IVR-${reference}` },
      takenAt: new Date(Date.now() - 3_600_000).toISOString(),
      card: { brand: 'visa', lastFour: '4242' },
      ...(outcome === 'refused' && { failure: { code: 'insufficient_funds' } as const })
    }
  })
}

/** A card that the account saved before; none, where an earlier story was not told to its end. */
async function chargeCard(tools: Tools, story: Story) {
  const path = { accountId: story.accountId }
  for (let tries = 0; tries < 50; tries += 1) {
    const { data } = await tools.api.get('/v1/accounts/{accountId}/cards', { path })
    const [card] = data
    if (card) return create(tools, story, { method: 'registeredCard', registeredCardId: card.id })
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const announced = { eventCode: 'NOTIFICATION_OF_CHARGEBACK' }
const chargeback = { eventCode: 'CHARGEBACK' }
const inDays = (days: number) => new Date(Date.now() + days * 24 * 3_600_000).toISOString()

export const plays: Readonly<Record<string, Play>> = {
  paid: (tools, story) => pay(tools, story),
  savesCard: (tools, story) => pay(tools, story, { saveCard: 'always' }),
  link: (tools, story) => pay(tools, story, { method: 'paymentLink' }),
  linkWaits: (tools, story) => create(tools, story, { method: 'paymentLink' }),
  registered: chargeCard,
  recorded: (tools, story) => record(tools, story, 'captured'),
  recordedRefused: (tools, story) => record(tools, story, 'refused'),
  pending: (tools, story) => create(tools, story),
  refusedThenPaid: async (tools, story) => {
    const payment = await create(tools, story)
    await refuse(tools, payment, 'NOT_ENOUGH_BALANCE')
    await tools.simulate(`sessions/${pageOf(payment)}/pay`)
  },
  refused: async (tools, story) => {
    const payment = await create(tools, story)
    await refuse(tools, payment, 'DECLINED')
    await expire(tools, payment)
  },
  expired: async (tools, story) => expire(tools, await create(tools, story)),
  cancelled: async (tools, story) => {
    const { id } = await create(tools, story)
    await tools.api.post('/v1/payments/{id}/cancellation', {
      path: { id },
      body: { reason: 'Hung up' }
    })
  },
  authorised: (tools, story) => pay(tools, story, { capture: 'manual' }),
  captured: async (tools, story) =>
    capture(tools, await pay(tools, story, { capture: 'manual' }), 1),
  partlyCaptured: async (tools, story) =>
    capture(tools, await pay(tools, story, { capture: 'manual' }), 0.6),
  refunded: async (tools, story) => refund(tools, await pay(tools, story), 0.25, 'Goodwill'),
  refundFailed: async (tools, story) =>
    refund(tools, await pay(tools, story, {}, 'refund failed'), 0.2, 'Wrong account'),
  refundWaits: async (tools, story) =>
    refund(tools, await pay(tools, large(story)), 1, 'Paid twice'),
  refundApproved: (tools, story) => decide(tools, story, 'approval'),
  refundRejected: (tools, story) => decide(tools, story, 'rejection'),
  chargedBack: (tools, story) => dispute(tools, story, announced, chargeback),
  disputeAnnounced: (tools, story) =>
    dispute(tools, story, { ...announced, defensePeriodEndsAt: inDays(5) }),
  disputeAsked: (tools, story) => dispute(tools, story, { eventCode: 'REQUEST_FOR_INFORMATION' }),
  disputeWon: (tools, story) =>
    dispute(
      ...([tools, story, announced, chargeback, { eventCode: 'CHARGEBACK_REVERSED' }] as const),
      { eventCode: 'ISSUER_RESPONSE_TIMEFRAME_EXPIRED' }
    ),
  disputeLost: (tools, story) =>
    dispute(tools, story, chargeback, { eventCode: 'DISPUTE_DEFENSE_PERIOD_ENDED' }),
  fraudReported: (tools, story) => dispute(tools, story, { eventCode: 'NOTIFICATION_OF_FRAUD' }),
  paidAfterEnd: async (tools, story) => {
    const payment = await create(tools, story)
    await expire(tools, payment)
    await until(tools, payment, ({ status }) => status === 'expired')
    const late = { eventCode: 'AUTHORISATION', success: 'true', amount: payment.amount }
    const names = { pspReference: 'DEMOLATESUCCESS1', merchantReference: payment.id }
    await tools.simulate('webhooks', { items: [{ ...late, ...names }] })
  }
}
