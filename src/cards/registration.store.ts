/** Pages that only register a card: wanted, opened, and what came of them. */
import { randomUUID } from 'node:crypto'
import { type Kysely, type Selectable, type SqlBool, sql } from 'kysely'
import type { Database, Db, Tx } from '../database/database.ts'
import type { Customer } from '../provider.ts'

export type RegistrationStatus = 'pending' | 'completed' | 'refused' | 'failed'

/** A registration whose page is to be asked for, by whoever has the lease. */
export type WantedRegistration = {
  id: string
  clientId: string
  idempotencyKey: string
  accountId: number
  currency: string
  customer: Customer | null
  expiresAt: Date
  providerKey: string
  tries: number
}

function toWanted(row: Selectable<Database['card_registration']>): WantedRegistration {
  return {
    id: row.id,
    clientId: row.client_id,
    idempotencyKey: row.idempotency_key,
    accountId: row.account_id,
    currency: row.currency,
    customer: row.customer,
    expiresAt: row.expires_at,
    providerKey: row.provider_key,
    tries: row.attempts
  }
}

/** Writes the intent down, its lease held for `leaseS` seconds; the page lives for `lifeS`. */
export async function insertRegistration(
  tx: Tx,
  intent: Omit<WantedRegistration, 'expiresAt' | 'tries'> & { returnUrl: string },
  { lifeS, leaseS }: { lifeS: number; leaseS: number }
): Promise<WantedRegistration> {
  const { customer } = intent
  const row = await tx
    .insertInto('card_registration')
    .values({
      id: intent.id,
      client_id: intent.clientId,
      idempotency_key: intent.idempotencyKey,
      account_id: intent.accountId,
      currency: intent.currency,
      return_url: intent.returnUrl,
      customer: customer && sql`${JSON.stringify(customer)}::jsonb`,
      // Whole milliseconds, as the provider and the caller are told.
      expires_at: sql`date_trunc('milliseconds', now()) + make_interval(secs => ${lifeS})`,
      provider_key: intent.providerKey,
      lease: randomUUID(),
      leased_until: sql`now() + make_interval(secs => ${leaseS})`
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  return toWanted(row)
}

/** Takes the registration, if it has neither page nor end and nobody is at it. */
export async function leaseRegistration(
  db: Db,
  id: string,
  leaseS: number
): Promise<WantedRegistration | undefined> {
  const row = await db
    .updateTable('card_registration')
    .set({ lease: randomUUID(), leased_until: sql`now() + make_interval(secs => ${leaseS})` })
    .where('id', '=', id)
    .where('provider_session', 'is', null)
    .where('status', '<>', 'failed')
    .where(sql<SqlBool>`(leased_until is null or leased_until <= now())`)
    .returningAll()
    .executeTakeFirst()
  return row && toWanted(row)
}

/** Lets go of the lease; `key` is what the page is to be asked for under the next time. */
export async function releaseRegistration(db: Db, id: string, key: string): Promise<void> {
  await db
    .updateTable('card_registration')
    .set((e) => ({
      lease: null,
      leased_until: null,
      provider_key: key,
      attempts: e('attempts', '+', 1)
    }))
    .where('id', '=', id)
    .where('provider_session', 'is', null)
    .execute()
}

export async function recordRegistrationPage(
  tx: Tx,
  id: string,
  page: { session: string; url: string }
): Promise<void> {
  await tx
    .updateTable('card_registration')
    .set({ provider_session: page.session, checkout_url: page.url })
    .where('id', '=', id)
    .where('provider_session', 'is', null)
    .execute()
}

/** The provider refused to open the page. */
export async function recordRegistrationFailed(tx: Tx, id: string): Promise<void> {
  await tx
    .updateTable('card_registration')
    .set({ status: 'failed', finished_at: sql`now()` })
    .where('id', '=', id)
    .where('status', '=', 'pending')
    .execute()
}

/**
 * What a customer's attempts came to. The page lets them try again, so that a success ends it
 * whatever was before, and a refusal only what was pending.
 */
export async function recordRegistrationOutcomes(
  tx: Tx,
  outcomes: ReadonlyArray<{ id: string; completed: boolean }>
): Promise<void> {
  await sql`
    update card_registration
    set status = case when completed then 'completed' else 'refused' end, finished_at = now()
    from (
      select id, bool_or(completed) as completed
      from jsonb_to_recordset(${JSON.stringify(outcomes)}::jsonb) as x(id text, completed boolean)
      group by id
    ) told
    where card_registration.id = told.id
      and (status = 'pending' or (completed and status <> 'completed'))`.execute(tx)
}

/** Where the customer goes from the page in the end; undefined where there is no such page. */
export async function findReturnUrl(db: Kysely<Database>, id: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('card_registration')
    .select('return_url')
    .where('id', '=', id)
    .executeTakeFirst()
  return row?.return_url
}

/** The customer is back: the account, where it is the first time; undefined later. */
export async function recordReturn(tx: Tx, id: string): Promise<number | undefined> {
  const row = await tx
    .updateTable('card_registration')
    .set({ returned_at: sql`now()` })
    .where('id', '=', id)
    .where('returned_at', 'is', null)
    .returning('account_id')
    .executeTakeFirst()
  return row?.account_id
}
