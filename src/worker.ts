/** The background work: each task is a loop of rounds, safe on any number of instances. */
import { pollEveryMs } from './jobs.ts'

export type Task = {
  name: string
  /** One round; answers how much it did. Another follows at once while there is more. */
  run: () => Promise<number>
  /** How long it rests when nothing is due and nobody wakes it, ms. */
  everyMs?: number
}

export type WorkerEvents = {
  onDone: (task: string, count: number) => void
  onFault: (task: string, error: unknown) => void
}

export type Worker = {
  /** Something may be due. */
  wake(): void
  /** Lets the rounds under way end, and begins no other. */
  stop(): Promise<void>
}

/** After a fault, so that a broken database is not asked without end. */
const restAfterFaultMs = 1_000

export function startWorker(tasks: readonly Task[], events: WorkerEvents): Worker {
  const loops = tasks.map((task) => startLoop(task, events))
  return {
    wake() {
      for (const loop of loops) loop.wake()
    },
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()))
    }
  }
}

function startLoop({ name, run, everyMs = pollEveryMs }: Task, events: WorkerEvents) {
  let stopping = false
  let woken = false
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

  async function loop(): Promise<void> {
    while (!stopping) {
      woken = false
      try {
        const count = await run()
        if (count > 0) events.onDone(name, count)
        else await rest(everyMs)
      } catch (error) {
        events.onFault(name, error)
        woken = false
        await rest(restAfterFaultMs)
      }
    }
  }

  const ended = loop()
  return {
    wake() {
      woken = true
      rouse()
    },
    async stop() {
      stopping = true
      rouse()
      await ended
    }
  }
}
