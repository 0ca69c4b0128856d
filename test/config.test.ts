import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { ConfigFault, readConfig } from '../src/config.ts'
import type { Env } from '../src/settings/reader.ts'
import { createSealing } from '../src/webhooks/sealing.ts'
import { insertClients, testDatabase } from './test-database.ts'

const production = {
  DATABASE_URL: 'postgresql://payments@db.example/payments',
  PUBLIC_URL: 'https://payments.example',
  ADYEN_ENVIRONMENT: 'TEST',
  ADYEN_API_KEY: 'an-api-key',
  ADYEN_MERCHANT_ACCOUNT: 'Merchant',
  ADYEN_HMAC_KEYS: 'ab'.repeat(32)
}
const live = { ...production, ADYEN_ENVIRONMENT: 'LIVE', ADYEN_LIVE_URL_PREFIX: '0123-Company' }

function faultsOf(env: Env): readonly string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigFault) return error.faults
    throw error
  }
}

t.test('without configuration it is the sandbox, on loopback only', async (t) => {
  const config = readConfig({ HOME: '/root', PATH: '/bin' })
  t.match(config, { kind: 'sandbox', host: '127.0.0.1', port: 3000, metricsPort: 9464 })
  t.match(config, { dir: '.sandbox', simulatorPort: 3001, shopPort: 3002 })
  const told = readConfig({ HOST: '0.0.0.0', PORT: '0', SANDBOX_DIR: '/x', SIMULATOR_PORT: '5' })
  t.match(told, { kind: 'sandbox', host: '127.0.0.1', port: 0, dir: '/x', simulatorPort: 5 })
})

t.test('production, with what it needs', async (t) => {
  const config = readConfig(production)
  t.match(config, {
    kind: 'production',
    host: '0.0.0.0',
    port: 3000,
    metricsPort: 9464,
    logLevel: 'info',
    adyenTimeoutMs: 8000,
    databaseUrl: production.DATABASE_URL,
    publicUrl: production.PUBLIC_URL,
    adyen: { environment: 'TEST', apiKey: 'an-api-key', merchantAccount: 'Merchant' }
  })
  const { adyen } = config as Extract<typeof config, { kind: 'production' }>
  t.same(adyen.hmacKeys, [Buffer.alloc(32, 0xab)])
  t.same(adyen.tokenHmacKeys, [], 'token webhooks are optional')
  t.same(faultsOf(live), [])
})

t.test('F12: keys that seal secrets, and ports of webhooks', async (t) => {
  t.match(readConfig(production), { sealingKeys: [], webhookPorts: [443] })
  const keys = `${'cd'.repeat(32)}, ${'EF'.repeat(32)}`
  const config = readConfig({ ...production, SEALING_KEYS: keys, WEBHOOK_PORTS: '443, 8443' })
  t.match(config, { sealingKeys: [Buffer.alloc(32, 0xcd), Buffer.alloc(32, 0xef)] })
  t.match(config, { webhookPorts: [443, 8443] })
  t.same(faultsOf({ ...production, SEALING_KEYS: 'cd' }), [
    'SEALING_KEYS: key 1 is not 64 hexadecimal digits'
  ])
  for (const ports of ['0', '443,', 'https', '65536', '1.5', '443;8443']) {
    const faults = faultsOf({ ...production, WEBHOOK_PORTS: ports })
    t.same(faults, ['WEBHOOK_PORTS must be ports with commas, such as 443,8443'], ports)
  }
})

t.test('pages offer typed cards, and the wallets that are named', async (t) => {
  const read: ReadonlyArray<[string | undefined, string[]]> = [
    [undefined, ['scheme']],
    ['googlepay, scheme', ['scheme', 'googlepay']],
    ['scheme,applepay,googlepay,applepay', ['scheme', 'applepay', 'googlepay']]
  ]
  for (const [PAYMENT_METHODS, paymentMethods] of read) {
    t.match(readConfig({ PAYMENT_METHODS }), { kind: 'sandbox', paymentMethods })
  }
  const faults = (PAYMENT_METHODS: string) => faultsOf({ ...production, PAYMENT_METHODS })
  t.same(faults('applepay'), ['PAYMENT_METHODS must have scheme: not everybody has a wallet'])
  const others = 'PAYMENT_METHODS: paypal, , Scheme is none of scheme, applepay, googlepay'
  t.same(faults('scheme,paypal,,Scheme'), [others])
})

t.test('an issuer of access tokens is trusted over https, for an audience', async (t) => {
  const oauth = { OAUTH_ISSUER: 'https://login.example/realms/a/', OAUTH_AUDIENCE: 'payments' }
  const read = { oauth: { issuer: oauth.OAUTH_ISSUER, audience: 'payments' } }
  t.match(readConfig(production), { oauth: null })
  t.match(readConfig({ ...live, ...oauth }), read, 'as it stands in its tokens, slash and all')
  t.match(readConfig(oauth), { kind: 'sandbox', ...read })
  const local = { ...oauth, OAUTH_ISSUER: 'http://127.0.0.1:3009' }
  t.same([...faultsOf(local), ...faultsOf({ ...production, ...local })], [])
  const { OAUTH_ISSUER, OAUTH_AUDIENCE } = oauth
  const secure = 'OAUTH_ISSUER must be https (with ADYEN_ENVIRONMENT=TEST also http to loopback)'
  const both = 'OAUTH_ISSUER and OAUTH_AUDIENCE must be set both or neither'
  t.same(faultsOf({ ...live, ...local }), [secure])
  t.same(faultsOf({ ...production, ...oauth, OAUTH_ISSUER: 'http://login.example' }), [secure])
  t.same(faultsOf({ ...production, ...oauth, OAUTH_ISSUER: 'login.example' }), [secure])
  t.same(faultsOf({ ...production, OAUTH_ISSUER }), [both])
  t.same(faultsOf({ ...production, OAUTH_AUDIENCE }), [both])
  t.same(faultsOf({ ...production, OAUTH_ISSUER: 'http://a.example' }), [both, secure])
  t.same(faultsOf({ ...production, ...oauth, OAUTH_ISSUER: 'https://login.example?a=b' }), [
    'OAUTH_ISSUER must have no query, fragment or user information'
  ])

  t.match(readConfig({ ISSUER_PORT: '7' }), { issuerPort: null })
  t.match(readConfig({ SANDBOX_OAUTH: 'true' }), { issuerPort: 3009 })
  t.match(readConfig({ SANDBOX_OAUTH: 'true', ISSUER_PORT: '7' }), { issuerPort: 7 })
  t.match(faultsOf({ SANDBOX_OAUTH: 'true', ...oauth }), [/OAUTH_ISSUER is refused/])
})

t.test('token webhooks have keys of their own', async (t) => {
  const keys = `${'cd'.repeat(32)}, ${'EF'.repeat(32)}`
  const config = readConfig({ ...production, ADYEN_TOKEN_HMAC_KEYS: keys })
  const { adyen } = config as Extract<typeof config, { kind: 'production' }>
  t.same(adyen.tokenHmacKeys, [Buffer.alloc(32, 0xcd), Buffer.alloc(32, 0xef)])
  t.same(adyen.hmacKeys, [Buffer.alloc(32, 0xab)])
})

t.test(
  'the guard against duplicates and MOTO have defaults, and may be told otherwise',
  async (t) => {
    t.match(readConfig({}), { duplicateWindowS: 600 })
    t.match(readConfig({ DUPLICATE_WINDOW_S: '0' }), { duplicateWindowS: 0 })
    t.match(readConfig(production), { duplicateWindowS: 600, adyen: { moto: false } })
    t.match(readConfig({ ...production, ADYEN_MOTO: 'true' }), { adyen: { moto: true } })
  }
)

t.test(
  'D6, E2, E4: connections, the wait for the database and the drain are settings',
  async (t) => {
    t.match(readConfig(production), {
      connections: { requests: 8, reads: 4, background: 4 },
      databaseWaitS: 60,
      drainS: 10
    })
    const told = {
      DATABASE_CONNECTIONS: '20',
      DATABASE_READ_CONNECTIONS: '10',
      DATABASE_BACKGROUND_CONNECTIONS: '5',
      DATABASE_WAIT_S: '0',
      DRAIN_S: '15'
    }
    t.match(readConfig({ ...production, ...told }), {
      connections: { requests: 20, reads: 10, background: 5 },
      databaseWaitS: 0,
      drainS: 15
    })
    t.match(readConfig({}), { drainS: 0 }, 'nobody balances load over a sandbox')
    const wrong = Object.fromEntries(Object.keys(told).map((name) => [name, '-1']))
    t.same(
      faultsOf({ ...production, ...wrong }).map((fault) => fault.split(' ')[0]),
      Object.keys(told)
    )
    t.equal(faultsOf({ ...production, DATABASE_CONNECTIONS: '0' }).length, 1)
  }
)

t.test('any variable of production makes it production, never the sandbox', async (t) => {
  for (const name of [...Object.keys(production), 'ADYEN_WHATEVER', 'ADYEN_WEBHOOK_USER']) {
    const faults = faultsOf({ [name]: 'x' })
    t.ok(faults.length >= 5, name)
  }
})

t.test('each variable that is needed is named when it is missing or empty', async (t) => {
  for (const name of Object.keys(production)) {
    for (const value of [undefined, '', '  ']) {
      const faults = faultsOf({ ...production, [name]: value })
      t.equal(faults.length, 1, name)
      t.match(faults[0], new RegExp(`^${name} is required`))
    }
  }
})

t.test('every fault is told at once', async (t) => {
  const faults = faultsOf({
    ADYEN_ENVIRONMENT: 'LIVE',
    ADYEN_CHECKOUT_URL: 'http://127.0.0.1:9999',
    ADYEN_HMAC_KEYS: 'xyz',
    ADYEN_WEBHOOK_USER: 'adyen',
    PUBLIC_URL: 'http://payments.example',
    PORT: 'http',
    METRICS_PORT: '70000',
    LOG_LEVEL: 'loud',
    ADYEN_TIMEOUT_MS: '1',
    PAYMENT_MAX_VALUE: '0',
    DUPLICATE_WINDOW_S: '-1'
  })
  for (const name of [
    'DATABASE_URL',
    'PUBLIC_URL',
    'ADYEN_API_KEY',
    'ADYEN_MERCHANT_ACCOUNT',
    'ADYEN_HMAC_KEYS',
    'ADYEN_LIVE_URL_PREFIX',
    'ADYEN_CHECKOUT_URL',
    'ADYEN_WEBHOOK_USER',
    'PORT',
    'METRICS_PORT',
    'LOG_LEVEL',
    'ADYEN_TIMEOUT_MS',
    'PAYMENT_MAX_VALUE',
    'DUPLICATE_WINDOW_S'
  ]) {
    t.equal(faults.filter((fault) => fault.startsWith(name)).length, 1, name)
  }
  t.equal(faults.length, 14)
})

const wrong: Record<string, [Env, string]> = {
  'an HMAC key with a digit that is none': [
    { ADYEN_HMAC_KEYS: `${'ab'.repeat(31)}zz` },
    'ADYEN_HMAC_KEYS: key 1'
  ],
  'an HMAC key that is short': [{ ADYEN_HMAC_KEYS: 'ab'.repeat(31) }, 'ADYEN_HMAC_KEYS: key 1'],
  'the second HMAC key of two': [
    { ADYEN_HMAC_KEYS: `${'ab'.repeat(32)},${'g'.repeat(64)}` },
    'ADYEN_HMAC_KEYS: key 2'
  ],
  'an empty HMAC key in the list': [
    { ADYEN_HMAC_KEYS: `${'ab'.repeat(32)},` },
    'ADYEN_HMAC_KEYS: key 2'
  ],
  'a key of token webhooks that is short': [
    { ADYEN_TOKEN_HMAC_KEYS: `${'ab'.repeat(32)},abcd` },
    'ADYEN_TOKEN_HMAC_KEYS: key 2'
  ],
  'a window of more than a day': [{ DUPLICATE_WINDOW_S: '86401' }, 'DUPLICATE_WINDOW_S'],
  'MOTO neither true nor false': [{ ADYEN_MOTO: 'yes' }, 'ADYEN_MOTO must be true or false'],
  'loopback for webhooks neither true nor false': [
    { WEBHOOKS_ALLOW_LOOPBACK: '1' },
    'WEBHOOKS_ALLOW_LOOPBACK must be true or false'
  ],
  'an environment that there is not': [{ ADYEN_ENVIRONMENT: 'live' }, 'ADYEN_ENVIRONMENT'],
  'a public URL without TLS': [{ PUBLIC_URL: 'http://payments.example' }, 'PUBLIC_URL'],
  'a public URL that is none': [{ PUBLIC_URL: 'payments.example' }, 'PUBLIC_URL'],
  'another database': [{ DATABASE_URL: 'mysql://db.example/payments' }, 'DATABASE_URL'],
  'a user without a password': [{ ADYEN_WEBHOOK_USER: 'adyen' }, 'ADYEN_WEBHOOK_USER and'],
  'a password without a user': [{ ADYEN_WEBHOOK_PASSWORD: 'secret' }, 'ADYEN_WEBHOOK_USER and'],
  'a report user without a password': [{ ADYEN_REPORT_USER: 'report' }, 'ADYEN_REPORT_USER and'],
  'more days than reports are old': [{ SETTLEMENT_MISSING_DAYS: '61' }, 'SETTLEMENT_MISSING_DAYS'],
  'a checkout URL with a path': [
    { ADYEN_CHECKOUT_URL: 'http://127.0.0.1:9999/v72' },
    'ADYEN_CHECKOUT_URL'
  ],
  'a checkout URL that is none': [{ ADYEN_CHECKOUT_URL: '127.0.0.1:9999' }, 'ADYEN_CHECKOUT_URL'],
  'a port with a sign': [{ PORT: '+3000' }, 'PORT'],
  'a port out of bounds': [{ PORT: '65536' }, 'PORT']
}
for (const [name, [env, fault]] of Object.entries(wrong)) {
  t.test(`refused: ${name}`, async (t) => {
    const faults = faultsOf({ ...production, ...env })
    t.equal(faults.length, 1)
    t.ok(faults[0]?.startsWith(fault))
  })
}

t.test('LIVE needs its prefix, and takes neither another origin nor loopback', async (t) => {
  t.match(faultsOf({ ...live, ADYEN_LIVE_URL_PREFIX: '' }), [/^ADYEN_LIVE_URL_PREFIX/])
  t.match(faultsOf({ ...live, ADYEN_CHECKOUT_URL: 'https://x.example' }), [/^ADYEN_CHECKOUT_URL/])
  t.match(faultsOf({ ...live, PUBLIC_URL: 'http://127.0.0.1:3000' }), [/^PUBLIC_URL/])
})

t.test('webhooks may go to this machine with TEST alone, where it is said', async (t) => {
  t.match(readConfig(production), { webhooksAllowLoopback: false })
  const allowed = { WEBHOOKS_ALLOW_LOOPBACK: 'true' }
  t.match(readConfig({ ...production, ...allowed }), { webhooksAllowLoopback: true })
  t.same(faultsOf({ ...live, ...allowed }), [
    'WEBHOOKS_ALLOW_LOOPBACK is refused with ADYEN_ENVIRONMENT=LIVE'
  ])
  t.same(faultsOf({ ...live, WEBHOOKS_ALLOW_LOOPBACK: 'false' }), [])
})

t.test('TEST may be http on loopback, with another origin for Adyen', async (t) => {
  const env = { PUBLIC_URL: 'http://127.0.0.1:3000/', ADYEN_CHECKOUT_URL: 'http://127.0.0.1:9999' }
  const config = readConfig({ ...production, ...env })
  t.match(config, {
    publicUrl: 'http://127.0.0.1:3000',
    adyen: { checkoutUrl: 'http://127.0.0.1:9999' }
  })
})

t.test('no fault repeats a secret', async (t) => {
  const secret = 'hunter2hunter2'
  const faults = faultsOf({
    ADYEN_API_KEY: secret,
    ADYEN_HMAC_KEYS: secret,
    ADYEN_WEBHOOK_PASSWORD: secret,
    DATABASE_URL: `mysql://a:${secret}@b/c`
  })
  t.notMatch(faults.join(' '), secret)
})

type Ended = { code: number; stdout: string; stderr: string }

const root = new URL('../', import.meta.url)

async function newFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'config-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/**
 * Runs the real program with exactly this environment, in a folder with no more than `dotEnv`;
 * null: a folder of that name.
 */
async function run(
  t: Test,
  env: Record<string, string>,
  args: string[] = [],
  { dotEnv, main = fileURLToPath(new URL('src/main.ts', root)) } = {} as {
    dotEnv?: string | Buffer | null
    main?: string
  }
): Promise<Ended & { files: string[] }> {
  const cwd = await newFolder(t)
  const path = join(cwd, '.env')
  if (dotEnv === null) await mkdir(path)
  else if (dotEnv !== undefined) await writeFile(path, dotEnv)
  const ended = await new Promise<Ended>((resolve) => {
    execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', main, ...args],
      { cwd, env: { PATH: process.env.PATH ?? '', ...env }, timeout: 120_000 },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
      }
    )
  })
  return { ...ended, files: await readdir(cwd) }
}

t.test(
  'the program with a part of its configuration ends with 1 and names every fault',
  async (t) => {
    const names = Object.keys(production)
    const runs = names.map(async (name) => {
      const { [name as keyof typeof production]: _, ...rest } = production
      const ended = await run(t, { ...rest, PORT: 'x' })
      t.equal(ended.code, 1, name)
      t.match(ended.stderr, new RegExp(`- ${name} is required`))
      t.match(ended.stderr, /- PORT must be/)
      t.notMatch(ended.stderr, /\n +at /, 'people get sentences')
      t.equal(ended.stdout, '')
      t.same(ended.files, [], 'no sandbox was made')
    })
    await Promise.all(runs)
  }
)

t.test('F13: a file .env that is not read as a whole starts no sandbox', async (t) => {
  const text = 'DATABASE_URL=postgresql://payments@db.example/payments\n'
  const marked = await run(t, {}, [], { dotEnv: `\ufeff${text}` })
  t.match(marked, { code: 1, stderr: /ADYEN_API_KEY is required/ })
  t.notMatch(marked.stderr, /DATABASE_URL is/)
  for (const dotEnv of [Buffer.from(text, 'utf16le'), Buffer.from(`\ufeff${text}`, 'utf16le')]) {
    const refused = await run(t, {}, [], { dotEnv })
    t.match(refused, { code: 1, stdout: '', stderr: 'The file .env is no text in UTF-8.\n' })
  }
  // A folder, as some tools make one.
  const { stderr } = await run(t, {}, [], { dotEnv: null })
  t.equal(stderr, "The file .env can't be read: EISDIR.\n")
})

t.test('migrations that are pending: it does not start, and says what to do', async (t) => {
  const { url, db } = await testDatabase(t)
  const env = { ...production, DATABASE_URL: url, PORT: '0', METRICS_PORT: '0' }
  await sql`drop schema public cascade; create schema public`.execute(db)
  const ended = await run(t, env)
  t.equal(ended.code, 1)
  t.match(ended.stderr, /Migrations are pending: 0001_clients, .*Run npm run migrate/)

  const migrated = await run(t, { DATABASE_URL: url }, ['migrate'])
  t.equal(migrated.code, 0, 'which needs the database alone')
  t.match(migrated.stdout, /^Applied 0001_clients, /)
  const again = await run(t, { DATABASE_URL: url }, ['migrate'])
  t.match(again, { code: 0, stdout: 'Nothing to migrate.\n' })
})

t.test('F12: secrets that no key opens: it does not start, and says so', async (t) => {
  const { url, db } = await testDatabase(t)
  await insertClients(db, 'cli_1')
  const secret = createSealing([Buffer.alloc(32, 1)]).seal('whsec_a', 'whe_1')
  await sql`
    insert into webhook_endpoint (id, client_id, url, events, secret)
    values ('whe_1', 'cli_1', 'https://hooks.example', '{*}', ${secret})`.execute(db)
  const env = { ...production, DATABASE_URL: url, PORT: '0', METRICS_PORT: '0' }
  const ended = await run(t, { ...env, SEALING_KEYS: '02'.repeat(32) })
  t.equal(ended.code, 1)
  t.match(ended.stderr, /SEALING_KEYS lacks .*: key [0-9a-f]{16}\.$/m)
})

t.test('a database that does not answer, and a migration without one', async (t) => {
  const env = {
    ...production,
    DATABASE_URL: 'postgresql://127.0.0.1:1/none',
    DATABASE_WAIT_S: '1',
    PORT: '0',
    METRICS_PORT: '0'
  }
  const ended = await run(t, env)
  t.equal(ended.code, 1)
  t.match(ended.stderr, /^The database does not answer: connect ECONNREFUSED/)
  t.equal(ended.stdout.match(/the database is not available/g)?.length, 1, 'E4: said once')
  t.notMatch(ended.stdout + ended.stderr, /\n +at |"stack"/)
  const migrate = await run(t, { PUBLIC_URL: 'https://x.example' }, ['migrate'])
  t.equal(migrate.code, 1)
  t.match(migrate.stderr, /DATABASE_URL is required/)
})

t.test('F13: a file .env is read, and the environment counts more', async (t) => {
  const dotEnv = 'PUBLIC_URL=http://payments.example\nPORT=x\nDATABASE_URL=postgresql://db/a\n'
  const ended = await run(t, { PORT: 'y', LOG_LEVEL: '' }, [], { dotEnv })
  t.equal(ended.code, 1, 'production, though a part of it is missing')
  t.match(ended.stderr, /- PUBLIC_URL must be https/)
  t.match(ended.stderr, /- ADYEN_API_KEY is required/)
  t.notMatch(ended.stderr, /DATABASE_URL/)
  t.same(ended.files, ['.env'], 'no sandbox was made')
  const other = await run(t, { PORT: '3000' }, [], { dotEnv })
  t.notMatch(other.stderr, /PORT must/)
  const database = 'DATABASE_URL=postgresql://127.0.0.1:1/none'
  const migrate = await run(t, {}, ['migrate'], { dotEnv: database })
  t.match(migrate.stderr, /^The database does not answer/, 'by every command')
})

t.test('F13: the image names all that is missing, and makes no sandbox', async (t) => {
  const image = await newFolder(t)
  for (const name of ['src', 'migrations', 'package.json']) {
    await cp(new URL(name, root), join(image, name), { recursive: true })
  }
  await symlink(new URL('node_modules', root), join(image, 'node_modules'))
  const main = join(image, 'src/main.ts')
  const ended = await run(t, { PORT: 'x' }, [], { main })
  t.equal(ended.code, 1)
  for (const name of Object.keys(production)) t.match(ended.stderr, `- ${name} is required`)
  t.match(ended.stderr, /- PORT must be/)
  t.same(ended.files, [])
  const client = await run(t, {}, ['client', 'list'], { main })
  t.match(client, { code: 1, stderr: /DATABASE_URL is required/, files: [] })
})

t.test('F13: what a command does not understand it refuses with 2, all at once', async (t) => {
  const faults: Array<[args: string[], told: RegExp]> = [
    [['fly'], /^There is no command fly.\n\nnpm start/],
    [['migrate', 'down'], /^down is not understood\n\nnpm start/],
    [['migrate', '--fly', '--grant-to', 'up'], /^--fly is no option\n\n/],
    [['migrate', 'down', 'up', '--grant-to'], /^down.*\nup.*\n--grant-to needs a value\n/],
    [['openapi', '--chekc'], /^--chekc is no option/],
    [['start', '--port', '80'], /^80 is not understood\n--port is no option/],
    [['--port'], /^There is no command --port/]
  ]
  const env = { DATABASE_URL: 'postgresql://127.0.0.1:1/none' }
  await Promise.all(
    faults.map(async ([args, told]) => {
      const { code, stdout, stderr, files } = await run(t, env, args)
      t.same([code, stdout, files], [2, '', []], args.join(' '))
      t.match(stderr, told)
      t.notMatch(stderr, /\n +at |does not answer/)
    })
  )
})

t.test('F13: help is shown with 0, and does nothing', async (t) => {
  const asked = [['--help'], ['help'], ['migrate', '--help'], ['start', '-h']]
  await Promise.all(
    asked.map(async (args) => {
      const { code, stdout, stderr } = await run(t, { DATABASE_URL: 'postgresql://a' }, args)
      t.same([code, stderr], [0, ''], args.join(' '))
      t.match(stdout, /npm start .*\nnpm run migrate .*\nnpm run client/)
    })
  )
})

t.test('the limit of requests, and the proxies that are believed', async (t) => {
  t.match(readConfig({}), { rateLimit: null, trustProxy: [] })
  const env = { RATE_LIMIT: '600', TRUST_PROXY: '10.0.0.0/8, 192.0.2.7,2001:db8::/32' }
  t.match(readConfig(env), {
    rateLimit: 600,
    trustProxy: ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32']
  })
  for (const RATE_LIMIT of ['0', '-1', '1.5', '1e3', 'none']) {
    t.match(faultsOf({ RATE_LIMIT }), [/^RATE_LIMIT must be/], RATE_LIMIT)
  }
  for (const TRUST_PROXY of ['true', '*', '10.0.0.0/33', '127.1', 'lb.example', '10.0.0.1,']) {
    t.match(
      faultsOf({ TRUST_PROXY }),
      [/^TRUST_PROXY: .* is no address and no network$/],
      TRUST_PROXY
    )
  }
})
