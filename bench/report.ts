/** The rows as Markdown, for the terminal and for a README. */
import type { ServerName } from './operations.ts'
import { type Lap, median, noiseOf, quietest, type Round } from './rounds.ts'
import type { Row } from './rows.ts'

/** What a row took: all laps, in their order. */
export type Measured = { row: Row; laps: Lap[] }

const servers: readonly ServerName[] = ['floor', 'against', 'service']
type Compared = 'floor' | 'against'

/** `against`: the other commit, as it is called here. */
export function toTable(results: readonly Measured[], against: string | undefined): string {
  const heads = [
    ...['row', 'connections', '', 'a second', 'p50, p99 ms', 'CPU µs, server + PostgreSQL'],
    ...['statements', 'WAL bytes', 'of the floor: rate (goal)', 'CPU (goal)'],
    ...(against === undefined ? [] : [`of ${against}: rate`, 'CPU'])
  ]
  const lines = results.flatMap((result) =>
    servers.flatMap((server) => {
      const rounds = quietest(result.laps).flatMap((lap) => lap[server] ?? [])
      if (rounds.length === 0) return []
      const name = server === 'against' ? (against ?? server) : server
      const cells = [...toCells(result.row, name, rounds), ...toRatios(result, server, against)]
      return [`| ${cells.join(' | ')} |`]
    })
  )
  return [`| ${heads.join(' | ')} |`, `|${'---|'.repeat(heads.length)}`, ...lines].join('\n')
}

function toCells({ name, connections, goals = {} }: Row, server: string, rounds: Round[]) {
  const of = (read: (round: Round) => number) => median(rounds.map(read))
  const goal = (value: number | undefined) =>
    value === undefined || server !== 'service' ? '' : ` (${thousands(value, 1)})`
  const ms = (read: (round: Round) => number) => of(read).toFixed(1)
  return [
    name,
    connections,
    rounds.some(({ faults }) => faults.length > 0) ? `${server} (FAULTS: see below)` : server,
    thousands(of(({ rate }) => rate)),
    `${ms(({ p50Ms }) => p50Ms)}, ${ms(({ p99Ms }) => p99Ms)}`,
    rounds.some(({ cpu }) => cpu === undefined)
      ? '–'
      : `${of(({ cpu }) => cpu?.serverUs ?? 0).toFixed(0)} + ` +
        `${of(({ cpu }) => cpu?.postgresUs ?? 0).toFixed(0)}`,
    of(({ counted }) => counted.statements).toFixed(2) + goal(goals.statements),
    thousands(of(({ counted }) => counted.walBytes)) + goal(goals.walBytes)
  ]
}

/** Of the same lap, so that what the machine did to both cancels out. */
function toRatios({ row, laps }: Measured, server: ServerName, against: string | undefined) {
  const { rate, cpu } = row.goals ?? {}
  const ratio = (other: Compared, read: (round: Round) => number, goal?: number) => {
    const ratios = quietest(laps).flatMap((lap) => {
      const [one, two] = [lap[server], lap[other]]
      return one === undefined || two === undefined || other === server ? [] : read(one) / read(two)
    })
    if (ratios.length === 0 || Number.isNaN(median(ratios))) return ''
    const isGoal = goal !== undefined && server === 'service'
    return `**${median(ratios).toFixed(2)}**${isGoal ? ` (${goal.toFixed(2)})` : ''}`
  }
  const rateOf = (round: Round) => round.rate
  const toOld =
    server === 'service' ? [ratio('against', rateOf), ratio('against', cpuOf)] : ['', '']
  return [
    ratio('floor', rateOf, rate),
    ratio('floor', cpuOf, cpu),
    ...(against === undefined ? [] : toOld)
  ]
}

function cpuOf({ cpu }: Round): number {
  return cpu === undefined ? Number.NaN : cpu.serverUs + cpu.postgresUs
}

/** What a reader of the table must know: faults, noise, what was added and what was left. */
export function toNotes(results: readonly Measured[]): string {
  const notes = results.flatMap(({ row, laps }) => {
    const shown = quietest(laps)
    const noisy = shown.filter((lap) => noiseOf(lap, laps) > 1).length
    const faults = shown.flatMap((lap) =>
      Object.entries(lap).flatMap(([name, round]) =>
        round.faults.map((fault) => `FAULT of ${name}: ${fault}`)
      )
    )
    const all = [
      ...(row.goals?.addedMs === undefined ? [] : [toAdded(shown, row.goals.addedMs)]),
      ...(row.operation === 'webhook' ? [toBacklog(shown)] : []),
      ...(noisy > 0 ? [`NOISE: ${noisy} of ${shown.length} laps, and no quieter ones came`] : []),
      ...faults
    ]
    return all.map((note) => `- ${row.id}: ${note}.`)
  })
  return notes.join('\n')
}

function toAdded(laps: readonly Lap[], goal: number): string {
  const added = laps.flatMap(({ floor, service }) => (service?.p50Ms ?? 0) - (floor?.p50Ms ?? 0))
  return `the service's p50 is ${median(added).toFixed(1)} ms more than the floor's (goal ${goal})`
}

function toBacklog(laps: readonly Lap[]): string {
  const of = (read: (round: Round) => number) =>
    median(laps.flatMap(({ service }) => (service === undefined ? [] : read(service))))
  return (
    `the service accepted ${thousands(of(({ answeredRate }) => answeredRate))} a second, ` +
    `and had applied all ${of(({ backlogSeconds }) => backlogSeconds).toFixed(2)} s after the last`
  )
}

export function hasFaults(results: readonly Measured[]): boolean {
  return results.some(({ laps }) =>
    quietest(laps).some((lap) => Object.values(lap).some(({ faults }) => faults.length > 0))
  )
}

/** With so many places after the point at most. */
export function thousands(value: number, places = 0): string {
  return value.toLocaleString('en-GB', { maximumFractionDigits: places })
}
