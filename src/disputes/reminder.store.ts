import { sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import type { ReminderDays } from './dispute.ts'

/** A dispute whose deadline is near. */
export type NearDeadline = { id: string; paymentId: string }

/** A deadline that moves by less is the same one: nobody is reminded of it again. */
const sameDeadlineMs = 24 * 60 * 60_000

/**
 * Those of whose deadline nobody was reminded yet, soonest first: `awaitsDefence` and
 * `findReminder`, as SQL has them. `only`: this one, if it is among them.
 */
export async function findNearDeadlines(
  db: Db,
  limit: number,
  only?: NearDeadline
): Promise<NearDeadline[]> {
  const { rows } = await sql<NearDeadline>`
    select d.id, d.payment_id as "paymentId" from dispute d
    where d.status = 'open' and d.defend_by > now() and d.defend_by <= now() + interval '168 hours'
      and case when d.stage = 'preArbitration' then 'preArbitrationDeclined' <> all(d.reported)
        else d.stage in ('informationRequest', 'notification', 'chargeback')
          and ('defended' <> all(d.reported) or d.stage <> 'informationRequest'
            and 'informationRequested' = any(d.reported)
            and not d.reported[:array_position(d.reported, 'defended')]
              && '{notified,openedWithChargeback,chargedBack}') end
      and not exists (select from dispute_reminder r where r.dispute_id = d.id
        and r.days = case when d.defend_by <= now() + interval '48 hours' then 2 else 7 end
        and d.defend_by <= r.defend_by + make_interval(secs => ${sameDeadlineMs / 1000}))
      and (${only?.id ?? null}::text is null or d.id = ${only?.id ?? null})
    order by d.defend_by, d.id limit ${limit}`.execute(db)
  return rows
}

/** Notes these reminders; answers the disputes of those that nobody had noted. */
export async function insertReminders(
  tx: Tx,
  reminders: ReadonlyArray<{ disputeId: string; days: ReminderDays; defendBy: Date | null }>
): Promise<Set<string>> {
  if (reminders.length === 0) return new Set()
  const asked = reminders.map((one) => {
    const { defendBy } = one
    return { ...one, later: defendBy && new Date(defendBy.getTime() - sameDeadlineMs) }
  })
  const { rows } = await sql<{ id: string }>`
    with asked as (
      select "disputeId", days, "defendBy", later
      from jsonb_to_recordset(${JSON.stringify(asked)}::jsonb) as x(
        "disputeId" text, days smallint, "defendBy" timestamptz, later timestamptz)
    ), noted as (
      insert into dispute_reminder (dispute_id, days, defend_by)
      select "disputeId", days, "defendBy" from asked
      on conflict do nothing returning dispute_id as id
    ), moved as (
      update dispute_reminder r set defend_by = "defendBy" from asked
      where r.dispute_id = "disputeId" and r.days = asked.days and r.defend_by < later
      returning r.dispute_id as id
    ) select id from noted union select id from moved`.execute(tx)
  return new Set(rows.map(({ id }) => id))
}
