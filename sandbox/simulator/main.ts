import { type SimulatorOptions, startSimulator } from './simulator.ts'

/**
 * The simulator as a process of its own. It ends when its parent says so (SIGTERM) or is gone: its
 * stdin, a pipe that the parent keeps open, closes also when the parent is killed. A Ctrl-C reaches
 * the whole process group and is the parent's to handle, which may still need its Adyen to finish.
 */
async function main(): Promise<void> {
  process.on('SIGINT', () => {})
  const simulator = await startSimulator(readOptions(process.env))
  const end = () => simulator.close().then(() => process.exit(0))
  process.once('SIGTERM', end)
  process.stdin.once('end', end).once('close', end).once('error', end).resume()
  process.stdout.write(`${JSON.stringify({ listening: simulator.url })}\n`)
}

function readOptions(env: NodeJS.ProcessEnv): SimulatorOptions {
  const needed = (name: string): string => {
    const value = env[name]
    if (value === undefined || value === '') throw new Error(`${name} is not set`)
    return value
  }
  const { SIMULATOR_WEBHOOK_USER: user, SIMULATOR_WEBHOOK_PASSWORD: password } = env
  const { SIMULATOR_TOKEN_HMAC_KEY: tokenHmacKey } = env
  return {
    port: Number(needed('SIMULATOR_PORT')),
    dir: needed('SIMULATOR_DIR'),
    apiKey: needed('SIMULATOR_API_KEY'),
    merchantAccount: needed('SIMULATOR_MERCHANT_ACCOUNT'),
    hmacKey: needed('SIMULATOR_HMAC_KEY'),
    webhookUrl: needed('SIMULATOR_WEBHOOK_URL'),
    multiplePartialCaptures: env.SIMULATOR_MULTIPLE_PARTIAL_CAPTURES === 'true',
    ...(tokenHmacKey ? { tokenHmacKey } : {}),
    ...(user ? { webhookUser: user, webhookPassword: password ?? '' } : {})
  }
}

main().catch((error: NodeJS.ErrnoException) => {
  const port = process.env.SIMULATOR_PORT
  const isTaken = error.code === 'EADDRINUSE'
  const reason = isTaken ? `port ${port} is in use; set SIMULATOR_PORT` : error.message
  process.stderr.write(`The simulator cannot start: ${reason}\n`)
  process.exit(1)
})
