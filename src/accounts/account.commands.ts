import type { Db, Tx } from '../database.ts'
import { post } from '../ledger/ledger.store.ts'
import { fitsCmpDecimals, fitsCmpSize, type Money } from '../money.ts'
import { Problem } from '../problem.ts'
import {
  type Account,
  type Charge,
  findChargeByReference,
  insertAccount,
  insertCharge,
  lockAccount,
  updateAccount
} from './account.store.ts'

type PutAccountRequest = {
  id: number
  currency: string
  name?: string
  status?: 'open' | 'closed'
}

/** Makes the account, or brings its name and status up to date. Its currency never changes. */
export async function putAccount(
  db: Db,
  request: PutAccountRequest
): Promise<{ account: Account; created: boolean }> {
  return await db.transaction().execute(async (tx) => {
    const { id, currency, name = null, status = 'open' } = request
    const fresh: Account = { id, currency, name, status }
    if (await insertAccount(tx, fresh)) return { account: fresh, created: true }
    const known = (await lockAccount(tx, id)) as Account
    if (known.currency !== currency) {
      throw new Problem('account_currency_fixed', `Account ${id} is kept in ${known.currency}.`)
    }
    const account = {
      ...known,
      ...(request.name !== undefined && { name }),
      ...(request.status && { status })
    }
    await updateAccount(tx, account)
    return { account, created: false }
  })
}

type CreateChargeRequest = { accountId: number; reference: string; amount: Money; dueAt: Date }

/**
 * What the customer owes. The reference is the natural key: the same content again is the same
 * charge. Credit of the account is matched to it at once.
 */
export async function createCharge(
  db: Db,
  request: CreateChargeRequest
): Promise<{ charge: Charge; currency: string; created: boolean }> {
  const { amount } = request
  if (!fitsCmpSize(amount)) throw new Problem('amount_too_large', 'At most 9,999,999.99.')
  if (!fitsCmpDecimals(amount)) {
    throw new Problem('amount_not_representable', 'The billing system holds two decimals.')
  }
  return await db.transaction().execute((tx) => addCharge(tx, request))
}

async function addCharge(tx: Tx, request: CreateChargeRequest) {
  const { accountId, amount, reference, dueAt } = request
  const account = await lockAccount(tx, accountId)
  if (account === undefined) throw new Problem('account_not_known', `No account ${accountId}.`)
  const known = await findChargeByReference(tx, accountId, reference)
  if (known !== undefined) return { ...sameCharge(known, request, account), created: false }
  if (account.status === 'closed') {
    throw new Problem('account_closed', `Account ${accountId} is closed.`)
  }
  if (account.currency !== amount.currency) {
    throw new Problem('currency_mismatch', `Account ${accountId} is kept in ${account.currency}.`)
  }
  const charge = (await insertCharge(tx, {
    accountId,
    reference,
    amount: amount.value,
    dueAt
  })) as Charge
  await post(tx, [
    {
      kind: 'charge',
      fact: charge.id,
      accountId,
      amount,
      cause: { type: 'charge', id: charge.id },
      paymentId: null
    }
  ])
  const matched = (await findChargeByReference(tx, accountId, reference)) as Charge
  return { charge: matched, currency: account.currency, created: true }
}

function sameCharge(known: Charge, request: CreateChargeRequest, account: Account) {
  const { amount, dueAt, reference } = request
  const same =
    known.amount === amount.value &&
    account.currency === amount.currency &&
    known.dueAt.getTime() === dueAt.getTime()
  if (!same) {
    throw new Problem(
      'charge_conflict',
      `${reference} is a charge of ${known.amount} ${account.currency} (minor units), due ` +
        `${known.dueAt.toISOString()}.`
    )
  }
  return { charge: known, currency: account.currency }
}
