/**
 * `npm run bench -- migration`: an upgrade under load. The release that is kept in `test/fixtures`
 * works on 100,000 payments and is asked for creates without a pause, while this version migrates
 * the schema; once as it is, and once behind a transaction that has read the tables and stays open.
 * After its own migrations come those of `bench/migrations`, which stand for a larger change.
 */
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { connect } from '../src/database/database.ts'
import { migrate } from '../src/database/migrate.ts'
import { unpackRelease } from '../test/release.ts'
import { firstAccount, returnOrigin } from './operations.ts'
import type { Cleaner } from './processes.ts'
import { createTemplate, pushAccounts, seedOurs } from './seed.ts'
import { openClient, openSite, type Site } from './site.ts'
import { startInstance } from './targets.ts'

type Upgrade = {
  name: string
  applied: number
  seconds: number
  creates: number
  /** Answers that were not 2xx, and none at all. */
  failed: number
  /** Between two creates that succeeded, one after the other, ms. */
  longestGapMs: number
}

const payments = 100_000
const callers = 4
/** How long the load goes on before and after, and how long the reader keeps what it reads, ms. */
const restMs = 2_000
const readerMs = 5_000
const goalMs = 1_000

/** Prints the table; false where a create was missed or waited for too long. */
export async function measureMigration(
  cleaner: Cleaner,
  tell: (line: string) => void,
  print: (text: string) => void
): Promise<boolean> {
  const site = await openSite(cleaner)
  const release = await unpackRelease()
  cleaner.add(() => release.remove())
  tell(`${payments} payments in the schema of the release`)
  const apiKey = await prepare(site, release)
  const upgrades: Upgrade[] = []
  for (const [database, reads] of [
    ['service', false],
    ['other', true]
  ] as const) {
    const instance = await startInstance(site, `${database}.log`, {
      database,
      program: release.main
    })
    upgrades.push(await upgrade(site, database, instance.port, apiKey, reads, tell))
    await instance.stop()
  }
  print(toTable(upgrades))
  return upgrades.every(({ failed, longestGapMs }) => failed === 0 && longestGapMs <= goalMs)
}

/** Two databases of the release, filled alike; answers the key of their client. */
async function prepare(
  site: Site,
  release: Awaited<ReturnType<typeof unpackRelease>>
): Promise<string> {
  const env = { DATABASE_URL: site.url('service') }
  await release.run(['migrate'], env)
  const scopes = ['payments:read', 'payments:write', 'accounts:write']
  const client = await release.run(
    [
      ...['client', 'create', '--name', 'bench', '--return-origin', returnOrigin, '--json'],
      ...scopes.flatMap((scope) => ['--scope', scope])
    ],
    env
  )
  const { key } = JSON.parse(client) as { key: string }
  const instance = await startInstance(site, 'seed.log', { program: release.main })
  await pushAccounts(instance.port, key)
  const template = await createTemplate(instance.port, key)
  await instance.stop()
  const db = await openClient(site.url('service'), site.cleaner)
  await seedOurs(db, template, 1, payments)
  await db.query('vacuum (analyze)')
  await db.end()
  const server = await openClient(site.url('postgres'), site.cleaner)
  await server.query('create database other template service')
  return key
}

async function upgrade(
  site: Site,
  database: string,
  port: number,
  apiKey: string,
  reads: boolean,
  tell: (line: string) => void
): Promise<Upgrade> {
  const folder = join(site.folder, 'migrations')
  await cp(new URL('../migrations/', import.meta.url), folder, { recursive: true })
  await cp(new URL('migrations/', import.meta.url), folder, { recursive: true })
  const load = startLoad(port, apiKey)
  await setTimeout(restMs)
  const reader = reads ? await startReader(site, database) : undefined
  const owner = connect(site.url(database), { max: 1, patient: true })
  const startedAt = performance.now()
  const applied = await migrate(owner, { folder: pathToFileURL(`${folder}/`), tell })
  const seconds = (performance.now() - startedAt) / 1_000
  await owner.destroy()
  await reader?.ended
  await setTimeout(restMs)
  const name = reads ? `behind a reader of ${readerMs / 1_000} s` : 'nobody reads for long'
  return { name, applied: applied.length, seconds, ...(await load.stop()) }
}

/** A transaction that has read what is changed, and stays open; answers when it is. */
async function startReader(site: Site, database: string): Promise<{ ended: Promise<void> }> {
  const client = await openClient(site.url(database), site.cleaner)
  await client.query('begin isolation level repeatable read')
  await client.query('select count(*) from payment, (select count(*) from account) a')
  const ended = setTimeout(readerMs).then(async () => {
    await client.query('commit')
    await client.end()
  })
  return { ended }
}

/** Some callers create payments, each one after the other. */
function startLoad(port: number, apiKey: string) {
  const times: number[] = []
  let failed = 0
  let n = 0
  let over = false
  async function call(): Promise<void> {
    while (!over) {
      n += 1
      const answer = await create(port, apiKey, n).catch(() => undefined)
      if (answer?.ok) times.push(performance.now())
      else failed += 1
    }
  }
  const calling = Promise.all(Array.from({ length: callers }, call))
  return {
    async stop() {
      over = true
      await calling
      const gaps = times.slice(1).map((time, at) => time - (times[at] as number))
      return { creates: times.length, failed, longestGapMs: Math.max(...gaps) }
    }
  }
}

async function create(port: number, apiKey: string, n: number): Promise<Response> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/payments`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': `upgrade-${n}`
    },
    body: JSON.stringify({
      accountId: String(firstAccount + (n % 1_000)),
      amount: { currency: 'GBP', value: 1_000_000 + n },
      channel: 'selfcare',
      returnUrl: `${returnOrigin}/paid`
    })
  })
  await response.arrayBuffer()
  return response
}

function toTable(upgrades: readonly Upgrade[]): string {
  return [
    `| ${payments.toLocaleString('en-GB')} payments, ${callers} callers | migrations | took, s | ` +
      'creates, failed | longest without one, ms (goal 1,000) |',
    '|---|---|---|---|---|',
    ...upgrades.map(
      ({ name, applied, seconds, creates, failed, longestGapMs }) =>
        `| ${name} | ${applied} | ${seconds.toFixed(1)} | ${creates}, ${failed} | ` +
        `${Math.round(longestGapMs)} |`
    )
  ].join('\n')
}
