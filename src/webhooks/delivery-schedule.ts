/** When a delivery that failed is tried again. Times are seconds. */
import { delayAfter } from '../due/delays.ts'

/** Telling an endpoint again what it did not take, each pause a fifth shorter or longer at most. */
export const webhookRetryS = [1, 3, 8, 20, 60, 300, 1_800, 7_200, 21_600] as const
const webhookJitter = 0.2
/** Then it is given up; an endpoint that took nothing in that time is disabled. */
export const webhookRetryForS = 3 * 24 * 60 * 60
/** The longest that an endpoint may ask us to wait. */
const webhookRetryAfterMaxS = 21_600
/** From the name's resolution to the last byte that is read of an answer. */
export const webhookDeadlineMs = 10_000
/** An attempt whose process died is due again. */
export const webhookLeaseS = webhookDeadlineMs / 1000 + 5
/** For how long an event that fails holds up the later ones of its payment at the endpoint. */
export const webhookInOrderForS = 600
/**
 * Attempts under way at once: at one endpoint, at one that is failing, and of an instance, of which
 * the last are `reserved` for endpoints that have none under way.
 */
export const webhookAtOnce = {
  endpoint: 10,
  failingEndpoint: 2,
  instance: 500,
  reserved: 100
} as const

export type Failed = {
  /** How many there were, this one included. */
  attempts: number
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
  const pauseS = delayAfter(webhookRetryS, failed.attempts - 1) * jitter
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
