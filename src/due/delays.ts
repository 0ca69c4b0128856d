/** The delays that several kinds of background work share; each other one stands at its task. */

/** How long work without a wake-up call may lie: the net under the wake-ups. */
export const pollEveryMs = 1_000

/** Beyond the provider's deadline, what a holder needs for its own statements. */
export const leaseMarginS = 2

/** Asking the provider again when the outcome is unknown; and trying again what failed here. */
export const providerRetryS = [2, 4, 8, 15, 30, 60, 120, 300] as const

/** A request that moves money is never sent again after 24 h: its key may be forgotten by then. */
export const moneyRetryForMs = 24 * 60 * 60_000

/** The delay after `tries` others, the last one for ever. */
export function delayAfter(delaysS: readonly number[], tries: number): number {
  return delaysS[Math.min(Math.max(tries, 0), delaysS.length - 1)] as number
}

/**
 * When to ask again for what somebody is at, s: each pause is as long as they have been at it, and
 * none is longer than what is left of their lease.
 */
export function nextAskS(leaseLeftS: number, leaseS: number): number {
  return Math.max(1, Math.ceil(Math.min(leaseS - leaseLeftS, leaseLeftS)))
}
