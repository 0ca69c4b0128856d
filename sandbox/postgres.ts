import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { findBinaries, runnableBinaries } from './postgres-binaries.ts'
import { privateFolder, type User } from './private-folder.ts'
import { endProcess, findProcess } from './processes.ts'

export type PostgresOptions = {
  /** Where the data is kept between runs; made when missing. */
  dir: string
  /** Takes each line that the server writes. */
  log?: (line: string) => void
  /** Called when the server ends although nobody called `stop`. */
  onExit?: (reason: string) => void
  /** False for tests only: quicker, and a crash of the machine may destroy the data. */
  durable?: boolean
  /** The folder of the binaries; that of this platform's package unless given. */
  binaries?: string
}

export type EmbeddedPostgres = {
  /** The connection string of a database of this server; it need not exist. */
  url(database: string): string
  /** Ends the server within 8 s, breaking connections and open transactions. */
  stop(): Promise<void>
}

/** Where PostgreSQL's programs run, and as whom. */
type Site = {
  data: string
  /** Holds the socket. The same one at each start, so that connection strings stay valid. */
  socketFolder: string
  native: string
  user: User | undefined
  durable: boolean
}

/** The server has ended before it was ready. */
class StartError extends Error {}

const startMs = 60_000
const retryMs = 10_000
const stopSignals: [NodeJS.Signals, number][] = [
  ['SIGINT', 5_500], // Fast shutdown: rolls back, writes a checkpoint.
  ['SIGQUIT', 1_000] // Immediate shutdown: leaves recovery to the next start.
]

/**
 * Starts a real PostgreSQL that keeps its data in `dir` and listens on a unix socket only, open to
 * nobody but its user and root. Takes about 0.1 s, the first time 1 s.
 *
 * A server that was left over because its owner was killed is ended first. Throws when a living
 * process has a server on the same `dir`, when there are no binaries for the platform, and when
 * PostgreSQL refuses to start; the message then ends with PostgreSQL's own words.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => {})
  const site = await prepare(options)
  const server = await startServer(site, log)

  let stopped: Promise<void> | undefined
  server.once('exit', (code, signal) => {
    if (stopped === undefined) options.onExit?.(`PostgreSQL has ended (${signal ?? code})`)
  })
  async function stop() {
    await endProcess(server.pid as number, stopSignals, async () => hasExited(server))
    // Only if it is empty: the next server may be using it already.
    await fs.rmdir(site.socketFolder).catch(() => {})
  }
  const host = encodeURI(site.socketFolder)
  return {
    url: (name) => `postgresql://postgres@localhost/${encodeURIComponent(name)}?host=${host}`,
    stop: () => (stopped ??= hasExited(server) ? Promise.resolve() : stop())
  }
}

const hasExited = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

async function prepare(options: PostgresOptions): Promise<Site> {
  const found = options.binaries ?? findBinaries()
  await fs.mkdir(options.dir, { recursive: true })
  const data = join(await fs.realpath(options.dir), 'data')
  const user = await chooseUser(data)
  const native = await runnableBinaries(found, user)
  const socketFolder = await privateFolder(data, user)
  const site = { data, socketFolder, native, user, durable: options.durable ?? true }
  if (!existsSync(data)) await createCluster(site)
  return site
}

/**
 * Started by root, the server runs as the user who has the data, and at first as one who exists on
 * most machines. Data that root has (a restored copy) is handed over.
 */
async function chooseUser(data: string): Promise<User | undefined> {
  const owner = await fs.stat(data).catch(() => undefined)
  const ourselves = process.getuid?.()
  if (ourselves !== 0) {
    if (owner === undefined || owner.uid === ourselves) return undefined
    throw new Error(`${data} belongs to user ${owner.uid}: start as that user, or remove it`)
  }
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  const accounts = (await fs.readFile('/etc/passwd', 'utf8')).split('\n').map((s) => s.split(':'))
  const [, , uid, gid] =
    ['postgres', 'node', 'nobody'].flatMap((name) => accounts.filter((a) => a[0] === name))[0] ?? []
  if (uid === undefined || gid === undefined) {
    throw new Error('PostgreSQL does not run as root, and there is no user "nobody" to run it as')
  }
  const user = { uid: Number(uid), gid: Number(gid) }
  if (owner !== undefined) await handOver(data, user)
  return user
}

async function handOver(folder: string, { uid, gid }: User): Promise<void> {
  const names = await fs.readdir(folder, { recursive: true })
  for (const name of ['', ...names]) await fs.lchown(join(folder, name), uid, gid)
}

/** Made aside and renamed: nothing half made is left where the data is looked for. */
async function createCluster(site: Site): Promise<void> {
  await removeAbandoned(site.data)
  const fresh = await fs.mkdtemp(`${site.data}.new-`)
  if (site.user !== undefined) await fs.chown(fresh, site.user.uid, site.user.gid)
  try {
    const initdb = await run(site, fresh, 'initdb', [
      ...['--username=postgres', '--auth=trust', '--encoding=UTF8', '--no-instructions'],
      // PostgreSQL's own C.UTF-8 orders and folds alike on every platform.
      ...['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
      ...(site.durable ? [] : ['--no-sync'])
    ])
    let words = ''
    initdb.stderr?.on('data', (text) => (words += text))
    const [code, signal] = await once(initdb, 'close')
    if (code !== 0) throw new Error(`initdb has failed (${signal ?? code}): ${words.trim()}`)
    await fs.rename(fresh, site.data)
  } catch (error) {
    await fs.rm(fresh, { recursive: true, force: true })
    // Another start has been quicker: its data is as good, and it keeps the server from us.
    if (!existsSync(site.data)) throw error
  }
}

/** Removes what an initdb has left whose owner was killed; one that still runs takes no minute. */
async function removeAbandoned(data: string): Promise<void> {
  for (const name of await fs.readdir(dirname(data))) {
    if (!name.startsWith(`${basename(data)}.new-`)) continue
    const folder = join(dirname(data), name)
    const found = await fs.stat(folder).catch(() => undefined)
    if (found && Date.now() - found.mtimeMs > 60_000)
      await fs.rm(folder, { recursive: true, force: true })
  }
}

/** Runs one of PostgreSQL's programs on the data folder `data`. */
async function run(
  { native, user }: Site,
  data: string,
  program: string,
  args: string[]
): Promise<ChildProcess> {
  // Folders above `data` may be closed to the user: /proc/self/cwd leads past them, because Node
  // changes the directory before it changes the user.
  const path = user !== undefined && process.platform === 'linux' ? '/proc/self/cwd' : data
  const [file, ...first] = [...(await endWithUs()), join(native, 'bin', program), '-D', path]
  return spawn(file as string, [...first, ...args], {
    ...user,
    cwd: data,
    env: { LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe'],
    // Ctrl-C must not reach the server before the requests in flight have been answered.
    detached: true
  })
}

/**
 * What a command line begins with so that the program is told to end when we are killed (more
 * exactly: when the thread ends that starts it), where the system has such a thing. It comes after
 * the change of user, which would clear the request.
 */
async function endWithUs(): Promise<string[]> {
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((file) => existsSync(file))
  if (process.platform !== 'linux' || setpriv === undefined) return []
  const prefix = ['--pdeathsig', 'INT', '--']
  // Busybox has a setpriv that does not know it.
  return new Promise((resolve) => {
    execFile(setpriv, [...prefix, '/bin/true'], (error) => {
      resolve(error === null ? [setpriv, ...prefix] : [])
    })
  })
}

async function startServer(site: Site, log: (line: string) => void): Promise<ChildProcess> {
  const deadline = Date.now() + retryMs
  for (;;) {
    await endOrphan(site.data)
    await privateFolder(site.data, site.user) // The last server may have removed it meanwhile.
    try {
      return await launch(site, log)
    } catch (error) {
      if (!(error instanceof StartError) || Date.now() > deadline) throw error
      if (!/lock file|pre-existing shared memory block/.test(error.message)) throw error
      // Parts of a killed server may need a moment to end; PostgreSQL does not start beside them.
      await sleep(50)
      await forgetServer(site)
    }
  }
}

/** Starts the server and waits until it takes connections. */
async function launch(site: Site, log: (line: string) => void): Promise<ChildProcess> {
  const self = await findProcess(process.pid)
  const safe = site.durable ? 'on' : 'off'
  const settings = {
    listen_addresses: '',
    unix_socket_directories: `"${site.socketFolder}"`,
    timezone: 'UTC',
    log_timezone: 'UTC',
    shared_buffers: '64MB',
    max_wal_size: '256MB',
    max_connections: '200',
    fsync: safe,
    synchronous_commit: safe,
    full_page_writes: safe,
    // Not PostgreSQL's: they tell a later start what this process is and who needs it.
    'sandbox.owner': `${process.pid}/${self?.startedAt}`,
    'sandbox.data': site.data
  }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = await run(site, site.data, 'postgres', args)
  return new Promise((resolve, reject) => {
    const words: string[] = []
    const timer = setTimeout(() => server.kill('SIGQUIT'), startMs)
    createInterface({ input: server.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      log(line)
      if (words.length < 50) words.push(line)
      if (!line.includes('database system is ready to accept connections')) return
      clearTimeout(timer)
      resolve(server)
    })
    server.once('error', reject)
    server.once('close', (code, signal) => {
      clearTimeout(timer)
      const reason = `PostgreSQL did not start (${signal ?? code}):`
      reject(new StartError([reason, ...words].join('\n')))
    })
  })
}

async function recordedPid(data: string): Promise<number | undefined> {
  const text = await fs.readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
  return Number.parseInt(text, 10) || undefined
}

/** Ends a server on `data` whose owner lives no more; throws when somebody needs it. */
async function endOrphan(data: string): Promise<void> {
  const pid = await recordedPid(data)
  const command = pid && (await findServer(pid, data))
  if (!command) return
  const [, owner, startedAt] = / sandbox\.owner=(\d+)\/(\S+)/.exec(command) ?? []
  const living = owner ? await findProcess(Number(owner)) : undefined
  if (owner === undefined || living?.startedAt === startedAt) {
    const who = living === undefined ? `server ${pid}` : `process ${owner} (${living.command})`
    throw new Error(`${data} is in use by ${who}: stop it, or choose another folder`)
  }
  await endProcess(pid, stopSignals, async () => (await findServer(pid, data)) === undefined)
}

/** The command line of process `pid` if that is a server on `data`; pids are used again. */
async function findServer(pid: number, data: string): Promise<string | undefined> {
  const command = (await findProcess(pid))?.command ?? ''
  return `${command} `.includes(`${data} `) ? command : undefined
}

/**
 * PostgreSQL finds the recorded pid alive, but it is a zombie or another program now. A pid that no
 * process can have replaces it; the rest of the file stays, since by it PostgreSQL notices
 * survivors of the old server that still use its memory.
 */
async function forgetServer({ data, socketFolder }: Site): Promise<void> {
  const file = join(data, 'postmaster.pid')
  const pid = await recordedPid(data)
  if (pid === undefined || (await findServer(pid, data)) !== undefined) return
  await fs.writeFile(file, (await fs.readFile(file, 'utf8')).replace(/^\d+/, '2147483647'))
  await fs.rm(join(socketFolder, '.s.PGSQL.5432.lock'), { force: true })
}
