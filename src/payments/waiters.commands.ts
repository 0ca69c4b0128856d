/**
 * Callers who wait for a payment to change. Long polling has five places: http/prefer.ts reads
 * `Prefer: wait=N`; GET of a payment waits here, GET of the feed in feed/feed-signal.ts. Announcing
 * committed events (webhooks/announce.jobs.ts) sends one NOTIFY with the payments that changed, and
 * `tell` those that changed without an event; database/listener.ts hears it on every instance, and
 * service.ts passes it on to both. Time being up, each is read once more.
 */
import type { Db } from '../database/database.ts'
import { notifyChanged } from './changed.store.ts'
import { findShownPayments } from './payment.store.ts'
import type { ShownPayment } from './payment.ts'

/** So many payments are read by one statement. */
const readAtOnce = 500
/** After a read that failed, ms. */
const readAgainMs = 500
/** An instance sends one NOTIFY of changes without events in so long, ms: each takes a lock. */
const tellEveryMs = 20

type Waiter = { see(payment: ShownPayment): void; stop(): void }

export type Waiters = ReturnType<typeof createWaiters>

/**
 * Those who wait on this instance. Each holds a socket and some memory, and no connection to the
 * database: a payment that changed is read once for all who wait for it.
 */
export function createWaiters(db: Db, onFault: (error: unknown) => void) {
  const waiters = new Map<string, Set<Waiter>>()
  const due = new Set<string>()
  const untold = new Set<string>()
  let reading = false
  let telling = false
  let closed = false

  async function readDue(): Promise<void> {
    if (reading) return
    reading = true
    while (due.size > 0) {
      const ids = [...due].slice(0, readAtOnce)
      for (const id of ids) due.delete(id)
      try {
        for (const payment of await findShownPayments(db, ids)) {
          for (const waiter of waiters.get(payment.id) ?? []) waiter.see(payment)
        }
      } catch (error) {
        onFault(error)
        for (const id of ids) if (waiters.has(id)) due.add(id)
        await pause(readAgainMs)
      }
    }
    reading = false
  }

  function changed(ids: Iterable<string>): void {
    for (const id of ids) if (waiters.has(id)) due.add(id)
    void readDue()
  }

  async function tell(id: string): Promise<void> {
    changed([id])
    untold.add(id)
    if (telling) return
    telling = true
    while (untold.size > 0 && !closed) {
      const ids = [...untold]
      untold.clear()
      await notifyChanged(db, ids).catch(onFault)
      await pause(tellEveryMs)
    }
    telling = false
  }

  return {
    changed,
    /** The payment changed, and no event tells so: wakes who waits for it on any instance. */
    tell: (id: string) => void tell(id),
    /** After a silence, in which anything may have changed. */
    changedAny: () => changed(waiters.keys()),
    count: () => waiters.size,

    /**
     * Reads the payment and waits until `isEnough` of it, for `ms` at most or until `signal`;
     * answers it as it was seen last, and where time is up as it is then. Where `read` throws, so
     * does this.
     */
    async wait(
      id: string,
      read: () => Promise<ShownPayment>,
      isEnough: (payment: ShownPayment) => boolean,
      ms: number,
      signal: AbortSignal
    ): Promise<ShownPayment> {
      const end = Promise.withResolvers<void>()
      const stop = () => end.resolve()
      let last: ShownPayment | undefined
      const see = (payment: ShownPayment) => {
        last = payment
        if (isEnough(payment)) stop()
      }
      const waiter = { see, stop }
      // Waiting begins before reading, so that no change in between is missed.
      const others = waiters.get(id) ?? new Set()
      waiters.set(id, others.add(waiter))
      let isTimeUp = false
      const timer = setTimeout(() => {
        isTimeUp = true
        stop()
      }, ms)
      signal.addEventListener('abort', stop)
      if (closed || signal.aborted) stop()
      try {
        const first = await read()
        if (last === undefined) see(first)
        await end.promise
        return isTimeUp ? await read() : (last ?? first)
      } finally {
        clearTimeout(timer)
        signal.removeEventListener('abort', stop)
        others.delete(waiter)
        if (others.size === 0) waiters.delete(id)
      }
    },

    /** Everybody is answered with what they saw last. */
    close(): void {
      closed = true
      due.clear()
      for (const { stop } of [...waiters.values()].flatMap((some) => [...some])) stop()
    }
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref())
