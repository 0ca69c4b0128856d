/** Rings for everybody who listens at that moment. */
export type Bell = ReturnType<typeof createBell>

export function createBell() {
  const listeners = new Set<(rang: boolean) => void>()
  let closed = false

  function tell(rang: boolean): void {
    for (const hear of listeners) hear(rang)
  }

  return {
    ring: () => tell(true),
    /** Nobody waits any longer. */
    close(): void {
      closed = true
      tell(false)
    },
    /** Whether it rings next within `ms`, and before `signal`. */
    async next(ms: number, signal: AbortSignal): Promise<boolean> {
      if (closed || signal.aborted) return false
      return await new Promise<boolean>((resolve) => {
        const hear = (rang: boolean) => {
          clearTimeout(timer)
          listeners.delete(hear)
          signal.removeEventListener('abort', giveUp)
          resolve(rang)
        }
        const giveUp = () => hear(false)
        const timer = setTimeout(giveUp, ms)
        listeners.add(hear)
        signal.addEventListener('abort', giveUp)
      })
    }
  }
}
