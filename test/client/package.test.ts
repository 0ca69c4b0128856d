/** The client as it is packed, in a project that has nothing else. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { findFreePort, testService } from '../test-service.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, 'clients/typescript')
const readJson = async (path: string) => JSON.parse(await readFile(path, 'utf8'))

t.test('what its README shows works in an empty project, in 20 lines', async (t) => {
  const readme = await readFile(join(folder, 'README.md'), 'utf8')
  const [, program = ''] = /```ts\n(.*?)```/s.exec(readme) ?? []
  t.ok(program.trimEnd().split('\n').length <= 20)
  const app = await mkdtemp(join(tmpdir(), 'client-'))
  t.teardown(() => rm(app, { recursive: true }))
  const npm = (args: readonly string[], cwd = app) => run('npm', args, { cwd })
  // What a registry would hand out, packed from here: no network is needed.
  const needed = ['openapi-fetch', 'openapi-typescript-helpers'].map((name) =>
    join(root, 'node_modules', name)
  )
  await npm(['pack', '--pack-destination', app], folder)
  await npm(['pack', '--ignore-scripts', ...needed])
  await writeFile(join(app, 'package.json'), '{ "type": "module" }')
  const packed = (await readdir(app)).filter((name) => name.endsWith('.tgz'))
  await npm([
    'install',
    '--offline',
    '--no-audit',
    '--no-fund',
    ...packed.map((name) => `./${name}`)
  ])

  const service = await testService(t)
  await service.call('PUT', '/v1/accounts/10000001', { body: { currency: 'GBP' } })
  const here = program
    .replace('http://127.0.0.1:3000', service.url)
    .replace('http://127.0.0.1:3001', service.simulatorUrl)
    .replaceAll('4000', String(await findFreePort()))
  await writeFile(join(app, 'main.ts'), here)
  const strict = '--strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess'.split(' ')
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
  const target = ['--module', 'nodenext', '--target', 'es2022', '--skipLibCheck', 'false']
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  await run(process.execPath, [tsc, 'main.ts', ...strict, ...target, ...types], { cwd: app })
  const { stdout } = await run(process.execPath, ['main.js'], {
    cwd: app,
    env: { PAYMENTS_KEY: service.key },
    timeout: 20_000
  })
  t.same(stdout.trim().split('\n').sort(), ['asked: captured', 'told: captured'])
})

t.test('it depends on one package, of the version that is tested here', async (t) => {
  const [own, here] = [await readJson(join(folder, 'package.json')), await readJson('package.json')]
  t.same(Object.keys(own.dependencies), ['openapi-fetch'])
  t.equal(own.dependencies['openapi-fetch'], here.devDependencies['openapi-fetch'])
})
