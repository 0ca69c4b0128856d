/** The background work: each task is a loop of rounds, safe on any number of instances. */
import { delayAfter, pollEveryMs } from './delays.ts'

export type Task<Name extends string = string> = {
  name: Name
  /** One round; answers how much it did. Another follows at once while there is more. */
  run: () => Promise<number>
  /** How long it rests when nothing is due and nobody wakes it, ms. */
  everyMs?: number
  /**
   * What a full round does. After one that did less it pauses a moment, so that under load work
   * gathers into rounds that are worth their statements.
   */
  batchSize?: number
  /** How long that pause is, ms. */
  gatherMs?: number
}

/** Keeps the name's own type, so that a list of tasks knows all of its names. */
export const defineTask = <const Name extends string>(task: Task<Name>): Task<Name> => task

export type WorkerEvents<Name extends string> = {
  /** A round begins, or is over. */
  onRound?: (task: Name, isRunning: boolean) => void
  onDone: (task: Name, count: number) => void
  /** `inARow`: rounds that have failed since one that did not, this one included. */
  onFault: (task: Name, error: unknown, inARow: number) => void
}

/** `Name`: those of its tasks, so that nobody wakes one that is not there. */
export type Worker<Name extends string> = {
  /** Something may be due for the task of this name. One that has just failed goes on resting. */
  wake(task: Name): void
  /** The same for all; and what made them fail may be over. */
  wakeAll(): void
  /** Lets the rounds under way end, and begins no other. */
  stop(): Promise<void>
}

/** Between rounds that are not full: little beside what a person or a client notices. */
const usualGatherMs = 10

/** After faults in a row, so that a broken database is not asked without end. */
const restsAfterFaultsS = [1, 2, 4, 8] as const

export function startWorker<Name extends string>(
  tasks: readonly Task<Name>[],
  events: WorkerEvents<Name>
): Worker<Name> {
  const loops = tasks.map((task) => startLoop(task, events))
  return {
    wake(task) {
      for (const loop of loops) if (task === loop.name) loop.wake()
    },
    wakeAll() {
      for (const loop of loops) loop.wake(true)
    },
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()))
    }
  }
}

function startLoop<Name extends string>(task: Task<Name>, events: WorkerEvents<Name>) {
  const { name, run, everyMs = pollEveryMs, batchSize = 0, gatherMs = usualGatherMs } = task
  let stopping = false
  let woken = false
  let gathering = false
  let faults = 0
  let rouse: () => void = () => {}

  async function rest(ms: number): Promise<void> {
    if (stopping || woken) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      rouse = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** No wake-up call cuts it short, but the end does. */
  async function gather(): Promise<void> {
    woken = false
    gathering = true
    await rest(gatherMs)
    gathering = false
  }

  async function runRound(): Promise<number> {
    events.onRound?.(name, true)
    try {
      return await run()
    } finally {
      events.onRound?.(name, false)
    }
  }

  async function loop(): Promise<void> {
    while (!stopping) {
      woken = false
      try {
        const count = await runRound()
        faults = 0
        if (count > 0) events.onDone(name, count)
        if (count > 0 && count < batchSize) await gather()
        if (count === 0) await rest(everyMs)
      } catch (error) {
        faults += 1
        events.onFault(name, error, faults)
        woken = false
        await rest(delayAfter(restsAfterFaultsS, faults - 1) * 1_000)
      }
    }
  }

  const ended = loop()
  return {
    name,
    wake(isOver = false) {
      if (faults > 0 && !isOver) return
      woken = true
      if (!gathering) rouse()
    },
    async stop() {
      stopping = true
      rouse()
      await ended
    }
  }
}
