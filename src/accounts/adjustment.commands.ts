import type { Db } from '../database/database.ts'
import { post } from '../ledger/ledger.store.ts'
import type { Money } from '../money.ts'
import { Problem } from '../problem.ts'
import { once, requireCurrency } from './account.commands.ts'
import { findCharges } from './account.store.ts'
import { findAdjustmentByReference, insertAdjustment } from './adjustment.store.ts'
import type { Adjustment } from './adjustment.ts'

type CreateAdjustmentRequest = Omit<Adjustment, 'id' | 'amount' | 'createdAt'> & { amount: Money }

/**
 * What the billing system settled elsewhere. A closed account takes it too: what was settled
 * elsewhere is true whether the account is open or not, like money that comes late.
 */
export async function createAdjustment(
  db: Db,
  request: CreateAdjustmentRequest
): Promise<{ adjustment: Adjustment; currency: string; created: boolean }> {
  const { accountId, amount, direction, reason, chargeId } = request
  const { record: adjustment, ...rest } = await once<Adjustment>(db, request, {
    find: findAdjustmentByReference,
    same: (known) =>
      known.direction === direction && known.reason === reason && known.chargeId === chargeId,
    conflict: (known, currency) =>
      new Problem(
        'adjustment_conflict',
        `${known.reference} is ${known.id}: a ${known.direction} of ${known.amount} ` +
          `${currency} (minor units).`
      ),
    async insert(tx, account) {
      requireCurrency(account, amount)
      const charges = chargeId === null ? [] : await findCharges(tx, accountId, [chargeId])
      if (chargeId !== null && charges.length === 0) {
        throw new Problem('charge_not_found', `Account ${accountId} has no charge ${chargeId}.`)
      }
      const made = await insertAdjustment(tx, { ...request, amount: amount.value })
      await post(tx, [
        {
          kind: direction === 'credit' ? 'adjustmentCredit' : 'adjustmentDebit',
          fact: made.id,
          accountId,
          amount,
          cause: { type: 'adjustment', id: made.id },
          paymentId: null,
          allocations: charges.map(({ id }) => ({ chargeId: id, amount: amount.value }))
        }
      ])
      return made
    }
  })
  return { adjustment, ...rest }
}
