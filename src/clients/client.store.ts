import { hash, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { type Db, statement, type Tx } from '../database/database.ts'
import { newId } from '../id.ts'
import type { Client, Scope } from './client.ts'

const keyPrefix = 'opk_'

/** A key of 256 random bits. */
export function newApiKey(): string {
  return `${keyPrefix}${randomBytes(32).toString('base64url')}`
}

export function hashKey(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}

const findClientStatement = statement<{
  id: string
  name: string
  scopes: Scope[]
  third_party: boolean
  return_origins: string[]
  expires_in_ms: number | null
}>(`select client.id, name, scopes, third_party, return_origins,
      (extract(epoch from expires_at - now()) * 1000)::double precision as expires_in_ms
    from api_key join client on client.id = client_id
    where hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())`)

/** A client by one of its keys, and for how long the key is still good. */
export type KnownClient = { client: Client; expiresInMs: number }

/** The client that a key belongs to, unless the key or the client is no longer valid. */
export async function findClient(db: Db, hash: Buffer): Promise<KnownClient | undefined> {
  const { rows } = await db.executeQuery(findClientStatement(hash))
  const row = rows[0]
  if (row === undefined) return undefined
  const { id, name, scopes, third_party: thirdParty, return_origins: returnOrigins } = row
  return {
    client: { id, name, scopes, thirdParty, returnOrigins },
    expiresInMs: row.expires_in_ms ?? Number.POSITIVE_INFINITY
  }
}

export async function insertClient(tx: Tx, client: Omit<Client, 'id'>): Promise<string> {
  const id = newId('cli')
  await tx
    .insertInto('client')
    .values({
      id,
      name: client.name,
      scopes: [...client.scopes],
      third_party: client.thirdParty,
      return_origins: [...client.returnOrigins],
      revoked_at: null
    })
    .execute()
  return id
}

export async function insertKey(tx: Tx, clientId: string, key: string): Promise<void> {
  await tx
    .insertInto('api_key')
    .values({ hash: hashKey(key), client_id: clientId, expires_at: null })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** The keys of the client that have no end yet get one. */
export async function expireKeys(tx: Tx, clientId: string, at: Date): Promise<void> {
  await tx
    .updateTable('api_key')
    .set({ expires_at: at })
    .where('client_id', '=', clientId)
    .where('expires_at', 'is', null)
    .execute()
}

/** False where no client of that name or id is there to be revoked. */
export async function revokeClient(tx: Tx, clientId: string): Promise<boolean> {
  const result = await tx
    .updateTable('client')
    .set({ revoked_at: new Date() })
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
  const rows = await db.selectFrom('client').selectAll().orderBy('id').execute()
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    thirdParty: row.third_party,
    returnOrigins: row.return_origins,
    createdAt: row.created_at,
    revokedAt: row.revoked_at
  }))
}
