/**
 * A Patroni cluster on loopback: etcd, three PostgreSQLs that replicate synchronously, and HAProxy
 * before them, which leads to the leader. All of Debian's packages, in a folder and on ports of its
 * own.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import type { Cleaner } from '../bench/processes.ts'
import { endProcess, findProcess } from '../sandbox/processes.ts'
import { findFreePort } from '../test/test-service.ts'

/** Programs by Debian's packages. */
const programs = {
  patroni: '/usr/bin/patroni',
  'etcd-server': '/usr/bin/etcd',
  haproxy: '/usr/sbin/haproxy'
} as const
const versionsFolder = '/usr/lib/postgresql'
const oldestVersion = 15

/**
 * 20 s is the shortest that Patroni's documentation allows, and `loop_wait` and two `retry_timeout`
 * must be within it: a leader that cannot renew its lock steps down before another takes it.
 */
const timing = { ttl: 20, loop_wait: 5, retry_timeout: 7 }

type Node = {
  name: string
  data: string
  port: number
  restPort: number
  config: string
  child?: ChildProcess
}

export type Cluster = {
  /** By way of HAProxy. */
  url(database: string): string
  /** Ends the leader's PostgreSQL and Patroni at once; answers its name. */
  killLeader(): Promise<string>
  /** Until the way by HAProxy leads to a database that takes writes. */
  untilLed(): Promise<void>
  /** Starts what was killed, and waits until a synchronous standby and all others follow. */
  mend(): Promise<void>
}

/** What is not installed, as Debian calls it. */
export async function findMissing(): Promise<string[]> {
  const missing = Object.entries(programs)
    .filter(([, path]) => !existsSync(path))
    .map(([name]) => name)
  return (await findBinFolder()) === undefined ? [...missing, 'postgresql'] : missing
}

async function findBinFolder(): Promise<string | undefined> {
  const names = await fs.readdir(versionsFolder).catch(() => [])
  const newest = Math.max(...names.map(Number).filter((one) => one >= oldestVersion))
  return newest > 0 ? `${versionsFolder}/${newest}/bin` : undefined
}

/** PostgreSQL refuses to run as root. */
async function findUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const accounts = (await fs.readFile('/etc/passwd', 'utf8')).split('\n').map((s) => s.split(':'))
  const [, , uid, gid] = accounts.find(([name]) => name === 'postgres') ?? []
  return { uid: Number(uid), gid: Number(gid) }
}

export async function startCluster(cleaner: Cleaner, parent: string): Promise<Cluster> {
  const folder = join(parent, 'cluster')
  await fs.mkdir(folder)
  const user = await findUser()
  if (user !== undefined) await fs.chown(folder, user.uid, user.gid)

  /** It is told to end when we are killed; what it writes is in the folder. */
  const start = (name: string, program: string, args: readonly string[]): ChildProcess => {
    const log = openSync(join(folder, `${name}.log`), 'a')
    const child = spawn('/usr/bin/setpriv', ['--pdeathsig', 'TERM', '--', program, ...args], {
      ...{ ...user, cwd: folder, stdio: ['ignore', log, log] as const },
      // Ctrl-C is for us, who end it in its turn.
      ...{ detached: true, env: { PATH: process.env.PATH ?? '', LC_ALL: 'C.UTF-8' } }
    })
    closeSync(log)
    cleaner.add(() => kill(child))
    return child
  }
  const etcd = `127.0.0.1:${await findFreePort()}`
  const peer = `http://127.0.0.1:${await findFreePort()}`
  start('etcd', programs['etcd-server'], [
    ...['--name', 'one', '--data-dir', join(folder, 'etcd'), '--log-level', 'warn'],
    ...['--listen-client-urls', `http://${etcd}`, '--advertise-client-urls', `http://${etcd}`],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--initial-cluster', `one=${peer}`]
  ])
  const nodes: Node[] = []
  const binFolder = (await findBinFolder()) as string
  for (const name of ['one', 'two', 'three']) {
    const [data, config] = [join(folder, name), join(folder, `${name}.json`)]
    const node = { name, data, config, port: await findFreePort(), restPort: await findFreePort() }
    nodes.push(node)
    await fs.writeFile(config, JSON.stringify(toConfig(node, etcd, binFolder, folder)))
  }
  const port = await findFreePort()
  await fs.writeFile(join(folder, 'haproxy.cfg'), toProxyConfig(port, nodes))
  start('haproxy', programs.haproxy, ['-db', '-f', join(folder, 'haproxy.cfg')])

  const launch = (node: Node) => {
    node.child = start(node.name, programs.patroni, [node.config])
    cleaner.add(() => killPostgres(node.data))
  }
  const url = (database: string) => `postgresql://postgres@127.0.0.1:${port}/${database}`
  const cluster: Cluster = {
    url,
    async killLeader() {
      const leader = await findLeader(nodes)
      const { child, data } = nodes.find(({ name }) => name === leader) as Node
      await kill(child as ChildProcess)
      await killPostgres(data)
      return leader
    },
    untilLed: () => until('a leader', () => takesWrites(url('postgres'))),
    async mend() {
      for (const node of nodes) if (node.child === undefined || hasExited(node.child)) launch(node)
      await until('all nodes follow', () => isWhole(nodes))
    }
  }
  // The first one to come makes the cluster, which the others copy.
  launch(nodes[0] as Node)
  await cluster.untilLed()
  await cluster.mend()
  return cluster
}

/** JSON is YAML. */
function toConfig(node: Node, etcd: string, binFolder: string, folder: string) {
  const rest = `127.0.0.1:${node.restPort}`
  const address = `127.0.0.1:${node.port}`
  return {
    ...{ scope: 'torture', name: node.name, watchdog: { mode: 'off' } },
    restapi: { listen: rest, connect_address: rest },
    etcd3: { hosts: etcd },
    bootstrap: {
      dcs: {
        ...timing,
        ...{ synchronous_mode: true, maximum_lag_on_failover: 1_048_576 },
        postgresql: { use_pg_rewind: true, parameters: { max_connections: 100 } }
      },
      initdb: [{ encoding: 'UTF8' }, { locale: 'C.UTF-8' }]
    },
    postgresql: {
      ...{ listen: address, connect_address: address, data_dir: node.data, bin_dir: binFolder },
      pgpass: join(folder, `${node.name}.pgpass`),
      authentication: {
        superuser: { username: 'postgres', password: 'unused' },
        replication: { username: 'replicator', password: 'unused' }
      },
      parameters: { unix_socket_directories: '', shared_buffers: '64MB' },
      pg_hba: ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust']
    }
  }
}

/** Asks Patroni which node leads, and breaks what still leads to one that does not. */
const toProxyConfig = (port: number, nodes: readonly Node[]) => `
defaults
  mode tcp
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout check 2s
listen primary
  bind 127.0.0.1:${port}
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
${nodes
  .map((one) => `  server ${one.name} 127.0.0.1:${one.port} check port ${one.restPort}`)
  .join('\n')}
`

type Member = { name: string; role: string; state: string; timeline?: number }

async function findMembers(nodes: readonly Node[]): Promise<Member[]> {
  for (const { restPort } of nodes) {
    const answer = await fetch(`http://127.0.0.1:${restPort}/cluster`).catch(() => undefined)
    if (answer?.ok) return ((await answer.json()) as { members: Member[] }).members
  }
  return []
}

async function findLeader(nodes: readonly Node[]): Promise<string> {
  const leader = (await findMembers(nodes)).find(({ role }) => role === 'leader')
  if (leader === undefined) throw new Error('the cluster has no leader')
  return leader.name
}

/** All run on one timeline, and one of them has all that was acknowledged. */
async function isWhole(nodes: readonly Node[]): Promise<boolean> {
  const members = await findMembers(nodes)
  const running = members.filter(({ state }) => ['running', 'streaming'].includes(state))
  return (
    running.length === nodes.length &&
    new Set(running.map(({ timeline }) => timeline)).size === 1 &&
    running.some(({ role }) => role === 'sync_standby')
  )
}

const waits = { connectionTimeoutMillis: 2_000, query_timeout: 2_000 }

async function takesWrites(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, ...waits })
  client.on('error', () => {})
  try {
    await client.connect()
    // A standby refuses it, and a leader commits it once a synchronous standby has it.
    await client.query("select pg_logical_emit_message(true, 'torture', '')")
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

const patienceMs = 120_000

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + patienceMs
  while (!(await isSo())) {
    if (performance.now() > giveUpAt) throw new Error(`${what}: not within ${patienceMs / 1_000} s`)
    await setTimeout(100)
  }
}

const hasExited = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

async function kill(child: ChildProcess): Promise<void> {
  if (hasExited(child)) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** The whole server at once: its children would else finish what they are at. */
async function killPostgres(data: string): Promise<void> {
  const note = await fs.readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
  const pid = Number.parseInt(note, 10)
  // Pids are used again.
  const isOurs = async () => (await findProcess(pid))?.command.includes(data) === true
  if (!(pid > 0) || !(await isOurs())) return
  const children = await fs.readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  for (const one of [String(pid), ...children.trim().split(' ')]) {
    try {
      process.kill(Number(one), 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
  await endProcess(pid, [], async () => !(await isOurs()))
}
