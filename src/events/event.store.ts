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
