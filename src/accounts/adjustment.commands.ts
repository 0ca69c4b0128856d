import type { Db, Tx } from '../database/database.ts'
import { post } from '../ledger/ledger.store.ts'
import type { Money } from '../money.ts'
import { Problem } from '../problem.ts'
import { requireAmount, requireCurrency } from './account.commands.ts'
import { type Account, findCharges, lockAccount } from './account.store.ts'
import {
  type Adjustment,
  type Direction,
  findAdjustmentByReference,
  insertAdjustment
} from './adjustment.store.ts'

type CreateAdjustmentRequest = {
  accountId: number
  direction: Direction
  amount: Money
  reference: string
  reason: string
  chargeId: string | null
}

/**
 * What the billing system settled elsewhere. The reference is the natural key: the same content
 * again is the same adjustment. A closed account takes it too: what was settled elsewhere is true
 * whether the account is open or not, like money that comes late.
 */
export async function createAdjustment(
  db: Db,
  request: CreateAdjustmentRequest
): Promise<{ adjustment: Adjustment; currency: string; created: boolean }> {
  requireAmount(request.amount)
  return await db.transaction().execute((tx) => addAdjustment(tx, request))
}

async function addAdjustment(tx: Tx, request: CreateAdjustmentRequest) {
  const { accountId, amount, direction, chargeId } = request
  const account = await lockAccount(tx, accountId)
  if (account === undefined) throw new Problem('account_not_known', `No account ${accountId}.`)
  const { currency } = account
  const known = await findAdjustmentByReference(tx, accountId, request.reference)
  if (known !== undefined) {
    requireSame(known, request, account)
    return { adjustment: known, currency, created: false }
  }
  requireCurrency(account, amount)
  const charges = chargeId === null ? [] : await findCharges(tx, accountId, [chargeId])
  if (chargeId !== null && charges.length === 0) {
    throw new Problem('charge_not_found', `Account ${accountId} has no charge ${chargeId}.`)
  }
  const adjustment = await insertAdjustment(tx, { ...request, amount: amount.value })
  await post(tx, [
    {
      kind: direction === 'credit' ? 'adjustmentCredit' : 'adjustmentDebit',
      fact: adjustment.id,
      accountId,
      amount,
      cause: { type: 'adjustment', id: adjustment.id },
      paymentId: null,
      allocations: charges.map(({ id }) => ({ chargeId: id, amount: amount.value }))
    }
  ])
  return { adjustment, currency, created: true }
}

function requireSame(known: Adjustment, request: CreateAdjustmentRequest, account: Account): void {
  const { amount, direction, reason, chargeId } = request
  const same =
    known.amount === amount.value &&
    account.currency === amount.currency &&
    known.direction === direction &&
    known.reason === reason &&
    known.chargeId === chargeId
  if (same) return
  throw new Problem(
    'adjustment_conflict',
    `${known.reference} is ${known.id}: a ${known.direction} of ${known.amount} ` +
      `${account.currency} (minor units).`
  )
}
