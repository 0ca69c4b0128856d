import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** What is asked to end and does not, is killed, ms. */
const stopMs = 3_000

/** A process of its own beside the service. */
export type Beside = { url: string; stop(): Promise<void> }

/**
 * Starts a program of this folder, with exactly this environment; its first line says where it
 * listens. `name`: for people. `onFault`: it has ended by itself.
 */
export async function startBeside(
  name: string,
  program: string,
  env: Record<string, string>,
  onFault: (reason: string) => void
): Promise<Beside> {
  const main = fileURLToPath(new URL(program, import.meta.url))
  const child = spawn(process.execPath, [...process.execArgv, main], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env
  })
  let stopping = false
  const url = await readUrl(name, child)
  child.once('exit', () => {
    if (!stopping) onFault(`${name} has ended`)
  })
  return {
    url,
    async stop() {
      stopping = true
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), stopMs)
      await exited
      clearTimeout(timer)
    }
  }
}

async function readUrl(name: string, child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  for await (const line of lines) {
    return (JSON.parse(line) as { listening: string }).listening
  }
  throw new Error(`${name[0]?.toUpperCase()}${name.slice(1)} did not start.`)
}
