/** PgBouncer before a database, where it is installed: `PGBOUNCER` names it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import type { Test } from 'tap'
import { findFreePort } from './test-service.ts'

export const pgbouncer = process.env.PGBOUNCER ?? '/usr/sbin/pgbouncer'
export const noPgbouncer = existsSync(pgbouncer) ? false : 'PgBouncer is not installed'

/** `url` by way of a PgBouncer with these settings and its defaults. */
export async function startPgbouncer(
  t: Test,
  url: string,
  settings: Readonly<Record<string, string>>
): Promise<string> {
  const { host, port, user = '', password } = new pg.Client(url)
  const dir = await mkdtemp(join(tmpdir(), 'pgbouncer-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  await chmod(dir, 0o755)
  const listenPort = await findFreePort()
  const all = {
    ...{ listen_addr: '127.0.0.1', listen_port: String(listenPort), unix_socket_dir: '' },
    ...{ auth_type: 'trust', auth_file: join(dir, 'users.txt'), default_pool_size: '5' },
    ...settings
  }
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`)
  const ini = `[databases]\n* = host=${host} port=${port}\n[pgbouncer]\n${lines.join('\n')}\n`
  await writeFile(join(dir, 'pgbouncer.ini'), ini)
  await writeFile(join(dir, 'users.txt'), `"${user}" "${password ?? ''}"\n`)
  // It refuses to run as root.
  const asUser = process.getuid?.() === 0 ? ['-u', 'postgres'] : []
  const child = spawn(
    pgbouncer,
    [...(process.env.TEST_LOG ? [] : ['-q']), ...asUser, join(dir, 'pgbouncer.ini')],
    {
      stdio: process.env.TEST_LOG ? 'inherit' : 'ignore'
    }
  )
  t.teardown(async () => {
    if (child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  await untilListening(child, listenPort)
  const pooled = new URL('postgresql://127.0.0.1')
  pooled.port = String(listenPort)
  pooled.username = user
  pooled.password = typeof password === 'string' ? password : ''
  pooled.pathname = `/${new pg.Client(url).database}`
  return pooled.href
}

async function untilListening(child: ChildProcess, port: number): Promise<void> {
  for (let tries = 0; tries < 250; tries++) {
    if (child.exitCode !== null) throw new Error(`PgBouncer has ended with ${child.exitCode}`)
    const socket = connect(port, '127.0.0.1')
    const listens = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false)
    ]).catch(() => false)
    socket.destroy()
    if (listens) return
    await setTimeout(20)
  }
  throw new Error('PgBouncer did not listen in time')
}
