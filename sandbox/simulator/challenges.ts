import { withParameters } from './addresses.ts'
import type { Context } from './context.ts'
import { newChallengeId, newRedirectResult } from './identifiers.ts'
import type { Challenge } from './state.ts'
import { CHALLENGE_PASSWORD } from './test-data.ts'

type Question = Pick<Challenge, 'card' | 'page' | 'purchase' | 'returnUrl' | 'storedCardId'>

/** Asks the shopper who owns the card, on a page of the issuer's. */
export function openChallenge({ state }: Context, question: Question): Challenge {
  const challenge: Challenge = {
    id: newChallengeId(),
    createdAt: new Date().toISOString(),
    ...question,
    state: 'open',
    redirectResult: newRedirectResult()
  }
  state.challenges.put(challenge)
  return challenge
}

/** A shopper who cancels gives no password. A challenge is answered once. */
export function answerChallenge(
  { state }: Context,
  challenge: Challenge,
  password: string | null
): void {
  if (challenge.state !== 'open') return
  challenge.state = password === CHALLENGE_PASSWORD ? 'passed' : 'failed'
  state.challenges.put(challenge)
}

/**
 * Where the shopper of POST /payments goes with the answer:
 * https://docs.adyen.com/online-payments/3d-secure/redirect-3ds2
 */
export function challengeReturn({ returnUrl, redirectResult }: Challenge): string {
  return withParameters(returnUrl, { redirectResult })
}

export function challengePath({ id }: Challenge): string {
  return `/challenge/${id}`
}
