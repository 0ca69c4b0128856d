import type { Db, Tx } from '../database/database.ts'
import { Problem } from '../problem.ts'
import {
  type Claim,
  claimKey,
  findKey,
  type KnownKey,
  type Reply,
  saveReply
} from './idempotency.store.ts'

/** `replayed`: another call has saved it; so of all calls under a key one has it unmarked. */
export type OnceAnswer = Reply & { replayed: boolean }
/** `resourceId`: what the request is about. */
type CallAnswer = OnceAnswer & { resourceId: string }

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

/**
 * Intent, call, outcome: for work that asks somebody else, which can't be one transaction. `begin`
 * writes the intent and its key in one statement, makes the call, and writes down what came of it
 * with the answer; it gives back a problem where nothing was written. A repetition gets the saved
 * answer, whatever has changed since. Where there is none yet, `resume` goes on with the resource
 * if nobody else is at it, or throws `idempotency_key_in_flight`.
 */
export async function callOnce(
  db: Db,
  claim: Claim,
  begin: () => Promise<CallAnswer | Problem>,
  resume: (resourceId: string) => Promise<OnceAnswer>
): Promise<CallAnswer> {
  const begun = await begin()
  if (!(begun instanceof Problem)) return begun
  const known = await findSame(db, claim)
  if (known === undefined) throw begun
  const { resourceId, reply } = known
  if (reply !== null) return { ...reply, resourceId, replayed: true }
  return { ...(await resume(resourceId)), resourceId }
}

async function findAnswer(db: Db, claim: Claim): Promise<OnceAnswer | undefined> {
  const known = await findSame(db, claim)
  if (known === undefined) return undefined
  if (known.reply !== null) return { ...known.reply, replayed: true }
  throw new Problem('idempotency_key_in_flight', 'The first request has not ended.', {
    retryAfterS: 1
  })
}

/** What is known of the key; throws where it was used for another request. */
async function findSame(db: Db, claim: Claim): Promise<KnownKey | undefined> {
  const known = await findKey(db, claim.clientId, claim.key)
  if (known === undefined || known.fingerprint.equals(claim.fingerprint)) return known
  throw new Problem('idempotency_key_reused', 'The first request with this key was another one.')
}
