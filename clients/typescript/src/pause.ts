import { setTimeout } from 'node:timers/promises'

/** Waits so many ms; rejected with the reason of the signal when that comes first. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await setTimeout(ms, undefined, signal && { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
