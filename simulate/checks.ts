/** What must hold when all is quiet: seen from outside, and by the invariants of `npm run verify`. */
import { sql } from 'kysely'
import type { Db } from '../src/database/database.ts'
import { verify } from '../src/verify/verify.commands.ts'
import type { Receipt } from './receiver.ts'
import type { Site } from './site.ts'
import { differencesOf, readTruth, type Truth } from './truth.ts'
import { ask, type Body, call, control, insist, type World } from './world.ts'

/** All tables of due work have these columns. */
const dueTables = sql<{ name: string; leases: boolean }>`
  select c.table_name as name, bool_or(c.column_name = 'leased_until') as leases
  from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
  where c.table_schema = current_schema() and t.table_type = 'BASE TABLE'
    and c.column_name in ('next_attempt_at', 'leased_until')
  group by 1 having bool_or(c.column_name = 'next_attempt_at')`

const answeredWithinMs = 60_000

/** What is due within this time is due now: as if so much had passed. Longer waits are for pages. */
const passes = sql.lit('10 minutes')

/** Makes time pass for all due work, leases too, and has Adyen try again what it could not tell. */
export async function letTimePass(site: Site): Promise<void> {
  const { db } = site
  for (const { name, leases } of (await dueTables.execute(db)).rows) {
    const lease = sql`, leased_until = case when leased_until > now() then now()
      else leased_until end`
    // What the service has in hand is left to it: nobody waits for anybody.
    await sql`update ${sql.table(name)} set next_attempt_at = now() ${leases ? lease : sql``}
      where ctid = any(array(select ctid from ${sql.table(name)} where next_attempt_at > now()
        and next_attempt_at < now() + ${passes}::interval for update skip locked))`.execute(db)
  }
  await control({ group: site }, 'POST', 'flush')
}

/**
 * What has not come to its end, by the place of the history that it is of: first what waits, and
 * once nothing does, what is not as Adyen has it.
 */
export async function findUnsettled(
  site: Site,
  worlds: readonly World[]
): Promise<Map<number, string>> {
  const waiting = await findWaiting(site.db)
  if (waiting.length > 0) {
    const ofAccount = Map.groupBy(waiting, ({ account }) => account)
    return new Map(
      [...ofAccount].map(([account, all]) => {
        const place = worlds.findIndex((world) => world.account === account)
        return [Math.max(place, 0), all.map(({ what }) => `${what} waits`).join('\n')]
      })
    )
  }
  const truth = await readTruth({ group: site }, await findHeld(site.db))
  const unsettled = new Map<number, string>()
  await Promise.all(
    worlds.map(async (world, place) => {
      const differences = await differencesOfWorld(world, truth)
      if (differences.length > 0) unsettled.set(place, differences.join('\n'))
    })
  )
  return unsettled
}

async function paymentsOf(world: World): Promise<Body[] | undefined> {
  const key = world.group.keys.house
  const path = `/v1/payments?accountId=${world.account}&limit=100`
  const answer = await call(world, world.place, 'GET', path, { key })
  return answer?.status === 200 ? answer.body.data : undefined
}

async function differencesOfWorld(world: World, truth: Truth): Promise<string[]> {
  const payments = await paymentsOf(world)
  if (payments === undefined) return ['its payments cannot be read']
  return payments.flatMap((payment) => differencesOf(payment, truth))
}

/** What Adyen has and could not send back is shown to a person. */
async function findHeld(db: Db): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`
    select payment_id as id from discrepancy
    where kind = 'reversal_failed' and status = 'open'`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

/** Work that has not come to its end, and of which account it is. */
async function findWaiting(db: Db): Promise<Array<{ account: string; what: string }>> {
  const { rows } = await sql<{ account: string; what: string }>`
    select p.account_id::text as account, o.kind || ' ' || o.id as what
    from operation o join payment p on p.id = o.payment_id where o.status = 'requested'
    union all
    select coalesce(p.account_id::text, ''), 'notification ' || n.event_code || ' ' || n.status
    from notification n left join payment p on p.id = n.merchant_reference
    where n.status in ('received', 'waiting')
    union all
    select coalesce(p.account_id::text, ''), 'event'
    from event_outbox e left join payment p on p.id = e.payment_id
    union all
    select '', 'delivery ' || d.id from webhook_delivery d where d.status = 'pending'`.execute(db)
  return rows
}

/** Everything that was asked has its answer, and the same one again. */
export async function answerAll(world: World): Promise<void> {
  for (const asked of world.asked) {
    const giveUpAt = Date.now() + answeredWithinMs
    while (asked.answer === undefined) {
      insist(Date.now() < giveUpAt, `${asked.key} gets no answer`)
      await ask(world, asked, world.place)
      if (asked.answer === undefined) await new Promise((resolve) => setTimeout(resolve, 100))
    }
    await ask(world, asked, world.place + 1)
  }
}

/** What a history's caller sees: what was acknowledged is there, and the account has the money. */
export async function holdsOwn(world: World): Promise<void> {
  const payments = (await paymentsOf(world)) ?? []
  for (const { answer, path } of world.asked) {
    if (path !== '/v1/payments' || answer?.status !== 201) continue
    const same = payments.filter(({ id }) => id === answer.body.id)
    insist(same.length === 1, `an acknowledged payment is not there: ${answer.text}`)
  }
  const ours = payments.filter(({ method }) => method !== 'recorded')
  insist(
    ours.length <= world.payments.length,
    `${ours.length} payments, and ${world.payments.length} were asked for`
  )
  const { body } = (await call(world, world.place, 'GET', `/v1/accounts/${world.account}`, {
    key: world.group.keys.house
  })) as { body: Body }
  const kept = payments.reduce(
    (sum, one) => sum + one.amountCaptured - one.amountRefunded - one.amountChargedBack,
    0
  )
  const { credit, outstanding } = body.balance
  insist(
    credit.value - outstanding.value === kept - world.charged,
    `the balance is ${JSON.stringify(body.balance)}, paid ${kept}, charged ${world.charged}`
  )
}

/** The whole database, the feed and what was sent of it. `fail` is told of which history. */
export async function holdsAll(
  site: Site,
  worlds: readonly World[],
  fail: (place: number, what: string) => void
): Promise<Map<string, number>> {
  const places = await placesOf(site.db, worlds)
  const { broken } = await verify(site.db)
  for (const { name, ids } of broken) {
    for (const id of ids) fail(places.get(id) ?? 0, `${name}: ${id}`)
  }
  for (const text of site.wire.accepted) fail(0, `a forged notification was accepted: ${text}`)
  for (const instance of site.instances) {
    for (const line of instance.faults) fail(0, `an instance says ${line}`)
  }
  for (const client of ['house', 'third'] as const) {
    const feed = await readFeed(site, client)
    for (const { paymentId, what } of faultsOfFeed(feed, site.receiver.receiptsOf(client))) {
      fail(places.get(paymentId ?? '') ?? 0, `${client}: ${what}`)
    }
  }
  return await countAll(site.db)
}

/** What there is at the end, by what it is. */
async function countAll(db: Db): Promise<Map<string, number>> {
  const { rows } = await sql<{ what: string; count: number }>`
    select 'payment ' || status as what, count(*)::integer as count from payment group by 1
    union all select kind || ' ' || status, count(*)::integer from operation group by 1
    union all select 'notification ' || status, count(*)::integer from notification group by 1
    union all select 'discrepancy ' || kind, count(*)::integer from discrepancy group by 1
    union all select 'event', count(*)::integer from event_feed
    union all select 'delivery attempt', count(*)::integer from webhook_attempt`.execute(db)
  return new Map(rows.map(({ what, count }) => [what, count]))
}

async function placesOf(db: Db, worlds: readonly World[]): Promise<Map<string, number>> {
  const { rows } = await sql<{ id: string; account: string }>`
    select id, account_id::text as account from payment`.execute(db)
  const byAccount = new Map(worlds.map(({ account, place }) => [account, place]))
  return new Map([
    ...byAccount,
    ...rows.map((one) => [one.id, byAccount.get(one.account) ?? 0] as const)
  ])
}

type FeedEvent = { id: string; type: string; paymentId: string | null; sequence: number | null }

async function readFeed(site: Site, client: 'house' | 'third'): Promise<FeedEvent[]> {
  const all: FeedEvent[] = []
  for (let after = ''; ; ) {
    const path = `/v1/events?limit=100${after && `&after=${after}`}`
    const answer = await call({ group: site, client }, 0, 'GET', path)
    if (answer?.status !== 200) throw new Error(`no feed: ${answer?.text}`)
    const { data, nextCursor: next } = answer.body
    all.push(...data)
    if (data.length === 0) return all
    after = next
  }
}

/** Each event once, in order, and sent under one id until it was accepted, in order as well. */
function faultsOfFeed(feed: readonly FeedEvent[], receipts: readonly Receipt[]) {
  const faults: Array<{ paymentId: string | null; what: string }> = []
  const add = (paymentId: string | null, what: string) => faults.push({ paymentId, what })
  const last = new Map<string, number>()
  const ids = new Set<string>()
  for (const { id, paymentId, sequence } of feed) {
    if (ids.has(id)) add(paymentId, `${id} comes twice in the feed`)
    ids.add(id)
    if (paymentId === null || sequence === null) continue
    const before = last.get(paymentId) ?? 0
    if (sequence !== before + 1) add(paymentId, `event ${sequence} of it follows ${before}`)
    last.set(paymentId, sequence)
  }
  const messages = new Map<string, string>()
  const texts = new Map<string, string>()
  const told = new Map<string, number>()
  for (const { webhookId, event, text, accepted } of receipts) {
    if (event === undefined) {
      add(null, `a webhook without a right signature: ${text}`)
      continue
    }
    const { id, paymentId, sequence } = event
    const known = messages.get(id) ?? webhookId
    if (known !== webhookId) add(paymentId, `${id} was sent as ${known} and as ${webhookId}`)
    messages.set(id, webhookId)
    if ((texts.get(id) ?? text) !== text) add(paymentId, `${id} was sent in other words`)
    texts.set(id, text)
    if (!ids.has(id)) add(paymentId, `${id} was sent, and is none of the feed`)
    if (!accepted || paymentId === null || sequence === null) continue
    const before = told.get(paymentId) ?? 0
    if (sequence > before + 1) add(paymentId, `${sequence} was told before ${before + 1}`)
    told.set(paymentId, Math.max(before, sequence))
  }
  for (const { id, paymentId } of feed) if (!texts.has(id)) add(paymentId, `${id} was never sent`)
  return faults
}
