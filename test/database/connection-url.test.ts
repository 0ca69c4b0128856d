/** D4: a connection string is understood in all its parts, or refused in a sentence. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import t from 'tap'
import { checkConnections } from '../../src/database/connection-check.ts'
import { driverUrl, faultsOfUrl } from '../../src/database/connection-url.ts'

const good = [
  'postgresql://payments@db.example/payments',
  'postgres://payments:p%23%40%2Fw%25@db.example:6432/payments?application_name=pay',
  'postgresql://[::1]:5432/payments',
  'postgresql:///payments?host=/var/run/postgresql&port=5433&user=payments',
  'postgresql://payments@/payments?host=/var/run/postgresql',
  'postgresql://%2Fvar%2Frun%2Fpostgresql/payments',
  'postgresql://db.example/payments?options=-c%20search_path%3Dbrand',
  'postgresql://db.example/payments?options=-csearch_path=op_1%20-c%20work_mem=8MB',
  'postgresql://db.example/payments?sslmode=disable&client_encoding=UTF8',
  'postgresql://db.example/payments?sslmode=verify-full&sslnegotiation=direct'
]
for (const url of good) t.test(url, async (t) => t.same(faultsOfUrl(url), []))

const s = 'postgresql://u:s3cret@db.example/p'
const bad: ReadonlyArray<readonly [url: string, fault: RegExp]> = [
  ['postgresql://u:s3cret@a.example:5432,b.example:5433/p', /several hosts; .*HAProxy/],
  ['postgresql://u:s3cret@a.example,b.example/p?target_session_attrs=read-write', /several hosts/],
  ['postgresql:///p?host=/run/a,/run/b&password=s3cret', /several hosts/],
  [`${s}?target_session_attrs=read-write`, /target_session_attrs is not understood; .*HAProxy/],
  [`${s}?load_balance_hosts=random`, /load_balance_hosts is not understood/],
  [`${s}?hostaddr=10.0.0.1`, /hostaddr is not understood; write the address as the host/],
  [`${s}?dbname=other`, /dbname is not understood/],
  [`${s}?service=payments`, /service is not understood; there are no service files/],
  [`${s}?connect_timeout=10`, /connect_timeout is not understood; the service waits 2 s/],
  [`${s}?channel_binding=require`, /channel_binding is not understood/],
  [`${s}?gssencmode=disable`, /gssencmode is not understood/],
  [`${s}?statement_timeout=0`, /statement_timeout is not understood/],
  [`${s}?binary=true`, /binary is not understood/],
  [`${s}?schema=brand`, /schema is not understood; write options=/],
  [`${s}?options=-c%20search_path%3Dop1,public`, /search_path must name one schema/],
  [`${s}?options=--search-path%3Dop1%5C%20,public`, /search_path must name one schema/],
  [`${s}?options=-c%20search_path%3Dpg_catalog`, /search_path must name one schema/],
  [`${s}?options=-c%20Search_Path%3D%22Op1%22`, /search_path must name one schema/],
  [`${s}?ssl=true`, /ssl is not understood; write sslmode=verify-full/],
  [`${s}?sslmode=allow`, /sslmode has a value that is not understood; write verify-full/],
  [`${s}?sslmode=REQUIRED`, /sslmode has a value/],
  [`${s}?port=abc`, /port has a value/],
  [`${s}?client_encoding=LATIN1`, /client_encoding has a value .*always UTF8/],
  [`${s}?sslmode=verify-full&sslrootcert=/none/ca.pem`, /file \/none\/ca.pem cannot be read/],
  ['postgresql://u:s3#cret@db.example/p', /percent-encoded/],
  ['postgresql://u:s3%E9cret@db.example/p', /percent-encoded/],
  ['postgresql://u:s3cret@db.example:port/p', /percent-encoded/],
  ['host=db.example dbname=p password=s3cret', /name=value pairs are not understood/],
  ['mysql://u:s3cret@db.example/p', /must begin with postgres:/],
  ['/var/run/postgresql s3cret', /must begin with postgres:/]
]
for (const [url, fault] of bad) {
  t.test(`refused: ${url}`, async (t) => {
    const faults = faultsOfUrl(url)
    t.equal(faults.length, 1, faults.join())
    t.match(faults[0], fault)
    t.notMatch(faults.join(), /s3|cret/, 'the password stays hidden')
  })
}

t.test('each mode of TLS means what it says, or more', async (t) => {
  const sslOf = (mode: string) => new pg.Client(driverUrl(`${s}?sslmode=${mode}`)).ssl
  t.equal(sslOf('disable'), false)
  t.match(sslOf('no-verify'), { rejectUnauthorized: false })
  const warnings: unknown[] = []
  const onWarning = (warning: unknown) => void warnings.push(warning)
  process.on('warning', onWarning)
  for (const mode of ['verify-full', 'verify-ca', 'require', 'prefer'])
    t.same(sslOf(mode), {}, mode)
  await new Promise(setImmediate)
  process.off('warning', onWarning)
  t.same(warnings, [], 'and nothing is printed about it')
})

t.test('a connection that will never do is told in a sentence', async (t) => {
  const plain = createServer((socket) => socket.once('data', () => socket.end('N'))).listen(0)
  await once(plain, 'listening')
  t.teardown(() => plain.close())
  const { port } = plain.address() as { port: number }
  await t.rejects(checkConnections(`postgresql://127.0.0.1:${port}/p?sslmode=require`, undefined), {
    message: /^The database cannot be used: The server does not support SSL connections\.$/
  })
})

t.test('the program ends with that sentence, and no stack', async (t) => {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
  const url = 'postgresql://u:s3cret@a.example,b.example/p?target_session_attrs=read-write'
  const env = { PATH: process.env.PATH ?? '', DATABASE_URL: url }
  const child = execFile(process.execPath, [main, 'migrate'], { env })
  let stderr = ''
  child.stderr?.on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  t.equal(code, 1)
  t.match(stderr, /- DATABASE_URL names several hosts; the service connects to one host/)
  t.notMatch(stderr, /s3cret|\n +at /)
})
