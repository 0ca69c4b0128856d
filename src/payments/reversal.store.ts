import { sql } from 'kysely'
import type { Db } from '../database.ts'

export type DueReversal = {
  id: string
  paymentId: string
  authorisation: string
  providerKey: string
  tries: number
  /** Since the first attempt, ms by the database's clock; 0 before it. */
  triedForMs: number
}

/** Takes reversals that are due, for `leaseS` seconds, and notes their first attempt. */
export async function claimDueReversals(
  db: Db,
  leaseS: number,
  limit: number
): Promise<DueReversal[]> {
  const { rows } = await sql<DueReversal>`
    update modification set due_at = now() + make_interval(secs => ${leaseS}), tries = tries + 1,
      first_tried_at = coalesce(first_tried_at, now())
    where id in (
      select id from modification where due_at <= now() and kind = 'reversal'
      order by due_at limit ${limit} for update skip locked
    ) returning id, payment_id as "paymentId", authorisation, provider_key as "providerKey", tries,
      (extract(epoch from now() - first_tried_at) * 1000)::double precision as "triedForMs"
    `.execute(db)
  return rows
}

/**
 * The provider took it; its outcome comes as a notification. Where none comes within a day it is
 * due again, to be told to a person.
 */
export async function recordReversalAccepted(db: Db, id: string, reference: string): Promise<void> {
  await sql`
    update modification set provider_reference = ${reference}, updated_at = now(),
      due_at = case when status = 'requested' then first_tried_at + interval '24 hours 1 minute' end
    where id = ${id}`.execute(db)
}

/** Whether it arrived is not known: it is due again in `delayS`, under the same key. */
export async function postponeReversal(db: Db, id: string, delayS: number): Promise<void> {
  await sql`
    update modification set due_at = now() + make_interval(secs => ${delayS})
    where id = ${id} and status = 'requested' and provider_reference is null`.execute(db)
}
