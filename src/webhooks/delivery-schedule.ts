/** When a delivery that failed is tried again. Times are seconds. */
import {
  delayAfter,
  webhookJitter,
  webhookRetryAfterMaxS,
  webhookRetryForS,
  webhookRetryS
} from '../jobs.ts'

export type Failed = {
  /** How many tries there were, this one included. */
  tries: number
  /** Since its first try was due. */
  ageS: number
  /** What the endpoint asks for, as a header has it. */
  retryAfter: string | null
  now: Date
  /** From 0 up to 1. */
  random: number
}

/**
 * The pause before the next try; null where there is none any more. The last one comes at the very
 * end of the days that a delivery is tried for, whenever its turn would be.
 */
export function nextTryInS(failed: Failed): number | null {
  const leftS = webhookRetryForS - failed.ageS
  if (leftS <= 0) return null
  const jitter = 1 + webhookJitter * (2 * failed.random - 1)
  const pauseS = delayAfter(webhookRetryS, failed.tries - 1) * jitter
  const asked = readRetryAfter(failed.retryAfter, failed.now) ?? 0
  // An endpoint may ask for more time, never for less: it could be asked without end.
  return Math.min(Math.max(pauseS, asked), leftS)
}

/** Seconds, or a date, as RFC 9110 (10.2.3) has it; undefined where it is neither. */
export function readRetryAfter(text: string | null, now: Date): number | undefined {
  if (text === null) return undefined
  const seconds = /^\s*\d{1,9}\s*$/.test(text)
    ? Number(text)
    : (Date.parse(text) - now.getTime()) / 1000
  return seconds > 0 ? Math.min(seconds, webhookRetryAfterMaxS) : undefined
}
