/** The results as Markdown, for the terminal and for a README. */
import type { Operation, ServerName } from './operations.ts'
import type { Overload, OverloadRound } from './overload.ts'
import type { Restart } from './restart.ts'
import { isNoisy, type Pair, type Round } from './rounds.ts'
import { median, type StartUp } from './start-up.ts'
import type { Waiting } from './waiting.ts'

/** The share of the floor's rate that the service is to reach. */
const goals: Record<Operation, number> = { create: 0.6, read: 0.5, webhook: 0.65 }
const names: Record<Operation, string> = {
  create: 'create',
  read: 'read by id',
  webhook: 'webhook in'
}

export function toTable(results: ReadonlyMap<Operation, Pair[]>): string {
  const head = [
    '| operation | | requests/s | p50 ms | p99 ms | CPU µs a request, server + PostgreSQL | ' +
      'ratio to the floor (goal) | by CPU alone |',
    '|---|---|---|---|---|---|---|---|'
  ]
  const rows = [...results].flatMap(([operation, pairs]) => [
    toRow(names[operation], 'floor', pairs, ' | '),
    toRow('', 'service', pairs, toRatio(operation, pairs))
  ])
  return [...head, ...rows].join('\n')
}

function toRow(operation: string, server: ServerName, pairs: Pair[], ratio: string): string {
  const rounds = pairs.map((pair) => pair[server])
  const of = (read: (round: Round) => number) => median(rounds.map(read))
  const cpu = rounds.some((round) => round.cpu === undefined)
    ? '–'
    : `${of((round) => round.cpu?.serverUs ?? 0).toFixed(0)} + ` +
      `${of((round) => round.cpu?.postgresUs ?? 0).toFixed(0)}`
  const cells = [
    operation,
    rounds.some(({ faults }) => faults.length > 0) ? `${server} (FAULTS: see below)` : server,
    thousands(of((round) => round.rate)),
    of((round) => round.p50Ms).toFixed(1),
    of((round) => round.p99Ms).toFixed(1),
    cpu,
    ratio
  ]
  return `| ${cells.join(' | ')} |`
}

function toRatio(operation: Operation, pairs: Pair[]): string {
  const ratio = median(pairs.map(({ floor, service }) => service.rate / floor.rate))
  // What the ratio would be if nothing but the two servers and PostgreSQL used the processors.
  const byCpu = median(pairs.map(({ floor, service }) => cpuOf(floor) / cpuOf(service)))
  const shown = Number.isNaN(byCpu) ? '–' : byCpu.toFixed(2)
  return `**${ratio.toFixed(2)}** (${goals[operation].toFixed(2)}) | ${shown}`
}

function cpuOf({ cpu }: Round): number {
  return cpu === undefined ? Number.NaN : cpu.serverUs + cpu.postgresUs
}

/** What a reader of the table must know: faults, noise, and what was still to be applied. */
export function toNotes(results: ReadonlyMap<Operation, Pair[]>): string {
  const notes = [...results].flatMap(([operation, pairs]) => {
    const noisy = pairs.filter(isNoisy).length
    const faults = pairs.flatMap((pair) => [...pair.floor.faults, ...pair.service.faults])
    return [
      ...(operation === 'webhook' ? [toBacklogNote(pairs)] : []),
      ...(noisy > 0
        ? [`${names[operation]}: the machine was busy elsewhere in ${noisy} rounds`]
        : []),
      ...faults.map((fault) => `${names[operation]}: FAULT: ${fault}`)
    ]
  })
  return notes.map((note) => `- ${note}.`).join('\n')
}

function toBacklogNote(pairs: Pair[]): string {
  const backlog = median(pairs.map(({ service }) => service.backlogSeconds))
  const applied = median(pairs.map(({ service }) => service.appliedRate))
  const ratio = median(pairs.map(({ floor, service }) => service.appliedRate / floor.appliedRate))
  return (
    `webhook in: all that was accepted was applied ${backlog.toFixed(2)} s after the last answer, ` +
    `so ${thousands(applied)} a second were accepted and applied, ${ratio.toFixed(2)} of the floor`
  )
}

export function hasFaults(results: ReadonlyMap<Operation, Pair[]>): boolean {
  return [...results.values()].flat().some((pair) => {
    return pair.floor.faults.length > 0 || pair.service.faults.length > 0
  })
}

export function toStartUpTable(cold: StartUp, warm: StartUp): string {
  const show = (value: number | undefined) => (value === undefined ? '–' : thousands(value))
  const row = (name: string, { readyMs, cpuMs, idleMb }: StartUp) =>
    `| ${name} | ${show(readyMs)} | ${show(cpuMs)} | ${show(idleMb)} |`
  return [
    '| start of the service, median of 3 | from spawn to ready, ms (goal 1,000) | CPU until then, ' +
      'ms | idle, MB (goal 150) |',
    '|---|---|---|---|',
    row('without a compile cache', cold),
    row('with a warm compile cache', warm)
  ].join('\n')
}

export function toWaitingTable(waiting: Waiting): string {
  const { callers, changes, memoryMb, connections, connectionsBefore, faults } = waiting
  const ms = (value: number) => value.toFixed(1)
  const memory = memoryMb === undefined ? '–' : memoryMb.toFixed(0)
  return [
    `| ${thousands(callers)} callers wait on a second instance | memory, MB (goal 100) | ` +
      'connections to the database, before and with them |',
    '|---|---|---|',
    `| | ${memory} | ${connectionsBefore}, ${connections} |`,
    '',
    `| ${thousands(changes)} changes told to the first | p50 ms | p99 ms (goal 100) | longest ms |`,
    '|---|---|---|---|',
    '| from sending the notification until the caller has its answer | ' +
      `${ms(waiting.p50Ms)} | ${ms(waiting.p99Ms)} | ${ms(waiting.mostMs)} |`,
    ...faults.slice(0, 10).map((fault) => `\n- FAULT: ${fault}.`)
  ].join('\n')
}

export function toRestartTable(restart: Restart): string {
  const { seconds, stops, faults } = restart
  const rows = (['create', 'read', 'webhook', 'wait'] as const).map((kind) => {
    const { sent, failed, mostMs } = restart[kind]
    return `| ${kind} | ${thousands(sent)} | ${failed} | ${thousands(mostMs)} |`
  })
  const stopped = stops.map((one) => one.toFixed(1)).join(' and ')
  return [
    '| rolling restart of two instances | sent | failed (goal 0) | longest ms |',
    '|---|---|---|---|',
    ...rows,
    `\n- ${seconds.toFixed(0)} s in all; the instances had stopped after ${stopped} s.`,
    ...faults.slice(0, 10).map((fault) => `- FAULT: ${fault}.`)
  ].join('\n')
}

export function toOverloadTable({ best, rounds }: Overload): string {
  const row = (round: OverloadRound) => {
    const { liveMs, readyMs, notifications } = round
    const cells = [
      round.callers,
      `${thousands(round.rate)}, **${(round.rate / best.rate).toFixed(2)}**`,
      thousands(round.refused),
      `${thousands(round.p99Ms)}, ${thousands(round.mostMs)}`,
      ...[liveMs, readyMs].map(({ p99, most }) => `${thousands(p99)}, ${thousands(most)}`),
      `${notifications.taken} of ${notifications.sent}, ${thousands(notifications.mostMs)}`
    ]
    return `| ${cells.join(' | ')} |`
  }
  return [
    `The most is ${thousands(best.rate)} creates a second, with ${best.connections} connections.`,
    '',
    '| 1,000 callers | created/s, of the most (goal 0.8) | refused | p99, longest ms (goal 1,000) | ' +
      'live p99, longest ms (goal 100) | ready p99, longest ms (goal 100) | ' +
      'notifications taken, longest ms |',
    '|---|---|---|---|---|---|---|',
    ...rounds.map(row),
    ...rounds.flatMap(({ faults }) => faults.map((fault) => `- FAULT: ${fault}.`))
  ].join('\n')
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-GB')
}
