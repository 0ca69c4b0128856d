import type { Db } from '../database/database.ts'
import { isUnavailable } from '../database/unavailable.ts'
import type { OnFault } from '../due/run-each.ts'
import { rematch } from './line.commands.ts'
import { lockUnmatched, type UnmatchedLine } from './line.store.ts'

type RematchDeps = { db: Db; providerName: string; onFault: OnFault }

const linesAtOnce = 200

/**
 * Tries lines again that no record explained, of payments that changed since `since` (by default
 * within the last hour): what they rest on may come later, by a notification or in another report.
 * Answers how many it matched. A line that fails alone is reported, and the others go on.
 */
export async function rematchLines(deps: RematchDeps, since?: Date): Promise<number> {
  const { db, providerName } = deps
  let matched = 0
  let limit = linesAtOnce
  for (let after = 0; ; ) {
    let lines: UnmatchedLine[] = []
    try {
      matched += await db.transaction().execute(async (tx) => {
        lines = await lockUnmatched(tx, since, after, limit)
        return await rematch(tx, providerName, lines)
      })
    } catch (error) {
      if (isUnavailable(error)) throw error
      if (limit > 1) {
        limit = 1
        continue
      }
      deps.onFault({ reportId: lines[0]?.reportId, line: lines[0]?.line.line }, error)
    }
    const last = lines.at(-1)
    if (last === undefined || lines.length < limit) return matched
    after = last.id
  }
}
