/** Discrepancies of no payment: their events are everybody's. */
import { sql } from 'kysely'
import type { Tx } from '../database/database.ts'
import { recordOtherEvents } from '../events/event.store.ts'
import { newId } from '../id.ts'
import { type Decision, type DiscrepancyKind, type Identified, toEventData } from './discrepancy.ts'

/** Opens what was found of no payment of ours. */
export async function openUnattached(
  tx: Tx,
  found: ReadonlyArray<{ kind: DiscrepancyKind; fact: string; details: object }>
): Promise<void> {
  if (found.length === 0) return
  const rows = found.map(({ kind, fact, details }) => ({ id: newId('dis'), kind, fact, details }))
  await sql`
    insert into discrepancy (id, kind, fact, details)
    select id, kind, fact, details from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as x(id text, kind text, fact text, details jsonb)`.execute(tx)
  const opened = rows.map(({ id, kind, details }) => ({ id, kind, details }))
  await publish(tx, 'discrepancy.opened', opened)
}

export async function publishResolved(
  tx: Tx,
  found: readonly Identified[],
  decision: Decision
): Promise<void> {
  const resolved = found.map((one) => toEventData(one, decision))
  await publish(tx, 'discrepancy.resolved', resolved)
}

async function publish(tx: Tx, type: string, all: readonly object[]): Promise<void> {
  const none = { accountId: null, clientId: null }
  await recordOtherEvents(
    tx,
    all.map((discrepancy) => ({ type, ...none, data: { discrepancy } }))
  )
}
