/** The patches of `npm run mutants`, which has the simulation find each: they still apply. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { readMutants } from '../simulate/mutant.ts'

const run = promisify(execFile)
const cwd = `${import.meta.dirname}/..`
const hasGit = await run('git', ['--version']).then(
  () => true,
  () => false
)

t.test('a dozen safeguards can be removed, each by its patch of the service', async (t) => {
  const mutants = await readMutants()
  t.ok(mutants.length >= 12, `there are ${mutants.length}`)
  for (const { name, file } of mutants) {
    const changed = [...(await readFile(file, 'utf8')).matchAll(/^[-+]{3} [ab]\/(.+)$/gm)]
    const elsewhere = changed.filter(([, path = '']) => !/^(src|migrations)\//.test(path))
    t.ok(changed.length > 0, `${name} changes something`)
    t.same(elsewhere, [], `${name} changes the service alone`)
  }
})

t.test('every patch applies', { skip: !hasGit && 'there is no git' }, async (t) => {
  for (const { name, file } of await readMutants()) {
    await t.resolves(run('git', ['apply', '--check', file], { cwd }), name)
  }
})
