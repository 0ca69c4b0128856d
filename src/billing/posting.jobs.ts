import type { Db } from '../database/database.ts'
import { placePostings } from './posting.store.ts'

/** As many postings as get their place in one transaction. */
export const postingBatchSize = 1_000

/** Gives what moved on customers' accounts its place in the feed of postings. One round. */
export async function placeNewPostings({ db }: { db: Db }): Promise<number> {
  return await db.transaction().execute((tx) => placePostings(tx, postingBatchSize))
}
