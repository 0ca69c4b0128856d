/**
 * Many requests, one statement: what is asked while statements are under way, or in the same turn
 * of the event loop, shares the next one, and so one round trip and one commit.
 */
import type { Db } from './database.ts'
import { isContended, isUnavailable } from './unavailable.ts'

type Batching<Item, Result> = {
  /** One statement; it answers each item in its place. */
  run: (db: Db, items: Item[]) => Promise<Result[]>
  /**
   * What an item may wait for in the database, such as a row that it locks. Items that have one in
   * common never share a statement, nor are they under way at the same time.
   */
  keysOf?: (item: Item) => readonly string[]
  /** Statements at once, on one pool. More of them are faster only while each is small. */
  atOnce?: number
  /** Beside so many statements that wait for a lock others go on: one connection for each. */
  slowAtOnce?: number
  /** Items of one statement at most. */
  max?: number
}

/** A statement that takes longer waits for a lock: it holds its connection. */
const slowAfterMs = 100

type Waiting<Item, Result> = {
  item: Item
  keys: readonly string[]
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/**
 * A function that runs single items, together with those of others on the same pool. An item fails
 * by its own fault alone: a statement that is refused, or that waited too long for a lock, is run
 * again for each item by itself. Where the connection broke, nobody knows what became of any item,
 * and each gets that error. In a transaction an item is run at once and alone.
 */
export function batched<Item, Result>(
  batching: Batching<Item, Result>
): (db: Db, item: Item) => Promise<Result> {
  const queues = new WeakMap<Db, (item: Item) => Promise<Result>>()
  return (db, item) => {
    if (db.isTransaction) return runAlone(db, batching, item)
    const queue = queues.get(db) ?? createQueue(db, batching)
    queues.set(db, queue)
    return queue(item)
  }
}

function createQueue<Item, Result>(db: Db, batching: Batching<Item, Result>) {
  const { keysOf = () => [], atOnce = 2, slowAtOnce = 1, max = 100 } = batching
  let waiting: Waiting<Item, Result>[] = []
  const busy = new Set<string>()
  let running = 0
  let slow = 0
  let isScheduled = false
  const isFull = () => running >= atOnce

  function schedule(): void {
    if (isScheduled || isFull() || waiting.length === 0) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      while (!isFull()) {
        const batch = take()
        if (batch.length === 0) return
        void runTogether(batch)
      }
    })
  }

  /** The oldest that may share a statement with each other and with what is under way. */
  function take(): Waiting<Item, Result>[] {
    const batch: Waiting<Item, Result>[] = []
    const left: Waiting<Item, Result>[] = []
    // Nor does a later item with such a key overtake an earlier one that waits.
    const blocked = new Set(busy)
    for (const one of waiting) {
      const fits = batch.length < max && !one.keys.some((key) => blocked.has(key))
      if (fits) batch.push(one)
      else left.push(one)
      for (const key of one.keys) blocked.add(key)
    }
    for (const { keys } of batch) for (const key of keys) busy.add(key)
    waiting = left
    return batch
  }

  async function runTogether(batch: Waiting<Item, Result>[]): Promise<void> {
    running += 1
    let isSlow = false
    const timer = setTimeout(() => {
      if (slow >= slowAtOnce) return
      isSlow = true
      running -= 1
      slow += 1
      schedule()
    }, slowAfterMs)
    try {
      const items = batch.map(({ item }) => item)
      const results = await batching.run(db, items)
      for (const [place, one] of batch.entries()) one.resolve(results[place] as Result)
    } catch (error) {
      const isShared = batch.length === 1 || (isUnavailable(error) && !isContended(error))
      if (isShared) for (const one of batch) one.reject(error)
      else await Promise.all(batch.map((one) => settleAlone(one)))
    }
    for (const { keys } of batch) for (const key of keys) busy.delete(key)
    clearTimeout(timer)
    if (isSlow) slow -= 1
    else running -= 1
    schedule()
  }

  async function settleAlone({ item, resolve, reject }: Waiting<Item, Result>): Promise<void> {
    await runAlone(db, batching, item).then(resolve, reject)
  }

  return (item: Item) =>
    new Promise<Result>((resolve, reject) => {
      waiting.push({ item, keys: keysOf(item), resolve, reject })
      schedule()
    })
}

async function runAlone<Item, Result>(
  db: Db,
  { run }: Batching<Item, Result>,
  item: Item
): Promise<Result> {
  const [result] = await run(db, [item])
  return result as Result
}
