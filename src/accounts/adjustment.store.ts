import type { Db, Tx } from '../database/database.ts'
import { newId } from '../id.ts'
import type { Adjustment } from './adjustment.ts'

const adjustmentColumns = [
  'id',
  'account_id as accountId',
  'direction',
  'amount',
  'reference',
  'reason',
  'charge_id as chargeId',
  'created_at as createdAt'
] as const

export async function insertAdjustment(
  tx: Tx,
  adjustment: Omit<Adjustment, 'id' | 'createdAt'>
): Promise<Adjustment> {
  const { accountId, chargeId, ...rest } = adjustment
  return await tx
    .insertInto('adjustment')
    .values({ id: newId('adj'), account_id: accountId, charge_id: chargeId, ...rest })
    .returning(adjustmentColumns)
    .executeTakeFirstOrThrow()
}

export async function findAdjustmentByReference(
  db: Db,
  accountId: number,
  reference: string
): Promise<Adjustment | undefined> {
  return await db
    .selectFrom('adjustment')
    .select(adjustmentColumns)
    .where('account_id', '=', accountId)
    .where('reference', '=', reference)
    .executeTakeFirst()
}

/** Newest first; `before`: from after that id on. */
export async function listAdjustments(
  db: Db,
  accountId: number,
  page: { before: string | null; limit: number }
): Promise<Adjustment[]> {
  let query = db
    .selectFrom('adjustment')
    .select(adjustmentColumns)
    .where('account_id', '=', accountId)
    .orderBy('id', 'desc')
    .limit(page.limit)
  if (page.before !== null) query = query.where('id', '<', page.before)
  return await query.execute()
}
