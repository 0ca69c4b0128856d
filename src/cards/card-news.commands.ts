import type { Tx } from '../database/database.ts'
import type { CardNews } from './card-news.ts'
import { requestCardSync } from './card-sync.store.ts'
import { recordRegistrationOutcomes } from './registration.store.ts'

/** Writes down what became of registrations, and whose cards are to be asked for: true if any. */
export async function recordCardNews(tx: Tx, news: readonly CardNews[]): Promise<boolean> {
  const outcomes = news.flatMap(({ registration }) => registration ?? [])
  const accountIds = new Set(news.flatMap(({ accountId }) => accountId ?? []))
  if (outcomes.length > 0) await recordRegistrationOutcomes(tx, outcomes)
  if (accountIds.size > 0) await requestCardSync(tx, [...accountIds])
  return accountIds.size > 0
}
