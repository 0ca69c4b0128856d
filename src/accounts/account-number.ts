import { Problem } from '../problem.ts'

const accountNumber = /^[1-9][0-9]{0,7}$/

/** An id that cannot exist is not found (`account_not_known`), like any other that does not. */
export function toAccountNumber(accountId: string): number {
  if (!accountNumber.test(accountId)) {
    throw new Problem('account_not_known', 'An account number has 1 to 8 digits.')
  }
  return Number(accountId)
}
