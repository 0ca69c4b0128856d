/**
 * A group of histories on two instances: they run at once, then no fault strikes any more and all
 * must come to its end, then all must hold.
 */
import fc from 'fast-check'
import { createCleaner } from '../bench/processes.ts'
import { answerAll, findUnsettled, holdsAll, holdsOwn, letTimePass } from './checks.ts'
import { type History, runHistory } from './history.ts'
import type { Instance } from './instances.ts'
import { openSite, type Site } from './site.ts'
import type { Stage } from './stage.ts'
import { call, newWorld, type World } from './world.ts'

/** What is wrong with a history, by its place in the group, and the steps that it has taken. */
export type Failure = { place: number; messages: string[]; taken: string[] }

/** What happens to all histories at once, after such a share of their steps, in hundredths. */
export type Blow = { after: number; what: (typeof blows)[number]; pick: number }
const blows = [
  ...(['kill', 'kill', 'cutConnections', 'cutConnections', 'restartDatabase'] as const),
  ...(['clockJump', 'clockJump', 'freeze'] as const)
] as const
const clockJumps = [-3, 3, 1, -1].map((hours) => hours * 3_600_000)

/** So long after the faults what was under way has its answer, or never gets one, ms. */
const lastAnswersMs = 1_100
/** How long everything may take to come to its end, ms, on a machine that is busy too. */
const settledWithinMs = 90_000
/** What stays the same for so long will not change any more, ms. */
const sameForMs = 30_000
const lookEveryMs = 400
/** So often it is tried to open an account. */
const openTriesMax = 10

const anyBlows = fc.array(
  fc.record(
    {
      after: fc.integer({ min: 0, max: 70 }),
      what: fc.constantFrom(...blows),
      pick: fc.nat({ max: 99 })
    },
    { noNullPrototype: true }
  ),
  { minLength: 2, maxLength: 4, size: 'max' }
)

/** What a seed has happen to a group, in order. */
export function blowsOf(seed: number): Blow[] {
  const [all = []] = fc.sample(anyBlows, { seed, numRuns: 1 })
  return all.sort((a, b) => a.after - b.after)
}

export type GroupResult = {
  failures: Failure[]
  /** How often what happened, by name. */
  counts: Map<string, number>
}

export async function runGroup(
  stage: Stage,
  histories: readonly History[],
  blows: readonly Blow[]
): Promise<GroupResult> {
  const cleaner = createCleaner()
  const found = new Map<number, Set<string>>()
  const counts = new Map<string, number>()
  const count = (what: string, more = 1) => counts.set(what, (counts.get(what) ?? 0) + more)
  const fail = (place: number) => (error: unknown) => {
    const messages = found.get(place) ?? new Set()
    found.set(place, messages.add(error instanceof Error ? error.message : String(error)))
  }
  try {
    const stepsOfAll = histories.reduce((sum, { steps }) => sum + [...steps].length, 0)
    const pending = [...blows]
    let stepped = 0
    let striking = Promise.resolve()
    const site = await openSite(stage, cleaner, (what) => {
      count(`step ${what}`)
      stepped += 1
      while (pending[0] !== undefined && pending[0].after <= (100 * stepped) / stepsOfAll) {
        const blow = pending.shift() as Blow
        count(`blow ${blow.what}`)
        striking = striking.then(() => strike(site, blow))
      }
    })
    const worlds = histories.map(({ client }, place) => newWorld(site, place, client))
    await Promise.all(worlds.map(openAccount))
    await Promise.all(
      worlds.map((world, place) =>
        runHistory(histories[place] as History, world).catch(fail(place))
      )
    )
    await striking
    site.wire.calm()
    site.receiver.calm()
    await Promise.all(site.instances.map((one) => one.untilReady()))
    await new Promise((resolve) => setTimeout(resolve, lastAnswersMs))
    // First without the callers, whose work the service must finish; then they all ask again, and
    // Adyen says all again.
    await untilSettled(site, worlds, fail)
    await Promise.all(worlds.map((world, place) => answerAll(world).catch(fail(place))))
    await site.wire.sayAgain()
    await untilSettled(site, worlds, fail)
    await Promise.all(worlds.map((world, place) => holdsOwn(world).catch(fail(place))))
    const told = await holdsAll(site, worlds, (place, what) => fail(place)(what))
    for (const [what, more] of [...told, ...site.wire.struck]) count(what, more)
    const failures = [...found].map(([place, messages]) => {
      return { place, messages: [...messages], taken: worlds[place]?.taken ?? [] }
    })
    return { failures, counts }
  } finally {
    await cleaner.clean()
  }
}

/** In vain where the database is away just now. */
async function strike(site: Site, { what, pick }: Blow): Promise<void> {
  const instance = site.instances[pick % 2] as Instance
  if (what === 'kill') await instance.crash()
  if (what === 'cutConnections') await site.stage.cutConnections(site.database).catch(() => {})
  if (what === 'restartDatabase') await site.stage.restartDatabase()
  if (what === 'freeze') instance.freeze(100 + pick * 8)
  if (what === 'clockJump') instance.setClock(clockJumps[pick % clockJumps.length] as number)
}

async function untilSettled(
  site: Site,
  worlds: readonly World[],
  fail: (place: number) => (error: unknown) => void
): Promise<void> {
  const giveUpAt = Date.now() + settledWithinMs
  let [before, since] = ['', Date.now()]
  for (;;) {
    await letTimePass(site)
    const unsettled = await findUnsettled(site, worlds)
    if (unsettled.size === 0) return
    const now = [...unsettled.values()].sort().join('\n')
    if (now !== before) [before, since] = [now, Date.now()]
    if (Date.now() > giveUpAt || Date.now() > since + sameForMs) {
      for (const [place, what] of unsettled) fail(place)(`it does not come to its end: ${what}`)
      return
    }
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
  }
}

async function openAccount(world: World): Promise<void> {
  const path = `/v1/accounts/${world.account}`
  const { house: key } = world.group.keys
  // A machine that is busy may let the first time pass.
  for (let at = 0; at < openTriesMax; at += 1) {
    const answer = await call(world, at, 'PUT', path, { body: { currency: 'GBP' }, key })
    if (answer !== undefined && answer.status < 300) return
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
  }
  throw new Error(`account ${world.account} could not be opened`)
}
