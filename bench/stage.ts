/** What the parts beside the rows are given, and what they answer. */
import type { ServerName } from './operations.ts'
import { median } from './rounds.ts'
import type { Site } from './site.ts'
import type { Target } from './targets.ts'

export type Stage = {
  site: Site
  service: Target
  /** What has our API: the service, and before it the other commit where there is one. */
  builds: readonly Target[]
  /** What the other commit is called. */
  against: string | undefined
  quick: boolean
  /** How long a soak takes. */
  minutes: number
  /** Progress, for people. */
  tell(line: string): void
}

export type Outcome = {
  /** Markdown. */
  text: string
  /** Whether nothing happened that must not. */
  passed: boolean
  /** All that was measured, for `--json`. */
  raw: unknown
}

export type Part = {
  about: string
  takes: string
  run(stage: Stage): Promise<Outcome>
}

/** What each build took, in the order of the builds. */
export type Turns<T> = ReadonlyArray<{ name: ServerName; shown: string; results: T[] }>

/** Measures the builds in turns: three times each, or once where it must be quick. */
export async function inTurns<T>(
  { builds, quick, against = '' }: Stage,
  run: (target: Target) => Promise<T>
): Promise<Turns<T>> {
  const turns = builds.map(({ name }) => ({
    name,
    shown: name === 'against' ? against : name,
    results: [] as T[]
  }))
  for (let n = 0; n < (quick ? 1 : 3); n++) {
    for (const [place, target] of [...builds.entries()]) {
      turns[place]?.results.push(await run(target))
    }
  }
  return turns
}

export function medianOf<T>(results: readonly T[], read: (result: T) => number): number {
  return median(results.map(read))
}

/** Of values, the one that this share of them does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
}

/** The lines of a table for faults. */
export function faultLines(faults: readonly string[]): string[] {
  return faults.length === 0 ? [] : ['', ...faults.slice(0, 10).map((one) => `- FAULT: ${one}.`)]
}
