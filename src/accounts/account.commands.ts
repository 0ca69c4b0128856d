import type { Db, Tx } from '../database/database.ts'
import { allocateCharge, post } from '../ledger/ledger.store.ts'
import { fitsCmpDecimals, fitsCmpSize, type Money } from '../money.ts'
import { Problem } from '../problem.ts'
import {
  type Account,
  type Charge,
  findAccount,
  findChargeByReference,
  findCharges,
  insertAccount,
  insertCharge,
  lockAccount,
  updateAccount,
  updateInQuery
} from './account.store.ts'
import { toAccountNumber } from './account-number.ts'

/** The account that a path names, or the problem that there is none. */
export async function getAccount(db: Db, accountId: string): Promise<Account> {
  const account = await findAccount(db, toAccountNumber(accountId))
  if (account === undefined) throw new Problem('account_not_known', 'No account has this number.')
  return account
}

/** Only what the billing system can hold: `amount_too_large`, `amount_not_representable`. */
export function requireAmount(amount: Money): void {
  if (!fitsCmpSize(amount)) throw new Problem('amount_too_large', 'At most 9,999,999.99.')
  if (!fitsCmpDecimals(amount)) {
    throw new Problem('amount_not_representable', 'The billing system holds two decimals.')
  }
}

export function requireCurrency(account: Account, amount: Money): void {
  if (account.currency === amount.currency) return
  throw new Problem('currency_mismatch', `Account ${account.id} is kept in ${account.currency}.`)
}

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
  requireAmount(request.amount)
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
  requireCurrency(account, amount)
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

type ChangeChargeRequest = { accountId: number; chargeId: string; inQuery: boolean }

/**
 * A charge in query keeps what has paid it, and takes only money that names it. Once it no longer
 * is, credit of the account is matched to it at once.
 */
export async function changeCharge(
  db: Db,
  { accountId, chargeId, inQuery }: ChangeChargeRequest
): Promise<{ charge: Charge; currency: string }> {
  return await db.transaction().execute(async (tx) => {
    const account = await lockAccount(tx, accountId)
    if (account === undefined) throw new Problem('account_not_known', `No account ${accountId}.`)
    const [known] = await findCharges(tx, accountId, [chargeId])
    if (known === undefined) {
      throw new Problem('charge_not_known', 'The account has no charge of this id.')
    }
    await updateInQuery(tx, chargeId, inQuery)
    if (!inQuery) await allocateCharge(tx, accountId, chargeId)
    const [charge = known] = await findCharges(tx, accountId, [chargeId])
    return { charge, currency: account.currency }
  })
}
