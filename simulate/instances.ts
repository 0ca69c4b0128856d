/** An instance of the service as a process that can be killed, frozen and misled about the time. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Cleaner } from '../bench/processes.ts'
import { hasCardNumber } from '../src/card-number.ts'
import { adyenApiKey, hmacKey, merchantAccount } from './secrets.ts'

/** The deadline of a call to Adyen, ms. */
const adyenTimeoutMs = 1_000
const readyWithinMs = 120_000

export type Instance = {
  url: string
  /** Whether there is a process; it may not be ready. */
  isUp(): boolean
  /** SIGKILL, and a new process after it. */
  crash(): Promise<void>
  /** Nothing of it moves for so long, ms. */
  freeze(ms: number): void
  setClock(ms: number): void
  untilReady(): Promise<void>
  /** What should not have happened to it: lines of its log, and ends that nobody asked for. */
  faults: string[]
}

export type InstanceOptions = {
  port: number
  databaseUrl: string
  adyenUrl: string
  webhookPort: number
  cacheFolder: string
}

const program = fileURLToPath(new URL('instance.ts', import.meta.url))

/** Starts an instance that is started again whenever it was crashed. */
export function startInstance(options: InstanceOptions, cleaner: Cleaner): Instance {
  const url = `http://127.0.0.1:${options.port}`
  const faults: string[] = []
  let child: ChildProcess | undefined
  let clockMs = 0
  let isOver = false

  function start() {
    const own = fork(program, {
      env: environmentOf(url, options),
      execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=8'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    child = own
    if (clockMs !== 0) own.send({ clockMs })
    for (const stream of [own.stdout, own.stderr]) {
      createInterface({ input: stream as NodeJS.ReadableStream }).on('line', (line) => {
        if (isFault(line)) faults.push(line)
      })
    }
    own.once('exit', (code, signal) => {
      if (child !== own) return
      child = undefined
      if (!isOver) faults.push(`an instance has ended by itself (${signal ?? code})`)
    })
  }

  async function kill() {
    const own = child
    child = undefined
    if (own === undefined || own.exitCode !== null || own.signalCode !== null) return
    const ended = once(own, 'exit')
    own.kill('SIGKILL')
    await ended
  }

  start()
  cleaner.add(async () => {
    isOver = true
    await kill()
  })
  return {
    url,
    faults,
    isUp: () => child !== undefined,
    async crash() {
      if (child === undefined) return
      await kill()
      if (!isOver) start()
    },
    freeze(ms) {
      const own = child
      own?.kill('SIGSTOP')
      setTimeout(() => own?.kill('SIGCONT'), ms)
    },
    setClock(ms) {
      clockMs = ms
      child?.send({ clockMs })
    },
    async untilReady() {
      const giveUpAt = Date.now() + readyWithinMs
      for (;;) {
        const ready = await fetch(`${url}/health/ready`).catch(() => undefined)
        await ready?.arrayBuffer()
        if (ready?.status === 200) return
        if (Date.now() > giveUpAt) throw new Error(`not ready: ${faults.join('\n')}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }
}

/** No line of an error was asked for by any fault of ours, and none may hold a card number. */
function isFault(line: string): boolean {
  if (hasCardNumber(line)) return true
  const level = /^\{"level":(\d+)/.exec(line)?.[1]
  return level === undefined ? !/^\s*$/.test(line) : Number(level) >= 50
}

function environmentOf(url: string, options: InstanceOptions) {
  const { port, databaseUrl, adyenUrl, webhookPort, cacheFolder } = options
  return {
    PATH: process.env.PATH ?? '',
    NODE_COMPILE_CACHE: cacheFolder,
    ...{ NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), METRICS_PORT: '0' },
    ...{ DATABASE_URL: databaseUrl, PUBLIC_URL: url, LOG_LEVEL: 'warn', DRAIN_S: '0' },
    ...{ WEBHOOKS_ALLOW_LOOPBACK: 'true', WEBHOOK_PORTS: String(webhookPort) },
    SEALING_KEYS: hmacKey,
    ADYEN_ENVIRONMENT: 'TEST',
    ADYEN_API_KEY: adyenApiKey,
    ADYEN_MERCHANT_ACCOUNT: merchantAccount,
    ADYEN_HMAC_KEYS: hmacKey,
    ADYEN_CHECKOUT_URL: adyenUrl,
    ADYEN_TIMEOUT_MS: String(adyenTimeoutMs)
  }
}
