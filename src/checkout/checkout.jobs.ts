import type { Tx } from '../database/database.ts'
import { delayAfter, moneyRetryForMs, providerRetryS } from '../due/delays.ts'
import { claimDue, type Held, lockDue, postpone, setAside } from '../due/due.store.ts'
import { runBatch, runEach } from '../due/run-each.ts'
import { applyEvents } from '../lifecycle/apply.commands.ts'
import { openDiscrepancies } from '../lifecycle/open-discrepancies.commands.ts'
import { giveUp, payByCard, sendReturn } from './card-payment.commands.ts'
import {
  cardPayments,
  claimCardPayments,
  claimCreates,
  creates,
  type DueCardPayment,
  endedPages,
  findForgottenReservations,
  type Link,
  links,
  type PageReturn,
  pageReturns,
  type Reservation,
  recordReportedPaid,
  removePageReturns
} from './checkout.store.ts'
import { finishCreate } from './create.commands.ts'
import { type CheckoutDeps, recordOutcome, saveAnswer, toReply } from './outcome.commands.ts'
import { recordPageResult } from './return.commands.ts'
import { isOver, nextLinkLookS, nextReturnAskS, reservationMaxS } from './schedule.ts'

/** As many calls at once as the transport has sockets to spare for. */
const batchSize = 100

export type JobDeps = CheckoutDeps & {
  /** The payment is undefined where one of several is at fault. */
  onFault: (paymentId: string | undefined, error: unknown) => void
}

const claimOptions = ({ leaseS }: JobDeps) => ({ limit: batchSize, leaseS })

/** Finishes creates that were interrupted, or whose outcome is not known. One round. */
export async function finishCreates(deps: JobDeps): Promise<number> {
  const due = await claimCreates(deps.db, claimOptions(deps))
  return await runEach(
    due,
    (create) => finishCreate(deps, create, callerOf(deps, create.payment.id)),
    { ...deps, queue: creates, onFault: ({ payment }, error) => deps.onFault(payment.id, error) }
  )
}

/** Ends payments whose page ended without an outcome, or never opened. One round. */
export async function endPages(deps: JobDeps): Promise<number> {
  return await runBatch(deps.db, {
    size: batchSize,
    take: (tx, limit) => lockDue(tx, endedPages, limit),
    work: (tx, rows) =>
      endByTime(
        deps,
        tx,
        rows.map(({ paymentId }) => paymentId)
      ),
    setAside: (tx, row) => setAside(tx, endedPages, row, delayAfter(providerRetryS, row.attempts)),
    onFault: (row, error) => deps.onFault(row?.paymentId, error)
  })
}

async function endByTime(deps: JobDeps, tx: Tx, ids: readonly string[]): Promise<void> {
  const { name } = deps.provider
  const event = { type: 'pageClosed', by: 'time' } as const
  const events = ids.map((paymentId) => ({ paymentId, event }))
  const { aggregates } = await applyEvents(tx, name, events)
  for (const { payment } of aggregates.values()) {
    // Its create was never answered: this is what a repetition gets.
    if (payment.providerSession !== null) continue
    await saveAnswer(tx, payment, toReply(deps, payment))
  }
  // The customer came back with a result, and the provider never said what it was.
  const unanswered = await removePageReturns(tx, ids)
  const findings = unanswered.map(({ paymentId, returnedAt, attempts }) => ({
    paymentId,
    fact: paymentId,
    details: { returnedAt: returnedAt.toISOString(), askedAgain: attempts }
  }))
  await openDiscrepancies(tx, name, 'outcome_unknown', findings)
}

/** Asks again what became of pages whose customers came back. One round. */
export async function askForPageResults(deps: JobDeps): Promise<number> {
  const due = await claimDue(deps.db, pageReturns, claimOptions(deps))
  return await runEach(due, (one) => askForPageResult(deps, one), {
    ...deps,
    queue: pageReturns,
    onFault: ({ paymentId }, error) => deps.onFault(paymentId, error)
  })
}

async function askForPageResult(
  deps: JobDeps,
  due: PageReturn & Held & { attempts: number }
): Promise<void> {
  const { db, leaseS } = deps
  const { paymentId: id, session, sessionResult, amount, attempts, endsInS } = due
  const isKnown =
    !due.isPending ||
    (await recordPageResult(deps, { id, amount }, session, sessionResult, leaseS * 1000))
  if (isKnown) await removePageReturns(db, [id])
  else await postpone(db, pageReturns, due, nextReturnAskS(attempts, endsInS))
}

/**
 * Shows reservations that were neither captured nor released for longer than the provider keeps
 * them: it was to report that they expired. One round; one that can't be shown stops no other.
 */
export async function showForgottenReservations(deps: JobDeps): Promise<number> {
  const found = await findForgottenReservations(deps.db, reservationMaxS, batchSize)
  let shown = 0
  for (const reservation of found) {
    try {
      await showForgotten(deps, reservation)
      shown += 1
    } catch (error) {
      deps.onFault(reservation.paymentId, error)
    }
  }
  return shown
}

async function showForgotten(
  { db, provider }: JobDeps,
  { paymentId, authorisationReference: fact, authorisedAt }: Reservation
): Promise<void> {
  const details = { authorisation: fact, authorisedAt: authorisedAt.toISOString() }
  await db
    .transaction()
    .execute((tx) =>
      openDiscrepancies(tx, provider.name, 'outcome_unknown', [{ paymentId, fact, details }])
    )
}

/** Asks what became of payment links. One round. */
export async function pollLinks(deps: JobDeps): Promise<number> {
  const due = await claimDue(deps.db, links, claimOptions(deps))
  return await runEach(due, (link) => pollLink(deps, link), {
    ...deps,
    queue: links,
    onFault: ({ id }, error) => deps.onFault(id, error)
  })
}

/** A link that was paid is never ended by time: the money will be reported, or looked for. */
async function pollLink(deps: JobDeps, link: Link & Held): Promise<void> {
  const { db, provider } = deps
  const { id, session, endsInS } = link
  if (link.isReportedPaid) return await endLink(deps, id, 'paidWithoutReference')
  if (session === null && isOver(endsInS)) return await endLink(deps, id, 'linkExpired')
  const status = session === null ? 'unknown' : await provider.findLinkStatus(session)
  if (status === 'expired') await endLink(deps, id, 'linkExpired')
  else if (status === 'paid') await recordReportedPaid(db, id)
  else await postpone(db, links, link, nextLinkLookS(endsInS))
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
  const due = await claimCardPayments(deps.db, claimOptions(deps))
  return await runEach(due, (one) => askForCardPayment(deps, one), {
    ...deps,
    queue: cardPayments,
    onFault: ({ payment }, error) => deps.onFault(payment.id, error)
  })
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
