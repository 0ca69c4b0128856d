import type { JobDeps } from '../checkout/checkout.jobs.ts'
import { isUnavailable } from '../database/database.ts'
import { delayAfter, moneyRetryForMs, providerRetryS } from '../jobs.ts'
import { applyEvents } from '../lifecycle/apply.commands.ts'
import {
  claimDueModifications,
  type DueModification,
  postponeModification,
  recordAccepted,
  stopAsking
} from '../lifecycle/operation.store.ts'
import type { Answer, ModificationRequest, ProviderEvent } from '../provider.ts'

/** As many calls at once as the transport has sockets to spare for. */
export const modificationBatchSize = 100

/** Asks the provider for what is due, each under its first key. One round. */
export async function sendModifications(deps: JobDeps): Promise<number> {
  const due = await claimDueModifications(deps.db, deps.leaseS, modificationBatchSize)
  await Promise.all(
    due.map(async (modification) => {
      try {
        await sendModification(deps, modification)
      } catch (error) {
        if (isUnavailable(error)) return
        deps.onFault(modification.paymentId, error)
      }
    })
  )
  return due.length
}

async function sendModification(deps: JobDeps, due: DueModification): Promise<void> {
  const { db } = deps
  const { id, link, tries } = due
  // A key is good for so long; what came of the request then is for a person to find out.
  if (due.triedForMs > moneyRetryForMs) return await giveUp(deps, due)
  const answer = await ask(deps, due)
  // That we may not ask now says nothing of what an earlier try has done.
  const saysNothing = answer.outcome === 'rejected' && answer.access === true && tries > 1
  if (answer.outcome === 'unknown' || saysNothing) {
    await postponeModification(db, id, delayAfter(providerRetryS, tries))
  } else if (answer.outcome === 'rejected') {
    await apply(deps, due, { type: 'modificationRejected', id, reason: answer.reason })
  } else if (link !== null) {
    await apply(deps, due, { type: 'linkExpired' })
  } else if (answer.value !== null) {
    await recordAccepted(db, id, answer.value.reference)
  }
}

async function ask(
  { provider }: JobDeps,
  due: DueModification
): Promise<Answer<{ reference: string } | null>> {
  return due.link === null
    ? await provider.modify(toRequest(due))
    : await provider.expireLink(due.link)
}

function toRequest(due: DueModification): ModificationRequest {
  const { id, kind, paymentId, authorisation, currency, amount: value } = due
  const shared = { key: due.providerKey, reference: id }
  if (kind === 'cancellation' && authorisation === null) {
    return { ...shared, kind, authorisation, paymentId }
  }
  if (authorisation === null) throw new Error(`${kind} ${id} is about no authorisation`)
  return kind === 'capture' || kind === 'refund'
    ? { ...shared, kind, authorisation, amount: { currency, value } }
    : { ...shared, kind, authorisation }
}

async function giveUp({ db, provider }: JobDeps, { id, paymentId }: DueModification) {
  await db.transaction().execute(async (tx) => {
    const event = { type: 'modificationUnknown', id } as const
    await applyEvents(tx, provider.name, [{ paymentId, event }])
    await stopAsking(tx, id)
  })
}

async function apply(
  { db, provider }: JobDeps,
  { paymentId }: DueModification,
  event: ProviderEvent
): Promise<void> {
  await db.transaction().execute((tx) => applyEvents(tx, provider.name, [{ paymentId, event }]))
}
