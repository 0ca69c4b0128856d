import { readClock, type Tx } from '../database/database.ts'
import { answerOnce, type OnceAnswer } from '../http/idempotency.commands.ts'
import type { Claim } from '../http/idempotency.store.ts'
import { newId } from '../id.ts'

import { Problem } from '../problem.ts'
import type { Context } from '../service-context.ts'
import { findFile, insertFile, lockDetails, lockUnfiled } from './billing.store.ts'
import {
  type BillingFile,
  findRejected,
  limitsOf,
  type Rejection,
  recordsMax,
  toFileView,
  toUpload,
  within
} from './billing.ts'
import { acknowledgeAll } from './posting.commands.ts'

/** Makes a file of the open postings that are in none: as many as it holds, oldest first. */
export async function makeFile(
  { db }: Pick<Context, 'db'>,
  claim: Claim,
  asked: Pick<BillingFile, 'currency' | 'transactionType'>
): Promise<OnceAnswer> {
  const id = newId('bil')
  return await answerOnce(db, claim, id, async (tx) => {
    const limits = limitsOf(asked.currency)
    const open = await lockUnfiled(tx, asked, limits, recordsMax)
    const { taken, total } = within(open, limits.totalMax)
    const recordCount = taken.length
    const createdAt = await readClock(tx)
    const file: BillingFile = { id, ...asked, recordCount, totalAmount: total, createdAt }
    const postingIds = taken.map((posting) => posting.id)
    await insertFile(tx, file, toUpload(file, taken), postingIds)
    const counts = { open: recordCount, posted: 0, rejected: 0 }
    return { status: 201, body: JSON.stringify(toFileView(file, counts)) }
  })
}

/** The billing system has posted the file: all of it that it has not rejected. */
export async function acknowledgeFile(
  { db, providerName }: Pick<Context, 'db' | 'providerName'>,
  claim: Claim,
  id: string
): Promise<OnceAnswer> {
  return await answerOnce(db, claim, id, async (tx) => {
    const open = (await lockDetails(tx, id)).filter(({ status }) => status === 'open')
    const said = { outcome: 'posted', reason: null } as const
    const all = open.map((posting) => ({ posting, said }))
    await acknowledgeAll(tx, providerName, all)
    return { status: 200, body: await readView(tx, id) }
  })
}

/**
 * What the billing system rejected of a file. All of it is taken or nothing: a detail that does not
 * fit says that this is about another file.
 */
export async function rejectDetails(
  { db, providerName }: Pick<Context, 'db' | 'providerName'>,
  claim: Claim,
  fileName: string,
  rejections: readonly Rejection[]
): Promise<OnceAnswer> {
  return await answerOnce(db, claim, fileName, async (tx) => {
    const postings = await lockDetails(tx, fileName)
    const found = await findFile(tx, fileName)
    if (found === undefined) {
      const errors = [{ pointer: '/externalFileName', detail: 'is no file of this service' }]
      throw new Problem('billing_rejections_unmatched', 'No file has this name.', { errors })
    }
    const { rejected, faults } = findRejected(found.file, postings, rejections)
    if (faults.length > 0) {
      const errors = faults.map(({ at, detail }) => ({ pointer: `/details/${at}`, detail }))
      const detail = `${faults.length} of the details do not fit ${fileName}: nothing is changed.`
      throw new Problem('billing_rejections_unmatched', detail, { errors })
    }
    await acknowledgeAll(tx, providerName, rejected)
    return { status: 200, body: await readView(tx, fileName) }
  })
}

async function readView(tx: Tx, id: string): Promise<string> {
  const found = await findFile(tx, id)
  if (found === undefined) throw new Problem('billing_file_not_found', 'No file has this id.')
  return JSON.stringify(toFileView(found.file, found.counts))
}
