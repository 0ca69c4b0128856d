/** Pages that only register a card: wanted, opened, and what came of them. */
import { type Kysely, type RawBuilder, type Selectable, sql } from 'kysely'
import type { Database, Db, Tx } from '../database/database.ts'
import type { Claim, Reply } from '../http/idempotency.store.ts'
import type { Customer, HostedPage } from '../provider.ts'

export type RegistrationStatus = 'pending' | 'completed' | 'refused' | 'failed'

type RegistrationRow = Selectable<Database['card_registration']>

/** A registration whose page is to be asked for, by whoever has the lease. */
export type WantedRegistration = {
  id: string
  accountId: number
  currency: string
  customer: Customer | null
  expiresAt: Date
  providerKey: string
  attempts: number
}

function toWanted(row: RegistrationRow): WantedRegistration {
  return {
    id: row.id,
    accountId: row.account_id,
    currency: row.currency,
    customer: row.customer,
    expiresAt: row.expires_at,
    providerKey: row.provider_key,
    attempts: row.attempts
  }
}

/**
 * Writes key and intent in one statement, its lease held for `leaseS` seconds; the page lives for
 * `lifeS`. Undefined where the key is taken.
 */
export async function insertRegistration(
  db: Db,
  intent: Pick<WantedRegistration, 'id' | 'accountId' | 'currency' | 'customer' | 'providerKey'> & {
    returnUrl: string
  },
  { clientId, key, fingerprint }: Claim,
  { lifeS, leaseS }: { lifeS: number; leaseS: number }
): Promise<WantedRegistration | undefined> {
  const { id, accountId, currency, returnUrl, customer, providerKey } = intent
  const { rows } = await sql<RegistrationRow>`
    with claimed as (
      insert into idempotency_key (client_id, key, fingerprint, resource_id)
      values (${clientId}, ${key}, ${fingerprint}, ${id})
      on conflict (client_id, key) do nothing
      returning client_id, key, resource_id
    )
    insert into card_registration (id, client_id, idempotency_key, account_id, currency, return_url,
      customer, provider_key, expires_at, leased_until)
    select resource_id, client_id, key, ${accountId}::integer, ${currency}, ${returnUrl},
      ${customer && JSON.stringify(customer)}::jsonb, ${providerKey},
      -- Whole milliseconds, as the provider and the caller are told.
      date_trunc('milliseconds', now()) + make_interval(secs => ${lifeS}),
      now() + make_interval(secs => ${leaseS})
    from claimed
    returning *`.execute(db)
  return rows[0] && toWanted(rows[0])
}

/** Takes the registration, if it has neither page nor end and nobody is at it. */
export async function leaseRegistration(
  db: Db,
  id: string,
  leaseS: number
): Promise<WantedRegistration | undefined> {
  const row = await db
    .updateTable('card_registration')
    .set({ leased_until: sql`now() + make_interval(secs => ${leaseS})` })
    .where('id', '=', id)
    .where('provider_session', 'is', null)
    .where('status', '<>', 'failed')
    .where('leased_until', '<=', sql<Date>`now()`)
    .returningAll()
    .executeTakeFirst()
  return row && toWanted(row)
}

/** Ends the lease; the page is to be asked for under `key` the next time. */
export async function postponeRegistrationPage(db: Db, id: string, key: string): Promise<void> {
  await db
    .updateTable('card_registration')
    .set((e) => ({ leased_until: sql`now()`, provider_key: key, attempts: e('attempts', '+', 1) }))
    .where('id', '=', id)
    .where('provider_session', 'is', null)
    .execute()
}

/** Writes the page and the answer; false where another caller was first. */
export async function recordRegistrationPage(
  db: Db,
  id: string,
  { session, url }: HostedPage,
  reply: Reply
): Promise<boolean> {
  return await recordAnswer(
    db,
    id,
    reply,
    sql`provider_session = ${session}, checkout_url = ${url}`
  )
}

/** The provider refused to open the page: false where another caller was first. */
export async function recordRegistrationRejected(
  db: Db,
  id: string,
  reply: Reply
): Promise<boolean> {
  return await recordAnswer(db, id, reply, sql`status = 'failed', finished_at = now()`)
}

async function recordAnswer(
  db: Db,
  id: string,
  reply: Reply,
  changes: RawBuilder<unknown>
): Promise<boolean> {
  const { rows } = await sql`
    with answered as (
      update card_registration set ${changes}
      where id = ${id} and status <> 'failed' and provider_session is null
      returning client_id, idempotency_key
    )
    update idempotency_key k set reply_status = ${reply.status}, reply_body = ${reply.body}
    from answered where k.client_id = answered.client_id and k.key = answered.idempotency_key
    returning k.key`.execute(db)
  return rows.length === 1
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
    ) outcome
    where card_registration.id = outcome.id
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
export async function recordRegistrationReturn(tx: Tx, id: string): Promise<number | undefined> {
  const row = await tx
    .updateTable('card_registration')
    .set({ returned_at: sql`now()` })
    .where('id', '=', id)
    .where('returned_at', 'is', null)
    .returning('account_id')
    .executeTakeFirst()
  return row?.account_id
}
