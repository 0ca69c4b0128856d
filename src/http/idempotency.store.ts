import { hash } from 'node:crypto'
import { sql } from 'kysely'
import stringify from 'safe-stable-stringify'
import { batched } from '../database/batch.ts'
import { type Db, statement, type Tx } from '../database/database.ts'
import type { Precondition } from './precondition.ts'

/** An answer as it goes over the wire: JSON, kept byte for byte. */
export type Reply = { status: number; body: string }

/** Which request this is: whose, under which key, and what it says. */
export type Claim = {
  clientId: string
  key: string
  fingerprint: Buffer
  /** What the first request with the key supposes to be there. */
  precondition?: Precondition
}

export type KnownKey = {
  resourceId: string
  fingerprint: Buffer
  /** Null while the first request is under way. */
  reply: Reply | null
}

/**
 * SHA-256 of method, path and the parsed JSON, its members sorted: spacing and order don't matter.
 */
export function fingerprintOf(method: string, path: string, body: unknown): Buffer {
  return hash('sha256', `${method} ${path} ${stringify(body ?? null)}`, 'buffer')
}

const findKeysStatement = statement<{
  n: number
  resource_id: string
  fingerprint: Buffer
  reply_status: number | null
  reply_body: string | null
}>(`select n, resource_id, fingerprint, reply_status, reply_body
    from json_to_recordset($1) as x(n integer, client_id text, key text)
    join idempotency_key using (client_id, key)`)

const readKey = batched<Pick<Claim, 'clientId' | 'key'>, KnownKey | undefined>({
  run: async (db, keys) => {
    const asked = keys.map(({ clientId, key }, n) => ({ n, client_id: clientId, key }))
    const { rows } = await db.executeQuery(findKeysStatement(JSON.stringify(asked)))
    const found: Array<KnownKey | undefined> = keys.map(() => undefined)
    for (const row of rows) {
      const { n, resource_id: resourceId, fingerprint, reply_status: status } = row
      const reply = status === null ? null : { status, body: row.reply_body ?? '' }
      found[n] = { resourceId, fingerprint, reply }
    }
    return found
  }
})

export async function findKey(
  db: Db,
  clientId: string,
  key: string
): Promise<KnownKey | undefined> {
  return await readKey(db, { clientId, key })
}

/** Claims the key for a resource; false where it is taken. */
export async function claimKey(tx: Tx, claim: Claim, resourceId: string): Promise<boolean> {
  const { clientId, key, fingerprint } = claim
  const result = await tx
    .insertInto('idempotency_key')
    .values({
      client_id: clientId,
      key,
      fingerprint,
      resource_id: resourceId,
      reply_status: null,
      reply_body: null,
      next_attempt_at: null
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return result.numInsertedOrUpdatedRows === 1n
}

/** Saves the first answer; a later one changes nothing, and is false. */
export async function saveReply(
  tx: Tx,
  clientId: string,
  key: string,
  reply: Reply
): Promise<boolean> {
  const result = await tx
    .updateTable('idempotency_key')
    .set({
      reply_status: reply.status,
      reply_body: reply.body,
      next_attempt_at: null,
      lease: null,
      leased_until: null
    })
    .where('client_id', '=', clientId)
    .where('key', '=', key)
    .where('reply_status', 'is', null)
    .executeTakeFirst()
  return result.numUpdatedRows === 1n
}

/** Answered keys go when they are so old, at least 7 days. */
export async function purgeKeys(db: Db, keptForDays: number): Promise<number> {
  const result = await sql`
    delete from idempotency_key
    where ctid in (
      select ctid from idempotency_key
      where created_at < now() - make_interval(days => ${keptForDays}) and reply_status is not null
      limit 1000
    )`.execute(db)
  return Number(result.numAffectedRows ?? 0n)
}
