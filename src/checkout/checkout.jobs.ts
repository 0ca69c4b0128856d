import { isUnavailable, type Tx } from '../database/database.ts'
import { delayAfter, moneyRetryForMs, providerRetryS } from '../due/delays.ts'
import { type Locked, lockDue, setAside } from '../due/due.store.ts'
import { type OnFault, runBatch } from '../due/run-each.ts'
import { applyEvents } from '../lifecycle/apply.commands.ts'
import { openDiscrepancies } from '../lifecycle/open-discrepancies.commands.ts'
import { Problem } from '../problem.ts'
import type { ProviderEvent } from '../provider.ts'
import type { Context } from '../service-context.ts'
import { finishCardPayment, finishReturn, giveUp } from './card-payment.commands.ts'
import { claimDueCardPayments, type DueCardPayment } from './card-payment.store.ts'
import { keepReply, toReply } from './create-answer.commands.ts'
import { finishCreate } from './create-payment.commands.ts'
import { claimDueLinks, type DueLink, postponeLink, recordToldPaid } from './link.store.ts'
import { claimDueCreates, endedPages, stopLooking } from './page.store.ts'
import {
  claimDueReturns,
  type DueReturn,
  findForgottenReservations,
  forgetReturn,
  postponeReturn,
  type Reservation,
  takeReturns,
  type Unanswered
} from './page-return.store.ts'
import { recordPageResult } from './return.commands.ts'

/** As many calls at once as the transport has sockets to spare for. */
const batchSize = 100

/** A page that could not be ended so often is shown to a person, and tried again for all that. */
const shownAfterAttempts = 6

/**
 * A reservation that is neither captured nor released for so long: Adyen keeps it for 28 days
 * (docs.adyen.com/online-payments/adjust-authorisation), and has two more to say that it expired.
 */
const reservationMaxS = 30 * 24 * 60 * 60

export type JobDeps = Context & { onFault: OnFault }
type EndedPage = Locked<{ id: string }>

/** Finishes creates that were interrupted, or whose outcome is not known. One round. */
export async function finishCreates(deps: JobDeps): Promise<number> {
  const due = await claimDueCreates(deps.db, deps.leaseS, batchSize)
  return await forEach(
    deps,
    due,
    ({ payment }) => payment.id,
    async (create) => {
      await finishCreate(deps, create, finisherOf(deps, create.payment.id))
    }
  )
}

/** Ends payments whose page ended without an outcome, or never opened. One round. */
export async function endPages({ db, provider, onFault }: JobDeps): Promise<number> {
  return await runBatch<EndedPage>(db, {
    size: batchSize,
    take: (tx, limit, only) => lockDue(tx, endedPages, limit, only),
    work: async (tx, ended) => {
      const ids = ended.map(({ id }) => id)
      await endAll(tx, provider.name, ids)
    },
    setAside: (tx, page) =>
      setAside(tx, endedPages, page, delayAfter(providerRetryS, page.attempts)),
    show: async (tx, { id: paymentId, attempts }) => {
      if (attempts + 1 < shownAfterAttempts) return
      const details = {
        attempts: attempts + 1,
        cause: 'The payment could not be ended: see the log.'
      }
      await openDiscrepancies(tx, provider.name, 'outcome_unknown', [
        { paymentId, fact: paymentId, details }
      ])
    },
    onFault: (page, error) => onFault({ paymentId: page?.id }, error)
  })
}

async function endAll(tx: Tx, providerName: string, ids: readonly string[]): Promise<void> {
  const event = { type: 'pageClosed', by: 'time' } as const
  const events = ids.map((paymentId) => ({ paymentId, event }))
  const { aggregates } = await applyEvents(tx, providerName, events)
  for (const { payment } of aggregates.values()) {
    // Its create was never answered: this is what a repetition gets.
    if (payment.providerSession !== null) continue
    await keepReply(tx, payment, toReply(payment, providerName))
  }
  const unanswered = (await takeReturns(tx, ids)).map(toFinding)
  await openDiscrepancies(tx, providerName, 'outcome_unknown', unanswered)
}

/** The customer came back with a result, and the provider never said what it was. */
function toFinding({ paymentId, returnedAt, tries }: Unanswered) {
  const details = { returnedAt: returnedAt.toISOString(), askedAgain: tries }
  return { paymentId, fact: paymentId, details }
}

/** Asks again what became of pages whose customers came back. One round. */
export async function askForPages(deps: JobDeps): Promise<number> {
  const due = await claimDueReturns(deps.db, deps.leaseS, batchSize)
  return await forEach(
    deps,
    due,
    ({ paymentId }) => paymentId,
    (one) => askForPage(deps, one)
  )
}

async function askForPage(deps: JobDeps, due: DueReturn): Promise<void> {
  const { db, leaseS } = deps
  const { paymentId, session, sessionResult, amount, tries } = due
  const isKnown =
    !due.isPending ||
    (await recordPageResult(deps, { id: paymentId, amount }, session, sessionResult, leaseS * 1000))
  if (isKnown) await forgetReturn(db, paymentId)
  else await postponeReturn(db, paymentId, tries)
}

/**
 * Shows reservations that were neither captured nor released for longer than the provider keeps
 * them: it was to say that they expired. One round.
 */
export async function showForgottenReservations(deps: JobDeps): Promise<number> {
  return await runBatch<Reservation>(deps.db, {
    size: batchSize,
    take: (tx, limit, only) => findForgottenReservations(tx, reservationMaxS, limit, only),
    work: async (tx, found) => {
      const findings = found.map(({ paymentId, authorisationReference, authorisedAt }) => ({
        paymentId,
        fact: authorisationReference,
        details: {
          authorisation: authorisationReference,
          authorisedAt: authorisedAt.toISOString()
        }
      }))
      await openDiscrepancies(tx, deps.provider.name, 'outcome_unknown', findings)
    },
    onFault: (found, error) => deps.onFault({ paymentId: found?.paymentId }, error)
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

/** A link whose customer has paid is never ended by time: the money will be told, or looked for. */
async function pollLink(deps: JobDeps, link: DueLink): Promise<void> {
  const { db, provider } = deps
  const { id, session } = link
  if (link.isToldPaid) return await settleLink(deps, id, { type: 'paidWithoutReference' })
  if (session === null) {
    return link.isOver
      ? await settleLink(deps, id, { type: 'linkExpired' })
      : await postponeLink(db, id)
  }
  const status = await provider.findLinkStatus(session)
  if (status === 'expired') await settleLink(deps, id, { type: 'linkExpired' })
  else if (status === 'paid') await recordToldPaid(db, id)
  else await postponeLink(db, id)
}

async function settleLink(deps: JobDeps, paymentId: string, event: ProviderEvent): Promise<void> {
  const { db, provider } = deps
  await db.transaction().execute(async (tx) => {
    const { aggregates } = await applyEvents(tx, provider.name, [{ paymentId, event }])
    await stopLooking(tx, paymentId)
    for (const { payment } of aggregates.values()) {
      await keepReply(tx, payment, toReply(payment, provider.name))
    }
  })
}

/** Asks again what became of charges, and of what customers brought back from 3-D Secure. */
export async function askForCardPayments(deps: JobDeps): Promise<number> {
  const due = await claimDueCardPayments(deps.db, deps.leaseS, batchSize)
  return await forEach(
    deps,
    due,
    ({ payment }) => payment.id,
    (charge) => askForCharge(deps, charge)
  )
}

async function askForCharge(deps: JobDeps, due: DueCardPayment): Promise<void> {
  const { payment, redirectResult, triedForMs } = due
  if (triedForMs > moneyRetryForMs) await giveUp(deps, payment)
  else if (redirectResult === null) await finishCardPayment(deps, due, finisherOf(deps, payment.id))
  else await finishReturn(deps, payment, redirectResult, deps.leaseS * 1000)
}

function finisherOf({ publicUrl }: JobDeps, paymentId: string) {
  const place = { publicUrl, instance: '/v1/payments', requestId: paymentId }
  return { place, trace: undefined }
}

/** All at once; a fault of one is told and does not concern the others. Answers how many. */
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
        if (error instanceof Problem || isUnavailable(error)) return
        deps.onFault({ paymentId: idOf(one) }, error)
      }
    })
  )
  return due.length
}
