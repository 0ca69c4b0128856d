import { createHash } from 'node:crypto'
import type { Db } from '../database/database.ts'
import { Problem } from '../problem.ts'
import type { Context } from '../service-context.ts'
import {
  beginUpload,
  discard,
  findReport,
  finishContent,
  type ListedReport,
  savePiece
} from './report.store.ts'

const pieceSize = 1024 * 1024
/** Some 4 million lines. */
const contentSizeMax = 1024 * 1024 * 1024

/**
 * Takes a report that is uploaded, as a stream: once it is answered its content outlives a crash,
 * and it is read in the background. `isNew` is false where the same content was taken before.
 */
export async function receiveReport(
  { db, wake }: Pick<Context, 'db' | 'wake'>,
  content: AsyncIterable<Uint8Array>,
  fileName: string | null
): Promise<{ report: ListedReport; isNew: boolean }> {
  const id = await beginUpload(db, fileName)
  try {
    const whole = await storeContent(db, id, content)
    const kept = await db.transaction().execute((tx) => finishContent(tx, id, whole))
    wake('read_reports')
    return { report: (await findReport(db, kept)) as ListedReport, isNew: kept === id }
  } catch (error) {
    await discard(db, id).catch(() => {})
    throw error
  }
}

/** Stores content in pieces, as it comes: `body_too_large` where it does not end. */
export async function storeContent(
  db: Db,
  id: string,
  content: AsyncIterable<Uint8Array>
): Promise<{ hash: Buffer; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  let number = 0
  let parts: Uint8Array[] = []
  let held = 0
  const save = async () => {
    await savePiece(db, id, number, Buffer.concat(parts))
    number += 1
    parts = []
    held = 0
  }
  for await (const part of content) {
    hash.update(part)
    size += part.length
    held += part.length
    parts.push(part)
    if (size > contentSizeMax) {
      throw new Problem('body_too_large', 'A settlement report holds at most 1 GiB.')
    }
    if (held >= pieceSize) await save()
  }
  if (held > 0) await save()
  return { hash: hash.digest(), size }
}
