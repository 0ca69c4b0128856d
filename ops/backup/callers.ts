/**
 * The callers of a drill, until they are told to end (SIGTERM): three that pay one payment after the
 * other and look at the balance, one whose customers pay late, refunds among them, a reader of the
 * feed, and billing. What the service answers is noted; what it does not answer was never promised.
 */
import { setTimeout } from 'node:timers/promises'
import { createClient, type Payment } from '../../clients/typescript/src/index.ts'
import { note, owed } from './journal.ts'

const { API_URL = '', API_KEY = '', SIMULATOR_URL = '', TOLD = '' } = process.env
const api = createClient({ baseUrl: API_URL, key: API_KEY, retries: 0 })
/** What each payment pays, minor units. */
const paid = 500
/** How long a late customer takes, and a caller rests; ms. */
const [lateMs, restMs] = [8_000, 200]
const steady = ['30000001', '30000002', '30000003']
const late = '30000009'

process.once('SIGTERM', () => process.exit(0))

async function openAccount(accountId: string): Promise<void> {
  const amount = { currency: 'GBP' as const, value: owed }
  await api.put('/v1/accounts/{accountId}', {
    path: { accountId },
    body: { currency: 'GBP', name: 'A. Customer' }
  })
  await api.post('/v1/accounts/{accountId}/charges', {
    path: { accountId },
    body: { amount, reference: 'INV-1', dueAt: new Date().toISOString() }
  })
}

async function create(accountId: string): Promise<Payment> {
  const payment = await api.post('/v1/payments', {
    body: {
      accountId,
      amount: { currency: 'GBP', value: paid },
      channel: 'selfcare',
      returnUrl: 'https://pay.example/'
    }
  })
  note(TOLD, { payment })
  return payment
}

/** The customer pays at Adyen, which goes on whatever becomes of us. */
async function pay({ checkout }: Payment): Promise<void> {
  const session = new URL(checkout?.url ?? '').pathname.split('/').at(-1)
  await fetch(`${SIMULATOR_URL}/_simulator/sessions/${session}/pay`, { method: 'POST' })
}

async function untilCaptured({ id }: Payment): Promise<Payment> {
  const payment = await api.waitUntilFinished(id, { timeoutMs: 20_000 })
  note(TOLD, { payment })
  return payment
}

async function paySteadily(accountId: string): Promise<void> {
  const payment = await create(accountId)
  await pay(payment)
  await untilCaptured(payment)
  const account = await api.get('/v1/accounts/{accountId}', { path: { accountId } })
  note(TOLD, { account })
}

let count = 0

/** One of three is never paid, one of three is refunded in part. */
async function payLate(): Promise<void> {
  const turn = count++ % 3
  const payment = await create(late)
  if (turn === 0) return
  void payLater(payment, turn === 2).catch(ignore)
}

async function payLater(payment: Payment, isRefunded: boolean): Promise<void> {
  await setTimeout(lateMs)
  await pay(payment)
  const { id } = await untilCaptured(payment)
  if (!isRefunded) return
  const body = { amount: { currency: 'GBP' as const, value: paid / 5 }, reason: 'paid too much' }
  note(TOLD, { refund: await api.post('/v1/payments/{id}/refunds', { path: { id }, body }) })
}

let after: string | undefined

async function readFeed(): Promise<void> {
  for await (const { nextCursor } of api.feed({ waitS: 0, ...(after && { after }) })) {
    after = nextCursor
    note(TOLD, { after })
  }
}

async function post(): Promise<void> {
  const { data } = await api.get('/v1/postings', { query: { status: 'open', limit: 100 } })
  for (const { id } of data) {
    const body = { outcome: 'posted' } as const
    note(TOLD, {
      posting: await api.post('/v1/postings/{id}/acknowledgement', { path: { id }, body })
    })
  }
}

function ignore(): void {
  // No answer: nothing was promised.
}

async function keepOn(work: () => Promise<void>): Promise<never> {
  for (;;) {
    await work().catch(ignore)
    await setTimeout(restMs)
  }
}

for (const account of [...steady, late]) await openAccount(account)
await Promise.all([
  ...steady.map((account) => keepOn(() => paySteadily(account))),
  ...[payLate, readFeed, post].map(keepOn)
])
