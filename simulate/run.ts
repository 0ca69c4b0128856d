/** Many groups of histories, a few at a time; a failing history is made smaller. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import type { Cleaner } from '../bench/processes.ts'
import { blowsOf, type Failure, runGroup } from './group.ts'
import { histories, historyOf } from './history.ts'
import { openStage, type Stage } from './stage.ts'

/** A group by its seed: the history at a place has the seed `seed + place`. */
export type GroupSeed = { seed: number; size: number }

export type Found = GroupSeed & Failure

export type Result = { done: number; found: Found[]; counts: Map<string, number> }

/** Groups that once failed. */
export function readSeeds(): GroupSeed[] {
  const text = readFileSync(new URL('seeds.txt', import.meta.url), 'utf8')
  return text.split('\n').flatMap((line) => {
    const [, seed, size] = /^(\d+) (\d+)/.exec(line) ?? []
    return seed === undefined ? [] : [{ seed: Number(seed), size: Number(size) }]
  })
}

/** Groups of `size` for so many histories, from a seed on. */
export function groupsOf(count: number, size: number, seed: number): GroupSeed[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, place) => {
    const before = place * size
    return { seed: seed + before, size: Math.min(size, count - before) }
  })
}

/** Runs all groups, `lanes` at a time, each lane with a PostgreSQL of its own. */
export async function simulate(
  groups: readonly GroupSeed[],
  lanes: number,
  cleaner: Cleaner,
  onGroup: (result: Result) => void = () => {}
): Promise<Result> {
  const result: Result = { done: 0, found: [], counts: new Map() }
  const waiting = [...groups]
  const runLane = async () => {
    const stage = await openStage(cleaner)
    for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
      const { found, counts } = await runSeed(stage, group)
      result.found.push(...found)
      for (const [what, more] of counts)
        result.counts.set(what, (result.counts.get(what) ?? 0) + more)
      result.done += group.size
      onGroup(result)
    }
  }
  await Promise.all(Array.from({ length: Math.min(lanes, groups.length) }, runLane))
  return result
}

/** Runs the histories of one group at once, with what happens to all of them. */
export async function runSeed(
  stage: Stage,
  { seed, size }: GroupSeed
): Promise<Omit<Result, 'done'>> {
  const all = Array.from({ length: size }, (_, place) => historyOf(seed + place))
  const { failures, counts } = await runGroup(stage, all, blowsOf(seed))
  return { found: failures.map((failure) => ({ ...failure, seed, size })), counts }
}

/** What was found, without the names of what it was found of, and where; the most frequent first. */
export function kindsOf(found: readonly Found[]): Map<string, string[]> {
  const all = found.flatMap(({ seed, place, messages }) =>
    messages.flatMap((message) =>
      message.split('\n').map((line) => ({ kind: kindOf(line), at: `${seed}/${place}` }))
    )
  )
  const kinds = [...Map.groupBy(all, ({ kind }) => kind)]
  kinds.sort(([, one], [, other]) => other.length - one.length)
  return new Map(kinds.map(([kind, of]) => [kind, of.map(({ at }) => at)]))
}

const kindLengthMax = 90
const kindOf = (line: string) =>
  line
    .replace(/\{.*?"message":"([^"\\]*).*/, '$1')
    .replace(/\{.*|\[.*/, '')
    .replaceAll(/(?<!answered )\b\w*\d[\w.-]*/g, '…')
    .slice(0, kindLengthMax)

/** A history as a person reads it: the steps that it took, and what happened to all. */
export function describeHistory(
  seed: number,
  { place, taken, messages }: Failure,
  messagesMax = Number.POSITIVE_INFINITY
): string {
  return [
    ...messages.slice(0, messagesMax),
    `steps of history ${seed + place}:`,
    ...taken.map((step) => `  ${step}`),
    'what happened to all of its group:',
    ...blowsOf(seed).map(({ after, what, pick }) => `  after ${after} %: ${what} (${pick})`)
  ].join('\n')
}

/**
 * Runs a history alone, with what happened to its group, and then smaller ones for as long as they
 * fail and time is left, ms. Answers the smallest that failed; undefined where it holds alone.
 */
export async function makeSmaller(
  stage: Stage,
  { seed, place }: Pick<Found, 'seed' | 'place'>,
  withinMs: number
): Promise<Failure | undefined> {
  let smallest: Failure | undefined
  let last: Promise<unknown> | undefined
  const property = fc.asyncProperty(histories, async (history) => {
    const running = runGroup(stage, [history], blowsOf(seed))
    last = running
    const { failures } = await running
    // Whatever fails next is smaller than this.
    if (failures[0] !== undefined) smallest = { ...failures[0], place }
    return failures.length === 0
  })
  const limit = { interruptAfterTimeLimit: withinMs, markInterruptAsFailure: false }
  await fc.check(property, { seed: seed + place, numRuns: 1, ...limit })
  // It leaves what it interrupts, which still needs the stage.
  await last
  return smallest
}
