export type FeedSignal = ReturnType<typeof createFeedSignal>

/** Wakes the callers on this instance who wait for the next events of the feed. */
export function createFeedSignal() {
  const waiting = new Set<(announcement: number | undefined) => void>()
  let announcements = 0
  let closed = false

  function wakeAll(announcement: number | undefined): void {
    for (const wake of waiting) wake(announcement)
  }

  return {
    /** Events were announced, here or by another instance. */
    announced(): void {
      announcements += 1
      wakeAll(announcements)
    },
    /** Nobody waits any longer. */
    close(): void {
      closed = true
      wakeAll(undefined)
    },
    /**
     * The number of the next announcement, which all who are woken by it share; undefined where
     * none comes within `ms` and before `signal`.
     */
    async next(ms: number, signal: AbortSignal): Promise<number | undefined> {
      if (closed || signal.aborted) return undefined
      return await new Promise<number | undefined>((resolve) => {
        const wake = (announcement: number | undefined) => {
          clearTimeout(timer)
          waiting.delete(wake)
          signal.removeEventListener('abort', giveUp)
          resolve(announcement)
        }
        const giveUp = () => wake(undefined)
        const timer = setTimeout(giveUp, ms)
        waiting.add(wake)
        signal.addEventListener('abort', giveUp)
      })
    }
  }
}
