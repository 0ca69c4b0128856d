/**
 * Many requests, one statement: what is asked while statements are under way, or in the same turn
 * of the event loop, shares the next one, and so one round trip and one commit.
 */
import { currentSpan, type Span, shareSpans, traced, within } from '../tracing/span.ts'
import type { Db } from './database.ts'
import { isContended, isUnavailable, NoTurn } from './unavailable.ts'

type Batching<Item, Result> = {
  /** One statement; it answers each item in its place. */
  run: (db: Db, items: Item[]) => Promise<Result[]>
  /**
   * What an item may wait for in the database, such as a row that it locks. Items that have one in
   * common never share a statement, nor are they under way at the same time.
   */
  keysOf?: (item: Item) => readonly string[]
  /** Statements at once, on one pool: 1 unless given, since more of them are smaller ones. */
  atOnce?: number
  /** Beside so many that wait for a lock others go on, with a connection for each: 2. */
  slowAtOnce?: number
  /** Items of one statement at most: 100. */
  max?: number
}

/** A statement that takes longer waits for a lock: it holds its connection. */
const slowAfterMs = 100
/** How often it is looked whether a turn is overdue. */
const lookEveryMs = 250
/**
 * An item waits for its turn as long as a statement waits for a connection, 2 s, and for a look
 * more. Looks are counted and not time: while this process stood still, it has given no turns.
 */
const looksMax = 8
/** One that has waited for a lock, with others, gets the turn that is its own within 0.5 s. */
const looksForOwn = 2

type Waiting<Item, Result> = {
  item: Item
  keys: readonly string[]
  /** In so many lines others stand before it. */
  behind: number
  /** The look since which it waits. */
  since: number
  /** What it is a part of while it waits and is run. */
  span: Span | undefined
  /** It is under way, or its turn will not come any more. */
  isOut: boolean
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/**
 * A function that runs single items, together with those of others on the same pool. An item fails
 * by its own fault alone: a statement that is refused is run again in halves, down to the single
 * item, and one that waited too long for a lock for each item by itself. Where the connection
 * broke, nobody knows what became of any item, and each gets that error. One whose turn does not
 * come within 2 s is not run: `NoTurn`. In a transaction an item is run at once and alone.
 */
export function batched<Item, Result>(
  batching: Batching<Item, Result>
): (db: Db, item: Item) => Promise<Result> {
  const queues = new WeakMap<Db, (item: Item) => Promise<Result>>()
  return (db, item) => {
    if (db.isTransaction) return runAlone(db, batching, item)
    let queue = queues.get(db)
    if (queue === undefined) {
      queue = createQueue(db, batching)
      queues.set(db, queue)
    }
    return queue(item)
  }
}

/**
 * A function that reads single rows by id, of which `find` answers those that are there. Who asks
 * at the same time is given the same object, so nobody may change it.
 */
export function readById<Row extends { id: string }>(
  find: (db: Db, ids: readonly string[]) => Promise<Row[]>
): (db: Db, id: string) => Promise<Row | undefined> {
  return batched({
    // One that finds its rows on the disk keeps no other waiting; and rows by key are soon read.
    ...{ atOnce: 2, max: 500 },
    run: async (db, ids) => {
      const found = new Map((await find(db, [...new Set(ids)])).map((row) => [row.id, row]))
      return ids.map((id) => found.get(id))
    }
  })
}

function createQueue<Item, Result>(db: Db, batching: Batching<Item, Result>) {
  const { run, keysOf, atOnce = 1, slowAtOnce = 2, max = 100 } = batching
  type One = Waiting<Item, Result>
  const lines = createLines<One>()
  /** Before whom nobody stands in any line; and what is left of batches that failed. */
  let ready: One[] = []
  let failed: One[][] = []
  /** Statements under way, and how many of them are slow. */
  let running = 0
  let slow = 0
  let isScheduled = false
  let isWatched = false
  let looks = 0

  function schedule(): void {
    if (isScheduled || isFull() || ready.length + failed.length === 0) return
    isScheduled = true
    setImmediate(begin)
  }

  const isFull = () => running >= atOnce + Math.min(slow, slowAtOnce)

  function begin(): void {
    isScheduled = false
    while (!isFull() && ready.length + failed.length > 0) {
      const batch = failed.shift() ?? ready.splice(0, max)
      for (const one of batch) one.isOut = true
      void runTogether(batch)
    }
  }

  async function runTogether(batch: One[]): Promise<void> {
    running += 1
    let isSlow = false
    const timer = setTimeout(() => {
      isSlow = true
      slow += 1
      schedule()
    }, slowAfterMs)
    try {
      const items = batch.map(({ item }) => item)
      const span = shareSpans(batch.map((one) => one.span))
      const results = await within(span, () => run(db, items))
      for (const [place, one] of batch.entries()) one.resolve(results[place] as Result)
      leave(batch)
    } catch (error) {
      fail(batch, error)
    }
    clearTimeout(timer)
    running -= 1
    if (isSlow) slow -= 1
    schedule()
  }

  /** They are run again apart, unless the fault is of the only one or that of all. */
  function fail(batch: One[], error: unknown): void {
    if (batch.length === 1 || (isUnavailable(error) && !isContended(error))) {
      for (const one of batch) one.reject(error)
      leave(batch)
      return
    }
    const hasWaited = isContended(error)
    for (const one of batch) {
      one.since = hasWaited ? looks + looksForOwn - looksMax : looks
      one.isOut = false
    }
    // Halves find one among many soon; but each that holds it would wait for its lock again.
    const size = hasWaited ? 1 : Math.ceil(batch.length / 2)
    for (let start = 0; start < batch.length; start += size) {
      failed.push(batch.slice(start, start + size))
    }
  }

  /** Who stood behind them may be ready now. */
  function leave(batch: readonly One[]): void {
    if (keysOf === undefined) return
    ready.push(...lines.leave(batch))
  }

  function watch(): void {
    if (isWatched) return
    isWatched = true
    setTimeout(refuseOverdue, lookEveryMs).unref()
  }

  function refuseOverdue(): void {
    looks += 1
    const overdue = [...new Set([...failed.flat(), ...ready, ...lines.all()])].filter(
      ({ isOut, since }) => !isOut && looks - since > looksMax
    )
    for (const one of overdue) {
      one.isOut = true
      one.reject(new NoTurn())
    }
    const remaining = (some: One[]) => some.filter(({ isOut }) => !isOut)
    failed = failed.map(remaining).filter(({ length }) => length > 0)
    ready = remaining(ready)
    leave(overdue)
    isWatched = false
    if (running + ready.length + failed.length > 0) watch()
    schedule()
  }

  const enter = (item: Item) =>
    new Promise<Result>((resolve, reject) => {
      const keys = keysOf?.(item) ?? noKeys
      const span = currentSpan()
      const one: One = { item, keys, behind: 0, since: looks, span, isOut: false, resolve, reject }
      if (lines.enter(one)) ready.push(one)
      watch()
      schedule()
    })
  return (item: Item) =>
    currentSpan() === undefined ? enter(item) : traced('shared statement', {}, () => enter(item))
}

const noKeys: readonly string[] = []

type InLine = { keys: readonly string[]; behind: number; isOut: boolean }

/** A line for each key, in which whoever has it stands from when it comes until it is answered. */
function createLines<One extends InLine>() {
  const lines = new Map<string, One[]>()
  return {
    all: () => [...lines.values()].flat(),
    /** Whether nobody stands before it. */
    enter(one: One): boolean {
      for (const key of one.keys) {
        const line = lines.get(key)
        if (line === undefined) lines.set(key, [one])
        else {
          line.push(one)
          one.behind += 1
        }
      }
      return one.behind === 0
    },
    /** Answers those before whom nobody stands any more. */
    leave(some: readonly One[]): One[] {
      const first: One[] = []
      for (const one of some) {
        for (const key of one.keys) {
          const line = lines.get(key) ?? []
          const place = line.indexOf(one)
          line.splice(place, 1)
          const [next] = line
          if (next === undefined) lines.delete(key)
          else if (place === 0) {
            next.behind -= 1
            if (next.behind === 0 && !next.isOut) first.push(next)
          }
        }
      }
      return first
    }
  }
}

async function runAlone<Item, Result>(
  db: Db,
  { run }: Batching<Item, Result>,
  item: Item
): Promise<Result> {
  const [result] = await run(db, [item])
  return result as Result
}
