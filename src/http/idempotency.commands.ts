import type { Db, Tx } from '../database/database.ts'
import { Problem } from '../problem.ts'
import { type Claim, claimKey, findKey, type Reply, saveReply } from './idempotency.store.ts'

export type OnceAnswer = Reply & { replayed: boolean }

/**
 * Does `work` once for a key, in one transaction with the claim of the key and the saved answer:
 * all of it exists or nothing does. A repetition gets the saved answer; where `work` throws, the
 * key is free again. `resourceId` is what the request is about.
 */
export async function answerOnce(
  db: Db,
  claim: Claim,
  resourceId: string,
  work: (tx: Tx) => Promise<Reply>
): Promise<OnceAnswer> {
  const known = await findAnswer(db, claim)
  if (known !== undefined) return known
  return await db.transaction().execute(async (tx) => {
    if (!(await claimKey(tx, claim, resourceId))) {
      return (await findAnswer(tx, claim)) as OnceAnswer
    }
    const reply = await work(tx)
    await saveReply(tx, claim.clientId, claim.key, reply)
    return { ...reply, replayed: false }
  })
}

async function findAnswer(db: Db | Tx, claim: Claim): Promise<OnceAnswer | undefined> {
  const known = await findKey(db, claim.clientId, claim.key)
  if (known === undefined) return undefined
  if (!known.fingerprint.equals(claim.fingerprint)) {
    throw new Problem('idempotency_key_reused', 'The first request with this key was another one.')
  }
  if (known.reply !== null) return { ...known.reply, replayed: true }
  throw new Problem('idempotency_key_in_flight', 'The first request has not ended.', {
    retryAfterS: 1
  })
}
