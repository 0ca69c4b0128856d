/** The answer to a create: what it says, and that it is saved with what it says. */

import type { Tx } from '../database/database.ts'
import { findKey, type Reply, saveReply } from '../http/idempotency.store.ts'
import { applyEvents } from '../lifecycle/apply.commands.ts'
import { findPayment } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'
import { toPaymentView } from '../payments/payment-view.ts'
import { Problem, type ProblemPlace, toProblemDocument } from '../problem.ts'
import type { HostedPage, ProviderEvent } from '../provider.ts'
import type { Context } from '../service-context.ts'
import type { CreateAnswer } from './create-payment.commands.ts'
import { recordPage } from './page.store.ts'

/** The answer as it is sent and saved. */
export function toReply(payment: Payment, providerName: string): Reply {
  return { status: 201, body: JSON.stringify(toPaymentView(payment, providerName)) }
}

/** The customer has somewhere to go. */
export async function recordOpened(
  deps: Context,
  payment: Payment,
  { session, url }: HostedPage
): Promise<CreateAnswer> {
  const opened: Payment = { ...payment, providerSession: session, checkoutUrl: url }
  const reply = toReply(opened, deps.provider.name)
  if (await recordPage(deps.db, payment.id, { session, url }, reply)) {
    return { ...reply, paymentId: payment.id, replayed: false }
  }
  return await readAnswer(deps, payment)
}

/** A definite no: the payment has failed, and the answer says so for ever. */
export async function recordRejection(
  deps: Context,
  payment: Payment,
  reason: string,
  place: ProblemPlace
): Promise<CreateAnswer> {
  const paymentId = payment.id
  const problem = new Problem('provider_rejected', reason, { paymentId })
  const reply = {
    status: problem.status,
    body: JSON.stringify(toProblemDocument(problem, place))
  }
  const record = async (tx: Tx): Promise<boolean> => {
    const event = { type: 'rejected', reason } as const
    const { effects } = await applyEvents(tx, deps.provider.name, [{ paymentId, event }])
    if (effects[0] !== 'applied') return false
    await keepReply(tx, payment, reply)
    return true
  }
  if (await deps.db.transaction().execute(record)) return { ...reply, paymentId, replayed: false }
  return await readAnswer(deps, payment)
}

/** What the provider said of the money is applied, and what came of it is the answer. */
export async function recordOutcome(
  deps: Context,
  { id: paymentId }: Payment,
  event: ProviderEvent,
  andThen?: (tx: Tx) => Promise<void>
): Promise<CreateAnswer> {
  const { db, provider } = deps
  const reply = await db.transaction().execute(async (tx) => {
    await applyEvents(tx, provider.name, [{ paymentId, event }])
    await andThen?.(tx)
    const payment = await findPayment(tx, paymentId)
    return payment && (await saveAnswer(tx, deps, payment))
  })
  if (reply === undefined) throw new Error(`payment ${paymentId} has no answer to keep`)
  return { ...reply, paymentId, replayed: false }
}

/** Another finisher was first, or the payment has ended meanwhile: that is the answer. */
export async function readAnswer(
  deps: Context,
  { id, ...payment }: Payment
): Promise<CreateAnswer> {
  const settled = await saveFirstAnswer(deps, id)
  if (settled !== undefined) return { ...settled, paymentId: id, replayed: false }
  throw new Error(`payment ${id} of ${payment.clientId} has neither page nor end`)
}

/**
 * The saved answer of a payment that has its page, or has ended before it had one, which saves it;
 * undefined while it is still being made.
 */
export async function saveFirstAnswer(
  deps: Context,
  paymentId: string
): Promise<Reply | undefined> {
  return await deps.db.transaction().execute(async (tx) => {
    const payment = await findPayment(tx, paymentId)
    if (payment === undefined) return undefined
    if (payment.status === 'pending' && payment.providerSession === null) {
      return await findReply(tx, payment)
    }
    return await saveAnswer(tx, deps, payment)
  })
}

/** Saves the payment as it is for the answer, where none is saved yet; answers the saved one. */
async function saveAnswer(
  tx: Tx,
  { provider }: Context,
  payment: Payment
): Promise<Reply | undefined> {
  await keepReply(tx, payment, toReply(payment, provider.name))
  return await findReply(tx, payment)
}

/** Saves the first answer of the payment's create; a later one changes nothing. */
export async function keepReply(tx: Tx, payment: Payment, reply: Reply): Promise<void> {
  const { clientId, idempotencyKey } = payment
  // A recorded payment has no key: its processor's reference is one.
  if (idempotencyKey !== null) await saveReply(tx, clientId, idempotencyKey, reply)
}

async function findReply(
  tx: Tx,
  { clientId, idempotencyKey }: Payment
): Promise<Reply | undefined> {
  if (idempotencyKey === null) return undefined
  return (await findKey(tx, clientId, idempotencyKey))?.reply ?? undefined
}
