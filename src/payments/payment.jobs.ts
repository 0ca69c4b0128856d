import { isUnavailable } from '../database.ts'
import { saveReply } from '../http/idempotency.store.ts'
import { delayAfter, moneyRetryForMs, providerRetryS } from '../jobs.ts'
import { Problem } from '../problem.ts'
import type { ProviderEvent } from '../provider.ts'
import { applyEvents } from './apply.commands.ts'
import { finishPage, type PaymentDeps, toReply } from './create-payment.commands.ts'
import { claimDuePages, claimEndedPages } from './page.store.ts'
import {
  claimDueReversals,
  type DueReversal,
  postponeReversal,
  recordReversalAccepted
} from './reversal.store.ts'

/** As many calls at once as the transport has sockets to spare for. */
const batchSize = 100

export type JobDeps = PaymentDeps & { onFault: (paymentId: string, error: unknown) => void }

/** Finishes creates that were interrupted, or whose outcome is not known. One round. */
export async function finishPages(deps: JobDeps): Promise<number> {
  const due = await claimDuePages(deps.db, deps.leaseS, batchSize)
  await Promise.all(
    due.map(async (page) => {
      const { id } = page.payment
      const place = { publicUrl: deps.publicUrl, instance: '/v1/payments', requestId: id }
      try {
        await finishPage(deps, page, { place, trace: undefined })
      } catch (error) {
        // Still unknown is no fault: the payment is due again.
        if (!(error instanceof Problem)) deps.onFault(id, error)
      }
    })
  )
  return due.length
}

/** Ends payments whose page ended without an outcome, or never opened. One round. */
export async function endPages({ db, provider }: JobDeps): Promise<number> {
  return await db.transaction().execute(async (tx) => {
    const ids = await claimEndedPages(tx, batchSize)
    if (ids.length === 0) return 0
    const events = ids.map((paymentId) => ({
      paymentId,
      event: { type: 'pageClosed', by: 'time' } as const
    }))
    const { books } = await applyEvents(tx, provider.name, events)
    for (const { payment } of books.values()) {
      // Its create was never answered: this is what a repetition gets.
      if (payment.providerSession !== null) continue
      await saveReply(tx, payment.clientId, payment.idempotencyKey, toReply(payment, provider.name))
    }
    return ids.length
  })
}

/** Sends reversals that are due to the provider, each under its first key. One round. */
export async function sendReversals(deps: JobDeps): Promise<number> {
  const due = await claimDueReversals(deps.db, deps.leaseS, batchSize)
  await Promise.all(
    due.map(async (reversal) => {
      try {
        await sendReversal(deps, reversal)
      } catch (error) {
        if (isUnavailable(error)) return
        deps.onFault(reversal.paymentId, error)
      }
    })
  )
  return due.length
}

async function sendReversal(deps: JobDeps, reversal: DueReversal): Promise<void> {
  const { db, provider } = deps
  const { id, paymentId, authorisation, providerKey: key, tries } = reversal
  const apply = async (event: ProviderEvent) => {
    await db.transaction().execute((tx) => applyEvents(tx, provider.name, [{ paymentId, event }]))
  }
  // A key is good for so long; what came of the reversal then is for a person to find out.
  if (reversal.triedForMs > moneyRetryForMs)
    return apply({ type: 'reversalUnknown', authorisation })
  const answer = await provider.reverse({ key, reversalId: id, authorisation })
  if (answer.outcome === 'done') {
    await recordReversalAccepted(db, id, answer.value.reference)
  } else if (answer.outcome === 'unknown') {
    await postponeReversal(db, id, delayAfter(providerRetryS, tries))
  } else {
    await apply({ type: 'reversalRefused', authorisation, by: null, reason: answer.reason })
  }
}
