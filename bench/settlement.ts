/**
 * `npm run bench -- settlement [--against DIR] [--matching N] [--foreign N] [--rounds N]`: a
 * settlement report of which N lines are about payments of ours, and N about nobody here: 1 in 100
 * of these names our merchant account and a payment that there is not. With DIR, another checkout,
 * that one and this in turns. A table, and JSON beside it: line by line on stderr.
 */
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type CpuReading, readCpu, readMemory } from './machine.ts'
import type { Cleaner } from './processes.ts'
import { prepare, report, type Sizes } from './settlement-setup.ts'
import { openClient, openSite, type Site } from './site.ts'
import { startInstance } from './targets.ts'

type Phase = { seconds: number; node: number; postgres: number }
type Round = Record<'received' | 'read' | 'applied' | 'ended' | 'all', Phase> & {
  build: string
  linesPerSecond: number
  peakMb: number
}

const lookEveryMs = 50
const number = (value: string) => ({ type: 'string', default: value }) as const

export async function measureSettlement(
  cleaner: Cleaner,
  tell: (line: string) => void,
  print: (text: string) => void
): Promise<boolean> {
  const counts = { matching: number('100000'), foreign: number('1000000'), rounds: number('1') }
  const options = { ...counts, against: { type: 'string' } } as const
  const { values } = parseArgs({ options, args: process.argv.slice(3) })
  const sizes = { matching: Number(values.matching), foreign: Number(values.foreign) }
  const builds = [resolve(import.meta.dirname, '..')]
  if (values.against !== undefined) builds.push(resolve(values.against))
  const site = await openSite(cleaner)
  const keys: string[] = []
  for (const [at, folder] of builds.entries()) keys.push(await prepare(site, folder, at, sizes))
  const rounds: Round[] = []
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const [at, folder] of builds.entries()) {
      const measured = await measureOne(site, folder, at, keys[at] as string, sizes)
      rounds.push(measured)
      tell(JSON.stringify(measured))
    }
  }
  print(toTable(rounds))
  return true
}

/** Uploads the report to an instance of that build, on a database of its own, until it is read. */
async function measureOne(
  site: Site,
  folder: string,
  at: number,
  key: string,
  sizes: Sizes
): Promise<Round> {
  const database = `round${performance.now().toFixed(0)}`
  const server = await openClient(site.url('postgres'), site.cleaner)
  await server.query(`create database ${database} template template${at + 2}`)
  await server.query('checkpoint')
  const program = join(folder, 'src/main.ts')
  const instance = await startInstance(site, `${database}.log`, { database, program })
  const url = `http://127.0.0.1:${instance.port}/v1/settlement-reports`
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'text/csv' }
  const pids = { server: [instance.pid], postgres: site.postgresPid, bench: [] }
  let last = { at: performance.now(), cpu: readCpu(pids) as CpuReading }
  const first = last
  const since = (from: typeof last): Phase => ({
    seconds: (last.at - from.at) / 1_000,
    node: last.cpu.server - from.cpu.server,
    postgres: last.cpu.postgres - from.cpu.postgres
  })
  const lap = (): Phase => {
    const before = last
    last = { at: performance.now(), cpu: readCpu(pids) as CpuReading }
    return since(before)
  }
  const body = Readable.from(report(sizes))
  const answer = await fetch(url, { method: 'POST', headers, body, duplex: 'half' })
  const received = lap()
  const { id } = (await answer.json()) as { id: string }
  const phases: Phase[] = []
  let peakMb = 0
  const expected = sizes.matching + sizes.foreign
  let found = { status: '', lines: 0, applied: 0, matched: 0, discrepancies: 0, fault: null }
  while (!/done|refused/.test(found.status)) {
    await setTimeout(lookEveryMs)
    peakMb = Math.max(peakMb, Math.round(readMemory(instance.pid) ?? 0))
    found = (await (await fetch(`${url}/${id}`, { headers })).json()) as typeof found
    const isOver = [found.applied > 0, found.applied >= expected, found.status === 'done']
    while (isOver[phases.length]) phases.push(lap())
  }
  const [read, applied, ended] = phases as [Phase, Phase, Phase]
  const all = since(first)
  await instance.stop()
  await server.query(`drop database ${database} with (force)`)
  await server.end()
  if (found.matched !== sizes.matching) throw new Error(JSON.stringify(found))
  const linesPerSecond = Math.round(expected / all.seconds)
  return { build: folder, linesPerSecond, peakMb, received, read, applied, ended, all }
}

/** Seconds of each phase, and of processor time of the service and of PostgreSQL. */
function toTable(rounds: readonly Round[]): string {
  const cell = ({ seconds, node, postgres }: Phase) =>
    `${seconds.toFixed(1)} (${node.toFixed(1)} + ${postgres.toFixed(1)})`
  return [
    '| build | lines/s | peak RSS, MB | received | read | applied | ended | all: s (CPU s) |',
    '|---|---|---|---|---|---|---|---|',
    ...rounds.map(
      ({ build, linesPerSecond, peakMb, received, read, applied, ended, all }) =>
        `| ${build} | ${linesPerSecond} | ${peakMb} | ` +
        `${[received, read, applied, ended, all].map(cell).join(' | ')} |`
    )
  ].join('\n')
}
