/** The answer to a create: it is saved together with what it reports. */
import type { Db, Tx } from '../database/database.ts'
import type { OnceAnswer } from '../http/idempotency.commands.ts'
import { findKey, type Reply, saveReply } from '../http/idempotency.store.ts'
import { type Allocated, nothingAllocated } from '../ledger/ledger.ts'
import { applyEvents } from '../lifecycle/apply.commands.ts'
import { findPayment, withAllocated } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'
import { toPaymentView } from '../payments/payment-view.ts'
import { Problem, type ProblemPlace, toProblemDocument } from '../problem.ts'
import type { ProviderEvent, Trace } from '../provider.ts'
import type { Context } from '../service-context.ts'
import { stopLooking } from './checkout.store.ts'

/** Where a request is answered, and what it belongs to. */
export type Caller = { place: ProblemPlace; trace: Trace | undefined }

/** The payment as it is, as an answer. `allocated`: nothing unless it has brought money. */
export function toReply(
  { provider }: Pick<Context, 'provider'>,
  payment: Payment,
  allocated: Allocated = nothingAllocated
): Reply {
  return { status: 201, body: JSON.stringify(toPaymentView(payment, provider.name, allocated)) }
}

export function toProblemReply(problem: Problem, place: ProblemPlace): Reply {
  return { status: problem.status, body: JSON.stringify(toProblemDocument(problem, place)) }
}

/**
 * Applies what the provider said of a payment, and answers its create with what came of it.
 * `isFinal`: nothing more is to be asked about the payment.
 */
export async function recordOutcome(
  deps: Context,
  paymentId: string,
  event: ProviderEvent,
  { isFinal = false } = {}
): Promise<OnceAnswer> {
  return await deps.db.transaction().execute(async (tx) => {
    const events = [{ paymentId, event }]
    const { aggregates, allocatedOf } = await applyEvents(tx, deps.provider.name, events)
    if (isFinal) await stopLooking(tx, paymentId)
    const payment = aggregates.get(paymentId)?.payment
    if (payment === undefined) throw new Error(`there is no payment ${paymentId}`)
    const allocated = allocatedOf(paymentId)
    const [shown] = allocated ? [{ ...payment, allocated }] : await withAllocated(tx, [payment])
    return await saveAnswer(tx, payment, toReply(deps, payment, shown?.allocated))
  })
}

/** A definite no: the payment has failed, and the answer says so for ever. */
export async function recordRejection(
  deps: Context,
  payment: Payment,
  reason: string,
  { place }: Caller
): Promise<OnceAnswer> {
  const { id: paymentId } = payment
  const reply = toProblemReply(new Problem('provider_rejected', reason, { paymentId }), place)
  const recorded = await deps.db.transaction().execute(async (tx) => {
    const event = { type: 'rejected', reason } as const
    const { effects } = await applyEvents(tx, deps.provider.name, [{ paymentId, event }])
    if (effects[0] !== 'applied') return undefined
    return await saveAnswer(tx, payment, reply)
  })
  return recorded ?? (await readAnswer(deps, paymentId))
}

/** Another caller was first, or the payment has ended meanwhile: that is the answer. */
export async function readAnswer(deps: Context, paymentId: string): Promise<OnceAnswer> {
  const reply = await findAnswer(deps, paymentId)
  if (reply === undefined) throw new Error(`payment ${paymentId} has neither page nor end`)
  return reply
}

/**
 * The answer of a payment that has its page, or has ended before it had one, which saves it;
 * undefined while it is still being made.
 */
export async function findAnswer(
  deps: Context,
  paymentId: string
): Promise<OnceAnswer | undefined> {
  const { db } = deps
  const payment = await findPayment(db, paymentId)
  if (payment === undefined) return undefined
  if (payment.status === 'pending' && payment.providerSession === null) {
    return await findSaved(db, payment)
  }
  const reply = toReply(deps, payment, payment.allocated)
  return await db.transaction().execute((tx) => saveAnswer(tx, payment, reply))
}

/** Saves the first answer to the payment's create; gives back the one that stands. */
export async function saveAnswer(tx: Tx, payment: Payment, reply: Reply): Promise<OnceAnswer> {
  const { clientId, idempotencyKey } = payment
  const isFirst = idempotencyKey !== null && (await saveReply(tx, clientId, idempotencyKey, reply))
  const saved = isFirst ? undefined : await findSaved(tx, payment)
  return saved ?? { ...reply, replayed: false }
}

/** Undefined also for a recorded payment, which has no key, and after the key was purged. */
async function findSaved(
  db: Db,
  { clientId, idempotencyKey }: Payment
): Promise<OnceAnswer | undefined> {
  if (idempotencyKey === null) return undefined
  const reply = (await findKey(db, clientId, idempotencyKey))?.reply
  return reply ? { ...reply, replayed: true } : undefined
}
