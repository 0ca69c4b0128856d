import { readClock, type Tx } from '../database/database.ts'
import { answerOnce, type OnceAnswer } from '../http/idempotency.commands.ts'
import type { Claim } from '../http/idempotency.store.ts'
import { checkPrecondition } from '../http/precondition.ts'
import { newId } from '../id.ts'
import { lockAggregates, saveAggregates } from '../lifecycle/aggregate.store.ts'
import type { LifecycleContext, PaymentAggregate } from '../lifecycle/model.ts'
import { Problem } from '../problem.ts'
import type { Context } from '../service-context.ts'
import { findDiscrepancy, lockDiscrepancy } from './discrepancy.store.ts'
import {
  type AskedResolution,
  checkResolution,
  type Decision,
  type DiscrepancyKind,
  discrepancyETag,
  type OwnResolution,
  recordResolved,
  resolve,
  type StoredDiscrepancy,
  toDiscrepancyView
} from './discrepancy.ts'
import { lockOpen, saveResolved } from './resolution.store.ts'
import { publishResolved } from './unattached.store.ts'

type Deciding = Decision & { resolution: AskedResolution; operator: { id: string } }

/**
 * Does what was decided and writes the decision down, in one transaction: `discrepancy_not_found`,
 * `discrepancy_resolved`, `resolution_not_allowed`, and what a refund may be refused for.
 */
export async function resolveDiscrepancy(
  deps: Pick<Context, 'db' | 'providerName' | 'refundApprovalAbove' | 'wake'>,
  claim: Claim,
  id: string,
  decision: Deciding
): Promise<OnceAnswer> {
  const answer = await answerOnce(deps.db, claim, id, async (tx) => {
    const { aggregate, found } = await lockBoth(tx, id)
    if (found.status === 'resolved') {
      throw new Problem('discrepancy_resolved', `It was resolved: ${found.decision?.resolution}.`)
    }
    checkResolution(found.kind, decision.resolution)
    let refundId: string | null = null
    if (aggregate === null) {
      await publishResolved(tx, [found], decision)
    } else {
      const context = { now: await readClock(tx), newId }
      refundId = resolve(aggregate, found, decision, deps.refundApprovalAbove, context)
      await saveAggregates(tx, [aggregate], deps.providerName)
    }
    checkPrecondition(claim.precondition, discrepancyETag(found))
    await saveResolved(tx, [id], decision, refundId)
    const resolved = (await findDiscrepancy(tx, id)) as StoredDiscrepancy
    return { status: 200, body: JSON.stringify(toDiscrepancyView(resolved)) }
  })
  deps.wake('send_refunds')
  return answer
}

/**
 * Resolves what nobody has to decide any more about these facts; what a person has resolved stays
 * so. The events go into `aggregates`, which the caller has locked and saves.
 */
export async function resolveByItself(
  tx: Tx,
  kind: DiscrepancyKind,
  facts: readonly string[],
  resolution: OwnResolution,
  aggregates: ReadonlyMap<string, PaymentAggregate>,
  context: LifecycleContext
): Promise<void> {
  const open = facts.length === 0 ? [] : await lockOpen(tx, kind, facts)
  if (open.length === 0) return
  const decision = { resolution, reason: null, operator: null }
  for (const one of open) {
    const aggregate = aggregates.get(one.paymentId ?? '')
    if (aggregate !== undefined) recordResolved(aggregate, one, decision, context)
  }
  const unattached = open.filter(({ paymentId }) => paymentId === null)
  await publishResolved(tx, unattached, decision)
  const ids = open.map(({ id }) => id)
  await saveResolved(tx, ids, decision)
}

/** The payment first, as everybody who opens or closes discrepancies locks them. */
async function lockBoth(
  tx: Tx,
  id: string
): Promise<{ aggregate: PaymentAggregate | null; found: StoredDiscrepancy }> {
  const { paymentId = null } = (await findDiscrepancy(tx, id)) ?? {}
  const aggregates = paymentId === null ? undefined : await lockAggregates(tx, [paymentId])
  const found = await lockDiscrepancy(tx, id)
  if (found === undefined) {
    throw new Problem('discrepancy_not_found', 'No discrepancy has this id.')
  }
  return { aggregate: (paymentId !== null && aggregates?.get(paymentId)) || null, found }
}
