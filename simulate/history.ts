/** Histories as fast-check makes them, runs them and makes them smaller. */
import fc from 'fast-check'
import { type Choice, type StepName, steps } from './steps.ts'
import { type CallFault, callFaults, type NoticeFault, noticeFaults } from './wire.ts'
import type { World } from './world.ts'

type Fault = { call?: CallFault | undefined; notice?: NoticeFault | undefined }
type Move = Choice & { what: StepName; fault: Fault }

/** The model is the world itself, which knows what was answered. */
type Real = { world: World }
export type HistoryStep = fc.AsyncCommand<World, Real>
export type History = { client: World['client']; steps: Iterable<HistoryStep> }

const fault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 14, arbitrary: fc.constant({}) },
  { weight: 3, arbitrary: fc.constantFrom(...callFaults).map((call) => ({ call })) },
  { weight: 5, arbitrary: fc.constantFrom(...noticeFaults).map((notice) => ({ notice })) }
)

const move: fc.Arbitrary<Move> = fc.record(
  {
    what: fc.oneof(
      ...Object.entries(steps).map(([what, { weight }]) => ({
        weight,
        arbitrary: fc.constant(what as StepName)
      }))
    ),
    on: fc.nat({ max: 3 }),
    pick: fc.nat({ max: 999 }),
    at: fc.nat({ max: 1 }),
    fault
  },
  { noNullPrototype: true }
)

const stepsMax = 24

function toStep({ what: wanted, on, pick, at, fault }: Move): HistoryStep {
  const name = (what: string) => {
    const faults = Object.entries(fault).map(([where, name]) => ` [${where} ${name}]`)
    return `${what}(${on}, ${pick}) at ${at}${faults.join('')}`
  }
  return {
    check: (world) => possible(wanted, world) !== undefined,
    async run(_, { world }) {
      const what = possible(wanted, world) as StepName
      world.group.onStep(what)
      world.taken.push(name(what))
      world.group.wire.arm(world.account, fault)
      await steps[what].run(world, { on, pick, at })
    },
    toString: () => name(wanted)
  }
}

/** What can't be done yet needs a payment, or one that is paid: then that comes in its place. */
function possible(wanted: StepName, world: World): StepName | undefined {
  const can = (what: StepName) => {
    const step = steps[what]
    return 'can' in step ? step.can(world) : true
  }
  return [wanted, 'pay' as const, 'create' as const].find(can)
}

/** Of full length mostly: what is wrong with a short one is found by making a long one smaller. */
export const histories: fc.Arbitrary<History> = fc.record(
  {
    client: fc.constantFrom('house' as const, 'third' as const),
    steps: fc.commands([move.map(toStep)], { maxCommands: stepsMax, size: 'max' })
  },
  { noNullPrototype: true }
)

/** The history of a seed. */
export function historyOf(seed: number): History {
  return fc.sample(histories, { seed, numRuns: 1 })[0] as History
}

/** Runs it; throws what a step throws. */
export async function runHistory({ steps }: History, world: World): Promise<void> {
  await fc.asyncModelRun(() => ({ model: world, real: { world } }), steps)
}
