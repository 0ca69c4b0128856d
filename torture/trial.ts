/** A trial: load, and faults in the middle of it, round by round; what came of it as a row. */
import { setTimeout } from 'node:timers/promises'
import type { Cleaner } from '../bench/processes.ts'
import type { Ground } from './ground.ts'
import { judge, openDatabase, type Settled, settle, type Verdict } from './judge.ts'
import { type Load, startLoad } from './load.ts'

export type Stage = {
  cleaner: Cleaner
  /** For all that is written; everybody may enter it. */
  folder: string
  /** How many faults there are to be, and for how long at most. */
  times: number
  minutes: number
  /** How soon after a fault all must be as if it had not been, s. */
  withinS: number
  /** Progress, for people. */
  tell(line: string): void
}

export type Part = {
  about: string
  takes: string
  /** How many faults there are unless told otherwise, and what each is. */
  times: number
  fault: string
  /** What must be installed and is not, as Debian calls it. */
  findMissing?(): Promise<string[]>
  run(stage: Stage): Promise<Outcome>
}

export type Outcome = {
  /** How many faults there were. */
  faults: number
  postgresVersion: string
  payments: number
  acknowledged: number
  sent: number
  unanswered: number
  longestAnswerS: number
  longestOutcomeS: number
  longestSettledS: number
  stuck: string[]
  verdict: Verdict
  /** What else is to be known, as sentences. */
  notes: string[]
}

export type Faults = {
  /** How many there are between two looks at what is stuck. */
  atOnce: number
  /** Does so many, and answers as soon as what was broken works again. */
  harm(count: number, load: Load): Promise<void>
  /** Makes whole what is not needed meanwhile, before the next ones. */
  mend?(): Promise<void>
}

/** So many requests are acknowledged before something breaks, at most; and it waits so long, ms. */
const answersMax = 20
const waitMs = 10_000

/** Until the middle of work: a moment by chance, counted by what is acknowledged. */
export async function untilBusy({ caller }: Load): Promise<void> {
  const enough = caller.acks.length + 1 + Math.floor(Math.random() * answersMax)
  const giveUpAt = performance.now() + waitMs
  while (caller.acks.length < enough && performance.now() < giveUpAt) await setTimeout(5)
}

export async function endure(
  { times, minutes, withinS, tell }: Stage,
  ground: Ground,
  { atOnce, harm, mend }: Faults
): Promise<Omit<Outcome, 'notes'>> {
  const db = openDatabase(ground)
  const load = await startLoad(ground)
  const settled: Settled[] = []
  const giveUpAt = performance.now() + minutes * 60_000
  let done = 0
  while (done < times && performance.now() < giveUpAt) {
    load.resume()
    if (done > 0) await mend?.()
    await untilBusy(load)
    const count = Math.min(atOnce, times - done)
    await harm(count, load)
    done += count
    const last = await settle(db, load, withinS)
    settled.push(last)
    const stuck = last.stuck.length === 0 ? '' : `, STUCK: ${last.stuck.slice(0, 5).join('; ')}`
    tell(
      `${done} of ${times}, ${load.stories.length} payments, ` +
        `settled after ${last.afterS.toFixed(1)} s${stuck}`
    )
  }
  tell('looking at all of it')
  const { calls, acks } = load.caller
  const asked = { ...calls, acknowledged: acks.length }
  const verdict = await judge(ground, load, db)
  await load.end()
  await db.destroy()
  return {
    faults: done,
    postgresVersion: ground.postgresVersion,
    payments: load.stories.length,
    acknowledged: asked.acknowledged,
    sent: asked.sent,
    unanswered: asked.unanswered,
    longestAnswerS: asked.longestMs / 1_000,
    longestOutcomeS: load.longestOutcomeMs() / 1_000,
    longestSettledS: Math.max(...settled.map(({ afterS }) => afterS)),
    stuck: settled.flatMap(({ stuck }) => stuck),
    verdict
  }
}
