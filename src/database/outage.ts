/** Says once that the database is away and once that it is back; in between it only counts. */
import type { Logger } from 'pino'
import { readOnlyState, reasonOf, unavailabilityOf } from './unavailable.ts'

export type Outage = {
  /** An attempt to reach the database has failed, for whatever reason. */
  failed(error: unknown): void
  /** A statement has succeeded; `wrote`: one that needs a database that takes writes. */
  worked(wrote: boolean): void
  /**
   * Whether a connection that was made then (`performance.now()`) may lead to where the database is
   * no more: to a standby that only reads, where nothing else would show it.
   */
  isStale(madeAt: number): boolean
}

/** It is back when nothing has failed for so long, so that a database in trouble is one outage. */
const calmMs = 1_000

export function createOutage(log: Pick<Logger, 'warn' | 'info'>): Outage {
  let failures = 0
  let [firstAt, lastAt] = [0, 0]
  let isReadOnly = false
  return {
    failed(error) {
      if (unavailabilityOf(error) !== 'away') return
      const { code } = error as { code?: string }
      isReadOnly = code === readOnlyState
      lastAt = performance.now()
      failures += 1
      if (failures > 1) return
      firstAt = lastAt
      log.warn({ code, reason: reasonOf(error) }, 'the database is not available')
    },
    worked(wrote) {
      if (failures === 0 || (isReadOnly && !wrote)) return
      const now = performance.now()
      if (now - lastAt < calmMs) return
      const seconds = Math.round((now - firstAt) / 1_000)
      log.info({ failures, seconds }, 'the database is available again')
      failures = 0
    },
    isStale: (madeAt) => failures > 0 || madeAt < lastAt
  }
}
