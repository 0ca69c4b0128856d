import type { Db } from '../database/database.ts'
import { findPayments } from './payment.store.ts'
import type { Payment } from './payment.ts'

/** So many are read by one statement. */
const readAtOnce = 500
/** After a read that failed, ms. */
const readAgainMs = 500

type Waiter = { seen: (payment: Payment) => void }

export type Waiters = ReturnType<typeof createWaiters>

/**
 * Callers who wait for a payment to change, on this instance. They hold a socket and some memory,
 * and no connection to the database: what changed is read once for all who wait for it. Whoever
 * hears of changes (a notice of the database) says so by `changed`.
 */
export function createWaiters(db: Db, onFault: (error: unknown) => void) {
  const waiters = new Map<string, Set<Waiter>>()
  const leave = new Set<() => void>()
  const due = new Set<string>()
  let reading = false
  let closed = false

  async function readDue(): Promise<void> {
    if (reading) return
    reading = true
    while (due.size > 0) {
      const ids = [...due].slice(0, readAtOnce)
      for (const id of ids) due.delete(id)
      try {
        for (const payment of await findPayments(db, ids)) {
          for (const waiter of waiters.get(payment.id) ?? []) waiter.seen(payment)
        }
      } catch (error) {
        onFault(error)
        for (const id of ids) if (waiters.has(id)) due.add(id)
        await new Promise((resolve) => setTimeout(resolve, readAgainMs))
      }
    }
    reading = false
  }

  function changed(ids: Iterable<string>): void {
    for (const id of ids) if (waiters.has(id)) due.add(id)
    void readDue()
  }

  return {
    changed,
    /** After a silence, in which anything may have changed. */
    changedAny: () => changed(waiters.keys()),
    count: () => waiters.size,

    /**
     * Reads the payment and waits until `isEnough` of it, for `ms` at most or until `signal`;
     * answers it as it was seen last. Where `read` throws, so does this.
     */
    async wait(
      id: string,
      read: () => Promise<Payment>,
      isEnough: (payment: Payment) => boolean,
      ms: number,
      signal: AbortSignal
    ): Promise<Payment> {
      const own = waiters.get(id) ?? new Set()
      waiters.set(id, own)
      let last: Payment | undefined
      let stop: () => void = () => {}
      const stopped = new Promise<void>((resolve) => {
        stop = resolve
      })
      const waiter: Waiter = {
        seen(payment) {
          last = payment
          if (isEnough(payment)) stop()
        }
      }
      // Listening comes before reading: what changes in between is heard.
      own.add(waiter)
      const timer = setTimeout(stop, ms)
      if (closed || signal.aborted) stop()
      signal.addEventListener('abort', stop)
      leave.add(stop)
      try {
        const first = await read()
        if (last === undefined) waiter.seen(first)
        await stopped
        return last ?? first
      } finally {
        clearTimeout(timer)
        signal.removeEventListener('abort', stop)
        leave.delete(stop)
        own.delete(waiter)
        if (own.size === 0) waiters.delete(id)
      }
    },

    /** Everybody is answered with what they saw last. */
    close(): void {
      closed = true
      due.clear()
      for (const stop of leave) stop()
    }
  }
}
