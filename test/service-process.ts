import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { startSimulator } from '../sandbox/simulator/simulator.ts'
import { testDatabase } from './test-database.ts'
import { adyenApiKey, findFreePort, hmacKey, merchantAccount } from './test-service.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

export type ServiceProcess = {
  child: ChildProcess
  /** Ends it at once, as a power cut would. */
  kill(): Promise<void>
  /** Asks it to end, and answers its exit code. */
  stop(): Promise<number | null>
}

/** The environment of a service in its production shape. */
export function productionEnv(url: string, databaseUrl: string, simulatorUrl: string) {
  return {
    DATABASE_URL: databaseUrl,
    PUBLIC_URL: url,
    HOST: '127.0.0.1',
    PORT: new URL(url).port,
    METRICS_PORT: '0',
    LOG_LEVEL: 'warn',
    DRAIN_S: '0',
    ADYEN_ENVIRONMENT: 'TEST',
    ADYEN_API_KEY: adyenApiKey,
    ADYEN_MERCHANT_ACCOUNT: merchantAccount,
    ADYEN_HMAC_KEYS: hmacKey,
    ADYEN_CHECKOUT_URL: simulatorUrl
  }
}

/**
 * A service that can be killed, without the guard against duplicates: its database and its Adyen
 * outlive it. `env` is added to its environment.
 */
export async function killable(t: Test, env: Record<string, string>) {
  const { db, serviceUrl: databaseUrl } = await testDatabase(t)
  const url = `http://127.0.0.1:${await findFreePort()}`
  const simulator = await startSimulator({
    port: 0,
    apiKey: adyenApiKey,
    merchantAccount,
    hmacKey,
    webhookUrl: `${url}/webhooks/adyen`,
    retryDelaysMs: [200, 200, 200, 500, 500, 500, 1000, 1000, 1000]
  })
  t.teardown(() => simulator.close())
  const production = productionEnv(url, databaseUrl, simulator.url)
  const start = () => startProcess(t, url, { ...production, DUPLICATE_WINDOW_S: '0', ...env })
  return { db, databaseUrl, url, simulatorUrl: simulator.url, start }
}

/**
 * Starts `node src/main.ts`, or another program, with exactly this environment, and waits until it
 * is ready. `onLog` takes what it logs, a line each.
 */
export async function startProcess(
  t: Test,
  url: string,
  env: Record<string, string>,
  { program = main, onLog }: { program?: string; onLog?: (line: string) => void } = {}
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', onLog ? 'pipe' : 'ignore', 'inherit']
  })
  if (child.stdout && onLog) createInterface(child.stdout).on('line', onLog)
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit')
      child.kill(signal)
      await exited
    }
    return child.exitCode
  }
  t.teardown(() => end('SIGKILL'))
  await untilReady(child, url)
  return {
    child,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM')
  }
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  // On a machine that is busy with other tests, a start takes long.
  for (let tries = 0; tries < 3_000; tries++) {
    if (child.exitCode !== null) throw new Error(`the service has ended with ${child.exitCode}`)
    const ready = await fetch(`${url}/health/ready`).catch(() => undefined)
    if (ready?.status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('the service was not ready in time')
}
