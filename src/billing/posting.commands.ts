import { readClock, type Tx } from '../database/database.ts'
import { openDiscrepancies } from '../discrepancies/open-discrepancies.commands.ts'
import { resolveByItself } from '../discrepancies/resolution.commands.ts'
import { answerOnce, type OnceAnswer } from '../http/idempotency.commands.ts'
import type { Claim } from '../http/idempotency.store.ts'
import { checkPrecondition, etagOf } from '../http/precondition.ts'
import { newId } from '../id.ts'
import { lockAggregates, saveAggregates } from '../lifecycle/aggregate.store.ts'
import { Problem } from '../problem.ts'
import type { Context } from '../service-context.ts'
import { lockPostings, saveAcknowledgements } from './posting.store.ts'
import {
  type Acknowledgement,
  acknowledge,
  type BillingPosting,
  rejectionOf,
  toPostingView
} from './posting.ts'

type Acknowledged = { posting: BillingPosting; said: Acknowledgement }

/** What the billing system made of a posting: said again, it changes nothing. */
export async function acknowledgePosting(
  { db, providerName }: Pick<Context, 'db' | 'providerName'>,
  claim: Claim,
  id: string,
  said: Acknowledgement
): Promise<OnceAnswer> {
  return await answerOnce(db, claim, id, async (tx) => {
    const [posting] = await lockPostings(tx, [id])
    if (posting === undefined) {
      throw new Problem('posting_not_found', 'No posting has this id.')
    }
    const known = etagOf(JSON.stringify(toPostingView(posting)))
    const [changed] = await acknowledgeAll(tx, providerName, [{ posting, said }])
    checkPrecondition(claim.precondition, known)
    return { status: 200, body: JSON.stringify(toPostingView(changed ?? posting)) }
  })
}

/**
 * Writes down what billing said of postings that are locked, each named once. A rejection is shown
 * to a person; what is posted after it closes that again. Answers those that it changed.
 */
export async function acknowledgeAll(
  tx: Tx,
  providerName: string,
  all: readonly Acknowledged[]
): Promise<BillingPosting[]> {
  const now = await readClock(tx)
  const changed = all.flatMap(({ posting, said }) => acknowledge(posting, said, now) ?? [])
  await saveAcknowledgements(tx, changed)
  const rejected = changed.filter(({ status }) => status === 'rejected').map(rejectionOf)
  await openDiscrepancies(tx, providerName, 'billing_rejected', rejected)
  const wasRejected = new Set(
    all.filter(({ posting }) => posting.status === 'rejected').map(({ posting }) => posting.id)
  )
  const mended = changed.filter(({ id }) => wasRejected.has(id))
  if (mended.length > 0) await closeRejections(tx, providerName, mended)
  return changed
}

/** What is posted now is settled, unless somebody has decided about it already. */
async function closeRejections(
  tx: Tx,
  providerName: string,
  posted: readonly BillingPosting[]
): Promise<void> {
  const paymentIds = new Set(posted.map(({ paymentId }) => paymentId))
  const aggregates = await lockAggregates(tx, [...paymentIds])
  const context = { now: await readClock(tx), newId }
  const ids = posted.map(({ id }) => id)
  await resolveByItself(tx, 'billing_rejected', ids, 'settled', aggregates, context)
  await saveAggregates(tx, [...aggregates.values()], providerName)
}
