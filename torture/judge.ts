/** What must hold once nothing is broken any more: nothing lost, nothing doubled, nothing stuck. */
import { setTimeout } from 'node:timers/promises'
import { sql } from 'kysely'
import { connect, type Db } from '../src/database/database.ts'
import { verify } from '../src/verify/verify.commands.ts'
import type { Ack } from './caller.ts'
import type { Ground } from './ground.ts'
import type { Load } from './load.ts'

export type Verdict = {
  /** A sentence for each thing that is wrong. */
  lost: string[]
  doubled: string[]
  broken: string[]
}

/** For how long it is looked at what was stuck, to tell late from never, ms. */
const lookForMs = 60_000

/** What is under way, by name: a statement that counts it. */
const underWay: Readonly<Record<string, string>> = {
  'creates without an answer': `select count(*) from idempotency_key where reply_status is null`,
  'notifications that are not applied': `
    select count(*) from notification where status not in ('applied', 'ignored')`,
  'operations without an outcome': `select count(*) from operation where status = 'requested'`,
  'returns from a page that nobody asked for': `
    select count(*) from page_return where next_attempt_at is not null`,
  'events without a place in the feed': 'select count(*) from event_outbox',
  'postings without a place': 'select count(*) from posting_outbox'
}

export type Settled = {
  /** From the end of the fault, s. */
  afterS: number
  /** What was not through within the time that was given. */
  stuck: string[]
}

/**
 * Nobody begins anything more; answers when all that has begun is through, and what of it was not
 * so many seconds after this was called.
 */
export async function settle(db: Db, load: Load, withinS: number): Promise<Settled> {
  const begun = performance.now()
  const look = async () => [
    ...load.unfinished().map(({ key, kind, step }) => `${key} (${kind}): ${step}`),
    ...(await findUnderWay(db))
  ]
  load.pause()
  let stuck: string[] | undefined
  for (;;) {
    const left = await look()
    const ms = performance.now() - begun
    if (left.length === 0) return { afterS: ms / 1_000, stuck: stuck ?? [] }
    if (ms > withinS * 1_000) stuck ??= left
    if (ms > withinS * 1_000 + lookForMs)
      return { afterS: ms / 1_000, stuck: left.map((one) => `${one}, still`) }
    await setTimeout(50)
  }
}

async function findUnderWay(db: Db): Promise<string[]> {
  const found: string[] = []
  for (const [name, text] of Object.entries(underWay)) {
    const { rows } = await sql<{ count: number }>`${sql.raw(text)}`.execute(db)
    if (Number(rows[0]?.count) > 0) found.push(`${rows[0]?.count} ${name}`)
  }
  return found
}

export const openDatabase = (ground: Ground): Db => connect(ground.ownerUrl, { max: 2 })

/** Looks at all that was acknowledged, at what Adyen has, and at the whole database. */
export async function judge(ground: Ground, load: Load, db: Db): Promise<Verdict> {
  const { broken, late } = await verify(db)
  return {
    lost: [
      ...(await findForgotten(load)),
      ...(await findMissing(load)),
      ...(await findLostMoney(load))
    ],
    doubled: [...(await findDoubled(db)), ...(await findDoubledAtAdyen(ground.simulatorUrl))],
    broken: [
      ...[...broken, ...late].map(({ name, count, ids }) => `${name}: ${count} (${ids.join(' ')})`),
      ...(await findFeedFaults(db, load)),
      ...load.stories.flatMap(({ key, fault }) => (fault === undefined ? [] : [`${key} ${fault}`]))
    ]
  }
}

/** Asked again under its key, all that was acknowledged is answered byte by byte as it was. */
async function findForgotten({ caller }: Load): Promise<string[]> {
  return await inTurns([...caller.acks], async ({ path, key, body, status, text }: Ack) => {
    const answer = await caller.ask('POST', path, { key, body }).catch(toText)
    if (typeof answer === 'string') return [answer]
    const isSame = answer.status === status && answer.text === text
    return isSame ? [] : [`${key} was ${status} ${text} and is ${answer.status} ${answer.text}`]
  })
}

/** Each payment is there with the money that went its way. */
async function findMissing({ caller, stories }: Load): Promise<string[]> {
  const known = stories.filter(({ paymentId }) => paymentId !== undefined)
  return await inTurns(known, async ({ paymentId, key, amount, captured, refunded }) => {
    const payment = await caller.read(`/v1/payments/${paymentId}`).catch(toText)
    if (typeof payment === 'string') return [payment]
    const [found, wanted] = [
      [payment.reference, payment.amount.value, payment.amountCaptured, payment.amountRefunded],
      [key, amount, captured, refunded]
    ].map((values) => values.join())
    return found === wanted ? [] : [`${paymentId} is ${found} and was ${wanted}`]
  })
}

/** The accounts have what their customers know to have paid. */
async function findLostMoney({ caller, stories, accountIds }: Load): Promise<string[]> {
  const finished = Object.groupBy(stories, ({ accountId }) => accountId)
  return await inTurns(accountIds, async (id) => {
    const account = await caller.read(`/v1/accounts/${id}`).catch(toText)
    if (typeof account === 'string') return [account]
    const { balance } = account
    const found = balance.credit.value - balance.outstanding.value
    const own = finished[id] ?? []
    const wanted = own.reduce((sum, { captured, refunded }) => sum + captured - refunded, 0)
    return found === wanted ? [] : [`account ${id} has ${found} and should have ${wanted}`]
  })
}

const twice: Readonly<Record<string, string>> = {
  'two payments for a key': 'select reference as id from payment',
  'two transfers for the same money': `
    select payment_id || ' ' || posting as id from ledger_transfer where payment_id is not null`,
  'two operations of a kind': `select payment_id || ' ' || kind as id from operation`
}

async function findDoubled(db: Db): Promise<string[]> {
  const found: string[] = []
  for (const [name, text] of Object.entries(twice)) {
    const { rows } = await sql<{ id: string }>`
      select id from (${sql.raw(text)}) one group by id having count(*) > 1`.execute(db)
    found.push(...rows.map(({ id }) => `${name}: ${id}`))
  }
  return found
}

type AtAdyen = {
  request: { reference: string }
  reference: string
  paymentPspReference: string
  kind: string
}

/** There is one page, one payment and one modification of a kind for what was asked for once. */
async function findDoubledAtAdyen(simulatorUrl: string): Promise<string[]> {
  const list = async (path: string, idOf: (one: AtAdyen) => string) => {
    const answer = await fetch(`${simulatorUrl}/_simulator/${path}`)
    const ids = ((await answer.json()) as AtAdyen[]).map(idOf)
    return findRepeated(ids).map((id) => `two ${path} at Adyen: ${id}`)
  }
  return [
    ...(await list('sessions', ({ request }) => request.reference)),
    ...(await list('links', ({ request }) => request.reference)),
    ...(await list('payments', ({ reference }) => reference)),
    ...(await list('modifications', (one) => `${one.paymentPspReference} ${one.kind}`))
  ]
}

/** Who reads the feed is given each event once, in the order that it has. */
async function findFeedFaults(db: Db, { feed }: Load): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select coalesce(event_id, payment_id || '.' || sequence) as id
    from event_feed order by position`.execute(db)
  const at = rows.findIndex(({ id }, place) => feed[place] !== id)
  const twice = findRepeated(feed).map((id) => `the feed told twice of ${id}`)
  if (at < 0 && feed.length === rows.length) return twice
  const counts = `${rows.length} events, ${feed.length} told`
  return [...twice, `the feed is not as it was read from place ${at} on (${counts})`]
}

function findRepeated(ids: readonly string[]): string[] {
  return [...Map.groupBy(ids, (id) => id)].flatMap(([id, all]) => (all.length > 1 ? [id] : []))
}

const toText = (error: Error) => error.message
const atOnce = 8

/** Looks at each, some at a time; answers what all looks have found. */
async function inTurns<T>(all: readonly T[], look: (one: T) => Promise<string[]>) {
  const found: string[] = []
  const left = all.values()
  const work = async () => {
    for (const one of left) found.push(...(await look(one)))
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return found
}
