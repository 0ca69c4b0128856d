import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

export type RunningProcess = {
  /** The program and its arguments, separated by spaces. */
  command: string
  /** When it started, as text: tells it from a later process with the same pid. */
  startedAt: string
}

/**
 * The process that has this pid at present. A zombie counts as ended: it has let go of all it held,
 * although `process.kill(pid, 0)` still finds it.
 */
export async function findProcess(pid: number): Promise<RunningProcess | undefined> {
  try {
    return process.platform === 'linux' ? await readProc(pid) : await askPs(pid)
  } catch {
    return undefined
  }
}

async function readProc(pid: number): Promise<RunningProcess | undefined> {
  const [commandLine, status] = await Promise.all([
    readFile(`/proc/${pid}/cmdline`, 'utf8'),
    readFile(`/proc/${pid}/stat`, 'utf8')
  ])
  if (commandLine === '') return undefined
  // The second field is the program's name in brackets and may hold spaces; the start is the 22nd.
  const startedAt = status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  return { command: commandLine.replaceAll('\0', ' ').trimEnd(), startedAt }
}

async function askPs(pid: number): Promise<RunningProcess | undefined> {
  const ps = promisify(execFile)
  const columns = ['-o', 'stat=', '-o', 'lstart=', '-o', 'command=']
  const { stdout } = await ps('/bin/ps', ['-ww', '-p', String(pid), ...columns])
  const [, state, startedAt, command] =
    /^\s*(\S+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/.exec(stdout.trimEnd()) ?? []
  if (state === undefined || startedAt === undefined || command === undefined) return undefined
  return state.startsWith('Z') ? undefined : { command, startedAt: startedAt.replace(/\s+/g, '-') }
}

/**
 * Asks a process to end, more firmly each time: each signal is followed by its time to act, in
 * milliseconds, and the last one by SIGKILL. `hasEnded` tells when it is gone.
 */
export async function endProcess(
  pid: number,
  signals: [signal: NodeJS.Signals, waitMs: number][],
  hasEnded: () => Promise<boolean>
): Promise<void> {
  for (const [signal, waitMs] of [...signals, ['SIGKILL', 1_000] as const]) {
    try {
      process.kill(pid, signal)
    } catch {
      return // It ended by itself.
    }
    const deadline = Date.now() + waitMs
    while (Date.now() < deadline) {
      if (await hasEnded()) return
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
