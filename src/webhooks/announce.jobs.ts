import type { Tx } from '../database/database.ts'
import { delayAfter, providerRetryS } from '../due/delays.ts'
import { isLost, type OnFault, runBatch } from '../due/run-each.ts'
import { notifyChanged } from '../payments/changed.store.ts'
import type { Context } from '../service-context.ts'
import {
  type Announced,
  findUnplaced,
  lockAnnouncer,
  placeEvents,
  setEventAside,
  type UnplacedEvent
} from './announce.store.ts'

/** As many events as get their place in one transaction; what comes meanwhile gathers. */
export const announceRounds = { batchSize: 1_000, gatherMs: 20 } as const
/** As many deliveries as one transaction makes, and one statement: half a second, and a tenth. */
const fanOutMax = { transaction: 20_000, statement: 4_000 } as const

type AnnounceDeps = Pick<Context, 'db' | 'wake'> & {
  onFault: OnFault
  /** Called once a round is over: each event is told once, by the instance that placed it. */
  onAnnounced?: (events: Iterable<Announced>) => void
}

/**
 * Gives committed events their places in the feed, makes them due at the webhook endpoints that
 * want them, and notifies every instance which payments changed. One round; answers how many.
 */
export async function announce(deps: AnnounceDeps): Promise<number> {
  const { db, wake, onFault, onAnnounced } = deps
  // A transaction that comes to nothing takes its events again, one by one.
  const announced = new Map<string, Announced>()
  let due = 0
  let hasTurn = false
  const count = await runBatch<UnplacedEvent>(db, {
    size: announceRounds.batchSize,
    take: async (tx, limit, only) => {
      hasTurn = false
      await lockAnnouncer(tx)
      hasTurn = true
      const statements = await placeAll(tx, limit, only)
      for (const [first] of statements) due += first?.due ?? 0
      const events = statements.flat()
      for (const event of events) announced.set(nameOf(event), event)
      return events
    },
    work: (tx, events) =>
      notifyChanged(tx, [...new Set(events.flatMap(({ paymentId }) => paymentId ?? []))]),
    find: findUnplaced,
    setAside: (tx, event) => setEventAside(tx, event, delayAfter(providerRetryS, event.attempts)),
    onFault(event, error) {
      if (event !== undefined) announced.delete(nameOf(event))
      onFault({ ...event }, error)
    },
    // Another announcer that takes long is no fault of an event.
    isOver: (error) => !hasTurn || isLost(error)
  })
  if (due > 0) wake('deliver_webhooks')
  onAnnounced?.(announced.values())
  return count
}

const nameOf = ({ paymentId, sequence, eventId }: UnplacedEvent) =>
  eventId ?? `${paymentId}.${sequence}`

/** Mostly in one statement; answers what each has placed. */
async function placeAll(tx: Tx, limit: number, only?: UnplacedEvent): Promise<Announced[][]> {
  const statements: Announced[][] = []
  for (let left = limit; ; ) {
    const some = await placeEvents(tx, left, fanOutMax.statement, only)
    statements.push(some)
    const endpoints = Math.max(some[0]?.endpoints ?? 0, 1)
    const atOnce = (deliveries: number) => Math.max(Math.floor(deliveries / endpoints), 1)
    left = Math.min(limit, atOnce(fanOutMax.transaction)) - statements.flat().length
    if (some.length < atOnce(fanOutMax.statement) || left <= 0) return statements
  }
}
