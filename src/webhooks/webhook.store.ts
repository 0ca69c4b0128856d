import { sql } from 'kysely'
import { brandSuffix } from '../database/brand.ts'
import type { Db, Tx } from '../database/database.ts'
import type { DisabledReason, WebhookEndpoint } from './webhook.ts'

const shown = sql.raw(
  'id, client_id as "clientId", url, events, description, format, query, status, ' +
    'disabled_reason as "disabledReason", created_at as "createdAt"'
)

/** Any number: one endpoint of a client is made at a time. */
const endpointsLock = 7_240_015

/** How many a client has; no other is made until the end of `tx`. */
export async function countEndpoints(tx: Tx, clientId: string): Promise<number> {
  await sql`
    select pg_advisory_xact_lock(${endpointsLock},
      hashtext(${clientId} || ${sql.raw(brandSuffix)}))`.execute(tx)
  const { rows } = await sql<{ count: number }>`
    select count(*) from webhook_endpoint
    where client_id = ${clientId} and deleted_at is null`.execute(tx)
  return rows[0]?.count ?? 0
}

export type NewEndpoint = Omit<WebhookEndpoint, 'status' | 'disabledReason' | 'createdAt'> & {
  /** As it is kept. */
  secret: string
}

export async function insertEndpoint(tx: Tx, endpoint: NewEndpoint): Promise<WebhookEndpoint> {
  const { id, clientId, url, events, description, format, query, secret } = endpoint
  const { rows } = await sql<WebhookEndpoint>`
    insert into webhook_endpoint (id, client_id, url, events, description, format, query, secret)
    values (${id}, ${clientId}, ${url}, ${events}, ${description}, ${format}, ${query}, ${secret})
    returning ${shown}`.execute(tx)
  return rows[0] as WebhookEndpoint
}

const locks = { none: sql``, change: sql`for no key update`, keep: sql`for share` }

/**
 * One that is there and the client's own; locked until the end of the transaction to change it, or
 * so that nobody does. Only a change holds up those who announce events.
 */
export async function findEndpoint(
  db: Db,
  id: string,
  clientId: string,
  lock: keyof typeof locks = 'none'
): Promise<WebhookEndpoint | undefined> {
  const { rows } = await sql<WebhookEndpoint>`
    select ${shown} from webhook_endpoint
    where id = ${id} and client_id = ${clientId} and deleted_at is null
    ${locks[lock]}`.execute(db)
  return rows[0]
}

/** Newest first. */
export async function listEndpoints(
  db: Db,
  clientId: string,
  before: string | null,
  limit: number
): Promise<WebhookEndpoint[]> {
  const { rows } = await sql<WebhookEndpoint>`
    select ${shown} from webhook_endpoint
    where client_id = ${clientId} and deleted_at is null
      and (${before}::text is null or id < ${before})
    order by id desc limit ${limit}`.execute(db)
  return rows
}

/** A new term: what is pending so far is sent no more, and fails in the background. */
const stop = sql.raw('term = term + 1, stopped_at = now()')

/**
 * Writes what a client may change. Whoever enables an endpoint gives it all its time again; of one
 * that is disabled nothing more is sent, however much is pending.
 */
export async function saveEndpoint(tx: Tx, endpoint: WebhookEndpoint): Promise<void> {
  const { id, url, events, description, format, status, disabledReason } = endpoint
  const stops = sql`(status = 'enabled' and ${status} = 'disabled')`
  await sql`
    update webhook_endpoint set url = ${url}, events = ${events}, description = ${description},
      format = ${format}, status = ${status}, disabled_reason = ${disabledReason},
      failing_since = case when ${status} = status then failing_since end,
      term = term + ${stops}::integer,
      stopped_at = case when ${stops} then clock.at else stopped_at end
    from (select now() as at) as clock where id = ${id}`.execute(tx)
}

/** The secret so far signs beside the new one for `forS` seconds. False where it is not there. */
export async function rotateSecret(
  tx: Tx,
  { id, clientId, secret }: Pick<NewEndpoint, 'id' | 'clientId' | 'secret'>,
  forS: number
): Promise<boolean> {
  const { numAffectedRows } = await sql`
    update webhook_endpoint set old_secret = secret, secret = ${secret},
      old_secret_until = now() + make_interval(secs => ${forS})
    where id = ${id} and client_id = ${clientId} and deleted_at is null`.execute(tx)
  return numAffectedRows === 1n
}

type Kept = { id: string; secret: string | null; oldSecret: string | null }

/** Endpoints that have a secret which does not begin with `prefix`. */
export async function findNotSealed(db: Db, prefix: string, limit: number): Promise<Kept[]> {
  const { rows } = await sql<Kept>`
    select id, secret, old_secret as "oldSecret" from webhook_endpoint
    where not starts_with(secret, ${prefix}) or not starts_with(old_secret, ${prefix})
    limit ${limit}`.execute(db)
  return rows
}

/** Unless they were changed since. */
export async function replaceSecrets(
  db: Db,
  { id, secret, oldSecret }: Kept,
  after: Omit<Kept, 'id'>
): Promise<void> {
  await sql`
    update webhook_endpoint set secret = ${after.secret}, old_secret = ${after.oldSecret}
    where id = ${id} and secret = ${secret}
      and old_secret is not distinct from ${oldSecret}`.execute(db)
}

/** The ids of the keys that secrets are sealed with and that are not `known`. */
export async function findMissingKeys(db: Db, known: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select distinct split_part(kept, '.', 2) as id
    from webhook_endpoint cross join unnest(array[secret, old_secret]) as kept
    where starts_with(kept, 'sealed.') and split_part(kept, '.', 2) <> all(${known})`.execute(db)
  return rows.map(({ id }) => id)
}

/** Its row stays, for the history of its deliveries; its secrets do not. */
export async function deleteEndpoint(tx: Tx, id: string, clientId: string): Promise<void> {
  await sql`
    update webhook_endpoint set deleted_at = now(), status = 'disabled',
      disabled_reason = coalesce(disabled_reason, 'client'), secret = null, old_secret = null,
      ${stop}
    where id = ${id} and client_id = ${clientId} and deleted_at is null`.execute(tx)
}

/** `failing`: whether the last attempt failed. Notes the first failure after a success only. */
export async function noteFailing(db: Db, id: string, failing: boolean): Promise<void> {
  await sql`
    update webhook_endpoint set failing_since = case when ${failing}::boolean then clock.at end
    from (select now() as at) as clock
    where id = ${id} and (failing_since is null) = ${failing}::boolean`.execute(db)
}

/**
 * Disables an endpoint; `failingForS`: only where nothing but failures came for so long. Answers
 * whose it is, where this has disabled it.
 */
export async function disableEndpoint(
  tx: Tx,
  id: string,
  reason: DisabledReason,
  failingForS: number | null
): Promise<{ clientId: string } | undefined> {
  const { rows } = await sql<{ clientId: string }>`
    update webhook_endpoint set status = 'disabled', disabled_reason = ${reason}, ${stop}
    where id = ${id} and status = 'enabled' and (${failingForS}::double precision is null
      or failing_since <= now() - make_interval(secs => ${failingForS}::double precision))
    returning client_id as "clientId"`.execute(tx)
  return rows[0]
}

/**
 * Disables what clients have that were revoked, and takes it for their own wish: nobody is left who
 * could mend an endpoint that fails, or delete it.
 */
export async function disableRevoked(db: Db): Promise<void> {
  await sql`
    update webhook_endpoint e set status = 'disabled', disabled_reason = 'client', ${stop}
    from client c
    where c.id = e.client_id and c.revoked_at is not null
      and (e.status = 'enabled' or e.disabled_reason <> 'client')`.execute(db)
}
