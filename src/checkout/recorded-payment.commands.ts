import { findAccount } from '../accounts/account.store.ts'
import { readClock, type Tx } from '../database/database.ts'
import { newId } from '../id.ts'
import { nothingAllocated } from '../ledger/ledger.ts'
import { lockAggregates, saveAggregates } from '../lifecycle/aggregate.store.ts'
import type { PaymentAggregate } from '../lifecycle/model.ts'
import { fitsCmpDecimals, fitsCmpSize, type Money } from '../money.ts'
import { withAllocated } from '../payments/payment.store.ts'
import type { Payment, ShownPayment } from '../payments/payment.ts'
import { Problem } from '../problem.ts'
import type { Context } from '../service-context.ts'
import { currentSpan } from '../tracing/span.ts'
import {
  findEarlierPayment,
  findRecord,
  insertRecord,
  type NewRecord,
  waitForOthers
} from './intent.store.ts'
import {
  applyRecord,
  type EarlierPayment,
  findDifference,
  type RecordedOutcome
} from './recorded-payment.ts'

export type RecordRequest = Omit<NewRecord, 'id'> & {
  /** What its id is to be; by default a new one. */
  paymentId?: string
  reported: RecordedOutcome
  /** The client whose payments alone it sees, or null. */
  visibleTo: string | null
}

/** How far a processor's clock may be ahead of the database's. */
const takenAheadMaxMs = 5 * 60_000

/**
 * Records a payment that was taken elsewhere. The processor's reference is its natural key: the
 * same content again answers with the same payment, other content is `recorded_payment_conflict`.
 */
export async function recordPayment(
  deps: Pick<Context, 'db' | 'providerName' | 'duplicateWindowS'>,
  request: RecordRequest
): Promise<{ payment: ShownPayment; created: boolean }> {
  checkAmount(request)
  return await deps.db.transaction().execute(async (tx) => {
    checkTime(request, await readClock(tx))
    await checkAccount(tx, request)
    const { reported, visibleTo: _, paymentId: id = newId('pay'), ...record } = request
    if (!(await insertRecord(tx, { id, ...record }))) {
      return { payment: await getSame(tx, request), created: false }
    }
    currentSpan()?.about(id)
    const aggregate = (await lockAggregates(tx, [id])).get(id) as PaymentAggregate
    const duplicate =
      reported.outcome === 'captured' ? await findDuplicate(tx, aggregate.payment, deps) : undefined
    applyRecord(aggregate, reported, duplicate, { now: await readClock(tx), newId })
    const allocatedOf = await saveAggregates(tx, [aggregate], deps.providerName)
    const allocated = allocatedOf(id) ?? nothingAllocated
    return { payment: { ...aggregate.payment, allocated }, created: true }
  })
}

/** Of two that are made at once the second waits here for the first. */
async function findDuplicate(
  tx: Tx,
  payment: Payment,
  { duplicateWindowS }: Pick<Context, 'duplicateWindowS'>
): Promise<EarlierPayment | undefined> {
  if (duplicateWindowS === 0) return undefined
  await waitForOthers(tx, payment)
  return await findEarlierPayment(tx, payment, duplicateWindowS)
}

function checkAmount({ amount }: RecordRequest): void {
  const pointer = '/amount/value'
  if (!fitsCmpSize(amount)) {
    const detail = 'At most 9,999,999.99 in major units.'
    throw new Problem('amount_too_large', detail, { errors: [{ pointer, detail }] })
  }
  if (!fitsCmpDecimals(amount)) {
    const detail = 'The billing system holds two decimals.'
    throw new Problem('amount_not_representable', detail, { errors: [{ pointer, detail }] })
  }
}

function checkTime({ takenAt }: RecordRequest, now: Date): void {
  if (takenAt.getTime() <= now.getTime() + takenAheadMaxMs) return
  const detail = 'It lies in the future: record what was taken already.'
  throw new Problem('request_invalid', detail, { errors: [{ pointer: '/takenAt', detail }] })
}

/** On a closed account as well: the money was taken, and late money is posted. */
async function checkAccount(
  tx: Tx,
  { accountId, amount }: { accountId: number; amount: Money }
): Promise<void> {
  const account = await findAccount(tx, accountId)
  if (account === undefined) {
    throw new Problem('account_not_found', `No account ${accountId} is known.`)
  }
  if (account.currency !== amount.currency) {
    const detail = `Account ${accountId} is kept in ${account.currency}, not in ${amount.currency}.`
    throw new Problem('currency_mismatch', detail)
  }
}

async function getSame(tx: Tx, request: RecordRequest): Promise<ShownPayment> {
  const { processor, reported, visibleTo } = request
  const known = (await findRecord(tx, processor)) as Payment
  const detail = `${processor.name} ${processor.reference} was recorded with other content.`
  // A third party learns nothing of another client's payments.
  if (visibleTo !== null && known.clientId !== visibleTo) {
    throw new Problem('recorded_payment_conflict', 'This reference is recorded already.')
  }
  const difference = findDifference(known, { ...request, outcome: reported.outcome })
  if (difference === undefined) return (await withAllocated(tx, [known]))[0] as ShownPayment
  throw new Problem('recorded_payment_conflict', detail, { paymentId: known.id, difference })
}
