import type { JobDeps } from '../checkout/checkout.jobs.ts'
import { isUnavailable } from '../database/database.ts'
import { delayAfter, moneyRetryForMs, providerRetryS } from '../jobs.ts'
import { applyEvents } from '../lifecycle/apply.commands.ts'
import {
  claimDueOperations,
  type DueOperation,
  postponeOperation,
  recordAccepted,
  stopAsking
} from '../lifecycle/operation.store.ts'
import type { Answer, OperationRequest, ProviderEvent } from '../provider.ts'

/** As many calls at once as the transport has sockets to spare for. */
export const operationBatchSize = 100

/** Asks the provider for what is due, each under its first key. One round. */
export async function sendOperations(deps: JobDeps): Promise<number> {
  const due = await claimDueOperations(deps.db, deps.leaseS, operationBatchSize)
  await Promise.all(
    due.map(async (operation) => {
      try {
        await sendModification(deps, operation)
      } catch (error) {
        if (isUnavailable(error)) return
        deps.onFault(operation.paymentId, error)
      }
    })
  )
  return due.length
}

async function sendModification(deps: JobDeps, due: DueOperation): Promise<void> {
  const { db } = deps
  const { id, link, attempts } = due
  // A key is good for so long; what came of the request then is for a person to find out.
  if (due.triedForMs > moneyRetryForMs) return await giveUp(deps, due)
  const answer = await ask(deps, due)
  // That we may not ask now says nothing of what an earlier try has done.
  const saysNothing = answer.outcome === 'rejected' && answer.access === true && attempts > 1
  if (answer.outcome === 'unknown' || saysNothing) {
    await postponeOperation(db, id, delayAfter(providerRetryS, attempts))
  } else if (answer.outcome === 'rejected') {
    await apply(deps, due, { type: 'operationRejected', id, reason: answer.reason })
  } else if (link !== null) {
    await apply(deps, due, { type: 'linkExpired' })
  } else if (answer.value !== null) {
    await recordAccepted(db, id, answer.value.reference)
  }
}

async function ask(
  { provider }: JobDeps,
  due: DueOperation
): Promise<Answer<{ reference: string } | null>> {
  return due.link === null
    ? await provider.requestOperation(toRequest(due))
    : await provider.expireLink(due.link)
}

function toRequest(due: DueOperation): OperationRequest {
  const {
    id,
    kind,
    paymentId,
    authorisationReference: authorisation,
    currency,
    amount: value
  } = due
  const shared = { key: due.providerKey, reference: id }
  if (kind === 'cancellation' && authorisation === null) {
    return { ...shared, kind, authorisationReference: authorisation, paymentId }
  }
  if (authorisation === null) throw new Error(`${kind} ${id} is about no authorisation`)
  return kind === 'capture' || kind === 'refund'
    ? { ...shared, kind, authorisationReference: authorisation, amount: { currency, value } }
    : { ...shared, kind, authorisationReference: authorisation }
}

async function giveUp({ db, provider }: JobDeps, { id, paymentId }: DueOperation) {
  await db.transaction().execute(async (tx) => {
    const event = { type: 'operationUnknown', id } as const
    await applyEvents(tx, provider.name, [{ paymentId, event }])
    await stopAsking(tx, id)
  })
}

async function apply(
  { db, provider }: JobDeps,
  { paymentId }: DueOperation,
  event: ProviderEvent
): Promise<void> {
  await db.transaction().execute((tx) => applyEvents(tx, provider.name, [{ paymentId, event }]))
}
