/** Rings for everybody who listens at that moment. */
export type Bell = ReturnType<typeof createFeedSignal>

export function createFeedSignal() {
  const listeners = new Set<(ring: number | undefined) => void>()
  let rings = 0
  let closed = false

  function tell(ring: number | undefined): void {
    for (const hear of listeners) hear(ring)
  }

  return {
    ring(): void {
      rings += 1
      tell(rings)
    },
    /** Nobody waits any longer. */
    close(): void {
      closed = true
      tell(undefined)
    },
    /** The how many-th ring is the next within `ms` and before `signal`; undefined for none. */
    async next(ms: number, signal: AbortSignal): Promise<number | undefined> {
      if (closed || signal.aborted) return undefined
      return await new Promise<number | undefined>((resolve) => {
        const hear = (ring: number | undefined) => {
          clearTimeout(timer)
          listeners.delete(hear)
          signal.removeEventListener('abort', giveUp)
          resolve(ring)
        }
        const giveUp = () => hear(undefined)
        const timer = setTimeout(giveUp, ms)
        listeners.add(hear)
        signal.addEventListener('abort', giveUp)
      })
    }
  }
}
