import type { Db, Tx } from '../database/database.ts'
import { findClosing } from './closing.store.ts'
import { asBefore, dayAfter, spanOf } from './closing.ts'
import {
  countDiscrepancies,
  planForValues,
  sumPayouts,
  sumPostings,
  sumSettled
} from './summary.store.ts'
import { toSummary, toSummaryView } from './summary.ts'

const beginning = new Date(0)

/** The summary of a day (`2026-11-28`): what is posted meanwhile is in all of it or in none. */
export async function readSummary(db: Db, merchantAccount: string, date: string) {
  const transaction = db.transaction().setIsolationLevel('repeatable read')
  return await transaction
    .setAccessMode('read only')
    .execute((tx) => addUp(tx, merchantAccount, date))
}

/** What it costs does not grow with what was before: that stands in the closing of a day. */
export async function addUp(tx: Tx, merchantAccount: string, date: string) {
  await planForValues(tx)
  const closing = await findClosing(tx, date)
  const since = closing === undefined ? beginning : dayAfter(closing.day).span.from
  const before = closing === undefined ? { postings: [], settled: [] } : asBefore(closing)
  const { span } = spanOf(date)
  const postings = [...before.postings, ...(await sumPostings(tx, span, since))]
  const settled = [...before.settled, ...(await sumSettled(tx, merchantAccount, span, since))]
  const payouts = await sumPayouts(tx, merchantAccount, span)
  const discrepancies = await countDiscrepancies(tx, span)
  return toSummaryView(date, toSummary(postings, settled, payouts), discrepancies)
}
