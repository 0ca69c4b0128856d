/**
 * How an answer of Adyen that is not a success is read
 * (docs.adyen.com/development-resources/error-codes).
 */

import type { Answer, HostedPage } from '../provider.ts'

/** The request may or may not have been processed: ask again under the same key, or wait. */
export class AdyenOutcomeUnknown extends Error {}

/** What of the library's HttpClientException decides. */
type HttpError = {
  statusCode: number
  errorCode?: string
  responseHeaders?: Record<string, string | string[] | undefined>
  apiError?: { message?: string; detail?: string; title?: string }
}

type Unanswered = Exclude<Answer<never>, { outcome: 'done' }>

/** The first call under the key is still running, or is done. */
const duplicateErrorCode = '704'
const conflict = 409
/** Unauthorized, Forbidden: Adyen did not look at the request, nor at an earlier one like it. */
const noAccess = [401, 403]
/** Request Timeout, Too Early, Too Many Requests: a no of the way there, not of Adyen. */
const notNow = [408, 425, 429]

/**
 * `harmless` calls may take a new key where Adyen stored its own 5xx under the old one; what moves
 * money never does.
 */
export function readError(error: unknown, kind: 'harmless' | 'moves_money'): Unanswered {
  if (error instanceof AdyenOutcomeUnknown) return unknown(error.message)
  if (!isHttpError(error)) throw error
  const { statusCode, errorCode, responseHeaders, apiError } = error
  const said = apiError?.message ?? apiError?.detail ?? apiError?.title ?? ''
  const reason = `Adyen answered ${statusCode}${errorCode ? ` (${errorCode})` : ''}: ${said}`
  if (statusCode === conflict || errorCode === duplicateErrorCode) return unknown(reason)
  if (notNow.includes(statusCode)) return unknown(reason)
  if (noAccess.includes(statusCode)) return { outcome: 'rejected', reason, access: true }
  if (statusCode >= 400 && statusCode < 500) return { outcome: 'rejected', reason }
  // With this header nothing was attempted; without it the error is stored under the key.
  const transient = String(responseHeaders?.['transient-error']).toLowerCase() === 'true'
  const stored = statusCode >= 500 && !transient
  return stored && kind === 'harmless' ? { ...unknown(reason), retry: 'new_key' } : unknown(reason)
}

export function unknown(reason: string): Unanswered & { outcome: 'unknown' } {
  return { outcome: 'unknown', reason, retry: 'same_key' }
}

export function done<T>(value: T): Answer<T> {
  return { outcome: 'done', value }
}

/** The page that `call` opens, where the answer is about what we know by this reference. */
export async function openPage(
  reference: string,
  call: () => Promise<{ id?: string; url?: string; reference?: string }>
): Promise<Answer<HostedPage>> {
  try {
    const { id, url, reference: answered } = await call()
    if (typeof id !== 'string' || typeof url !== 'string' || answered !== reference) {
      return unknown('a page without id or url')
    }
    return done({ session: id, url })
  } catch (error) {
    return readError(error, 'harmless')
  }
}

function isHttpError(error: unknown): error is HttpError {
  return (
    error instanceof Error && typeof (error as { statusCode?: unknown }).statusCode === 'number'
  )
}
