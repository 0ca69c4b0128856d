/** The processes of a run and what it leaves behind, so that nothing of either stays. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import http from 'node:http'
import { createServer } from 'node:net'
import { fileURLToPath, pathToFileURL } from 'node:url'

export type Cleaner = {
  add(undo: () => unknown): void
  /** Undoes all, the last first; once. */
  clean(): Promise<void>
}

export function createCleaner(): Cleaner {
  const undos: Array<() => unknown> = []
  let cleaning: Promise<void> | undefined

  async function cleanAll(): Promise<void> {
    for (const undo of undos.reverse()) {
      try {
        await undo()
      } catch (error) {
        process.stderr.write(`${error}\n`)
      }
    }
  }
  return {
    add: (undo) => void undos.push(undo),
    clean: () => (cleaning ??= cleanAll())
  }
}

export type Child = { process: ChildProcess; pid: number; stop(): Promise<void> }

/** How long a process may take to stop before it is killed, ms. */
const stopWithinMs = 25_000

function toChild(child: ChildProcess, cleaner: Cleaner): Child {
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs)
    child.kill('SIGTERM')
    await ended
    clearTimeout(timer)
  }
  cleaner.add(stop)
  return { process: child, pid: child.pid as number, stop }
}

/** Runs a program of this folder, which says something when it is ready; answers what it said. */
export async function startHelper<T>(
  file: string,
  env: Record<string, string>,
  cleaner: Cleaner
): Promise<Child & { said: T }> {
  const program = fileURLToPath(new URL(file, import.meta.url))
  const child = fork(program, { env: { ...baseEnv(), ...env } })
  const owned = toChild(child, cleaner)
  return { ...owned, said: await hear<T>(child) }
}

/** Sends requests in turn to those of them that are ready, as it is told every 2 s unless given. */
export function startBalancer(
  instances: ReadonlyArray<{ port: number }>,
  cleaner: Cleaner,
  { checkEveryMs = 2_000 } = {}
) {
  const env = {
    BALANCER_PORTS: instances.map(({ port }) => port).join(),
    BALANCER_CHECK_MS: String(checkEveryMs)
  }
  return startHelper<{ port: number }>('balancer.ts', env, cleaner)
}

/** The next message of a child; throws when it ends instead. */
export async function hear<T>(child: ChildProcess): Promise<T> {
  const controller = new AbortController()
  const { signal } = controller
  const ended = once(child, 'exit', { signal }).then(([code, name]) => {
    throw new Error(`a process of the bench has ended (${name ?? code})`)
  })
  try {
    const [message] = await Promise.race([once(child, 'message', { signal }), ended])
    return message as T
  } finally {
    controller.abort()
  }
}

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** What Node is told by `npm start` of the tree that the program is of. */
function nodeFlagsOf(program: string): string[] {
  const file = new URL('../package.json', pathToFileURL(program))
  const { scripts } = JSON.parse(readFileSync(file, 'utf8')) as { scripts: { start: string } }
  return scripts.start.split(' ').filter((word) => word.startsWith('--'))
}

/** Runs `src/main.ts`, or that of another tree, as `npm start` does; what it writes: in `logFile`. */
export function startMain(
  args: readonly string[],
  env: Record<string, string>,
  logFile: string,
  cleaner: Cleaner,
  program = main
): Child {
  const log = openSync(logFile, 'a')
  const child = spawn(process.execPath, [...nodeFlagsOf(program), program, ...args], {
    env: { ...baseEnv(), ...env },
    stdio: ['ignore', log, log]
  })
  closeSync(log)
  return toChild(child, cleaner)
}

/** Nothing of this shell's configuration reaches what is measured. */
function baseEnv(): Record<string, string> {
  return { PATH: process.env.PATH ?? '', NODE_ENV: 'production' }
}

/** Asks every 5 ms until the service says that it is ready. */
export async function untilReady(
  port: number,
  child: Child,
  logFile: string,
  withinMs = 30_000
): Promise<void> {
  const giveUpAt = performance.now() + withinMs
  while (!(await isReady(port))) {
    if (child.process.exitCode !== null || performance.now() > giveUpAt) {
      throw new Error(`the service did not become ready: ${readFileSync(logFile, 'utf8')}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asking = http.get({ port, host: '127.0.0.1', path: '/health/ready', agent: false })
    asking.on('error', () => resolve(false))
    asking.on('response', (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
  })
}

/** A port that was free a moment ago. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
