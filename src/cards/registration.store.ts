/** Pages that only register a card: wanted, opened, and what came of them. */
import { type RawBuilder, sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import {
  type Claimed,
  claimIdle,
  type Held,
  type Lease,
  noLease,
  postpone,
  type Queue
} from '../due/due.store.ts'
import type { Claim, Reply } from '../http/idempotency.store.ts'
import type { Customer, HostedPage } from '../provider.ts'
import type { RegistrationOutcome } from './card-news.ts'
import type { Registration } from './registration.ts'

/** A registration whose page is to be asked for, by whoever has the lease. */
export type WantedRegistration = {
  id: string
  accountId: number
  currency: string
  customer: Customer | null
  expiresAt: Date
  providerKey: string
}

/** What the system that registers a card calls it. */
export type CardName = { name: string | null; description: string | null }

/** Registrations that have neither page nor end. */
export const registrations: Queue<Omit<WantedRegistration, 'expiresAt'> & { expires_at: Date }> = {
  table: 'card_registration',
  key: ['id'],
  read: sql`id, account_id as "accountId", currency, customer, expires_at,
    provider_key as "providerKey" from claimed`
}

/**
 * Writes key and intent in one statement; the caller holds `lease` for `leaseS` seconds, and the
 * page lives for `lifeS`. Answers when it ends; undefined where the key is taken.
 */
export async function insertRegistration(
  db: Db,
  intent: Omit<WantedRegistration, 'expiresAt'> & CardName & { returnUrl: string },
  { clientId, key, fingerprint }: Claim,
  { lifeS, leaseS, lease }: { lifeS: number; leaseS: number; lease: Lease }
): Promise<Date | undefined> {
  const { id, accountId, currency, returnUrl, customer, providerKey, name, description } = intent
  const leaseEnd = sql`now() + make_interval(secs => ${leaseS})`
  const { rows } = await sql<{ expires_at: Date }>`
    with claimed as (
      insert into idempotency_key (client_id, key, fingerprint, resource_id)
      values (${clientId}, ${key}, ${fingerprint}, ${id})
      on conflict (client_id, key) do nothing
      returning client_id, key, resource_id
    )
    insert into card_registration (id, client_id, idempotency_key, account_id, currency, return_url,
      customer, provider_key, expires_at, attempts, lease, leased_until, next_attempt_at, name,
      description)
    select resource_id, client_id, key, ${accountId}::integer, ${currency}, ${returnUrl},
      ${customer && JSON.stringify(customer)}::jsonb, ${providerKey},
      -- Whole milliseconds, as the provider and the caller are given.
      date_trunc('milliseconds', now()) + make_interval(secs => ${lifeS}),
      1, ${lease.id}::uuid, ${leaseEnd}, ${leaseEnd}, ${name}, ${description}
    from claimed
    returning expires_at`.execute(db)
  return rows[0]?.expires_at
}

/** Takes the registration, if it has neither page nor end and nobody is at it. */
export async function claimRegistration(
  db: Db,
  id: string,
  leaseS: number
): Promise<Claimed<WantedRegistration> | undefined> {
  const row = await claimIdle(db, registrations, [id], leaseS)
  return row && { ...row, expiresAt: row.expires_at }
}

/** The page is to be asked for again, under `key`. */
export async function postponeRegistrationPage(
  db: Db,
  registration: Held,
  key: string,
  delayS: number
): Promise<void> {
  await postpone(db, registrations, registration, delayS, sql`provider_key = ${key}`)
}

/** Writes the page and the answer; false where another caller was first. */
export async function recordRegistrationPage(
  db: Db,
  id: string,
  { session, url }: HostedPage,
  reply: Reply
): Promise<boolean> {
  const changes = sql`provider_session = ${session}, checkout_url = ${url}`
  return await recordAnswer(db, id, reply, changes)
}

/** The provider refused to open the page; false where another caller was first. */
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
      update card_registration set ${changes}, next_attempt_at = null, ${noLease}
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
  outcomes: readonly RegistrationOutcome[]
): Promise<void> {
  await sql`
    update card_registration
    set status = case when completed then 'completed' else 'refused' end, finished_at = now(),
      card_token = token
    from (
      select id, bool_or(completed) as completed, max(token) as token
      from jsonb_to_recordset(${JSON.stringify(outcomes)}::jsonb)
        as x(id text, completed boolean, token text)
      group by id
    ) outcome
    where card_registration.id = outcome.id
      and (status = 'pending' or (completed and status <> 'completed'))`.execute(tx)
}

/**
 * A registration of the account. `clientId`: only where it is that client's. `graceS`: for so long
 * after its page's end an outcome may be on its way.
 */
export async function findRegistration(
  db: Db,
  { id, accountId }: { id: string; accountId: number },
  clientId: string | null,
  graceS: number
): Promise<Registration | undefined> {
  const { rows } = await sql<Omit<Registration, 'status'> & StoredStatus>`
    select r.id, r.account_id as "accountId", r.status, r.checkout_url as "checkoutUrl",
      r.expires_at as "expiresAt", card.id as "registeredCardId",
      now() > r.expires_at as "isClosed",
      now() > r.expires_at + make_interval(secs => ${graceS}) as "isOver"
    from card_registration r
    left join card on card.account_id = r.account_id and card.token = r.card_token
      and card.removed_at is null
    where r.id = ${id} and r.account_id = ${accountId}
      and (${clientId}::text is null or r.client_id = ${clientId})`.execute(db)
  const [row] = rows
  if (row === undefined) return undefined
  const { status, isOver, isClosed, checkoutUrl, ...registration } = row
  return {
    ...registration,
    status: status === 'pending' && isOver ? 'expired' : status,
    checkoutUrl: isClosed ? null : checkoutUrl
  }
}
type StoredStatus = {
  status: Exclude<Registration['status'], 'expired'>
  isClosed: boolean
  isOver: boolean
}

/** Where the customer goes from the page in the end; undefined where there is no such page. */
export async function findReturnUrl(db: Db, id: string): Promise<string | undefined> {
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
