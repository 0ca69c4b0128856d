/**
 * How an answer of Adyen that is not a success is read
 * (docs.adyen.com/development-resources/error-codes).
 */

import { hideCardNumbers } from '../card-number.ts'
import type { Answer, HostedPage } from '../provider.ts'

/** The request may or may not have been processed: ask again under the same key, or wait. */
export class AdyenOutcomeUnknown extends Error {
  /** Adyen did answer, with what can't be read. */
  readonly isAnswered: boolean
  /** This process was late itself: an answer may have been there in time. */
  readonly isOurs: boolean

  constructor(
    message: string,
    options: { cause?: unknown; isAnswered?: boolean; isOurs?: boolean } = {}
  ) {
    super(message, { cause: options.cause })
    this.isAnswered = options.isAnswered === true
    this.isOurs = options.isOurs === true
  }
}

/** Nothing was sent. */
export class AdyenNotAsked extends Error {}

/** What of the library's HttpClientException decides. */
type HttpError = {
  statusCode: number
  errorCode?: string
  responseHeaders?: Record<string, string | string[] | undefined>
  apiError?: { message?: string; detail?: string; title?: string; pspReference?: string }
}

type Unanswered = Exclude<Answer<never>, { outcome: 'done' }>

/** The first call under the key is still running, or is done. */
const duplicateErrorCode = '704'
const conflict = 409
/** Unauthorized, Forbidden: our key is not accepted, whatever was asked. */
const noAccess = [401, 403]
/** Request Timeout, Too Early, Too Many Requests: a no of the way there, not of Adyen. */
const notNow = [408, 425, 429]

/** Of what Adyen said, for the log; it repeats what it was sent, or anything else. */
const saidLengthMax = 1_000

/** Sentences for whoever asked: no word of them is Adyen's. */
const reasons = {
  notAsked: 'The payment provider is not answering at the moment, and was not asked.',
  silent: 'The payment provider did not answer in time, or the connection to it broke.',
  unreadable: 'The answer of the payment provider can’t be read.',
  busy: 'The payment provider is still at an earlier request, or takes none at the moment.',
  error: (status: number) => `The payment provider answered with an error of its own (${status}).`,
  key: 'The payment provider does not accept the key of this service: its operator must mend that.',
  refused: (status: number, code: string | undefined) =>
    `The payment provider refused the request (${status}${code ? `, its code ${code}` : ''}).`,
  address: 'The payment provider answered with an address that is none of its own.'
} as const

/**
 * `harmless` calls may take a new key where Adyen stored its own error under the old one; what
 * moves money never does.
 */
export function readError(error: unknown, kind: 'harmless' | 'moves_money'): Unanswered {
  if (error instanceof AdyenNotAsked) {
    return { ...unknown(error.message, reasons.notAsked), trouble: 'not_asked' }
  }
  if (error instanceof AdyenOutcomeUnknown) {
    return unknown(error.message, error.isAnswered ? reasons.unreadable : reasons.silent)
  }
  if (!isHttpError(error)) throw error
  const { statusCode, errorCode, apiError } = error
  const said = hide(apiError?.message ?? apiError?.detail ?? apiError?.title ?? '')
  if (isRunning(error) || notNow.includes(statusCode)) return unknown(said, reasons.busy)
  // Adyen has looked at what has a reference, and then its answer is stored under the key.
  const isStored =
    noAccess.includes(statusCode) && statusCode !== 401
      ? apiError?.pspReference !== undefined
      : statusCode >= 500 && !isTransient(error)
  const retry = isStored && kind === 'harmless' ? 'new_key' : 'same_key'
  if (noAccess.includes(statusCode)) {
    return { ...unknown(said, reasons.key), retry, trouble: 'key_refused' }
  }
  if (statusCode >= 400 && statusCode < 500) {
    return { outcome: 'rejected', reason: hide(reasons.refused(statusCode, errorCode)), said }
  }
  return { ...unknown(said, reasons.error(statusCode)), retry }
}

/** With this header nothing was attempted; without it the error is stored under the key. */
export function isTransient({ responseHeaders }: HttpError): boolean {
  return String(responseHeaders?.['transient-error']).toLowerCase() === 'true'
}

/** Whether an earlier call under its key has not ended: that says nothing of other calls. */
export function isRunning({ statusCode, errorCode }: HttpError): boolean {
  return statusCode === conflict || errorCode === duplicateErrorCode
}

/** Whether Adyen is well, for all that it said no to what was asked. */
export function isDefinite(error: HttpError): boolean {
  const { statusCode } = error
  const isNotNow = [...noAccess, ...notNow].includes(statusCode)
  return statusCode >= 400 && statusCode < 500 && !isNotNow && !isRunning(error)
}

/** `said`: what came instead of an answer, for the log. */
export function unknown(
  said: string,
  reason: string = reasons.unreadable
): Unanswered & { outcome: 'unknown' } {
  return { outcome: 'unknown', reason, retry: 'same_key', said: hide(said) }
}

/** A customer is never sent there. */
export function addressRefused(address: string): Unanswered {
  return {
    outcome: 'rejected',
    reason: reasons.address,
    said: hide(address),
    trouble: 'address_refused'
  }
}

function hide(text: string): string {
  // Some more, so that no number is cut before it is seen.
  return hideCardNumbers(text.slice(0, 2 * saidLengthMax)).slice(0, saidLengthMax)
}

export function done<T>(value: T): Answer<T> {
  return { outcome: 'done', value }
}

/** The page that `call` opens, where the answer is about what we know by this reference. */
export async function openPage(
  reference: string,
  readAddress: (url: string) => string | undefined,
  call: () => Promise<{ id?: string; url?: string; reference?: string }>
): Promise<Answer<HostedPage>> {
  try {
    const { id, url, reference: answered } = await call()
    if (typeof id !== 'string' || typeof url !== 'string' || answered !== reference) {
      return unknown('a page without id or url')
    }
    const address = readAddress(url)
    return address === undefined ? addressRefused(url) : done({ session: id, url: address })
  } catch (error) {
    return readError(error, 'harmless')
  }
}

export function isHttpError(error: unknown): error is HttpError {
  return (
    error instanceof Error && typeof (error as { statusCode?: unknown }).statusCode === 'number'
  )
}
