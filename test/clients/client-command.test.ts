import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import t from 'tap'
import { runClientCommand, UsageFault } from '../../src/clients/client.commands.ts'
import { hashKey } from '../../src/clients/client.store.ts'
import { testService } from '../test-service.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

t.test('the client command', async (t) => {
  const { call, databaseUrl, db } = await testService(t)

  type Ended = { code: number; stdout: string; stderr: string }
  /** The real program. */
  const runProgram = (...args: string[]) =>
    new Promise<Ended>((resolve) => {
      execFile(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', main, 'client', ...args],
        { env: { PATH: process.env.PATH ?? '', DATABASE_URL: databaseUrl }, timeout: 20_000 },
        (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
        }
      )
    })
  /** The same without the time that a process takes to start. */
  const run = async (...args: string[]): Promise<Ended> => {
    try {
      return { code: 0, stdout: `${await runClientCommand(db, args)}\n`, stderr: '' }
    } catch (error) {
      if (error instanceof UsageFault) return { code: 1, stdout: '', stderr: error.message }
      throw error
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
    t.same([code, stdout], [1, ''])
    t.match(stderr, /--name needs/)
    t.match(stderr, /--scope payments:fly is none/)
    t.match(stderr, /--scope accounts:write is not given to a third party/)
    t.match(stderr, /--return-origin http:\/\/pay.example must be/)
    t.match(stderr, /--return-origin https:\/\/pay.example\/ must be/)
    t.match(stderr, /--return-origin https:\/\/\*.example\/x must be/)
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
      t.equal(code, 1)
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
    t.notMatch(stdout + JSON.stringify(json), /opk_|hash/)
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
      t.match(await run('rotate', 'rotated', `--grace-hours=${hours}`), { code: 1 })
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

  t.test('what it does not understand ends with 1 and says how it is used', async (t) => {
    for (const args of [[], ['fly'], ['create', '--fly'], ['revoke'], ['rotate', 'nobody']]) {
      const { code, stdout, stderr } = await run(...args)
      t.same([code, stdout], [1, ''])
      t.match(stderr, /npm run client|No client is named/)
      t.notMatch(stderr, /\n +at /)
    }
  })
})
