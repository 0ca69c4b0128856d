import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import t from 'tap'
import { readClientArguments, runClientCommand } from '../../src/clients/client.commands.ts'
import { findClient, hashKey, recordKeyUse } from '../../src/clients/client.store.ts'
import { returnOriginFault } from '../../src/clients/client.ts'
import { CommandFault } from '../../src/command-line.ts'
import { testService } from '../test-service.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

t.test('the client command', async (t) => {
  const { call, databaseUrl, db } = await testService(t)

  type Ended = { code: number; stdout: string; stderr: string }
  const runMain = (args: string[], env: Record<string, string>) =>
    new Promise<Ended>((resolve) => {
      execFile(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', main, ...args],
        { env: { PATH: process.env.PATH ?? '', ...env }, timeout: 20_000 },
        (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
        }
      )
    })
  /** The real program. */
  const runProgram = (...args: string[]) =>
    runMain(['client', ...args], { DATABASE_URL: databaseUrl })
  /** The same without the time that a process takes to start. */
  const run = async (...args: string[]): Promise<Ended> => {
    try {
      const stdout = await runClientCommand(db, readClientArguments(args), false)
      return { code: 0, stdout: `${stdout}\n`, stderr: '' }
    } catch (error) {
      if (!(error instanceof CommandFault)) throw error
      return { code: error.exitCode, stdout: '', stderr: error.message }
    }
  }
  const statusOf = async (key: string) => (await call('GET', '/v1/payments', { key })).status
  async function untilStatus(key: string, status: number): Promise<number> {
    for (let tries = 0; tries < 300; tries++) {
      if ((await statusOf(key)) === status) return status
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return await statusOf(key)
  }

  t.test('create --json prints id and key and nothing else; the key works', async (t) => {
    const { code, stdout, stderr } = await runProgram(
      ...['create', '--name', 'ivr-acme', '--scope', 'payments:write', '--scope', 'payments:read'],
      ...['--return-origin', 'https://pay.example', '--json']
    )
    t.equal(code, 0)
    t.equal(stderr, '')
    const made = JSON.parse(stdout)
    t.same(Object.keys(made), ['id', 'key'])
    t.match(made.id, /^cli_/)
    t.equal(await statusOf(made.key), 200)
    t.equal((await call('GET', '/v1/accounts/7', { key: made.key })).status, 403)
    const { rows } = await sql`select name, scopes, third_party, return_origins, hash
      from client join api_key on client_id = client.id where client.id = ${made.id}`.execute(db)
    t.same(rows, [
      {
        name: 'ivr-acme',
        scopes: ['payments:write', 'payments:read'],
        third_party: false,
        return_origins: ['https://pay.example'],
        hash: hashKey(made.key)
      }
    ])
  })

  t.test('for people it says that the key is shown only now', async (t) => {
    const { stdout } = await run('create', '--name', 'people', '--scope', 'payments:read')
    t.match(stdout, /^Client cli_\w+ \(people\)\nKey {4}opk_\S+\nThe key is shown only now/)
    t.equal(await statusOf(/opk_\S+/.exec(stdout)?.[0] ?? ''), 200)
  })

  t.test('a name is taken once', async (t) => {
    const { code, stdout, stderr } = await run(
      'create',
      '--name',
      'people',
      '--scope',
      'cards:read'
    )
    t.same([code, stdout], [1, ''])
    t.match(stderr, /people exists/)
  })

  t.test('all faults of a create at once, and no client', async (t) => {
    const { code, stdout, stderr } = await runProgram(
      ...['create', '--name', 'A Name', '--scope', 'payments:fly', '--scope', 'accounts:write'],
      ...['--third-party', '--return-origin', 'http://pay.example'],
      ...['--return-origin', 'https://pay.example/', '--return-origin', 'https://*.example/x']
    )
    t.same([code, stdout], [2, ''])
    t.match(stderr, /--name needs/)
    t.match(stderr, /--scope payments:fly is none/)
    t.match(stderr, /--scope accounts:write is not given to a third party/)
    t.match(stderr, /--return-origin http:\/\/pay.example must be/)
    t.match(stderr, /--return-origin https:\/\/pay.example\/ must be/)
    t.match(stderr, /--return-origin https:\/\/\*.example\/x is no origin/)
    t.notMatch(stderr, /\n +at /)
    const none = await run('create')
    t.match(none.stderr, /--name needs[\s\S]*--scope is needed/)
    const { rows } = await sql`select 1 from client where name = 'A Name'`.execute(db)
    t.equal(rows.length, 0)
  })

  t.test(
    'a third party gets neither accounts:write nor refunds:approve nor reconciliation',
    async (t) => {
      const scopes = [
        'accounts:write',
        'refunds:approve',
        'reconciliation:read',
        'reconciliation:write'
      ]
      const flags = scopes.flatMap((scope) => ['--scope', scope])
      const { code, stderr } = await run('create', '--name', 'third', '--third-party', ...flags)
      t.equal(code, 2)
      for (const scope of scopes) t.ok(stderr.includes(`--scope ${scope} is not given`))
      const made = await run(
        ...['create', '--name', 'third', '--third-party', '--scope', 'payments:read', '--json']
      )
      t.equal(made.code, 0)
      const { rows } = await sql`select third_party from client where name = 'third'`.execute(db)
      t.same(rows, [{ third_party: true }])
    }
  )

  t.test('list shows every client and no key', async (t) => {
    const { stdout } = await runProgram('list')
    t.match(stdout, /ivr-acme\n {2}payments:write payments:read\n {2}https:\/\/pay.example/)
    t.match(stdout, /third {2}third party/)
    const json = JSON.parse((await run('list', '--json')).stdout)
    t.ok(json.some((one: { name: string }) => one.name === 'ivr-acme'))
    t.notMatch(stdout + JSON.stringify(json), /opk_[\w-]{9}|hash/)
  })

  t.test('rotate: the new key works at once, the old one until the grace has passed', async (t) => {
    const made = await run('create', '--name', 'rotated', '--scope', 'payments:read', '--json')
    const { id, key: first } = JSON.parse(made.stdout)
    const { key: second } = JSON.parse((await runProgram('rotate', 'rotated', '--json')).stdout)
    t.not(second, first)
    t.same([await statusOf(first), await statusOf(second)], [200, 200])
    const { rows } = await sql<{ hours: number }>`
      select round(extract(epoch from expires_at - now()) / 3600)::integer as hours
      from api_key where hash = ${hashKey(first)}`.execute(db)
    t.same(rows, [{ hours: 24 }])
    const rotated = await run('rotate', id, '--grace-hours', '0', '--json')
    const { key: third } = JSON.parse(rotated.stdout)
    t.equal(await untilStatus(second, 401), 401)
    t.same([await statusOf(first), await statusOf(third)], [200, 200])
    for (const hours of ['soon', '-1', '1.5', '']) {
      t.match(await run('rotate', 'rotated', `--grace-hours=${hours}`), { code: 2 })
    }
  })

  t.test('revoke: no key of the client works any more, and none can be made', async (t) => {
    const made = await run('create', '--name', 'revoked', '--scope', 'payments:read', '--json')
    const { key } = JSON.parse(made.stdout)
    t.equal(await statusOf(key), 200)
    t.match((await runProgram('revoke', 'revoked')).stdout, /is revoked/)
    t.equal(await untilStatus(key, 401), 401)
    t.match((await run('revoke', 'revoked')).stdout, /was revoked before/)
    t.match((await run('list')).stdout, /revoked {2}REVOKED/)
    const rotated = await run('rotate', 'revoked', '--json')
    t.same([rotated.code, rotated.stdout], [1, ''])
  })

  t.test('G10: help is shown with 0, and needs no database', async (t) => {
    for (const args of [['create', '--help']]) {
      const { code, stdout, stderr } = await runMain(['client', ...args], {})
      t.same([code, stderr], [0, ''])
      for (const action of ['create', 'list', 'show', 'update', 'rotate', 'revoke-key', 'revoke']) {
        t.ok(stdout.includes(`client -- ${action}`), action)
      }
    }
  })

  t.test('G10: what it does not understand ends with 2, all at once, with its use', async (t) => {
    const faults: Array<[args: string[], told: RegExp]> = [
      [[], /is not one of create, list, show/],
      [['fly'], /fly is not one of/],
      [['create', '--fly', '--scope', '--json', 'x', '--json=1'], /--fly is no option/],
      [['create', '--name', 'a', '--name', 'b'], /--name is given twice/],
      [['create', '--name='], /--name needs a value/],
      [['list', '--name', 'a'], /--name is no option/],
      [['show', 'a', 'b'], /b is not understood/],
      [['revoke'], /CLIENT is missing/],
      [['revoke-key'], /CLIENT is missing\nKEY is missing/]
    ]
    for (const [args, told] of faults) {
      const { code, stdout, stderr } = await run(...args)
      t.same([code, stdout], [2, ''], args.join(' '))
      t.match(stderr, told)
      t.match(stderr, /npm run client -- create/)
    }
    const { stderr } = await runProgram('create', '--fly', '--scope', '--json', 'x', '--json=1')
    t.match(stderr, /x is not understood\n--fly is no option\n--scope needs a value\n/)
    t.notMatch(stderr, /\n +at /)
    for (const action of ['show', 'update', 'rotate', 'revoke']) {
      const more = action === 'update' ? ['--name', 'b'] : []
      t.match(await run(action, 'nobody', ...more), {
        code: 1,
        stderr: 'No client is named nobody.'
      })
    }
  })

  t.test('G10: keys are shown by how they begin, when they were made and last used', async (t) => {
    const made = await run('create', '--name', 'keyed', '--scope', 'payments:read', '--json')
    const { key } = JSON.parse(made.stdout)
    const prefix = key.slice(0, 12)
    t.match((await run('show', 'keyed')).stdout, new RegExp(`${prefix}….*not used, no end`))
    t.equal(await statusOf(key), 200)
    const used = async () => JSON.parse((await run('show', 'keyed', '--json')).stdout).keys[0]
    for (let tries = 0; (await used()).lastUsedAt === null && tries < 300; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const [first] = [await used()]
    t.match(first, { key: prefix, expiresAt: null, hasEnded: false, lastUsedAt: /Z$/ })
    t.match((await run('list')).stdout, new RegExp(`${prefix}….*last used 20.*Z, no end`))
    await sql`update api_key set prefix = null where hash = ${hashKey(key)}`.execute(db)
    const name = `sha256:${hashKey(key).toString('hex').slice(0, 12)}`
    t.match((await run('show', 'keyed')).stdout, name, 'one that is older than its prefix')
    t.match((await run('revoke-key', 'keyed', name)).stdout, /has ended/)
  })

  t.test('G10: a use is written down once a minute at most', async (t) => {
    const made = await run('create', '--name', 'busy', '--scope', 'payments:read', '--json')
    const { key } = JSON.parse(made.stdout)
    const hash = hashKey(key)
    const isDue = async () => (await findClient(db, hash))?.isUseDue
    t.equal(await isDue(), true)
    await recordKeyUse(db, hash)
    t.equal(await isDue(), false)
    await sql`update api_key_use set last_used_at = now() - interval '61 seconds'
      where hash = ${hash}`.execute(db)
    t.equal(await isDue(), true)
  })

  t.test(
    'G10: after two rotations every key is listed with its end, and can be ended',
    async (t) => {
      const made = await run('create', '--name', 'turning', '--scope', 'payments:read', '--json')
      const first = JSON.parse(made.stdout).key
      const second = JSON.parse((await run('rotate', 'turning', '--json')).stdout).key
      const { stdout } = await run('rotate', 'turning', '--grace-hours', '2')
      const third = /opk_\S+/.exec(stdout)?.[0] ?? ''
      for (const old of [first, second]) {
        t.match(stdout, new RegExp(`${old.slice(0, 12)}….*ends 20`), 'and when the old ones end')
      }
      const { keys } = JSON.parse((await run('show', 'turning', '--json')).stdout)
      const hours = keys.map((one: { expiresAt: string | null }) =>
        one.expiresAt === null ? null : Math.round((Date.parse(one.expiresAt) - Date.now()) / 3.6e6)
      )
      t.same(hours, [24, 2, null])
      for (const key of [first, second, third]) t.equal(await statusOf(key), 200)
      t.match(await run('revoke-key', 'turning', 'opk_none'), { code: 1, stderr: /It has opk_/ })
      t.match((await run('revoke-key', 'turning', first.slice(0, 12))).stdout, /has 2 that work/)
      t.match(
        (await run('revoke-key', 'turning', `${second.slice(0, 12)}…`)).stdout,
        /has 1 that works/
      )
      t.match((await run('revoke-key', 'turning', second)).stdout, /had ended before/)
      for (const key of [first, second]) t.equal(await untilStatus(key, 401), 401)
      t.equal(await statusOf(third), 200)
    }
  )

  t.test('G10: update changes what it is told, and nothing else', async (t) => {
    const made = await run(
      ...['create', '--name', 'changing', '--scope', 'payments:read', '--json'],
      ...['--return-origin', 'https://pay.example']
    )
    const { id, key } = JSON.parse(made.stdout)
    const update = async (...args: string[]) => {
      const { stdout } = await run('update', id, ...args, '--json')
      const { name, scopes, thirdParty, returnOrigins } = JSON.parse(stdout)
      return { name, scopes, thirdParty, returnOrigins }
    }
    t.same(await update('--scope', 'accounts:read', '--scope', 'cards:read'), {
      name: 'changing',
      scopes: ['accounts:read', 'cards:read'],
      thirdParty: false,
      returnOrigins: ['https://pay.example']
    })
    t.equal(await untilStatus(key, 403), 403, 'at once')
    t.match(await update('--name', 'changed', '--third-party'), {
      name: 'changed',
      thirdParty: true
    })
    t.match(await update('--no-third-party'), { thirdParty: false })
    const origins = ['https://a.example', 'https://b.example:8443']
    const given = origins.flatMap((one) => ['--return-origin', one])
    t.match(await update(...given), { returnOrigins: origins })
    t.same((await update('--return-origin', 'none')).returnOrigins, [])
    const twice = ['--return-origin', 'https://a.example', ...given]
    t.same((await update(...twice)).returnOrigins, origins, 'each once')
    const refused = [
      [['--return-origin', 'none', ...given], /--return-origin none /],
      [[...given, '--return-origin', 'none'], /--return-origin none /],
      [[], /Nothing is to be changed/],
      [['--name', 'A B', '--scope', 'fly'], /--name needs[\s\S]*--scope fly/],
      [['--third-party', '--scope', 'accounts:write'], /not given to a third party/],
      [['--third-party', '--no-third-party'], /given both/]
    ] as const
    for (const [args, told] of refused) {
      t.match(await run('update', id, ...args), { code: 2, stderr: told })
    }
    t.match(await run('update', id, '--name', 'keyed'), { code: 1, stderr: /keyed exists/ })
    t.match((await runProgram('update', 'changed', '--name', 'changed-again')).stdout, id)
  })

  t.test('two updates at the same moment both count', async (t) => {
    await run('create', '--name', 'pair', '--scope', 'payments:read')
    const update = (text: string) => run('update', 'pair', ...text.split(' '))
    for (let n = 0; n < 10; n += 1) {
      await update('--scope payments:read --scope payments:write --no-third-party')
      await Promise.all(['--scope payments:read', '--third-party'].map(update))
      const shown = JSON.parse((await run('show', 'pair', '--json')).stdout)
      t.strictSame([shown.scopes, shown.thirdParty], [['payments:read'], true])
    }
  })

  t.test('G10: a revoked client keeps its name, which another may be given', async (t) => {
    const make = async () =>
      JSON.parse((await run('create', '--name', 'again', '--scope', 'cards:read', '--json')).stdout)
    const first = await make()
    await run('revoke', 'again')
    const late = await run('update', 'again', '--name', 'later')
    t.match(late, { code: 1, stderr: /is revoked/ })
    const second = await make()
    t.not(first.id, second.id)
    t.match(
      (await run('show', 'again')).stdout,
      second.id,
      'the name is that of the one that works'
    )
    t.match((await run('show', first.id)).stdout, /again {2}REVOKED/)
    t.match(await run('create', '--name', 'again', '--scope', 'cards:read'), { code: 1 })
  })

  t.test('F11, G11: an origin is one host as browsers spell it, loopback in the sandbox', (t) => {
    const both = [
      'https://pay.example',
      'https://pay.example:8443',
      'https://xn--bcher-kva.example'
    ]
    const local = [
      'http://127.0.0.1:9',
      'http://localhost:3000',
      'http://[::1]:8080',
      'http://127.9.9.9'
    ]
    for (const origin of both) {
      for (const sandbox of [true, false]) t.equal(returnOriginFault(origin, sandbox), undefined)
    }
    for (const origin of local) {
      t.equal(returnOriginFault(origin, true), undefined, origin)
      t.match(returnOriginFault(origin, false), /must be https/, origin)
    }
    const refused: Record<string, RegExp> = {
      'https://*.example': /no origin of one host/,
      'https://*': /no origin of one host/,
      'https://a_b.example': /no origin of one host/,
      'https://pay.example.': /no origin of one host/,
      'https://-a.example': /no origin of one host/,
      'https://': /no origin of one host/,
      'pay.example': /no origin of one host/,
      'https://user@pay.example': /must be written https:\/\/pay.example$/,
      'https://user:secret@pay.example': /must be written/,
      'https://pay.example/': /must be written https:\/\/pay.example$/,
      'https://pay.example/paid': /must be written/,
      'https://pay.example?a=b': /must be written/,
      'https://pay.example#a': /must be written/,
      'https://pay.example:443': /must be written https:\/\/pay.example$/,
      'https://Pay.Example': /must be written https:\/\/pay.example$/,
      'https://b\u00fccher.example': /must be written https:\/\/xn--bcher-kva.example$/,
      ' https://pay.example': /must be written/,
      'https:pay.example': /must be written/,
      'https:\\\\pay.example': /must be written/,
      'https://127.1': /must be written https:\/\/127.0.0.1/,
      'http://pay.example': /must be https/,
      'http://127.0.0.1.example': /must be https/,
      'ftp://pay.example': /must be https/,
      'javascript://pay.example': /must be https/
    }
    for (const [origin, fault] of Object.entries(refused)) {
      for (const sandbox of [true, false])
        t.match(returnOriginFault(origin, sandbox), fault, origin)
    }
    t.end()
  })
})
