/**
 * How calls of one kind go out: so many at once, after a bounded wait for their turn, and while
 * nobody answers only a trial now and then (a circuit breaker). Here and not a library's, since a
 * trial must not wait for the end of one that hangs, nor what was never sent pass for unknown.
 */

/** So many calls in a row without an answer, and nobody is answering. */
const silentMax = 5
/** So many in a row without an answer of use, and it is no chance: what waits for it is tried. */
const failuresMin = 3
/** Then one call is let through so often, whatever became of the last one. */
const trialEveryMs = 1_000
/** For its turn a call waits no longer, and not for more than half of its time. */
const turnWaitMs = 2_000
/** Waiting work is tried early once in this share of the time that it has been in vain, ms. */
const earlyTrials = { share: 60, minMs: 1_000, maxMs: 30_000 } as const

/** What the end of a call says of the other side: no answer, one of no use, of use, or nothing. */
export type Health = 'silent' | 'troubled' | 'well' | 'untold'

type GateOptions = {
  atOnce: number
  readHealth: (error: unknown) => Health
  /** The error of a call that was not sent, for this reason. */
  notSent: (why: string) => Error
  /** Called where it stops answering, and where it does again. */
  onChange: (isAnswering: boolean) => void
  /** Called with the first answer that is of use after others that were not, or after a start. */
  onRecovered: () => void
}

export type Gate = ReturnType<typeof createGate>

export function createGate({ atOnce, readHealth, notSent, onChange, onRecovered }: GateOptions) {
  const now = () => performance.now()
  const waiting = new Set<() => void>()
  let running = 0
  let silent = 0
  let answeredAt = Number.NEGATIVE_INFINITY
  let isOpen = false
  let nextTrialAt = 0
  let offeredAt = Number.NEGATIVE_INFINITY
  let failures = 0
  let failingSince: number | undefined
  let nextEarlyAt = 0
  let isProven = false

  /**
   * Makes a call that has `withinMs`, and tells it how much of that is left; throws `notSent` where
   * it is not to be made now.
   */
  async function run<T>(withinMs: number, call: (leftMs: number) => Promise<T>): Promise<T> {
    let waitedMs = 0
    if (isOpen) takeTrial()
    else if (running >= atOnce) waitedMs = await takeTurn(Math.min(turnWaitMs, withinMs / 2))
    running += 1
    const startedAt = now()
    try {
      const answer = await call(Math.max(withinMs - waitedMs, 1))
      onAnswer('well')
      return answer
    } catch (error) {
      const health = readHealth(error)
      if (health === 'silent') onSilence(startedAt)
      else if (health !== 'untold') onAnswer(health)
      throw error
    } finally {
      running -= 1
      const [next] = waiting
      next?.()
    }
  }

  function takeTrial(): void {
    if (now() < nextTrialAt) throw notSent('nobody is answering')
    nextTrialAt = now() + trialEveryMs
  }

  /** Answers how long that took, ms. */
  async function takeTurn(waitMs: number): Promise<number> {
    const since = now()
    const giveUpAt = since + waitMs
    while (running >= atOnce) {
      await nextTurn(giveUpAt - now())
      if (isOpen) {
        takeTrial()
        break
      }
      if (running < atOnce || now() < giveUpAt) continue
      // So many calls, and not one was answered in all that time.
      if (waitMs === turnWaitMs && answeredAt < since) open()
      throw notSent(`${running} calls are not answered yet`)
    }
    return now() - since
  }

  function nextTurn(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        waiting.delete(go)
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(go, withinMs)
      waiting.add(go)
    })
  }

  /** One that began before the last answer says nothing of now. */
  function onSilence(startedAt: number): void {
    if (startedAt < answeredAt) return
    onFailure()
    silent += 1
    if (silent >= silentMax) open()
  }

  function open(): void {
    if (isOpen) return
    isOpen = true
    nextTrialAt = now() + trialEveryMs
    beginFailing()
    onChange(false)
    for (const go of [...waiting]) go()
  }

  function onAnswer(how: 'troubled' | 'well'): void {
    answeredAt = now()
    silent = 0
    if (isOpen) {
      isOpen = false
      onChange(true)
    }
    if (how === 'troubled') onFailure()
    else onWell()
  }

  function onWell(): void {
    failures = 0
    if (isProven && failingSince === undefined) return
    isProven = true
    failingSince = undefined
    onRecovered()
  }

  /** One alone has its own next time: else one that always fails would hurry all that wait. */
  function onFailure(): void {
    failures += 1
    if (failures >= failuresMin) beginFailing()
  }

  function beginFailing(): void {
    if (failingSince !== undefined) return
    failingSince = now()
    nextEarlyAt = failingSince + earlyTrials.minMs
  }

  /**
   * How long nobody is to be asked, ms. A trial that is due is offered to one, who may need a while
   * before the call: all others would find it taken after their work.
   */
  function pauseMs(): number {
    const waitMs = Math.max(nextTrialAt, offeredAt + trialEveryMs) - now()
    if (!isOpen || waitMs > 0) return isOpen ? waitMs : 0
    offeredAt = now()
    return 0
  }

  return {
    run,
    pauseMs,
    /** Answers true once, and then not for a while. */
    isTrialDue(): boolean {
      if (failingSince === undefined || now() < nextEarlyAt) return false
      const { share, minMs, maxMs } = earlyTrials
      nextEarlyAt = now() + Math.min(Math.max((now() - failingSince) / share, minMs), maxMs)
      return true
    }
  }
}
