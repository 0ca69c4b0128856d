import { delayAfter, moneyRetryForMs, providerRetryS } from '../due/delays.ts'
import { claimDue, claimSoonest, giveUp, postpone } from '../due/due.store.ts'
import { type OnFault, runEach } from '../due/run-each.ts'
import { applyEvents } from '../lifecycle/apply.commands.ts'
import type { Answer, OperationRequest, ProviderEvent } from '../provider.ts'
import type { Context } from '../service-context.ts'
import {
  type DueOperation,
  dueOperations,
  isOfKind,
  notTaken,
  recordAccepted,
  type SentKind
} from './due-operation.store.ts'

type OperationJobDeps = Pick<Context, 'db' | 'provider' | 'leaseS'> & { onFault: OnFault }

/** As many calls at once as go out of a kind. */
const operationBatchSize = 100

/**
 * Asks the provider for what is due of one kind, each under its first key. One round, which waits
 * for no call of another kind.
 */
export async function sendOperations(deps: OperationJobDeps, kind: SentKind): Promise<number> {
  const { db, leaseS, provider } = deps
  const only = isOfKind(kind)
  const due = await claimDue(db, dueOperations, { limit: operationBatchSize, leaseS, only })
  if (due.length === 0 && provider.isTrialDue(kind)) {
    due.push(...(await claimSoonest(db, dueOperations, { limit: 1, leaseS, only: notTaken(kind) })))
  }
  return await runEach(due, (operation) => sendOperation(deps, operation), {
    db,
    queue: dueOperations,
    onFault: ({ id, paymentId }, error) => deps.onFault({ operationId: id, paymentId }, error)
  })
}

async function sendOperation(deps: OperationJobDeps, due: DueOperation): Promise<void> {
  const { db } = deps
  const { id, link, attempts } = due
  // A key is good for so long; what came of the request then is for a person to find out.
  if (due.triedForMs > moneyRetryForMs) return await stopAsking(deps, due)
  const answer = await ask(deps, due)
  if (answer.outcome === 'unknown') {
    await postpone(db, dueOperations, due, delayAfter(providerRetryS, attempts - 1))
  } else if (answer.outcome === 'rejected') {
    await apply(deps, due, { type: 'operationRejected', id, reason: answer.reason })
  } else if (link !== null) {
    await apply(deps, due, { type: 'linkExpired' })
  } else if (answer.value !== null) {
    await recordAccepted(db, due, answer.value.reference)
  }
}

async function ask(
  { provider }: OperationJobDeps,
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

/** A person is to find out what came of it. */
async function stopAsking({ db, provider }: OperationJobDeps, due: DueOperation): Promise<void> {
  const event = { type: 'operationUnknown', id: due.id } as const
  await giveUp(db, dueOperations, due, (tx) =>
    applyEvents(tx, provider.name, [{ paymentId: due.paymentId, event }])
  )
}

async function apply(
  { db, provider }: OperationJobDeps,
  { paymentId }: DueOperation,
  event: ProviderEvent
): Promise<void> {
  await db.transaction().execute((tx) => applyEvents(tx, provider.name, [{ paymentId, event }]))
}
