import { randomBytes } from 'node:crypto'
import { passesLuhn } from './cards.ts'
import type { Faults } from './faults.ts'

/** 32 signs, so that one random byte gives one sign without bias; no I, O, 0, 1. */
const SIGNS = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'

function randomText(length: number): string {
  return Array.from(randomBytes(length), (byte) => SIGNS[byte & 31]).join('')
}

/** Adyen's pspReference: 16 upper-case letters and digits. */
export function newPspReference(): string {
  return randomText(16)
}

/** Of a payment or modification; the fault `cardLikeReference` decides what it looks like. */
export function referenceOf({ faults }: { faults: Faults }): string {
  const isCardLike = faults.take('page', 'cardLikeReference') !== null
  return isCardLike ? newCardLikeReference() : newPspReference()
}

/** 16 digits that no pattern can tell from the number of a Visa card. */
function newCardLikeReference(): string {
  const start = `4${Array.from(randomBytes(14), (byte) => byte % 10).join('')}`
  const all = Array.from({ length: 10 }, (_, digit) => `${start}${digit}`)
  return all.find(passesLuhn) ?? start
}

export function newSessionId(): string {
  return `CS${randomText(16)}`
}

export function newLinkId(): string {
  return `PL${randomText(16)}`
}

/** Nobody but the shopper knows it: whoever has the address can answer. */
export function newChallengeId(): string {
  return randomText(32)
}

export function newStoredCardId(): string {
  return randomText(16)
}

export function newAuthCode(): string {
  return randomText(6)
}

/**
 * The proof that a shopper came back from a session. It always holds `!`, `+`, `/` and `=`, as
 * Adyen's own can: a client that percent-encodes it is found out at once.
 */
export function newSessionResult(): string {
  return `${randomText(8)}!H4sI+/${randomBytes(40).toString('base64')}`
}

/** The proof that a shopper came back from a challenge, with signs that must be percent-encoded. */
export function newRedirectResult(): string {
  return `X${randomText(7)}!H4sI+/${randomBytes(40).toString('base64')}`
}

/** Opaque data for the front end of an embedded session. */
export function newSessionData(): string {
  return `Ab02b4c0!${randomBytes(60).toString('base64')}`
}
