/** Deliveries that a client asks for: a test, one again, and those of all events of a time. */
import { sql } from 'kysely'
import type { Tx } from '../database/database.ts'
import { noLease } from '../due/due.store.ts'
import { eventId, wants } from './delivery.store.ts'
import { deliveryColumns } from './delivery-list.store.ts'
import type { Delivery } from './webhook.ts'

/** A delivery of an event that is in no feed. */
export async function insertTest(
  tx: Tx,
  endpointId: string,
  event: { id: string; type: string }
): Promise<Delivery> {
  const { rows } = await sql<Delivery>`
    with own as materialized (
      select id, term from webhook_endpoint where id = ${endpointId}
    ), d as (
      insert into webhook_delivery (endpoint_id, term, event_id, type)
      select id, term, ${event.id}, ${event.type} from own
      returning *
    )
    select ${deliveryColumns} from d join webhook_endpoint e on e.id = d.endpoint_id`.execute(tx)
  return rows[0] as Delivery
}

/** What a restart of a delivery sets, beside its times and the term of its endpoint. */
const restart = sql`status = 'pending', ${noLease}, attempts = 0, delivered_at = null`

/** Due at once, its time counted from now; one that is under way is left alone. */
export async function restartDelivery(tx: Tx, id: string): Promise<void> {
  await sql`
    update webhook_delivery d set ${restart}, next_attempt_at = now(), started_at = now(),
      term = e.term
    from webhook_endpoint e
    where d.id = ${id} and e.id = d.endpoint_id
      and not (d.lease is not null and d.leased_until > now() and d.term = e.term)`.execute(tx)
}

export type Range = { from: Date; to: Date }
/** Events of a time; `clientId`: only of that client's payments, or null for everybody's. */
type Replayed = { endpointId: string; clientId: string | null; range: Range }

/** Those that the endpoint wants; what is still to be announced is not among them. */
const wanted = ({ endpointId, clientId, range: { from, to } }: Replayed) => {
  // Written out, so that the events of one client are found by the index of its own.
  const ofClient = clientId === null ? sql`` : sql`and f.client_id = ${clientId}`
  return sql`
    select f.*, e.term from (
      select f.* from payment_event p
        join event_feed f on f.payment_id = p.payment_id and f.sequence = p.sequence
        where p.created_at >= ${from} and p.created_at < ${to} ${ofClient}
      union all
      select f.* from other_event o join event_feed f on f.event_id = o.id
        where o.created_at >= ${from} and o.created_at < ${to} ${ofClient}
    ) f
    cross join webhook_endpoint e join client c on c.id = e.client_id
    where e.id = ${endpointId} and ${wants}`
}

/** Whether more than `limit` events are to be replayed. */
export async function isMoreThan(tx: Tx, replayed: Replayed, limit: number): Promise<boolean> {
  const { rows } = await sql<{ count: number }>`
    select count(*) from (${wanted(replayed)} limit ${limit + 1}) as found`.execute(tx)
  return (rows[0]?.count ?? 0) > limit
}

/**
 * Makes the events of a time due at an endpoint, whatever became of them before, also those that
 * never were. Answers how many.
 */
export async function replayEvents(tx: Tx, replayed: Replayed): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    with wanted as (${wanted(replayed)}), due as (
      insert into webhook_delivery
        (endpoint_id, term, position, event_id, type, payment_id, sequence)
      select ${replayed.endpointId}, f.term, f.position, ${eventId}, f.type, f.payment_id,
        f.sequence
      from wanted f order by f.position
      on conflict (endpoint_id, position) do update set ${restart},
        next_attempt_at = excluded.next_attempt_at, started_at = excluded.started_at,
        term = excluded.term where not (webhook_delivery.lease is not null
          and webhook_delivery.leased_until > excluded.started_at
          and webhook_delivery.term = excluded.term)
    )
    select count(*) from wanted`.execute(tx)
  return rows[0]?.count ?? 0
}
