import { sql } from 'kysely'
import type { Tx } from '../database/database.ts'
import { newId } from '../id.ts'

/** Something that happened to no payment. `clientId`: whose it is; null for everybody's. */
export type OtherEvent = {
  type: string
  accountId: number | null
  clientId: string | null
  data: Record<string, unknown>
}

/** Writes down events that belong to no payment, and that they are to be announced. */
export async function recordOtherEvents(tx: Tx, events: readonly OtherEvent[]): Promise<void> {
  if (events.length === 0) return
  const rows = events.map((event) => ({ id: newId('evt'), ...event }))
  await sql`
    with written as (
      insert into other_event (id, type, account_id, client_id, data)
      select id, type, "accountId", "clientId", data
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as x(id text, type text, "accountId" integer, "clientId" text, data jsonb)
      returning id, created_at
    )
    insert into event_outbox (event_id, created_at)
    select id, created_at from written`.execute(tx)
}

/** Something that happened to a payment, with the payment as it is shown right after it. */
export type PaymentEvent = {
  paymentId: string
  sequence: number
  type: string
  data: Record<string, unknown>
  payment: object
  createdAt: Date
}

/**
 * Writes down events of payments, and that they are to be announced: in the order in which they are
 * written. Their own times are whole milliseconds, and may lie before an event of the same one.
 */
export async function recordPaymentEvents(tx: Tx, events: readonly PaymentEvent[]): Promise<void> {
  if (events.length === 0) return
  await sql`
    with written as (
      insert into payment_event (payment_id, sequence, type, data, payment, created_at)
      select "paymentId", sequence, type, data, payment, "createdAt"
      from jsonb_to_recordset(${JSON.stringify(events)}::jsonb)
        as x("paymentId" text, sequence integer, type text, data jsonb, payment jsonb,
          "createdAt" timestamptz)
      returning payment_id, sequence
    )
    insert into event_outbox (payment_id, sequence)
    select payment_id, sequence from written`.execute(tx)
}
