/**
 * `npm run demo`: the sandbox, the desk and the selfcare page, and a day of payments to look at.
 * Ctrl-C stops them all.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createClient } from '../../clients/typescript/src/index.ts'
import { startDesk } from '../desk/desk.ts'
import { startSelfcare } from '../selfcare/selfcare.ts'
import { makeDay } from './day.ts'

const { DESK_PORT = '3003', SELFCARE_PORT = '3004', HOOK_PORT = '3005' } = process.env
const host = '127.0.0.1'
/** Where the demo begins, and where customers of the day come back to. */
const accountId = '20990001'
const print = (line: string) => void process.stdout.write(`${line}\n`)

const closers: Array<() => Promise<unknown>> = []
let isStopping = false
async function stop(status: number): Promise<void> {
  if (isStopping) return
  isStopping = true
  for (const close of closers.reverse()) await close().catch(() => {})
  process.exit(status)
}
process.on('SIGINT', () => void stop(0))
process.on('SIGTERM', () => void stop(0))

try {
  await start()
} catch (error) {
  if (!isStopping) process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  await stop(1)
}

async function start(): Promise<void> {
  const startedAt = performance.now()
  print('Starting the sandbox …')
  const { apiUrl, simulatorUrl, key } = await startSandbox()
  const hook = await startHook()
  // Somebody waits for each page: what does not come soon is said.
  const common = { host, api: createClient({ baseUrl: apiUrl, key, retries: 2 }) }
  const selfcare = await startSelfcare({ ...common, port: Number(SELFCARE_PORT), accountId })
  closers.push(selfcare.close)
  print('Making a day of payments …')
  const tools = {
    api: common.api,
    returnUrl: `${selfcare.url}/back`,
    simulate: (path: string, body: unknown = {}) =>
      simulate(`${simulatorUrl}/_simulator/${path}`, body)
  }
  const made = await makeDay(tools, hook, print)
  const desk = await startDesk({ ...common, port: Number(DESK_PORT) })
  closers.push(desk.close)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
  print(made > 0 ? `  ${made} payments, after ${seconds} s` : '  It was there already.')
  print(`
  Desk      ${desk.url}   (sign in with any name; a refund needs two)
  Selfcare  ${selfcare.url}   (account ${accountId})
  API       ${apiUrl}/docs   (key ${key})
  Simulator ${simulatorUrl}   (test cards)

Ctrl-C stops it; npm run demo goes on with the same data.`)
}

/** The sandbox as a process of its own; it prints its addresses and its key. */
async function startSandbox() {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { LOG_LEVEL: 'warn', REFUND_APPROVAL_ABOVE: '4000', ...process.env }
  })
  const exited = once(child, 'exit')
  closers.push(async () => {
    child.kill('SIGTERM')
    await exited
  })
  const found = new Map<string, string>()
  for await (const line of createInterface({ input: child.stdout })) {
    const [, name, value] = /^ {2}(API key|API|Simulator) +(\S+)/.exec(line) ?? []
    if (name !== undefined && value !== undefined) found.set(name, value)
    if (found.size === 3) break
  }
  if (found.size < 3) throw new Error('The sandbox did not start.')
  child.stdout.resume()
  void exited.then(() => stop(1))
  const of = (name: string) => found.get(name) ?? ''
  return { apiUrl: of('API'), simulatorUrl: of('Simulator'), key: of('API key') }
}

/** Another service of the operator's, which takes webhooks. */
async function startHook(): Promise<string> {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(204).end()
  })
  server.listen(Number(HOOK_PORT), host)
  await once(server, 'listening')
  closers.push(async () => {
    server.close()
    server.closeAllConnections()
  })
  return `http://${host}:${(server.address() as { port: number }).port}/hook`
}

async function simulate(url: string, body: unknown): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
  return await answer.json()
}
