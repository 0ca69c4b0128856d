import { sql } from 'kysely'
import { batched } from '../database/batch.ts'
import { type Db, statement } from '../database/database.ts'
import type { EventType } from '../payments/event.ts'
import { findPayments } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'

/** An event with what is needed to show it. */
export type FeedEvent = {
  position: number
  type: EventType
  eventId: string | null
  accountId: number | null
  sequence: number | null
  createdAt: Date
  data: Record<string, unknown>
  /** The payment as it was then; null for its first event, and for events of no payment. */
  then: unknown
  payment: Payment | null
}

type FeedRow = Omit<FeedEvent, 'payment'> & { paymentId: string | null }

/** What is shown of places `f`. */
const feedColumns = `f.position, f.type, f.event_id as "eventId", f.account_id as "accountId",
    f.sequence, f.payment_id as "paymentId", coalesce(e.created_at, o.created_at) as "createdAt",
    coalesce(e.data, o.data) as data, e.payment as then`

/** What stands there, each by its key: how many there are is not known when it is planned. */
const feedJoins = `left join lateral (select created_at, data, payment from payment_event
      where payment_id = f.payment_id and sequence = f.sequence offset 0) e on true
    left join lateral (select created_at, data from other_event
      where id = f.event_id offset 0) o on true`

export type FeedFilter = {
  /** Only what that client may see; null for everything. */
  clientId: string | null
  after: number
  limit: number
}

/**
 * A client's places are asked for by the two ends of what it may see, so that only the index that
 * has them in their order will do: of a client with few events the other one reads everybody's.
 */
const listFeedsStatement = statement<FeedRow & { n: number }>(`
  select n, ${feedColumns}
  from json_to_recordset($1) as x(n integer, client text, after bigint, most bigint)
  cross join lateral (
    (select * from event_feed where client is null and position > after
      order by position limit most)
    union all
    (select * from event_feed
      where (client_id, position) > (client, after) and client_id <= client
      order by client_id, position limit most)
  ) f
  ${feedJoins}
  order by n, f.position`)

const readFeed = batched<FeedFilter, FeedEvent[]>({
  // A page is up to a hundred events.
  max: 20,
  run: async (db, filters) => {
    const asked = filters.map(({ clientId: client, after, limit: most }, n) => {
      return { n, client, after, most }
    })
    const { rows } = await db.executeQuery(listFeedsStatement(JSON.stringify(asked)))
    const found: FeedEvent[][] = filters.map(() => [])
    const events = await withPayments(db, rows)
    for (const [place, { n }] of rows.entries()) found[n]?.push(events[place] as FeedEvent)
    return found
  }
})

/** Oldest first, after the position. */
export async function listFeed(db: Db, filter: FeedFilter): Promise<FeedEvent[]> {
  return await readFeed(db, filter)
}

/** Events by their positions, in any order. */
export async function findFeedEvents(db: Db, positions: readonly number[]): Promise<FeedEvent[]> {
  const { rows } = await sql<FeedRow>`
    select ${sql.raw(feedColumns)} from event_feed f ${sql.raw(feedJoins)}
    where f.position = any(${positions})`.execute(db)
  return await withPayments(db, rows)
}

async function withPayments(db: Db, rows: readonly FeedRow[]): Promise<FeedEvent[]> {
  const ids = [...new Set(rows.flatMap(({ paymentId }) => paymentId ?? []))]
  const found = ids.length === 0 ? [] : await findPayments(db, ids)
  const payments = new Map(found.map((payment) => [payment.id, payment]))
  return rows.map(({ paymentId, ...row }) => ({
    ...row,
    payment: paymentId === null ? null : (payments.get(paymentId) ?? null)
  }))
}
