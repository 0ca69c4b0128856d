import type { Tx } from '../database/database.ts'
import { answerOnce, type OnceAnswer } from '../http/idempotency.commands.ts'
import type { Claim } from '../http/idempotency.store.ts'
import { newId } from '../id.ts'
import { lockAggregates, readClock, saveAggregates } from '../lifecycle/aggregate.store.ts'
import type { PaymentAggregate } from '../lifecycle/model.ts'
import { Problem } from '../problem.ts'
import type { Context } from '../service-context.ts'
import {
  findDiscrepancy,
  lockDiscrepancy,
  saveResolved,
  tellResolved
} from './discrepancy.store.ts'
import {
  type AskedResolution,
  checkResolution,
  type Decision,
  resolve,
  type StoredDiscrepancy,
  toDiscrepancyView
} from './discrepancy.ts'

export type Deciding = Decision & { resolution: AskedResolution; operator: { id: string } }

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
    if (aggregate === null) {
      await tellResolved(tx, found, decision)
    } else {
      const context = { now: await readClock(tx), newId }
      resolve(aggregate, found, decision, deps.refundApprovalAbove, context)
      await saveAggregates(tx, [aggregate], deps.providerName)
    }
    const resolvedAt = await saveResolved(tx, [id], decision)
    const resolved = { ...found, status: 'resolved', decision, resolvedAt } as const
    return { status: 200, body: JSON.stringify(toDiscrepancyView(resolved)) }
  })
  deps.wake('send_operations')
  return answer
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
