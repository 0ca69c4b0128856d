/** Deliveries and their attempts, as clients see them. */
import { sql } from 'kysely'
import type { Db } from '../database/database.ts'
import type { Attempt, Delivery, DeliveryStatus } from './webhook.ts'

/** Of a delivery `d` and its endpoint `e`: pending when the endpoint was disabled, so it failed. */
const isStopped = sql.raw("(d.status = 'pending' and d.term <> e.term)")

/** A delivery `d` of an endpoint `e`: what was pending when that was disabled has failed. */
export const deliveryColumns = sql`
  d.id, d.endpoint_id as "endpointId", d.event_id as "eventId", d.type,
  d.payment_id as "paymentId", case when ${isStopped} then 'failed' else d.status end as status,
  case when not ${isStopped} then d.next_attempt_at end as "dueAt", d.delivered_at as "deliveredAt",
  d.attempts_made as attempts, d.created_at as "createdAt"`

/** One at an endpoint of the client, which may be deleted by now. */
export async function findDelivery(
  db: Db,
  id: string,
  clientId: string
): Promise<Delivery | undefined> {
  const { rows } = await sql<Delivery>`
    select ${deliveryColumns}
    from webhook_delivery d join webhook_endpoint e on e.id = d.endpoint_id
    where d.id = ${id} and e.client_id = ${clientId}`.execute(db)
  return rows[0]
}

/** Oldest first. */
export async function listAttempts(db: Db, deliveryId: string): Promise<Attempt[]> {
  const { rows } = await sql<Attempt>`
    select number, started_at as "startedAt", duration_ms as "durationMs",
      http_status as "httpStatus", error, response
    from webhook_attempt where delivery_id = ${deliveryId} order by number`.execute(db)
  return rows
}

type DeliveryFilter = { status: DeliveryStatus | undefined; before: string | null; limit: number }

/** Newest first. */
export async function listDeliveries(
  db: Db,
  endpointId: string,
  { status, before, limit }: DeliveryFilter
): Promise<Delivery[]> {
  const ofStatus = status === undefined ? sql`` : hasStatus[status]
  const { rows } = await sql<Delivery>`
    select ${deliveryColumns}
    from webhook_delivery d join webhook_endpoint e on e.id = d.endpoint_id
    where d.endpoint_id = ${endpointId} ${ofStatus}
      and (${before}::text is null or d.id < ${before})
    order by d.id desc limit ${limit}`.execute(db)
  return rows
}

/** Written out, so that the index of those that are not delivered is of use. */
const hasStatus = {
  pending: sql`and d.status = 'pending' and d.term = e.term`,
  delivered: sql`and d.status = 'delivered'`,
  failed: sql`and d.status <> 'delivered' and (d.status = 'failed' or d.term <> e.term)`
}
