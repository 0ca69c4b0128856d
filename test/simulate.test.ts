/**
 * Histories of payments on two instances, with faults: a few by the same code as `npm run
 * simulate`, which `.ci/run` has run 300. `SIMULATE=100 SIMULATE_SEED=7` takes others.
 */
import t from 'tap'
import { createCleaner } from '../bench/processes.ts'
import { describeHistory, groupsOf, readSeeds, simulate } from '../simulate/run.ts'

const count = Number(process.env.SIMULATE ?? 40)
const seed = Number(process.env.SIMULATE_SEED ?? 1)
const groupSize = 100

t.test('after all faults every history comes to its end, and all invariants hold', async (t) => {
  const cleaner = createCleaner()
  t.teardown(() => cleaner.clean())
  const groups = [...readSeeds(), ...groupsOf(count, groupSize, seed)]
  const { done, found, counts } = await simulate(groups, 1, cleaner)
  t.ok(done >= count)
  for (const one of found) {
    t.fail(`--replay ${one.seed}/${one.place}`, {
      found: describeHistory(one.seed, one).split('\n')
    })
  }
  // What was meant to happen did.
  for (const what of ['payment captured', 'refund succeeded', 'delivery attempt']) {
    t.ok((counts.get(what) ?? 0) > count / 20, `${what}: ${counts.get(what)}`)
  }
})
