import type { Tx } from '../database/database.ts'
import { openDiscrepancies } from '../discrepancies/open-discrepancies.commands.ts'
import { delayAfter, moneyRetryForMs, providerRetryS } from '../due/delays.ts'
import {
  claimDue,
  claimSoonest,
  type Held,
  type Locked,
  lockDue,
  postpone,
  setAside
} from '../due/due.store.ts'
import { type OnFault, runBatch, runEach } from '../due/run-each.ts'
import { applyEvents } from '../lifecycle/apply.commands.ts'
import type { Context } from '../service-context.ts'
import { giveUp, payByCard, sendReturn } from './card-payment.commands.ts'
import {
  cardPayments,
  claimCardPayments,
  claimCreates,
  creates,
  createsBy,
  type DueCardPayment,
  endedPages,
  findForgottenReservations,
  isAskedBy,
  type Link,
  links,
  type PageReturn,
  pageReturns,
  type Reservation,
  recordReportedPaid,
  removePageReturns
} from './checkout.store.ts'
import { finishCreate } from './create.commands.ts'
import { callOf } from './create.ts'
import { takeLeft } from './intent.store.ts'
import { recordOutcome, saveAnswer, toReply } from './outcome.commands.ts'
import { recordPageResult } from './return.commands.ts'
import { isOver, nextLinkLookS, nextReturnAskS, reservationMaxS } from './schedule.ts'

/** As many calls at once as the transport has sockets to spare for. */
const batchSize = 100

/** A page that could not be ended so often is shown to a person, and tried again for all that. */
const shownAfterAttempts = 6

type JobDeps = Context & { onFault: OnFault }

const claimOptions = ({ leaseS }: JobDeps) => ({ limit: batchSize, leaseS })

/** Finishes creates that were interrupted, or whose outcome is not known. One round. */
export async function finishCreates(deps: JobDeps): Promise<number> {
  await takeLeft(deps.db)
  const due = await claimCreates(deps.db, claimOptions(deps))
  // What a registered card pays is asked for below.
  for (const method of ['hostedPage', 'paymentLink'] as const) {
    if (due.length > 0 || !deps.provider.isTrialDue(callOf[method])) continue
    const soonest = { limit: 1, leaseS: deps.leaseS, only: createsBy(method) }
    due.push(...(await claimCreates(deps.db, soonest, claimSoonest)))
  }
  return await runEach(
    due,
    (create) => finishCreate(deps, create, callerOf(deps, create.payment.id)),
    {
      ...deps,
      queue: creates,
      onFault: ({ payment }, error) => deps.onFault({ paymentId: payment.id }, error)
    }
  )
}

/** Ends payments whose page ended without an outcome, or never opened. One round. */
export async function endPages(deps: JobDeps): Promise<number> {
  const { db, providerName } = deps
  return await runBatch<EndedPage>(db, {
    size: batchSize,
    take: (tx, limit, only) => lockDue(tx, endedPages, limit, only),
    work: (tx, pages) => endByTime(deps, tx, pages),
    setAside: (tx, page) =>
      setAside(tx, endedPages, page, delayAfter(providerRetryS, page.attempts)),
    show: async (tx, { paymentId, attempts: before }) => {
      const attempts = before + 1
      if (attempts < shownAfterAttempts) return
      const details = { attempts, cause: 'The payment could not be ended: see the log.' }
      const finding = { paymentId, fact: `${paymentId}.end`, details }
      await openDiscrepancies(tx, providerName, 'outcome_unknown', [finding])
    },
    onFault: (page, error) => deps.onFault({ paymentId: page?.paymentId }, error)
  })
}

type EndedPage = Locked<{ paymentId: string }>

async function endByTime(deps: JobDeps, tx: Tx, pages: readonly EndedPage[]): Promise<void> {
  const { providerName: name } = deps
  const ids = pages.map(({ paymentId }) => paymentId)
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
    onFault: ({ paymentId }, error) => deps.onFault({ paymentId }, error)
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
 * them: it was to report that they expired. One round.
 */
export async function showForgottenReservations(deps: JobDeps): Promise<number> {
  return await runBatch<Reservation>(deps.db, {
    size: batchSize,
    take: (tx, limit, only) => findForgottenReservations(tx, reservationMaxS, limit, only),
    work: async (tx, found) => {
      const findings = found.map(({ paymentId, authorisationReference: fact, authorisedAt }) => {
        const details = { authorisation: fact, authorisedAt: authorisedAt.toISOString() }
        return { paymentId, fact, details }
      })
      await openDiscrepancies(tx, deps.providerName, 'outcome_unknown', findings)
    },
    onFault: (found, error) => deps.onFault({ paymentId: found?.paymentId }, error)
  })
}

/** Asks what became of payment links. One round. */
export async function pollLinks(deps: JobDeps): Promise<number> {
  const due = await claimDue(deps.db, links, claimOptions(deps))
  return await runEach(due, (link) => pollLink(deps, link), {
    ...deps,
    queue: links,
    onFault: ({ id }, error) => deps.onFault({ paymentId: id }, error)
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
  for (const kind of ['cardPayments', 'cardReturns'] as const) {
    if (due.length > 0 || !deps.provider.isTrialDue(kind)) continue
    const soonest = { limit: 1, leaseS: deps.leaseS, only: isAskedBy(kind) }
    due.push(...(await claimCardPayments(deps.db, soonest, claimSoonest)))
  }
  return await runEach(due, (one) => askForCardPayment(deps, one), {
    ...deps,
    queue: cardPayments,
    onFault: ({ payment }, error) => deps.onFault({ paymentId: payment.id }, error)
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
