/** Customers who pay all the time, by whatever is broken meanwhile; and what they know of it. */
import { setTimeout } from 'node:timers/promises'
import { type Caller, createCaller } from './caller.ts'
import { type Ground, returnOrigin } from './ground.ts'

/** What a customer does, as the contact centre, selfcare and the IVR let them. */
const kinds = ['page', 'refund', 'link', 'cancellation', 'page', 'capture', 'refund'] as const
type Kind = (typeof kinds)[number]

export type Story = {
  kind: Kind
  /** What its create has as `reference`. */
  key: string
  accountId: string
  /** Minor units; no two have the same. */
  amount: number
  paymentId?: string
  /** What it waits for, and since when. */
  step: string
  /** What must be there in the end, minor units. */
  captured: number
  refunded: number
  isFinished: boolean
  /** An answer that it should not have had. */
  fault?: string
}

export type Load = {
  caller: Caller
  stories: Story[]
  accountIds: readonly string[]
  /** The ids of the events that a reader of the feed was given, in their order. */
  feed: string[]
  /** From a payment on Adyen's page until the API says so, ms, at most. */
  longestOutcomeMs(): number
  /** Nobody begins anything; who has begun goes on. */
  pause(): void
  resume(): void
  /** Those who have begun and are not through. */
  unfinished(): Story[]
  end(): Promise<void>
}

const callers = 10
const accounts = 30
/** Between two looks at a payment, and between two customers of a caller, ms. */
const lookAgainMs = 100
const restMs = 150
/** What the reader of the feed waits for, s. */
const feedWaitS = 2

export async function startLoad(ground: Ground): Promise<Load> {
  const caller = createCaller(ground.url, ground.apiKey)
  const accountIds = Array.from({ length: accounts }, (_, n) => String(20_000_000 + n))
  for (const id of accountIds) {
    await caller.ask('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' } })
  }
  const stories: Story[] = []
  let longestOutcomeMs = 0
  let [isPaused, isOver] = [false, false]
  const setPaused = (value: boolean) => {
    isPaused = value
  }

  const newStory = (): Story => {
    const n = stories.length
    const kind = kinds[n % kinds.length] as Kind
    const accountId = accountIds[n % accounts] as string
    const unique = { key: `torture-${n}`, amount: 1_000 + n }
    return {
      ...{ kind, ...unique, accountId, step: 'create' },
      ...{ captured: 0, refunded: 0, isFinished: false }
    }
  }
  // biome-ignore lint/suspicious/noExplicitAny: the contract says what it is.
  async function until(story: Story, step: string, isDone: (payment: any) => boolean) {
    story.step = step
    const begun = performance.now()
    while (!isDone(await caller.read(`/v1/payments/${story.paymentId}`))) {
      await setTimeout(lookAgainMs)
    }
    longestOutcomeMs = Math.max(longestOutcomeMs, performance.now() - begun)
  }

  async function live(story: Story): Promise<void> {
    const { kind, key, amount } = story
    const payment = await caller.post('/v1/payments', key, toCreate(story))
    const path = `/v1/payments/${payment.id}`
    story.paymentId = payment.id
    if (kind === 'cancellation') {
      story.step = 'cancel'
      await caller.post(`${path}/cancellation`, `${key}-cancel`, { reason: 'hung up' })
      return await until(story, 'is cancelled', ({ status }) => status === 'cancelled')
    }
    story.step = 'pay'
    await pay(payment.checkout.url)
    if (kind === 'capture') {
      await until(story, 'is authorised', ({ status }) => status === 'authorised')
      story.step = 'capture'
      await caller.post(`${path}/captures`, `${key}-capture`, {})
    }
    story.captured = amount
    await until(story, 'is captured', ({ amountCaptured }) => amountCaptured === amount)
    if (kind !== 'refund') return
    story.step = 'refund'
    const value = Math.floor(amount / 3)
    const refund = { amount: { currency: 'GBP', value }, reason: 'paid too much' }
    await caller.post(`${path}/refunds`, `${key}-refund`, refund)
    story.refunded = value
    await until(story, 'is refunded', ({ amountRefunded }) => amountRefunded === value)
  }

  async function keepPaying(): Promise<void> {
    for (; !isOver; await setTimeout(restMs)) {
      if (isPaused) continue
      const story = newStory()
      stories.push(story)
      try {
        await live(story)
      } catch (error) {
        story.fault = `${story.step}: ${error}`
      }
      story.isFinished = true
    }
  }

  const feed: string[] = []
  async function keepReading(): Promise<void> {
    let after = ''
    for (;;) {
      const query = `limit=100${after && `&after=${encodeURIComponent(after)}`}`
      const page = await caller.read(`/v1/events?${query}`, `wait=${feedWaitS}`)
      feed.push(...page.data.map(({ id }: { id: string }) => id))
      after = page.nextCursor
    }
  }

  const reading = keepReading().catch((error) => error)
  const ended = Promise.all([reading, ...Array.from({ length: callers }, keepPaying)])
  return {
    ...{ caller, stories, accountIds, feed },
    longestOutcomeMs: () => longestOutcomeMs,
    pause: () => setPaused(true),
    resume: () => setPaused(false),
    unfinished: () => stories.filter(({ isFinished }) => !isFinished),
    async end() {
      isOver = true
      caller.end()
      await ended
    }
  }
}

function toCreate({ kind, key, accountId, amount }: Story) {
  const asked = { accountId, amount: { currency: 'GBP', value: amount }, reference: key }
  if (kind === 'link') return { ...asked, channel: 'ivr', method: 'paymentLink' }
  const capture = kind === 'capture' ? { capture: 'manual' } : {}
  return { ...asked, ...capture, channel: 'selfcare', returnUrl: `${returnOrigin}/paid` }
}

/** By the form of Adyen's page, and back to where it leads: who does not get there has paid. */
async function pay(page: string): Promise<void> {
  const card = { number: '4111 1111 1111 1111', expiry: '03/30', cvc: '737', holderName: 'A. B.' }
  const answer = await fetch(page, {
    method: 'POST',
    body: new URLSearchParams(card),
    redirect: 'manual'
  })
  if (answer.status !== 303) throw new Error(`the page answered ${answer.status}`)
  const signal = AbortSignal.timeout(5_000)
  const next = new URL(answer.headers.get('location') as string, page)
  await fetch(next, { redirect: 'manual', signal }).catch(() => {})
}
