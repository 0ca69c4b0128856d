/**
 * The delays of all background work, in seconds. What is due lives in the row that it concerns:
 * when, how often it was tried, and until when somebody holds it.
 */

/** How long work without a wake-up call may lie: the net under the wake-ups. */
export const pollEveryMs = 1_000

/** Beyond the provider's deadline, what a finisher needs for its own statements. */
export const leaseMarginS = 2

/** Asking for a page again, and sending a reversal again, when the outcome is unknown. */
export const providerRetryS = [2, 4, 8, 15, 30, 60, 120, 300] as const

/** Trying a notification again whose payment is unknown, or which could not be applied. */
export const notificationRetryS = [1, 5, 15, 60, 300, 1_800, 7_200, 21_600] as const

/** A notification that could not be applied this often is parked for a person. */
export const notificationTriesMax = 6
/** One whose payment never appeared is parked after about a week. */
export const waitingTriesMax = 36

/** A request that moves money is never sent again after 24 h: its key may be forgotten by then. */
export const moneyRetryForMs = 24 * 60 * 60_000

export const purgeEveryMs = 60 * 60_000

/** The delay after the n-th try, the last one for ever. */
export function delayAfter(delaysS: readonly number[], tries: number): number {
  return delaysS[Math.min(tries, delaysS.length - 1)] as number
}
