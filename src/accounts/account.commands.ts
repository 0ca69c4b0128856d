import type { Db, Tx } from '../database/database.ts'
import { allocateCharge, post } from '../ledger/ledger.store.ts'
import { fitsCmpDecimals, fitsCmpSize, type Money } from '../money.ts'
import { Problem } from '../problem.ts'
import {
  findAccount,
  findChargeByReference,
  findCharges,
  insertAccount,
  insertCharge,
  lockAccount,
  updateAccount,
  updateInQuery
} from './account.store.ts'
import type { Account } from './account.ts'
import { toAccountNumber } from './account-number.ts'
import type { Charge } from './charge.ts'

/** The account that a path names, or the problem that there is none. */
export async function getAccount(db: Db, accountId: string): Promise<Account> {
  const account = await findAccount(db, toAccountNumber(accountId))
  if (account === undefined) throw new Problem('account_not_known', 'No account has this number.')
  return account
}

/** Only what the billing system can hold: `amount_too_large`, `amount_not_representable`. */
function requireAmount(amount: Money): void {
  if (!fitsCmpSize(amount)) throw new Problem('amount_too_large', 'At most 9,999,999.99.')
  if (!fitsCmpDecimals(amount)) {
    throw new Problem('amount_not_representable', 'The billing system holds two decimals.')
  }
}

export function requireCurrency(account: Account, amount: Money): void {
  if (account.currency === amount.currency) return
  throw new Problem('currency_mismatch', `Account ${account.id} is kept in ${account.currency}.`)
}

type PutAccountRequest = Pick<Account, 'id' | 'currency'> & {
  name?: string
  status?: Account['status']
}

/**
 * Makes the account, or brings its name and status up to date. Its currency never changes. `check`
 * throws where what is there is not what the caller supposes.
 */
export async function putAccount(
  db: Db,
  request: PutAccountRequest,
  check: (tx: Tx, known: Account | undefined) => Promise<void> = async () => {}
): Promise<{ account: Account; created: boolean }> {
  return await db.transaction().execute(async (tx) => {
    const { id, currency, name = null, status = 'open' } = request
    const fresh: Account = { id, currency, name, status }
    if (await insertAccount(tx, fresh)) {
      await check(tx, undefined)
      return { account: fresh, created: true }
    }
    const known = (await lockAccount(tx, id)) as Account
    if (known.currency !== currency) {
      throw new Problem('account_currency_fixed', `Account ${id} is kept in ${known.currency}.`)
    }
    const account = {
      ...known,
      ...(request.name !== undefined && { name }),
      ...(request.status && { status })
    }
    await check(tx, known)
    await updateAccount(tx, account)
    return { account, created: false }
  })
}

/** What the billing system pushes: the reference is the natural key within the account. */
type Pushed = { accountId: number; reference: string; amount: Money }

/** How one kind of it is kept. `same`: whether a known one has the same content, amount aside. */
type Kept<T> = {
  find: (tx: Tx, accountId: number, reference: string) => Promise<T | undefined>
  same: (known: T) => boolean
  conflict: (known: T, currency: string) => Problem
  insert: (tx: Tx, account: Account) => Promise<T>
}

/** Writes it down; the same content under the same reference again is the same record. */
export async function once<T extends { amount: number }>(
  db: Db,
  { accountId, reference, amount }: Pushed,
  { find, same, conflict, insert }: Kept<T>
): Promise<{ record: T; currency: string; created: boolean }> {
  requireAmount(amount)
  return await db.transaction().execute(async (tx) => {
    const account = await lockKnown(tx, accountId)
    const { currency } = account
    const known = await find(tx, accountId, reference)
    if (known === undefined) {
      return { record: await insert(tx, account), currency, created: true }
    }
    const isSame = known.amount === amount.value && currency === amount.currency && same(known)
    if (!isSame) throw conflict(known, currency)
    return { record: known, currency, created: false }
  })
}

async function lockKnown(tx: Tx, accountId: number): Promise<Account> {
  const account = await lockAccount(tx, accountId)
  if (account === undefined) throw new Problem('account_not_known', `No account ${accountId}.`)
  return account
}

/** What the customer owes. Credit of the account is matched to it at once. */
export async function createCharge(
  db: Db,
  request: Pushed & { dueAt: Date }
): Promise<{ charge: Charge; currency: string; created: boolean }> {
  const { accountId, amount, reference, dueAt } = request
  const { record: charge, ...rest } = await once<Charge>(db, request, {
    find: findChargeByReference,
    same: (known) => known.dueAt.getTime() === dueAt.getTime(),
    conflict: (known, currency) =>
      new Problem(
        'charge_conflict',
        `${reference} is a charge of ${known.amount} ${currency} (minor units), due ` +
          `${known.dueAt.toISOString()}.`
      ),
    async insert(tx, account) {
      if (account.status === 'closed') {
        throw new Problem('account_closed', `Account ${accountId} is closed.`)
      }
      requireCurrency(account, amount)
      const id = await insertCharge(tx, { accountId, reference, amount: amount.value, dueAt })
      const cause = { type: 'charge', id } as const
      await post(tx, [{ kind: 'charge', fact: id, accountId, amount, cause, paymentId: null }])
      return (await findChargeByReference(tx, accountId, reference)) as Charge
    }
  })
  return { charge, ...rest }
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
    const { currency } = await lockKnown(tx, accountId)
    const [known] = await findCharges(tx, accountId, [chargeId])
    if (known === undefined) {
      throw new Problem('charge_not_known', 'The account has no charge of this id.')
    }
    await updateInQuery(tx, chargeId, inQuery)
    if (!inQuery) await allocateCharge(tx, accountId, chargeId)
    const [charge = known] = await findCharges(tx, accountId, [chargeId])
    return { charge, currency }
  })
}
