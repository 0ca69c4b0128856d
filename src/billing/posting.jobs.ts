import type { Db } from '../database/database.ts'
import { delayAfter, providerRetryS } from '../due/delays.ts'
import { type OnFault, runBatch } from '../due/run-each.ts'
import {
  placePostings,
  setTransferAside,
  takeTransfers,
  type UnplacedTransfer
} from './posting.store.ts'

/** As many postings as get their place in one transaction. */
export const postingBatchSize = 1_000

type PostingJobDeps = { db: Db; onFault: OnFault }

/** Gives what moved on customers' accounts its place in the feed of postings. One round. */
export async function placeNewPostings({ db, onFault }: PostingJobDeps): Promise<number> {
  return await runBatch<UnplacedTransfer>(db, {
    size: postingBatchSize,
    take: takeTransfers,
    work: placePostings,
    setAside: (tx, one) => setTransferAside(tx, one, delayAfter(providerRetryS, one.attempts)),
    onFault: (one, error) => onFault({ transferId: one?.id }, error)
  })
}
