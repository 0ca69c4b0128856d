/** What the machine is, and what its processors did: from /proc, so on Linux only. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import os from 'node:os'

/** Linux counts processor time in hundredths of a second, whatever the kernel's own clock is. */
const ticksPerSecond = 100
const tmpfsMagic = 0x01021994

/** Processor time so far, s. */
export type CpuReading = {
  server: number
  postgres: number
  /** What the bench itself needs: load client, stub and this process. */
  bench: number
  /** Of all processors, whoever used them. */
  machine: number
  /** What the host gave to others while somebody here wanted it. */
  stolen: number
}

export type WatchedProcesses = {
  server: readonly number[]
  /** The first process: all others are its children. */
  postgres: number
  bench: readonly number[]
}

/** Undefined where the system has no /proc. */
export function readCpu(pids: WatchedProcesses): CpuReading | undefined {
  if (!existsSync('/proc/stat')) return undefined
  const ownOf = (all: readonly number[]) =>
    all.reduce((sum, pid) => sum + (readProcess(pid)?.own ?? 0), 0)
  return {
    server: ownOf(pids.server),
    postgres: readTree(pids.postgres),
    bench: ownOf([process.pid, ...pids.bench]),
    ...readMachine()
  }
}

type ProcessCpu = { parent: number; own: number; reaped: number }

function readProcess(pid: number): ProcessCpu | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the program's name in brackets and may hold spaces.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const at = (place: number) => Number(fields[place - 3]) / ticksPerSecond
    return { parent: Number(fields[1]), own: at(14) + at(15), reaped: at(16) + at(17) }
  } catch {
    return undefined // It has ended meanwhile.
  }
}

/** A process, its living children, and those of them that have ended. */
function readTree(root: number): number {
  const { own = 0, reaped = 0 } = readProcess(root) ?? {}
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .reduce((sum, one) => (one?.parent === root ? sum + one.own : sum), own + reaped)
}

/** User, nice, system, irq and softirq; not idle and not waiting for a disk. Steal apart. */
function readMachine(): { machine: number; stolen: number } {
  const [, ...fields] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/ +/)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields.map(Number)
  const machine = (user + nice + system + irq + softirq) / ticksPerSecond
  return { machine, stolen: steal / ticksPerSecond }
}

/** Processor time of one process so far, ms; undefined where the system has no /proc. */
export function readCpuOf(pid: number): number | undefined {
  return existsSync('/proc/stat') ? (readProcess(pid)?.own ?? 0) * 1_000 : undefined
}

/** A machine is calm when less than this of one processor is used. */
const calmBelow = 0.2
const calmSampleMs = 300
/** How long a run may wait for a calm machine in all, ms. */
let patienceMs = 45_000

/** Waits until others leave the machine alone, for some seconds at most. */
export async function untilCalm(): Promise<void> {
  const giveUpAt = Math.max(0, patienceMs - 6_000)
  while (existsSync('/proc/stat') && patienceMs > giveUpAt) {
    const before = readMachine().machine
    await new Promise((resolve) => setTimeout(resolve, calmSampleMs))
    if ((readMachine().machine - before) / (calmSampleMs / 1_000) < calmBelow) return
    patienceMs -= calmSampleMs
  }
}

/** Resident memory of a process, now or at its most, MB; undefined where there is no /proc. */
export function readMemory(pid: number, when: 'now' | 'most' = 'now'): number | undefined {
  if (!existsSync('/proc/stat')) return undefined
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const [, kilobytes] = (when === 'now' ? /VmRSS:\s+(\d+)/ : /VmHWM:\s+(\d+)/).exec(status) ?? []
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1024
}

/** One line for people. */
export function describeMachine(postgresVersion: string): string {
  const cpus = os.cpus()
  const memory = Math.round(os.totalmem() / 1024 ** 3)
  const model = cpus[0]?.model.trim() ?? 'unknown processor'
  return (
    `${cpus.length} × ${model}, ${memory} GiB; ${os.type()} ${os.release()}; ` +
    `Node ${process.versions.node}; PostgreSQL ${postgresVersion}`
  )
}

/** Whether files in `folder` are kept in memory, so that a commit costs no disk. */
export async function isInMemory(folder: string): Promise<boolean> {
  return (await statfs(folder)).type === tmpfsMagic
}
