import { isUnavailable } from '../database/database.ts'
import { moneyRetryForMs } from '../jobs.ts'
import { applyEvents } from '../lifecycle/apply.commands.ts'
import { openDiscrepancies } from '../lifecycle/open-discrepancies.commands.ts'
import { Problem } from '../problem.ts'
import { giveUp, payByCard, sendReturn } from './card-payment.commands.ts'
import {
  claimDueCardPayments,
  claimDueCreates,
  claimDueLinks,
  claimDuePageResults,
  claimEndedPages,
  type DueCardPayment,
  type DueLink,
  type DuePageResult,
  findForgottenReservations,
  postponeLook,
  postponePageResult,
  recordReportedPaid,
  removePageResults,
  type UnansweredReturn
} from './checkout.store.ts'
import { finishCreate } from './create.commands.ts'
import { type CheckoutDeps, recordOutcome, saveAnswer, toReply } from './outcome.commands.ts'
import { recordPageResult } from './return.commands.ts'
import { isOver, nextLinkLookS, nextReturnAskS, reservationMaxS } from './schedule.ts'

/** As many calls at once as the transport has sockets to spare for. */
const batchSize = 100

export type JobDeps = CheckoutDeps & { onFault: (paymentId: string, error: unknown) => void }

/** Finishes creates that were interrupted, or whose outcome is not known. One round. */
export async function finishCreates(deps: JobDeps): Promise<number> {
  const due = await claimDueCreates(deps.db, deps.leaseS, batchSize)
  return await forEach(
    deps,
    due,
    ({ payment }) => payment.id,
    async (create) => {
      await finishCreate(deps, create, callerOf(deps, create.payment.id))
    }
  )
}

/** Ends payments whose page ended without an outcome, or never opened. One round. */
export async function endPages(deps: JobDeps): Promise<number> {
  const { db, provider } = deps
  return await db.transaction().execute(async (tx) => {
    const ids = await claimEndedPages(tx, batchSize)
    if (ids.length === 0) return 0
    const event = { type: 'pageClosed', by: 'time' } as const
    const events = ids.map((paymentId) => ({ paymentId, event }))
    const { aggregates } = await applyEvents(tx, provider.name, events)
    for (const { payment } of aggregates.values()) {
      // Its create was never answered: this is what a repetition gets.
      if (payment.providerSession !== null) continue
      await saveAnswer(tx, payment, toReply(deps, payment))
    }
    const unanswered = (await removePageResults(tx, ids)).map(toFinding)
    await openDiscrepancies(tx, provider.name, 'outcome_unknown', unanswered)
    return ids.length
  })
}

/** The customer came back with a result, and the provider never said what it was. */
function toFinding({ paymentId, returnedAt, attempts }: UnansweredReturn) {
  const details = { returnedAt: returnedAt.toISOString(), askedAgain: attempts }
  return { paymentId, fact: paymentId, details }
}

/** Asks again what became of pages whose customers came back. One round. */
export async function askForPageResults(deps: JobDeps): Promise<number> {
  const due = await claimDuePageResults(deps.db, deps.leaseS, batchSize)
  return await forEach(
    deps,
    due,
    ({ paymentId }) => paymentId,
    (one) => askForPageResult(deps, one)
  )
}

async function askForPageResult(deps: JobDeps, due: DuePageResult): Promise<void> {
  const { db, leaseS } = deps
  const { paymentId: id, session, sessionResult, amount, attempts, endsInS } = due
  const isKnown =
    !due.isPending ||
    (await recordPageResult(deps, { id, amount }, session, sessionResult, leaseS * 1000))
  if (isKnown) await removePageResults(db, [id])
  else await postponePageResult(db, id, nextReturnAskS(attempts, endsInS))
}

/**
 * Shows reservations that were neither captured nor released for longer than the provider keeps
 * them: it was to report that they expired. One round.
 */
export async function showForgottenReservations({ db, provider }: JobDeps): Promise<number> {
  return await db.transaction().execute(async (tx) => {
    const found = await findForgottenReservations(tx, reservationMaxS, batchSize)
    const findings = found.map(
      ({ paymentId, authorisationReference: authorisation, authorisedAt }) => ({
        paymentId,
        fact: authorisation,
        details: { authorisation, authorisedAt: authorisedAt.toISOString() }
      })
    )
    await openDiscrepancies(tx, provider.name, 'outcome_unknown', findings)
    return found.length
  })
}

/** Asks what became of payment links. One round. */
export async function pollLinks(deps: JobDeps): Promise<number> {
  const due = await claimDueLinks(deps.db, deps.leaseS, batchSize)
  return await forEach(
    deps,
    due,
    ({ id }) => id,
    (link) => pollLink(deps, link)
  )
}

/** A link that was paid is never ended by time: the money will be reported, or looked for. */
async function pollLink(deps: JobDeps, link: DueLink): Promise<void> {
  const { db, provider } = deps
  const { id, session, endsInS } = link
  if (link.isReportedPaid) return await endLink(deps, id, 'paidWithoutReference')
  if (session === null && isOver(endsInS)) return await endLink(deps, id, 'linkExpired')
  const status = session === null ? 'unknown' : await provider.findLinkStatus(session)
  if (status === 'expired') await endLink(deps, id, 'linkExpired')
  else if (status === 'paid') await recordReportedPaid(db, id)
  else await postponeLook(db, id, nextLinkLookS(endsInS))
}

async function endLink(
  deps: JobDeps,
  id: string,
  type: 'paidWithoutReference' | 'linkExpired'
): Promise<void> {
  await recordOutcome(deps, id, { type }, { isFinal: true })
}

/** Asks again what became of card payments, and of what customers brought back from 3-D Secure. */
export async function askForCardPayments(deps: JobDeps): Promise<number> {
  const due = await claimDueCardPayments(deps.db, deps.leaseS, batchSize)
  return await forEach(
    deps,
    due,
    ({ payment }) => payment.id,
    (one) => askForCardPayment(deps, one)
  )
}

async function askForCardPayment(deps: JobDeps, due: DueCardPayment): Promise<void> {
  const { payment, redirectResult, triedForMs } = due
  if (triedForMs > moneyRetryForMs) await giveUp(deps, payment.id)
  else if (redirectResult === null) await payByCard(deps, due, callerOf(deps, payment.id))
  else await sendReturn(deps, due, redirectResult, deps.leaseS * 1000)
}

function callerOf({ publicUrl }: JobDeps, paymentId: string) {
  const place = { publicUrl, instance: '/v1/payments', requestId: paymentId }
  return { place, trace: undefined }
}

/** All at once; a fault of one is logged and does not concern the others. Answers how many. */
async function forEach<Due>(
  deps: JobDeps,
  due: readonly Due[],
  idOf: (one: Due) => string,
  work: (one: Due) => Promise<void>
): Promise<number> {
  await Promise.all(
    due.map(async (one) => {
      try {
        await work(one)
      } catch (error) {
        // Still unknown is no fault, nor is a database that is away: the payment is due again.
        if (!(error instanceof Problem || isUnavailable(error))) deps.onFault(idOf(one), error)
      }
    })
  )
  return due.length
}
