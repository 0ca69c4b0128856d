/** The two servers that are compared, each with its own database, and how their tables are filled. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import {
  accountCount,
  firstAccount,
  merchantAccount,
  type Operation,
  returnOrigin,
  type ServerName
} from './operations.ts'
import { type Child, findFreePort, startHelper, startMain, untilReady } from './processes.ts'
import { openClient, type Site } from './site.ts'

export type Target = {
  name: ServerName
  pid: number
  port: number
  apiKey: string
  db: pg.Client
  /** Makes `count` payments that wait for their outcome, the first with that number. */
  seed(first: number, count: number): Promise<void>
  /** A statement that counts what the operation has written so far, as `written`. */
  tallies: Record<Operation, string>
  /** A statement that counts what was accepted and is not applied yet, as `due`. */
  backlog: string | undefined
}

const nothing = 'select 0 as written'

export async function startFloor(site: Site): Promise<Target> {
  const db = await openClient(site.url('floor'), site.cleaner)
  await db.query(await readFile(new URL('floor.sql', import.meta.url), 'utf8'))
  const env = {
    FLOOR_DATABASE_URL: site.url('floor'),
    FLOOR_PROVIDER_URL: `http://127.0.0.1:${site.stub.said.port}`,
    FLOOR_HMAC_KEY: site.hmacKey
  }
  const { pid, said } = await startHelper<{ port: number }>('floor.ts', env, site.cleaner)
  return {
    name: 'floor',
    pid,
    port: said.port,
    apiKey: 'none',
    db,
    seed: (first, count) => seedFloor(db, first, count),
    tallies: {
      create: 'select count(*) as written from payment where checkout_url is not null',
      read: nothing,
      webhook: `select least((select count(*) from inbox),
        (select count(*) from payment where status = 'captured')) as written`
    },
    backlog: undefined
  }
}

async function seedFloor(db: pg.Client, first: number, count: number): Promise<void> {
  const range = [first, first + count - 1, firstAccount, accountCount]
  await db.query(
    `insert into payment (id, client_id, idempotency_key, account_id, currency, amount, channel,
       return_url, reference, status, provider_session, checkout_url)
     select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'bench', 'seed-' || n,
       $3 + n % $4, 'GBP', 100 + n, 'selfcare', 'https://selfcare.example/paid', 'basket-' || n,
       'pending', 'CS' || n, 'https://test.adyen.link/CS' || n
     from generate_series($1::integer, $2::integer) n`,
    range
  )
  await db.query(
    `insert into payment_event (payment_id, type, data)
     select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'payment.created', '{}'
     from generate_series($1::integer, $2::integer) n`,
    range.slice(0, 2)
  )
}

/** The configuration of a production, with the stub in Adyen's place. */
export function productionEnv(
  site: Site,
  port: number,
  database = 'service'
): Record<string, string> {
  return {
    DATABASE_URL: site.url(database),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    HOST: '127.0.0.1',
    PORT: String(port),
    METRICS_PORT: '0',
    DRAIN_S: '0',
    ADYEN_ENVIRONMENT: 'TEST',
    ADYEN_API_KEY: 'bench',
    ADYEN_MERCHANT_ACCOUNT: merchantAccount,
    ADYEN_HMAC_KEYS: site.hmacKey,
    ADYEN_CHECKOUT_URL: `http://127.0.0.1:${site.stub.said.port}`
  }
}

export type Instance = Child & { port: number }

/** Starts an instance of the service on its database, and waits until it is ready. */
export async function startInstance(
  site: Site,
  logName: string,
  {
    database,
    program,
    env = {},
    port: wanted
  }: { database?: string; program?: string; env?: Record<string, string>; port?: number } = {}
): Promise<Instance> {
  const port = wanted ?? (await findFreePort())
  const log = join(site.folder, logName)
  const whole = { ...productionEnv(site, port, database), ...env }
  const child = startMain([], whole, log, site.cleaner, program)
  await untilReady(port, child, log)
  return { ...child, port }
}

/** Runs a command of the service to its end, and answers what it wrote. */
async function runMain(site: Site, ...args: string[]): Promise<string> {
  const log = join(site.folder, `${args[0]}.log`)
  const env = { DATABASE_URL: site.url('service') }
  const { process } = startMain(args, env, log, site.cleaner)
  const [code] = await once(process, 'exit')
  const text = await readFile(log, 'utf8')
  if (code !== 0) throw new Error(`${args[0]} has failed: ${text}`)
  return text
}

export async function startOurs(site: Site): Promise<Target> {
  await runMain(site, 'migrate')
  const scopes = ['payments:read', 'payments:write', 'accounts:write']
  const client = await runMain(
    site,
    ...['client', 'create', '--name', 'bench', '--return-origin', returnOrigin, '--json'],
    ...scopes.flatMap((scope) => ['--scope', scope])
  )
  const { key: apiKey } = JSON.parse(client) as { key: string }
  const { port, pid } = await startInstance(site, 'service.log')
  await pushAccounts(port, apiKey)
  const template = await createTemplate(port, apiKey)
  const db = await openClient(site.url('service'), site.cleaner)
  return {
    name: 'service',
    pid,
    port,
    apiKey,
    db,
    seed: (first, count) => seedOurs(db, template, first, count),
    tallies: {
      create: 'select count(*) as written from payment where checkout_url is not null',
      read: nothing,
      webhook: `select least((select count(*) from notification where status = 'applied'),
        (select count(*) from payment where status = 'captured'),
        (select count(*) from ledger_transfer where posting = 'payment')) as written`
    },
    backlog: 'select count(*) as due from notification where next_attempt_at is not null'
  }
}

export async function pushAccounts(port: number, apiKey: string): Promise<void> {
  const numbers = Array.from({ length: accountCount }, (_, n) => firstAccount + n)
  while (numbers.length > 0) {
    const batch = numbers.splice(0, 16).map((id) => {
      const body = { currency: 'GBP' }
      return send('PUT', `http://127.0.0.1:${port}/v1/accounts/${id}`, apiKey, body)
    })
    await Promise.all(batch)
  }
}

/** A payment made by the service itself, that those to be paid are copies of. */
export async function createTemplate(port: number, apiKey: string): Promise<string> {
  const payment = await send('POST', `http://127.0.0.1:${port}/v1/payments`, apiKey, {
    accountId: String(firstAccount),
    amount: { currency: 'GBP', value: 1 },
    channel: 'selfcare',
    returnUrl: `${returnOrigin}/paid`,
    reference: 'basket-0'
  })
  return (payment as { id: string }).id
}

async function send(method: string, url: string, apiKey: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': `bench ${url}`.replaceAll(' ', '-')
    },
    body: JSON.stringify(body)
  })
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`)
  return response.json()
}

/** Copies of the template in all but what tells payments apart, whatever columns there are. */
export async function seedOurs(
  db: pg.Client,
  template: string,
  first: number,
  count: number
): Promise<void> {
  const range = [template, first, first + count - 1]
  await db.query(
    `insert into payment
     select copy.* from payment p cross join generate_series($2::integer, $3::integer) n
     cross join lateral jsonb_populate_record(p, jsonb_build_object(
       'id', 'pay_' || lpad(to_hex(n), 16, '0'), 'idempotency_key', 'seed-' || n,
       'account_id', $4 + n % $5, 'amount', 100 + n, 'reference', 'basket-' || n,
       'provider_key', 'pay_' || lpad(to_hex(n), 16, '0') || '.session.1',
       'provider_session', 'CS' || n, 'checkout_url', 'https://test.adyen.link/CS' || n)) copy
     where p.id = $1`,
    [...range, firstAccount, accountCount]
  )
  await db.query(
    `insert into payment_event
     select copy.* from payment_event e cross join generate_series($2::integer, $3::integer) n
     cross join lateral jsonb_populate_record(e,
       jsonb_build_object('payment_id', 'pay_' || lpad(to_hex(n), 16, '0'))) copy
     where e.payment_id = $1`,
    range
  )
}
