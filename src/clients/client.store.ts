import { hash, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { type Db, statement, type Tx } from '../database/database.ts'
import { newId } from '../id.ts'
import type { Client } from './client.ts'

const keyPrefix = 'opk_'

/** A key of 256 random bits. */
export function newApiKey(): string {
  return `${keyPrefix}${randomBytes(32).toString('base64url')}`
}

export function hashKey(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}

/** A client by one of its keys, and for how long the key is still good. */
type KnownClient = { client: Client; expiresInMs: number }

const findClientStatement = statement<Client & { expiresInMs: number | null }>(`
  select client.id, name, scopes, third_party as "thirdParty", return_origins as "returnOrigins",
    (extract(epoch from expires_at - now()) * 1000)::double precision as "expiresInMs"
  from api_key join client on client.id = client_id
  where hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())`)

/** The client that a key belongs to, unless the key or the client is no longer valid. */
export async function findClient(db: Db, hash: Buffer): Promise<KnownClient | undefined> {
  const { rows } = await db.executeQuery(findClientStatement(hash))
  if (rows[0] === undefined) return undefined
  const { expiresInMs, ...client } = rows[0]
  return { client, expiresInMs: expiresInMs ?? Number.POSITIVE_INFINITY }
}

export async function insertClient(tx: Tx, client: Omit<Client, 'id'>): Promise<string> {
  const id = newId('cli')
  const { name, thirdParty, returnOrigins } = client
  await sql`
    insert into client (id, name, scopes, third_party, return_origins)
    values (${id}, ${name}, ${client.scopes}, ${thirdParty}, ${returnOrigins})`.execute(tx)
  return id
}

export async function insertKey(tx: Tx, clientId: string, key: string): Promise<void> {
  await tx
    .insertInto('api_key')
    .values({ hash: hashKey(key), client_id: clientId, expires_at: null })
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
  await sql`select pg_notify('client_changed', '')`.execute(tx)
}

export type ListedClient = Client & { createdAt: Date; revokedAt: Date | null }

export async function findClientByName(
  db: Db,
  nameOrId: string
): Promise<ListedClient | undefined> {
  return (await listClients(db)).find((one) => one.name === nameOrId || one.id === nameOrId)
}

export async function listClients(db: Db): Promise<ListedClient[]> {
  return await db
    .selectFrom('client')
    .select([
      ...(['id', 'name', 'scopes', 'third_party as thirdParty'] as const),
      ...(['return_origins as returnOrigins', 'created_at as createdAt'] as const),
      'revoked_at as revokedAt'
    ])
    .orderBy('id')
    .execute()
}
