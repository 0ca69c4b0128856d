import { hash, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { batched } from '../database/batch.ts'
import { brandSuffix } from '../database/brand.ts'
import { type Db, statement, type Tx } from '../database/database.ts'
import { newId } from '../id.ts'
import type { Client } from './client.ts'

/** How every key begins, and no token. */
export const keyPrefix = 'opk_'

/** A key of 256 random bits. */
export function newApiKey(): string {
  return `${keyPrefix}${randomBytes(32).toString('base64url')}`
}

/** How many characters of a key are kept, to tell it from others. */
const prefixLength = keyPrefix.length + 8

export function hashKey(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}

/**
 * A client by one of its keys, and for how long the key is still good; `isUseDue`: whether its use
 * was last written down more than a minute ago.
 */
type KnownClient = { client: Client; expiresInMs: number; isUseDue: boolean }

const findClientsStatement = statement<
  Client & { hash: Buffer; expiresInMs: number | null; isUseDue: boolean }
>(`
  select api_key.hash, client.id, name, scopes, third_party as "thirdParty",
    return_origins as "returnOrigins",
    (extract(epoch from expires_at - now()) * 1000)::double precision as "expiresInMs",
    coalesce(last_used_at < now() - interval '1 minute', true) as "isUseDue"
  from api_key
  join client on client.id = client_id
  left join api_key_use on api_key_use.hash = api_key.hash
  where api_key.hash = any($1::bytea[]) and revoked_at is null
    and (expires_at is null or expires_at > now())`)

const readClient = batched<Buffer, KnownClient | undefined>({
  // The connections of its share are few, and for notifications too.
  ...{ atOnce: 1, slowAtOnce: 0 },
  run: async (db, hashes) => {
    const { rows } = await db.executeQuery(findClientsStatement(hashes))
    const found = new Map(
      rows.map(({ hash, expiresInMs, isUseDue, ...client }) => [
        hash.toString('latin1'),
        { client, expiresInMs: expiresInMs ?? Number.POSITIVE_INFINITY, isUseDue }
      ])
    )
    return hashes.map((hash) => found.get(hash.toString('latin1')))
  }
})

/** The client that a key belongs to, unless the key or the client is no longer valid. */
export async function findClient(db: Db, hash: Buffer): Promise<KnownClient | undefined> {
  return await readClient(db, hash)
}

const findBySubjectStatement = statement<Client & { subject: string }>(`
  select oauth_subject as subject, id, name, scopes, third_party as "thirdParty",
    return_origins as "returnOrigins"
  from client
  where oauth_subject = any($1::text[]) and revoked_at is null and oauth_subject is not null`)

const readBySubject = batched<string, Client | undefined>({
  ...{ atOnce: 1, slowAtOnce: 0 },
  run: async (db, subjects) => {
    const { rows } = await db.executeQuery(findBySubjectStatement(subjects))
    const found = new Map(rows.map(({ subject, ...client }) => [subject, client]))
    return subjects.map((subject) => found.get(subject))
  }
})

/** The client that the issuer knows as `subject`, unless it is revoked. */
export async function findClientBySubject(db: Db, subject: string): Promise<Client | undefined> {
  return await readBySubject(db, subject)
}

/** Writes down that a key was used now. */
export async function recordKeyUse(db: Db, hash: Buffer): Promise<void> {
  await sql`
    insert into api_key_use (hash, last_used_at) values (${hash}, now())
    on conflict (hash) do update set last_used_at = excluded.last_used_at
      where extract(epoch from excluded.last_used_at - api_key_use.last_used_at) > 60`.execute(db)
}

/** `oauthSubject`: what the issuer calls it; without one it comes with keys alone. */
export async function insertClient(
  tx: Tx,
  client: Omit<Client, 'id'> & { oauthSubject?: string | null }
): Promise<string> {
  const id = newId('cli')
  const { name, scopes, thirdParty, returnOrigins, oauthSubject = null } = client
  await sql`
    insert into client (id, name, scopes, third_party, return_origins, oauth_subject)
    values (${id}, ${name}, ${scopes}, ${thirdParty}, ${returnOrigins}, ${oauthSubject})
    `.execute(tx)
  return id
}

export async function insertKey(tx: Tx, clientId: string, key: string): Promise<void> {
  await tx
    .insertInto('api_key')
    .values({
      hash: hashKey(key),
      client_id: clientId,
      prefix: key.slice(0, prefixLength),
      expires_at: null
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** Keys without an end get one, `hours` from now by the database's clock; answers when it is. */
export async function expireKeys(tx: Tx, clientId: string, hours: number): Promise<Date> {
  const { rows } = await sql<{ until: Date }>`
    with expired as (
      update api_key set expires_at = now() + make_interval(hours => ${hours})
      where client_id = ${clientId} and expires_at is null
    )
    select now() + make_interval(hours => ${hours}) as until`.execute(tx)
  return (rows[0] as { until: Date }).until
}

/** False where it was revoked before. */
export async function revokeClient(tx: Tx, clientId: string): Promise<boolean> {
  const result = await tx
    .updateTable('client')
    .set({ revoked_at: sql`now()` })
    .where('id', '=', clientId)
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
  return result.numUpdatedRows === 1n
}

/** Every instance keeps clients for some seconds: at the commit of `tx` it forgets them. */
export async function announceClientChange(tx: Tx): Promise<void> {
  await sql`select pg_notify('client_changed' || ${sql.raw(brandSuffix)}, '')`.execute(tx)
}

/** Nobody else changes the client until the end of `tx`: what is read from now on stays so. */
export async function lockClient(tx: Tx, clientId: string): Promise<void> {
  await sql`select from client where id = ${clientId} for no key update`.execute(tx)
}

/** Changes what clients are asked to be, and nothing else of them. */
export async function updateClient(
  tx: Tx,
  client: Client & { oauthSubject: string | null }
): Promise<void> {
  const { id, name, scopes, thirdParty, returnOrigins, oauthSubject } = client
  await sql`
    update client set name = ${name}, scopes = ${scopes}, third_party = ${thirdParty},
      return_origins = ${returnOrigins}, oauth_subject = ${oauthSubject}
    where id = ${id}`.execute(tx)
}

/** Ends a key now; false where it had ended before. */
export async function endKey(tx: Tx, hash: Buffer): Promise<boolean> {
  const result = await tx
    .updateTable('api_key')
    .set({ expires_at: sql`now()` })
    .where('hash', '=', hash)
    .where((e) => e.or([e('expires_at', 'is', null), e('expires_at', '>', sql<Date>`now()`)]))
    .executeTakeFirst()
  return result.numUpdatedRows === 1n
}

/** A key as people know it; `prefix` is null where it was made before that was kept. */
export type ListedKey = {
  hash: Buffer
  clientId: string
  prefix: string | null
  createdAt: Date
  expiresAt: Date | null
  hasEnded: boolean
  lastUsedAt: Date | null
}

export type ListedClient = Client & {
  /** The `client_id` of its tokens; null: it comes with keys alone. */
  oauthSubject: string | null
  createdAt: Date
  revokedAt: Date | null
  keys: ListedKey[]
}

/** By id, or by the name of one that is not revoked, or else of the last that had it. */
export async function findClientByName(
  db: Db,
  nameOrId: string
): Promise<ListedClient | undefined> {
  const named = (await listClients(db)).filter(
    (one) => one.name === nameOrId || one.id === nameOrId
  )
  return named.find(({ revokedAt }) => revokedAt === null) ?? named.at(-1)
}

/** Every client with its keys, oldest first. */
export async function listClients(db: Db): Promise<ListedClient[]> {
  const clients = await db
    .selectFrom('client')
    .select([
      ...(['id', 'name', 'scopes', 'third_party as thirdParty'] as const),
      ...(['return_origins as returnOrigins', 'created_at as createdAt'] as const),
      ...(['revoked_at as revokedAt', 'oauth_subject as oauthSubject'] as const)
    ])
    .orderBy('id')
    .execute()
  const { rows: keys } = await sql<ListedKey>`
    select api_key.hash, client_id as "clientId", prefix, created_at as "createdAt",
      expires_at as "expiresAt", coalesce(expires_at <= now(), false) as "hasEnded",
      last_used_at as "lastUsedAt"
    from api_key left join api_key_use on api_key_use.hash = api_key.hash
    order by created_at, api_key.hash`.execute(db)
  const byClient = Map.groupBy(keys, ({ clientId }) => clientId)
  return clients.map((client) => ({ ...client, keys: byClient.get(client.id) ?? [] }))
}
